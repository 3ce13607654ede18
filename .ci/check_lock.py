"""Check that requirements.lock fits pyproject.toml; with --upgrade, resolve it anew.

The lock is the whole environment (the package's dependencies and the development tools) with a hash
of every file, for every supported Python, and it names no index: any mirror can serve it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

LOCK = Path("requirements.lock")


def compile_lock(uv: str, target: Path, *, upgrade: bool) -> None:
    """Resolve into ``target``; pins already in it are kept unless ``upgrade``."""
    options = ["--upgrade"] if upgrade else []
    subprocess.run(
        [
            *(uv, "pip", "compile", "--quiet", "--universal", "--generate-hashes", "--no-header"),
            *("--no-annotate", "--group", "dev", "pyproject.toml", "--output-file", str(target)),
            *options,
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )


def pins(lock: Path) -> list[str]:
    """Return the pinned versions; a release that gains a file later is no reason to fail."""
    lines = lock.read_text(encoding="utf-8").splitlines()
    return [line.rstrip(" \\") for line in lines if not line.startswith(" ")]


def main() -> int:
    """Return 0 when the lock fits."""
    uv, *options = sys.argv[1:]
    if "--upgrade" in options:
        compile_lock(uv, LOCK, upgrade=True)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / LOCK.name
        shutil.copy(LOCK, copy)
        compile_lock(uv, copy, upgrade=False)
        if pins(copy) == pins(LOCK):
            return 0
    print("requirements.lock does not fit pyproject.toml; run 'make lock'.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
