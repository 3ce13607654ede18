"""A mapping says what a file's columns mean; a preset is a mapping that ChurnGuard brings along.

It is a small TOML file: which column is which field, of what shape the rows are, and rules for rows
that are something else than they look. A shop's own one may start from a preset (``extends``).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping as MappingOf
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from churnguard.errors import SchemaError
from churnguard.events.customers import CUSTOMER_SCHEMA
from churnguard.events.readers import ReadOptions
from churnguard.events.schema import EVENT_SCHEMA
from churnguard.events.templates import template_pieces
from churnguard.events.times import lag_us

Shape = Literal["events", "orders", "order-lines", "customers"]
NUMBERS = ("value", "quantity", "price", "discount")
"""Fields that are numbers."""

FIELDS = frozenset({*EVENT_SCHEMA.names, *CUSTOMER_SCHEMA.names, "price", "line_id"})
"""Fields that a mapping may fill."""


WORDS = ("event", "currency", "kind", "category")
"""Fields of few different words, which a mapping may state or translate."""

_COMPARISON = r"(<=|>=|<|>|=) ?-?\d+(\.\d+)?"


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Condition(_Strict):
    """Which rows are meant: all of ``if`` hold and not all of ``unless``.

    A condition on text is a regular expression for the whole value, in upper or lower case; one on
    a number is ``< 0``, ``<= 0``, ``> 0``, ``>= 0``, ``= 0`` or the like.
    """

    holds: dict[str, str] = Field(alias="if", min_length=1)
    unless: dict[str, str] = Field(default_factory=dict)

    @field_validator("holds", "unless")
    @classmethod
    def _known_fields(cls, fields: dict[str, str]) -> dict[str, str]:
        for name, wanted in fields.items():
            if name not in FIELDS:
                raise ValueError(f"'{name}' is no field")
            if name in NUMBERS and not re.fullmatch(_COMPARISON, wanted):
                raise ValueError(f"'{wanted}' is no comparison such as '< 0'")
            if name not in NUMBERS and not _is_expression(wanted):
                raise ValueError(f"'{wanted}' is no regular expression")
        return fields


class QuarantineRule(Condition):
    """Rows that never become an event, and the reason code under which they are kept."""

    reason: str = Field(pattern=r"^[a-z][a-z0-9_]{2,40}$")


class Mapping(_Strict):
    """What the columns of a file mean.

    Attributes
    ----------
    shape : {"events", "orders", "order-lines", "customers"}
        What a row is.
    columns : mapping of field to column names
        The first column that the file has is taken; case, spaces and underscores do not matter.
    required : sequence of str
        Fields whose column must be there.
    constants : mapping
        Fields that are the same in every row and stand in no column, such as ``event``.
    join : mapping of field to template
        Fields that stand in several columns, such as ``{year}-{month}-{day}``; before ``columns``.
    words : mapping of field to mapping of str to str
        What the file's own words or codes for events, kinds and so on mean; others stay.
    repeats : bool
        Identical rows of one file are events of their own; duplicates otherwise.
    keep : sequence of str
        Columns that go into ``properties`` as they are.
    uppercase : sequence of str
        Fields in which case does not matter.
    time_format : str or None
        How times are written, as ``strptime`` has it; ISO 8601 or epoch otherwise.
    known_lag : str or None
        How long after it occurred a row was known, such as ``2d``, where it does not say when; the
        setting ``known_lag_seconds`` otherwise.
    decimal : {".", ","}
        The decimal sign in text.
    encoding, delimiter, sheets
        See :class:`~churnguard.events.readers.ReadOptions`.
    quarantine, refund, charge
        Rules for rows that never become an event, for orders that give money back, and for lines
        that are money but no product.
    """

    name: str = "own"
    describes: str = ""
    shape: Shape = "events"
    columns: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    required: tuple[str, ...] = ()
    constants: dict[str, str] = Field(default_factory=dict)
    join: dict[str, str] = Field(default_factory=dict)
    words: dict[str, dict[str, str]] = Field(default_factory=dict)
    repeats: bool = False
    keep: tuple[str, ...] = ()
    uppercase: tuple[str, ...] = ()
    time_format: str | None = None
    known_lag: str | None = None
    decimal: Literal[".", ","] = "."
    encoding: str = "utf-8"
    delimiter: str | None = Field(None, min_length=1, max_length=1)
    sheets: tuple[str, ...] = ()
    quarantine: tuple[QuarantineRule, ...] = ()
    refund: Condition | None = None
    charge: Condition | None = None

    @field_validator("columns", mode="before")
    @classmethod
    def _one_or_many(cls, columns: Any) -> Any:
        if not isinstance(columns, dict):
            return columns
        _refuse_unknown_fields(columns)
        return {
            field: (names,) if isinstance(names, str) else tuple(names)
            for field, names in columns.items()
        }

    @field_validator("constants")
    @classmethod
    def _only_text(cls, constants: dict[str, str]) -> dict[str, str]:
        if set(constants) - set(WORDS):
            raise ValueError(f"only {', '.join(sorted(WORDS))} may be constant")
        return constants

    @field_validator("join")
    @classmethod
    def _only_templates(cls, join: dict[str, str]) -> dict[str, str]:
        _refuse_unknown_fields(join)
        for template in join.values():
            if not any(name for _, name in template_pieces(template)):
                raise ValueError(f"'{template}' names no column in braces")
        return join

    @field_validator("words")
    @classmethod
    def _only_words(cls, words: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
        if set(words) - set(WORDS):
            raise ValueError(f"only words of {', '.join(sorted(WORDS))} can be translated")
        return words

    @field_validator("known_lag")
    @classmethod
    def _a_lag(cls, lag: str | None) -> str | None:
        if lag is not None:
            lag_us(lag)  # an InvalidRequest is a ValueError
        return lag

    @property
    def options(self) -> ReadOptions:
        """How files are to be read."""
        return ReadOptions(self.encoding, self.delimiter, self.sheets)

    def locate(self, columns: list[str], *, source: str) -> dict[str, str]:
        """Return which column of a file holds which field.

        Raises
        ------
        SchemaError
            If a required one is missing; it names the column, those found, and the closest.

        Examples
        --------
        >>> preset("orders").locate(["Order ID", "UID", "date", "Revenue"], source="o.csv")
        {'order_id': 'Order ID', 'customer_id': 'UID', 'occurred_at': 'date', 'value': 'Revenue'}
        """
        there = {_plain(column): column for column in reversed(columns)}
        found = {}
        for field, names in self.columns.items():
            fitting = [there[_plain(name)] for name in names if _plain(name) in there]
            if fitting:
                found[field] = fitting[0]
        parts = self.parts(columns)
        for field, template in self.join.items():
            for _, name in template_pieces(template):
                if name and name not in parts:
                    raise _missing(field, (name,), columns, source)
        for field in self.required:
            if field not in {*found, *self.constants, *self.join}:
                raise _missing(field, self.columns.get(field, (field,)), columns, source)
        return found

    def parts(self, columns: list[str]) -> dict[str, str]:
        """Return which column of a file is meant by each name in the templates of ``join``.

        Examples
        --------
        >>> mapping_of({"join": {"occurred_at": "2014-{month}-{day}"}}).parts(["Day", "Month"])
        {'month': 'Month', 'day': 'Day'}
        """
        there = {_plain(column): column for column in reversed(columns)}
        pieces = [piece for template in self.join.values() for piece in template_pieces(template)]
        return {name: there[_plain(name)] for _, name in pieces if _plain(name) in there}


def preset(name: str) -> Mapping:
    """Return a preset.

    Raises
    ------
    SchemaError
        If there is none of that name.

    Examples
    --------
    >>> preset("online-retail").shape
    'order-lines'
    """
    if name not in presets():
        near = get_close_matches(name, presets(), 1)
        raise SchemaError(
            f"There is no preset '{name}'." + (f" Did you mean '{near[0]}'?" if near else ""),
            hint=f"There are: {', '.join(presets())}; or write a mapping and name it with --map.",
        )
    text = (files("churnguard.events.presets") / f"{name}.toml").read_text(encoding="utf-8")
    return Mapping.model_validate(tomllib.loads(text) | {"name": name})


def presets() -> tuple[str, ...]:
    """Return the names of all presets.

    Examples
    --------
    >>> presets()
    ('customers', 'events', 'online-retail', 'order-lines', 'orders', 'tmall')
    """
    folder = files("churnguard.events.presets")
    names = (entry.name for entry in folder.iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


def read_mapping(file: Path) -> Mapping:
    """Read a shop's own mapping from a TOML file.

    Raises
    ------
    SchemaError
        If it cannot be read or says something that a mapping cannot say.
    """
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SchemaError(f"The mapping {file.name} cannot be read: {error}.") from error
    return mapping_of(values, name=file.stem)


def mapping_of(values: MappingOf[str, Any], *, name: str = "own") -> Mapping:
    """Return a mapping given as plain values, with what it takes over by ``extends``.

    Raises
    ------
    SchemaError
        If it says something that a mapping cannot say.

    Examples
    --------
    >>> mapping_of({"extends": "orders", "columns": {"value": "sum"}}).columns["value"]
    ('sum',)
    """
    values = dict(values)
    parent = values.pop("extends", None)
    if parent is not None:
        base = preset(str(parent)).model_dump(mode="json", by_alias=True, exclude_none=True)
        columns = base["columns"] | values.get("columns", {})
        values = base | values | {"columns": columns}
    try:
        return Mapping.model_validate({"name": name} | values | {"name": name})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise SchemaError(
            f"The mapping '{name}' cannot be used: {place}: {first['msg']}.",
            hint="docs/events.md explains every key of a mapping.",
        ) from error


def _refuse_unknown_fields(fields: MappingOf[str, Any]) -> None:
    unknown = sorted(set(fields) - FIELDS)
    if unknown:
        near = get_close_matches(unknown[0], FIELDS, 1)
        raise ValueError(f"'{unknown[0]}' is no field" + (f"; {near[0]}?" if near else ""))


def _is_expression(text: str) -> bool:
    try:
        pc.match_substring_regex(pa.array([""]), text)
    except pa.ArrowInvalid:
        return False
    return True


def _plain(name: str) -> str:
    """Return a column's name without what people write differently."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _missing(field: str, names: tuple[str, ...], columns: list[str], source: str) -> SchemaError:
    plain = {_plain(column): column for column in columns}
    near = [
        plain[match]
        for name in names
        for match in get_close_matches(_plain(name), list(plain), 1, cutoff=0.6)
    ]
    closest = f" The closest is '{near[0]}'." if near else ""
    return SchemaError(
        f"{source} has no column '{names[0]}' (the field {field}). "
        f"It has: {', '.join(columns) or 'no columns'}.{closest}",
        hint=f'Name the column in a mapping: [columns] {field} = "...", and give it with --map.',
    )
