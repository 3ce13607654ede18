"""What was written stays written: files and names are on the disk before anybody relies on them."""

from __future__ import annotations

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Bring a file's content, or a folder's list of names, to the disk.

    A rename is there to stay once the folder is synced.

    Examples
    --------
    >>> sync(Path())
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
