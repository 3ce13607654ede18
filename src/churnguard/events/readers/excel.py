"""Excel workbooks (.xlsx, .xls, .xlsb, .ods): every sheet that is not empty, one after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from churnguard.errors import DataError, SchemaError
from churnguard.events.readers.chunks import Chunk, ReadOptions, numbered_from
from churnguard.events.readers.columns import table_of, text_of
from churnguard.events.readers.registry import reader


@reader(".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")
def read_excel(path: Path, options: ReadOptions) -> Iterator[Chunk]:
    """Yield each sheet's rows; blank ones do not count, the first one is the header."""
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        book = CalamineWorkbook.from_path(str(path))
        for name in _wanted(path, book.sheet_names, options.sheets):
            sheet = book.get_sheet_by_name(name).to_python(skip_empty_area=True)
            rows = [row for row in sheet if any(value != "" for value in row)]
            if rows:
                yield _chunk(f"{path.name}[{name}]", rows[0], rows[1:])
    except (CalamineError, OSError) as error:
        raise DataError(
            f"{path.name} is no readable workbook: {error}.", hint="Save it again as .xlsx."
        ) from error


def _wanted(path: Path, there: Sequence[str], asked: tuple[str, ...]) -> Sequence[str]:
    for name in asked:
        if name not in there:
            raise SchemaError(
                f"{path.name} has no sheet '{name}'.", hint=f"It has: {', '.join(there)}."
            )
    return asked or there


def _chunk(source: str, header: Sequence[Any], rows: Sequence[Sequence[Any]]) -> Chunk:
    names = [(text_of(name) or "").strip() for name in header]
    repeated = {name for name in names if name and names.count(name) > 1}
    if repeated:
        raise SchemaError(f"{source} has the column '{min(repeated)}' more than once.")
    columns = zip(names, zip(*rows, strict=True), strict=True) if rows else ((n, ()) for n in names)
    kept = {name: [_empty_as_none(value) for value in values] for name, values in columns if name}
    return Chunk(source, numbered_from(1, len(rows)), table_of(kept, len(rows)))


def _empty_as_none(value: Any) -> Any:
    return None if isinstance(value, str) and not value else value
