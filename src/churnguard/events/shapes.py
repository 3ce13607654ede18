"""Makes events of judged rows: one function for each shape that rows can have.

Ids that a file does not give are made of what the row says, so that the same row has the same id in
any file, in any order, for ever: reading a file twice accepts nothing the second time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from churnguard.events.customers import CUSTOMER_SCHEMA
from churnguard.events.digests import digests
from churnguard.events.fields import Fields
from churnguard.events.mapping import Mapping
from churnguard.events.schema import EVENT_SCHEMA, MONEY_SCALE
from churnguard.events.times import Mask
from churnguard.events.validation import Verdicts, matches

Rows = npt.NDArray[np.int64]

_TYPES = {item.name: item.type for item in EVENT_SCHEMA}


@dataclass(frozen=True)
class Shaped:
    """Events made of rows.

    Attributes
    ----------
    derived : pyarrow.Table
        Events that stand for several rows: an order, of its lines. They are stored first.
    events : pyarrow.Table
        One event for each row that is fine, in the order of the rows.
    """

    derived: pa.Table
    events: pa.Table


def shape_events(fields: Fields, mapping: Mapping, verdicts: Verdicts, *, lag_us: int) -> Shaped:
    """Make one event of each row of the canonical table."""
    return Shaped(EVENT_SCHEMA.empty_table(), _plain_events(fields, mapping, verdicts, lag_us))


def shape_orders(fields: Fields, mapping: Mapping, verdicts: Verdicts, *, lag_us: int) -> Shaped:
    """Make one ``order_completed`` (or what the mapping's constant says) of each row."""
    name = mapping.constants.get("event", "order_completed")
    named = pa.array([name] * fields.rows, pa.string())
    fields = Fields(fields.rows, {**fields.text, "event": named}, fields.numbers, fields.times)
    return Shaped(EVENT_SCHEMA.empty_table(), _plain_events(fields, mapping, verdicts, lag_us))


def shape_order_lines(
    fields: Fields, mapping: Mapping, verdicts: Verdicts, *, lag_us: int
) -> Shaped:
    """Make one event of each line, and of the lines of each order one event with their sum.

    An order is all lines with one order id of one customer; it occurred with its first line. Its
    units are those of its products, its value is that of all lines.
    """
    none = np.zeros(fields.rows, bool)
    refund = none if mapping.refund is None else matches(mapping.refund, fields)
    charge = none if mapping.charge is None else matches(mapping.charge, fields)
    money, units = _line_amounts(fields, refund, verdicts)
    fine = verdicts.fine
    line_names = np.where(
        charge,
        np.where(refund, "charge_returned", "charge_ordered"),
        np.where(refund, "product_returned", "product_ordered"),
    )
    order_names = np.where(refund, "order_refunded", "order_completed")
    columns = _columns(fields, fine, lag_us)
    columns |= {
        "event": pa.array(line_names[fine].tolist(), pa.string()),
        "value": pa.array(money[fine] / MONEY_SCALE),
        "quantity": pa.array(units[fine]),
    }
    parents = order_ids(order_names[fine].tolist(), columns["order_id"], columns["customer_id"])
    columns["event_id"] = _line_ids(columns, fields, fine, parents, repeats=mapping.repeats)
    lines = _table(columns)
    orders = _orders(lines, parents, order_names[fine], money[fine], ~charge[fine])
    return Shaped(orders, lines)


SHAPES: dict[str, Callable[..., Shaped]] = {
    "events": shape_events,
    "orders": shape_orders,
    "order-lines": shape_order_lines,
}
"""What makes events of rows, by the mapping's shape."""


def shape_customers(fields: Fields, verdicts: Verdicts) -> pa.Table:
    """Make rows of the customer book, of those rows that are fine."""
    fine = pa.array(verdicts.fine)
    columns = []
    for item in CUSTOMER_SCHEMA:
        if item.name in fields.flags:
            columns.append(fields.flags[item.name][0].filter(fine))
        elif item.name in fields.times:
            times = fields.times[item.name]
            instants = pa.array(times.us, mask=times.missing)
            columns.append(instants.view(item.type).filter(fine))
        elif pa.types.is_string(item.type):
            columns.append(fields.words(item.name).filter(fine))
        else:
            columns.append(pa.nulls(int(verdicts.fine.sum()), item.type))
    return pa.Table.from_arrays(columns, schema=CUSTOMER_SCHEMA)


def order_ids(names: list[str], orders: pa.Array, customers: pa.Array) -> list[str]:
    """Return the event ids of orders: the same order of the same customer has one id in any file.

    Examples
    --------
    >>> order_ids(["order_completed"], pa.array(["536365"]), pa.array(["17850"]))
    ['order_completed:536365:17850']
    """
    parts = zip(names, orders.to_pylist(), customers.to_pylist(), strict=True)
    return [f"{name}:{order}:{customer}" for name, order, customer in parts]


def _plain_events(fields: Fields, mapping: Mapping, verdicts: Verdicts, lag_us: int) -> pa.Table:
    fine = verdicts.fine
    columns = _columns(fields, fine, lag_us)
    columns |= {
        "value": _number(fields.amounts("value")[fine]),
        "quantity": _units(fields.amounts("quantity")[fine]),
    }
    columns["event_id"] = _own_ids(
        columns, by_order=mapping.shape == "orders", repeats=mapping.repeats
    )
    return _table(columns)


def _columns(fields: Fields, fine: Mask, lag_us: int) -> dict[str, pa.Array]:
    """Return the columns that all shapes fill alike, of the rows that are fine."""
    keep = pa.array(fine)
    names = [item.name for item in EVENT_SCHEMA if item.type == pa.string()] + ["event"]
    columns = {name: fields.words(name).filter(keep) for name in names}
    columns["discount"] = _number(fields.amounts("discount")[fine])
    occurred = fields.times["occurred_at"].us[fine] if "occurred_at" in fields.times else None
    if occurred is None:
        occurred = np.empty(0, np.int64)
    received, clock = occurred + lag_us, pa.array(["assumed"] * len(occurred), pa.string())
    if "received_at" in fields.times:
        told = ~fields.times["received_at"].missing[fine]
        received = np.where(told, fields.times["received_at"].us[fine], received)
        written = pc.fill_null(fields.words("clock").filter(keep), "true")
        clock = pc.if_else(pa.array(told), written, clock)
    columns |= {
        "occurred_at": pa.array(occurred),
        "received_at": pa.array(received),
        "clock": clock,
    }
    return columns


def _line_amounts(
    fields: Fields, refund: Mask, verdicts: Verdicts
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return each line's money in 1/10,000 and its units, both counted as positive."""
    sign = np.where(refund, -1.0, 1.0)
    quantity = np.nan_to_num(fields.amounts("quantity"), nan=1.0)
    quantity = np.where(np.isnan(fields.amounts("quantity")), sign, quantity)
    priced = fields.amounts("price") * quantity
    amount = np.where(np.isnan(fields.amounts("value")), priced, fields.amounts("value"))
    verdicts.mark(np.isnan(amount), "bad_number", "The line has neither a price nor an amount.")
    amount, units = sign * np.nan_to_num(amount), sign * quantity
    verdicts.mark((amount < 0) | (units < 0), "negative_value", _WRONG_SIGN)
    verdicts.mark(amount > 1e12, "bad_number", "The line's amount is above 1e12.")
    safe = np.where(verdicts.fine, amount, 0.0)
    whole = np.where(verdicts.fine, units, 0.0)
    return np.round(safe * MONEY_SCALE).astype(np.int64), np.ceil(whole).astype(np.int64)


_WRONG_SIGN = "An order's line is negative, or a refund's is positive."


def _line_ids(
    columns: dict[str, pa.Array],
    fields: Fields,
    fine: Mask,
    parents: list[str],
    *,
    repeats: bool,
) -> pa.Array:
    """Name each line after its order: by its own number if it has one, else by its content."""
    own = fields.words("line_id").filter(pa.array(fine)).to_pylist()
    content = digests(columns, repeats=repeats)
    names = zip(parents, own, content, strict=True)
    return pa.array(
        [f"{parent}#{digest if line is None else line}" for parent, line, digest in names],
        pa.string(),
    )


def _own_ids(columns: dict[str, pa.Array], *, by_order: bool, repeats: bool) -> pa.Array:
    """Return the ids that rows have; of an order made of its id, else of the row's content."""
    ids = columns["event_id"].to_pylist()
    missing = [place for place, value in enumerate(ids) if value is None]
    if missing:
        names = columns["event"].to_pylist()
        orders = order_ids(names, columns["order_id"], columns["customer_id"])
        numbered = columns["order_id"].is_valid().to_pylist() if by_order else [False] * len(ids)
        content = digests(columns, repeats=repeats)
        for place in missing:
            ids[place] = orders[place] if numbered[place] else f"{names[place]}:{content[place]}"
    return pa.array(ids, pa.string())


def _orders(
    lines: pa.Table,
    parents: list[str],
    names: npt.NDArray[np.str_],
    money: npt.NDArray[np.int64],
    products: Mask,
) -> pa.Table:
    """Make one event of the lines of each order; a line that is there twice counts once."""
    if not parents:
        return EVENT_SCHEMA.empty_table()
    codes = np.asarray(pa.array(parents).dictionary_encode().indices)
    ids = np.asarray(lines["event_id"].combine_chunks().dictionary_encode().indices)
    once = np.zeros(len(ids), bool)
    once[np.unique(ids, return_index=True)[1]] = True
    count = int(codes.max()) + 1
    totals, units = np.zeros(count, np.int64), np.zeros(count, np.int64)
    np.add.at(totals, codes[once], money[once])
    quantity = np.asarray(lines["quantity"].combine_chunks())
    np.add.at(units, codes[once & products], quantity[once & products])
    clocks = [np.asarray(lines[name].cast(pa.int64())) for name in ("received_at", "occurred_at")]
    order = np.lexsort((np.asarray(lines["currency"].is_null()), *clocks, codes))
    first = order[np.unique(codes[order], return_index=True)[1]]
    heads, tails = lines.take(pa.array(first)), lines.take(pa.array(_last_known(codes, clocks[0])))
    columns = {
        **{name: heads[name].combine_chunks() for name in ("customer_id", "order_id", "currency")},
        "occurred_at": heads["occurred_at"].combine_chunks(),
        **{name: tails[name].combine_chunks() for name in ("received_at", "clock")},
        "event_id": pa.array([parents[place] for place in first], pa.string()),
        "event": pa.array(names[first].tolist(), pa.string()),
        "value": pa.array(totals / MONEY_SCALE),
        "quantity": pa.array(units),
    }
    return _table(columns)


def _last_known(codes: npt.NDArray[np.int32], received: npt.NDArray[np.int64]) -> Rows:
    """Return, for each order, its line that was received last: only then was its sum known."""
    order = np.lexsort((-received, codes))
    first: Rows = order[np.unique(codes[order], return_index=True)[1]]
    return first


def _table(columns: dict[str, pa.Array]) -> pa.Table:
    rows = len(columns["event_id"])
    arrays = [
        _as(columns.get(name, pa.nulls(rows, pa.string())), wanted)
        for name, wanted in _TYPES.items()
    ]
    return pa.Table.from_arrays(arrays, schema=EVENT_SCHEMA)


def _as(array: pa.Array, wanted: pa.DataType) -> pa.Array:
    if array.type == wanted:
        return array
    if array.null_count == len(array) and len(array):
        return pa.nulls(len(array), wanted)
    if pa.types.is_dictionary(wanted):
        return array.dictionary_encode()
    if pa.types.is_timestamp(wanted) and pa.types.is_integer(array.type):
        return array.view(wanted)
    return array.cast(wanted)


def _number(values: npt.NDArray[np.float64]) -> pa.Array:
    return pa.array(values, pa.float64(), mask=np.isnan(values))


def _units(values: npt.NDArray[np.float64]) -> pa.Array:
    """Return whole units; part of one counts as one."""
    whole = np.ceil(np.nan_to_num(values)).astype(np.int64)
    return pa.array(whole, pa.int64(), mask=np.isnan(values))
