"""Makes Arrow columns of plain Python values, of whatever mixture a file holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import pyarrow as pa


def table_of(columns: Mapping[str, Sequence[Any]], rows: int) -> pa.Table:
    """Return a table; a column of one kind keeps its type, a mixture becomes text.

    Examples
    --------
    >>> table_of({"a": [1, "x", None], "b": [1.5, None, 2]}, 3).schema.types
    [DataType(string), DataType(double)]
    """
    if not columns:
        return pa.table({"": pa.nulls(rows, pa.string())}).drop_columns([""])
    return pa.table({name: _column(values) for name, values in columns.items()})


def text_of(value: Any) -> str | None:
    """Return a value as text: nested ones as JSON, whole numbers without a point.

    Examples
    --------
    >>> text_of(13085.0), text_of({"a": 1}), text_of(None)
    ('13085', '{"a":1}', None)
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, dict | list):
        return orjson.dumps(value).decode()
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _column(values: Sequence[Any]) -> pa.Array:
    kinds = {type(value) for value in values} - {type(None)}
    if kinds <= {int, float} or (len(kinds) == 1 and not kinds & {dict, list}):
        try:
            return pa.array(values)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            pass
    return pa.array([text_of(value) for value in values], pa.string())
