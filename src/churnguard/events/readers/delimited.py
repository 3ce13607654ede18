"""CSV and TSV files, also gzipped. Every value is read as text, so that ids keep leading zeros."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv

from churnguard.errors import DataError, SchemaError
from churnguard.events.readers.chunks import BrokenRow, Chunk, ReadOptions, number_around
from churnguard.events.readers.registry import reader

_DELIMITERS = ",;\t|"
_PROBE = 1 << 16


@reader(".csv", ".csv.gz", ".txt")
def read_csv(path: Path, options: ReadOptions) -> Iterator[Chunk]:
    """Yield the rows of a CSV file; the delimiter is the header's most frequent one."""
    header = _header_line(path, options.encoding)
    yield _read(path, options, options.delimiter or max(_DELIMITERS, key=header.count))


@reader(".tsv", ".tsv.gz", ".tab")
def read_tsv(path: Path, options: ReadOptions) -> Iterator[Chunk]:
    """Yield the rows of a tab-separated file."""
    yield _read(path, options, options.delimiter or "\t")


def _read(path: Path, options: ReadOptions, delimiter: str) -> Chunk:
    names = next(csv.reader([_header_line(path, options.encoding)], delimiter=delimiter), [])
    names = [name.strip() for name in names]
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        raise SchemaError(f"{path.name} has the column '{min(repeated)}' more than once.")
    broken: list[BrokenRow] = []

    def set_aside(row: pa_csv.InvalidRow) -> str:
        detail = f"The line has {row.actual_columns} fields, the header {row.expected_columns}."
        broken.append(BrokenRow(row.number - 1, row.text or "", detail))
        return "skip"

    try:
        table = pa_csv.read_csv(
            path,
            pa_csv.ReadOptions(
                column_names=names, skip_rows=1, use_threads=False, encoding=options.encoding
            ),
            pa_csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, invalid_row_handler=set_aside
            ),
            pa_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
        )
    except (pa.ArrowInvalid, OSError, UnicodeDecodeError) as error:
        raise _explain(path, error) from error
    return Chunk(path.name, number_around(table.num_rows, broken), table, tuple(broken))


def _header_line(path: Path, encoding: str) -> str:
    """Return the first line, whatever its line ending."""
    try:
        decoder = codecs.getincrementaldecoder(encoding)("strict")
        with pa.OSFile(str(path)) as raw:
            zipped = path.suffix.lower() == ".gz"
            stream = pa.CompressedInputStream(raw, "gzip") if zipped else raw
            text = decoder.decode(stream.read(_PROBE))
    except (OSError, LookupError, UnicodeDecodeError) as error:
        raise _explain(path, error) from error
    lines = text.removeprefix("\ufeff").splitlines()
    return lines[0] if lines else ""


def _explain(path: Path, error: Exception) -> DataError:
    if "utf8" in str(error).lower() or isinstance(error, UnicodeDecodeError):
        return SchemaError(
            f"{path.name} is not written in UTF-8.",
            hint='Say how it is written in a mapping: encoding = "latin-1".',
        )
    return DataError(f"{path.name} cannot be read: {error}.", hint="Is it damaged or cut off?")
