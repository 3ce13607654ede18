"""Templates put a field together of several columns: ``2014-{month}-{day}``."""

from __future__ import annotations

from collections.abc import Mapping
from string import Formatter

import pyarrow as pa
import pyarrow.compute as pc


def template_pieces(template: str) -> list[tuple[str, str]]:
    """Return the pieces of a template: a text, and the name in braces behind it (or nothing).

    Raises
    ------
    ValueError
        If its braces do not pair.

    Examples
    --------
    >>> template_pieces("2014-{month}-{day}")
    [('2014-', 'month'), ('-', 'day')]
    """
    return [(text, name or "") for text, name, _, _ in Formatter().parse(template)]


def fill_template(template: str, parts: Mapping[str, pa.Array]) -> pa.Array:
    """Return the texts that a template makes of columns of text; null where one of them is.

    Examples
    --------
    >>> parts = {"month": pa.array(["5", "11", None]), "day": pa.array(["1", "11", "3"])}
    >>> fill_template("2014-{month}-{day}", parts).to_pylist()
    ['2014-5-1', '2014-11-11', None]
    """
    pieces: list[pa.Array | str] = []
    for text, name in template_pieces(template):
        pieces += [text, parts[name]] if name else [text]
    return pc.binary_join_element_wise(*pieces, "")
