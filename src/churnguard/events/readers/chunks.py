"""What readers yield: rows as they stand in a file, numbered, and lines that are no rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa


@dataclass(frozen=True)
class ReadOptions:
    """How a file is to be read where the file itself does not say.

    Attributes
    ----------
    encoding : str
        Of text files.
    delimiter : str or None
        Of CSV files; None: taken from the header.
    sheets : tuple of str
        Of workbooks; empty: all that are not empty.
    """

    encoding: str = "utf-8"
    delimiter: str | None = None
    sheets: tuple[str, ...] = ()


@dataclass(frozen=True)
class BrokenRow:
    """A line that is no row: too many fields, or no valid JSON; its text as it stands."""

    row_number: int
    text: str
    detail: str


@dataclass(frozen=True)
class Chunk:
    """Some rows of one file or sheet.

    Attributes
    ----------
    source : str
        The file's name, for a workbook with the sheet's: ``retail.xlsx[Year 2009-2010]``.
    row_numbers : numpy.ndarray of int64, shape (rows,)
        Counted from 1, the header aside.
    table : pyarrow.Table
        The rows; columns and types as in the file.
    broken : tuple of BrokenRow
        Lines between them that are no rows.
    """

    source: str
    row_numbers: npt.NDArray[np.int64]
    table: pa.Table
    broken: tuple[BrokenRow, ...] = ()


def numbered_from(first: int, rows: int) -> npt.NDArray[np.int64]:
    """Return so many row numbers in a row.

    Examples
    --------
    >>> numbered_from(1, 3).tolist()
    [1, 2, 3]
    """
    return np.arange(first, first + rows, dtype=np.int64)


def number_around(rows: int, broken: Sequence[BrokenRow]) -> npt.NDArray[np.int64]:
    """Return the numbers of the rows that are not broken.

    Examples
    --------
    >>> number_around(3, [BrokenRow(2, "", "")]).tolist()
    [1, 3, 4]
    """
    everything = numbered_from(1, rows + len(broken))
    return np.setdiff1d(everything, [row.row_number for row in broken])
