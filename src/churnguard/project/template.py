"""``churnguard init``: a new project is a copy of the shipped rooms, with settings and keys.

The rooms exist once, at the top of the source tree. The wheel carries them; an editable checkout
uses its own.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from churnguard.errors import ProjectError
from churnguard.project.layout import ROOMS, Layout
from churnguard.project.settings import SETTINGS_FILE, check_settings
from churnguard.scoring.signature import fingerprint, new_key_pair

_IGNORED = "/data/\n/bundles/\n/.secrets/\n/mlruns/*\n!/mlruns/README.md\n__pycache__/\n"
_MLRUNS = (
    "# mlruns\n\nMLflow's local store. Look at it with\n\n"
    "    mlflow ui --backend-store-uri sqlite:///mlruns/mlflow.db\n"
)
_SETTINGS = """\
# This shop's settings. Every one can be overridden by a CHURNGUARD_* variable, for example
# CHURNGUARD_HORIZON_DAYS=60; 'churnguard config show' tells what is in force and from where.
name = {name}
timezone = "{timezone}"      # IANA name; naive times are read in it and days begin in it
currency = "{currency}"           # ISO 4217; events in another currency are quarantined
margin = 0.3               # share of net spend that is earned
label = "order_gap"        # what churn is; "activity" and "subscription": docs/horizon.md
horizon_days = 90          # churn: no order in the next so many days
look_back_days = 365       # for customers with an order in the last so many days
bands = [0.33, 0.66]       # risks at which "medium" and "high" begin
store = "sqlite:///data/churnguard.db"
"""


def template_root() -> Path:
    """Return the folder that holds the rooms to hand out.

    Raises
    ------
    ProjectError
        If neither the installed package nor a source checkout has them.
    """
    installed = Path(__file__).parent / "template_rooms"
    checkout = Path(__file__).parents[3]
    for root in (installed, checkout):
        if all((root / room).is_dir() for room in ROOMS):
            return root
    raise ProjectError(
        "This installation of ChurnGuard lacks its project template.",
        hint="Install the package again.",
    )


def create_project(
    root: Path | str, *, name: str | None = None, timezone: str = "UTC", currency: str = "USD"
) -> Layout:
    """Make a new project in a folder that does not hold one yet.

    Parameters
    ----------
    root : Path or str
        The folder; made when missing. Other files in it are left alone.
    name : str, optional
        The shop's name; the folder's name when not given.
    timezone, currency : str
        IANA zone and ISO 4217 code for the settings.

    Raises
    ------
    ProjectError
        If the folder holds a project, or a room of it, already. Nothing is overwritten.
    InvalidRequest
        If the zone or the currency does not exist. Nothing is written.
    """
    root = Path(root)
    name = name or root.resolve().name
    check_settings(name=name, timezone=timezone, currency=currency)
    taken = [entry for entry in (SETTINGS_FILE, *ROOMS) if (root / entry).exists()]
    if taken:
        raise ProjectError(
            f"{root} already has {', '.join(taken)}; nothing was changed.",
            hint="Name another folder, or remove what is there first.",
            file=root / taken[0],
        )
    root.mkdir(parents=True, exist_ok=True)
    source = template_root()
    for room in ROOMS:
        shutil.copytree(
            source / room, root / room, ignore=shutil.ignore_patterns("__pycache__", "*.pem")
        )
    layout = Layout(root)
    layout.mlruns.mkdir(exist_ok=True)
    (layout.mlruns / "README.md").write_text(_MLRUNS, encoding="utf-8")
    _add_lines(root / ".gitignore", _IGNORED)
    create_signing_key(layout)
    write_secret(layout.holdout_key, secrets.token_hex(32))
    write_secret(layout.service_key, secrets.token_hex(32))
    quoted = json.dumps(name, ensure_ascii=False)  # a JSON string is one of TOML's, too
    settings = _SETTINGS.format(name=quoted, timezone=timezone, currency=currency)
    (root / SETTINGS_FILE).write_text(settings, encoding="utf-8")
    return layout


def create_signing_key(layout: Layout) -> str:
    """Make a signing key pair; the new public key is trusted beside those already there.

    Returns
    -------
    str
        The fingerprint of the new public key.
    """
    private, public = new_key_pair()
    write_secret(layout.signing_key, private)
    layout.trust.mkdir(parents=True, exist_ok=True)
    (layout.trust / f"{fingerprint(public)}.pem").write_text(public, encoding="ascii")
    return fingerprint(public)


def write_secret(file: Path, text: str) -> None:
    """Write a secret that only its owner can read (mode 0600, folder 0700)."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)


def write_secret_once(file: Path, text: str) -> None:
    """Write a secret unless there is one: whoever comes first wins, and nobody reads half of it.

    Several processes may draw a key at the same time; all of them then read the same one.
    """
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        with suppress(FileExistsError):
            os.link(name, file)
    finally:
        Path(name).unlink()


def _add_lines(file: Path, lines: str) -> None:
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    file.write_text(before + lines, encoding="utf-8")
