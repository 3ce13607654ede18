"""Which reader reads which file: by its ending, after the checks that all formats share."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

from churnguard.errors import DataError, SchemaError
from churnguard.events.readers.chunks import Chunk, ReadOptions

Reader = Callable[[Path, ReadOptions], Iterator[Chunk]]
_READERS: dict[str, Reader] = {}


def reader(*file_endings: str) -> Callable[[Reader], Reader]:
    """Register a function as the reader of files with these endings."""

    def register(read: Reader) -> Reader:
        _READERS.update(dict.fromkeys(file_endings, read))
        return read

    return register


def endings() -> tuple[str, ...]:
    """Return the endings of all files that can be read.

    Examples
    --------
    >>> {".csv", ".parquet", ".xlsx"} <= set(endings())
    True
    """
    _find_readers()
    return tuple(sorted(_READERS))


def read_file(path: Path, options: ReadOptions | None = None) -> Iterator[Chunk]:
    """Yield the rows of a file, as they stand.

    Parameters
    ----------
    path : Path
        The file; its ending says its format.
    options : ReadOptions, optional
        What the file itself does not say.

    Raises
    ------
    DataError
        If there is no such file, or it is empty, damaged or no file.
    SchemaError
        If the format is not known.
    """
    _check_readable(path)
    read = _reader_of(path)
    if path.stat().st_size == 0:
        raise DataError(f"{path.name} is empty.", hint="A file needs at least a header.")
    yield from read(path, options or ReadOptions())


def _check_readable(path: Path) -> None:
    if path.is_dir():
        raise DataError(
            f"{path.name or path} is a directory, not a file.", hint="Name the files in it."
        )
    if not path.is_file():
        raise DataError(f"There is no file {path}.", hint="Check the path.")


def _reader_of(path: Path) -> Reader:
    name = path.name.lower()
    fitting = [ending for ending in endings() if name.endswith(ending)]
    if not fitting:
        raise SchemaError(
            f"{path.name} has an ending that no reader knows.",
            hint=f"These can be read: {', '.join(endings())}.",
        )
    return _READERS[max(fitting, key=len)]


@cache
def _find_readers() -> None:
    package = "churnguard.events.readers"
    for module in pkgutil.iter_modules(import_module(package).__path__):
        import_module(f"{package}.{module.name}")
