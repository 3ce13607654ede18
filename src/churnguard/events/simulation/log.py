"""The event log in the making: pieces of columns, put together into one table at the end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from churnguard.clock import to_us
from churnguard.events.schema import EVENT_SCHEMA
from churnguard.events.simulation.assortment import CATEGORIES, Assortment
from churnguard.events.simulation.draws import Floats, Ints, counts, stream, wholes
from churnguard.events.simulation.plan import SimulationPlan

NONE = -1
"""Stands for null in whole-number columns."""

LATE_SHARES = (0.97, 0.022, 0.006, 0.002)
"""Shares of messages that reach us within seconds, minutes, hours and days."""

_MONEY = frozenset(
    {
        "order_completed", "order_refunded", "order_cancelled", "product_ordered",
        "product_viewed", "product_added", "product_removed", "cart_viewed", "checkout_started",
        "coupon_applied",
    }
)  # fmt: skip
_INTEGERS = ("quantity", "order", "cart", "session", "product", "discount", "line")
_SECOND = 1_000_000
_LINES_AFTER = {"product_ordered": "order_completed"}
_TEXT_RANK = np.argsort(np.argsort(np.array([str(number) for number in range(1, 1000)])))


@dataclass(frozen=True)
class Piece:
    """Events of one name; a column that is left out is null."""

    event: str
    columns: dict[str, Ints | Floats]
    texts: pa.Array | None
    kinds: pa.Array | None


class EventLog:
    """Collects events and turns them into one sorted table.

    Times are whole seconds since 1970; money is whole cents.
    """

    def __init__(self) -> None:
        self._pieces: list[Piece] = []

    def add(
        self,
        event: str,
        *,
        customer: Ints,
        second: Ints,
        request: Ints,
        properties: pa.Array | None = None,
        kind: pa.Array | None = None,
        **columns: Ints | Floats,
    ) -> None:
        """Add events of one name.

        Parameters
        ----------
        customer, second : int64 array
        request : int64 array
            Events of one customer with the same number reached us together.
        properties, kind : pa.Array, optional
            Text; may be dictionary-encoded.
        **columns
            ``cents`` or ``number`` (for ``value``), ``quantity``, ``order``, ``cart``, ``session``,
            ``product``, ``discount`` (cents), ``line`` (1, 2, ... for an order's lines).
        """
        columns = {"customer": customer, "second": second, "request": request, **columns}
        self._pieces.append(Piece(event, columns, properties, kind))

    def table(self, plan: SimulationPlan, names: pa.Array, assortment: Assortment) -> pa.Table:
        """Return the log as of the plan's end, sorted by customer, time and event id."""
        whole = {name: self._whole(name) for name in ("customer", "second", "request", *_INTEGERS)}
        code = np.repeat(
            np.arange(len(self._pieces)), [len(p.columns["customer"]) for p in self._pieces]
        )
        received = whole["second"] * _SECOND + _delays(plan, whole["customer"], whole["request"])
        rows = np.flatnonzero(received < to_us(plan.end))
        order = rows[self._sorting(whole, code, rows)]
        whole = {name: values[order] for name, values in whole.items()}
        columns = {
            "event_id": _event_ids(plan, whole["line"]),
            "customer_id": names.take(pa.array(whole["customer"])),
            "event": self._event_names(code[order]),
            "occurred_at": _instants(whole["second"] * _SECOND),
            "received_at": _instants(received[order]),
            "clock": _constant("true", len(order)),
            "value": self._values().take(pa.array(order)),
            "quantity": _numbers(whole["quantity"]),
            "order_id": _labels("O", whole["order"]),
            "cart_id": _labels("K", whole["cart"]),
            "session_id": _labels("S", whole["session"]),
            "product_id": assortment.names.take(_numbers(whole["product"])),
            "category": _categories(assortment, whole["product"]),
            "currency": self._currency(plan, code[order]),
            "kind": self._texts("kinds").take(pa.array(order)),
            "discount": pc.divide(_numbers(whole["discount"]).cast(pa.float64()), 100.0),
            "properties": self._texts("texts").take(pa.array(order)),
        }
        return pa.table(
            [_plain(columns[field.name], field.type) for field in EVENT_SCHEMA], schema=EVENT_SCHEMA
        )

    def _whole(self, name: str) -> Ints:
        return np.concatenate(
            [
                np.asarray(p.columns.get(name, np.full(len(p.columns["customer"]), NONE)))
                for p in self._pieces
            ]
        ).astype(np.int64)

    def _values(self) -> pa.Array:
        """Return values: money is cents / 100, the double nearest to the decimal."""
        parts = []
        for piece in self._pieces:
            size = len(piece.columns["customer"])
            if "cents" in piece.columns:
                parts.append(piece.columns["cents"] / 100.0)
            else:
                parts.append(
                    np.asarray(piece.columns.get("number", np.full(size, np.nan)), dtype=float)
                )
        return pa.array(np.concatenate(parts), from_pandas=True)

    def _texts(self, which: str) -> pa.Array:
        parts = []
        for piece in self._pieces:
            texts = getattr(piece, which)
            size = len(piece.columns["customer"])
            parts.append(
                pa.nulls(size, pa.string()) if texts is None else _plain(texts, pa.string())
            )
        return pa.chunked_array(parts).combine_chunks()

    def _sorting(self, whole: dict[str, Ints], code: Ints, rows: Ints) -> Ints:
        """Rows by customer, second, and as they were added; an order's lines right behind it."""
        place = np.array([_LINES_AFTER.get(p.event, p.event) for p in self._pieces])
        first = np.array([np.flatnonzero(place == name)[0] for name in place])
        line = whole["line"][rows]
        rank = np.where(line > 0, _TEXT_RANK[np.maximum(line, 1) - 1] + 1, 0)
        keys = (rank, whole["order"][rows], first[code[rows]])
        return np.lexsort((*keys, whole["second"][rows], whole["customer"][rows]))

    def _event_names(self, code: Ints) -> pa.Array:
        words = sorted({piece.event for piece in self._pieces})
        lookup = np.array([words.index(piece.event) for piece in self._pieces], dtype=np.int32)
        return pa.DictionaryArray.from_arrays(pa.array(lookup[code]), pa.array(words))

    def _currency(self, plan: SimulationPlan, code: Ints) -> pa.Array:
        money = np.array([piece.event in _MONEY for piece in self._pieces])
        indices = pa.array(np.zeros(len(code), dtype=np.int32), mask=~money[code])
        return pa.DictionaryArray.from_arrays(indices, pa.array([plan.currency]))


def _delays(plan: SimulationPlan, customer: Ints, request: Ints) -> Ints:
    """Microseconds from happening to being told: one draw a request, by hashing it into a table."""
    table = stream(plan.seed, "delays").random((2, 65_536))
    slot = (customer * 2_654_435_761 + request * 40_503) % 65_536
    grade = counts(table[0], LATE_SHARES)[slot]
    longest = np.array([3, 1_800, 43_200, 432_000])[grade]
    shortest = np.array([0, 30, 1_800, 86_400])[grade]
    seconds: Ints = shortest + wholes(table[1][slot], longest - shortest)
    return seconds * _SECOND + 200_000


def _event_ids(plan: SimulationPlan, line: Ints) -> pa.Array:
    """Rising ids of fixed width; an order's lines carry the order's id and their number."""
    parent = np.cumsum(line < 0)
    base = pc.binary_join_element_wise(
        f"{plan.stamp}-", pc.cast(pa.array(100_000_000 + parent), pa.string()), ""
    )
    numbered = pc.binary_join_element_wise(base, pc.cast(pa.array(line), pa.string()), "#")
    return pc.if_else(pa.array(line < 0), base, numbered)


def _instants(microseconds: Ints) -> pa.Array:
    return pa.array(microseconds).cast(pa.timestamp("us", tz="UTC"))


def _numbers(values: Ints) -> pa.Array:
    return pa.array(values, mask=values < 0)


def _labels(letter: str, numbers: Ints) -> pa.Array:
    text = pc.cast(_numbers(numbers + (numbers >= 0) * 1_000_000), pa.string())
    return pc.binary_join_element_wise(letter, text, "")


def _categories(assortment: Assortment, product: Ints) -> pa.Array:
    codes = np.where(product < 0, -1, assortment.category[product]).astype(np.int32)
    return pa.DictionaryArray.from_arrays(
        pa.array(codes, mask=codes < 0), pa.array(list(CATEGORIES))
    )


def _constant(word: str, size: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(size, np.int32)), pa.array([word]))


def _plain(values: pa.Array, wanted: pa.DataType) -> pa.Array:
    """Decode a dictionary where the schema wants plain text."""
    if pa.types.is_dictionary(values.type) and not pa.types.is_dictionary(wanted):
        return values.cast(wanted)
    return values
