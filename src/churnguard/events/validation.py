"""Judges rows, whole columns at a time: a row is fine, or has the first reason against it.

Every reason is a code that is listed in :data:`REASONS` or named by a rule of the mapping, and
explained in ``docs/events.md`` with what to do about it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from churnguard.clock import to_us
from churnguard.events.fields import Fields
from churnguard.events.mapping import NUMBERS, Condition, Mapping
from churnguard.events.schema import CLOCKS
from churnguard.events.times import EARLIEST, Mask

FUTURE_ALLOWANCE = timedelta(hours=24)
"""How far after now an event may lie: shops' clocks are wrong by minutes, zones by hours."""

ID_LENGTH, TEXT_LENGTH, PROPERTIES_LENGTH = 200, 1_000, 65_536
"""Longest ids, other texts and properties, in characters."""

LARGEST = 1e12
"""Larger numbers are mistakes; below it, money is exact in 1/10,000."""

REMOVED = "[removed]"
"""Stands in a quarantined row where an e-mail address or a phone number was."""

ERASED_CUSTOMER = "erased_customer"
"""The reason that is counted, without a row in the quarantine, for people who were erased."""

REASONS: MappingOf[str, str] = {
    "broken_row": "The line is no row of this table.",
    "bad_debt_adjustment": "The invoice writes off a debt; it is no order.",
    "test_product": "The row is a test of the shop's own system.",
    "bookkeeping": "The row is a fee, a commission or a correction of the books, not an order.",
    "stock_correction": "A negative quantity outside a cancellation corrects the stock.",
    "zero_price": "The price is 0: a sample, a replacement or a write-off, not a purchase.",
    "missing_customer": "The row names no customer.",
    "personal_data": "The row holds an e-mail address or a phone number.",
    "missing_event": "The row names no event.",
    "bad_event": "The event's name is not written in snake_case.",
    "missing_time": "The row has no time.",
    "bad_time": "The time cannot be read, or lies before 1990.",
    "future_time": "The time lies more than 24 hours after now.",
    "unknown_clock": "The clock is neither 'true' nor 'assumed'.",
    "missing_order": "The line names no order.",
    "missing_product": "The line names no product.",
    "bad_number": "A number cannot be read, is missing where it is needed, or is above 1e12.",
    "negative_value": "An amount or quantity is negative; the event's name carries the sign.",
    "other_currency": "The currency is not the shop's.",
    "bad_properties": "The properties are not a JSON object.",
    "bad_flag": "A flag is neither yes nor no.",
    "bad_text": "A text holds a control character where none belongs.",
    "too_long": "A text is longer than allowed.",
    ERASED_CUSTOMER: "The person was erased; nothing of the row is kept.",
}
"""Every reason that ChurnGuard itself gives, in the order in which they are looked for."""

_MAIL = r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}"
_PHONE = r"^(\+\d[\d ().-]{6,18}|\(?0[1-9]\d{0,2}\)?[ -]\d[\d -]{5,9}\d)$"
_EVENT_NAME = r"^[a-z][a-z0-9_]{0,63}$"
_CONTROL = r"[\x00-\x1f\x7f]"
_IDS = (
    "event_id", "customer_id", "order_id", "cart_id", "session_id", "product_id", "line_id",
)  # fmt: skip
_COMPARE: dict[str, Callable[[npt.NDArray[np.float64], float], Mask]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
    "=": operator.eq,
}


@dataclass
class Verdicts:
    """Row by row, what speaks against it; only the first reason counts.

    Attributes
    ----------
    codes : numpy.ndarray of int16, shape (rows,)
        0 for a row that is fine, else a place in ``reasons``.
    reasons : list of (code, sentence)
    """

    codes: npt.NDArray[np.int16]
    reasons: list[tuple[str, str]] = field(default_factory=lambda: [("", "")])

    @classmethod
    def of(cls, rows: int) -> Verdicts:
        """Return verdicts that find every row fine."""
        return cls(np.zeros(rows, np.int16))

    @property
    def fine(self) -> Mask:
        """Rows against which nothing speaks."""
        return np.asarray(self.codes == 0)

    def mark(self, rows: Mask, reason: str, detail: str = "") -> None:
        """Give a reason against rows that have none yet."""
        rows = rows & self.fine
        if rows.any():
            sentence = detail or REASONS.get(reason, "A rule of the mapping sets the row aside.")
            self.reasons.append((reason, sentence))
            self.codes[rows] = len(self.reasons) - 1


def matches(condition: Condition, fields: Fields) -> Mask:
    """Return the rows that a rule's condition means.

    Examples
    --------
    >>> from churnguard.events.mapping import Condition
    >>> fields = Fields(2, text={"order_id": pa.array(["C1", "1"])})
    >>> matches(Condition.model_validate({"if": {"order_id": "c.*"}}), fields).tolist()
    [True, False]
    """
    found = np.ones(fields.rows, bool)
    for name, wanted in condition.holds.items():
        found &= _meets(fields, name, wanted)
    if condition.unless:
        excepted = np.ones(fields.rows, bool)
        for name, wanted in condition.unless.items():
            excepted &= _meets(fields, name, wanted)
        found &= ~excepted
    return found


def judge_events(fields: Fields, mapping: Mapping, *, now: datetime, currency: str) -> Verdicts:
    """Judge rows that are to become events.

    Parameters
    ----------
    fields : Fields
        What was read.
    mapping : Mapping
        Its rules come first, so that a row has the most telling reason.
    now : datetime
        Against which the future is told.
    currency : str
        The shop's; a row without currency is in it.
    """
    verdicts = Verdicts.of(fields.rows)
    for rule in mapping.quarantine:
        verdicts.mark(matches(rule, fields), rule.reason)
    _judge_customer(fields, verdicts)
    if mapping.shape == "events":
        _judge_name(fields, verdicts)
    _judge_time(fields, verdicts, "occurred_at", now, required=True)
    _judge_time(fields, verdicts, "received_at", now, required=False)
    clock = fields.words("clock")
    verdicts.mark(_valid(clock) & ~_true(pc.is_in(clock, pa.array(CLOCKS))), "unknown_clock")
    if mapping.shape == "order-lines":
        verdicts.mark(~_valid(fields.words("order_id")), "missing_order")
        verdicts.mark(~_valid(fields.words("product_id")), "missing_product")
    _judge_numbers(fields, verdicts, signed=mapping.shape == "order-lines")
    other = pc.not_equal(pc.utf8_upper(fields.words("currency")), currency.upper())
    verdicts.mark(_true(other), "other_currency", f"The currency is not the shop's {currency}.")
    _judge_texts(fields, verdicts)
    return verdicts


def judge_customers(fields: Fields, mapping: Mapping, *, now: datetime) -> Verdicts:
    """Judge rows of the customer book."""
    verdicts = Verdicts.of(fields.rows)
    for rule in mapping.quarantine:
        verdicts.mark(matches(rule, fields), rule.reason)
    _judge_customer(fields, verdicts)
    _judge_time(fields, verdicts, "created_at", now, required=False)
    _judge_time(fields, verdicts, "consent_at", now, required=False)
    for name, (_, bad) in fields.flags.items():
        verdicts.mark(bad, "bad_flag", f"{name} is neither yes nor no.")
    _judge_texts(fields, verdicts)
    return verdicts


def judge_ids(ids: pa.Array) -> Verdicts:
    """Judge customers' ids that stand alone, as they are judged in rows.

    Examples
    --------
    >>> judge_ids(pa.array(["C1", "dana@example.com"])).fine.tolist()
    [True, False]
    """
    fields = Fields(len(ids), text={"customer_id": ids})
    verdicts = Verdicts.of(fields.rows)
    _judge_customer(fields, verdicts)
    _judge_texts(fields, verdicts)
    return verdicts


def holds_personal_data(texts: pa.Array, *, phones: bool) -> Mask:
    """Return where a text holds an e-mail address or, if asked for, is a phone number.

    Plain digits are an id, not a phone number. What was removed from a row before counts as well.

    Examples
    --------
    >>> texts = pa.array(["a@b.com", "+44 20 7946 0000", "020 7946 0000", "13085", "536365", None])
    >>> holds_personal_data(texts, phones=True).tolist()
    [True, True, True, False, False, False]
    """
    found = _true(pc.match_substring(texts, "@"))
    if found.any():
        found &= _true(pc.match_substring_regex(texts, _MAIL))
    found |= _true(pc.equal(texts, REMOVED))
    if phones:
        found |= _true(pc.match_substring_regex(texts, _PHONE))
    return found


def _judge_customer(fields: Fields, verdicts: Verdicts) -> None:
    customer = fields.words("customer_id")
    verdicts.mark(~_valid(customer), "missing_customer")
    verdicts.mark(
        holds_personal_data(customer, phones=True),
        "personal_data",
        "The customer_id is an e-mail address or a phone number: use a lasting id instead.",
    )


def _judge_name(fields: Fields, verdicts: Verdicts) -> None:
    name = fields.words("event")
    verdicts.mark(~_valid(name), "missing_event")
    verdicts.mark(~_true(pc.match_substring_regex(name, _EVENT_NAME)), "bad_event")


def _judge_time(
    fields: Fields, verdicts: Verdicts, name: str, now: datetime, *, required: bool
) -> None:
    times = fields.times.get(name)
    if times is None:
        if required:
            verdicts.mark(np.ones(fields.rows, bool), "missing_time")
        return
    if required:
        verdicts.mark(times.missing, "missing_time")
    there = ~times.missing
    verdicts.mark(there & times.bad, "bad_time", f"{name} cannot be read as a time.")
    verdicts.mark(
        there & (times.us < to_us(EARLIEST)), "bad_time", f"{name} lies before {EARLIEST.year}."
    )
    latest = to_us(now + FUTURE_ALLOWANCE)
    verdicts.mark(there & (times.us > latest), "future_time", f"{name} lies in the future.")


def _judge_numbers(fields: Fields, verdicts: Verdicts, *, signed: bool) -> None:
    for name in NUMBERS:
        found = fields.numbers.get(name)
        if found is None:
            continue
        verdicts.mark(found.bad, "bad_number", f"{name} is no number.")
        too_large = np.abs(found.values, where=~np.isnan(found.values), out=np.zeros(fields.rows))
        verdicts.mark(too_large > LARGEST, "bad_number", f"{name} is above 1e12.")
        if not signed or name == "price":
            verdicts.mark(found.values < 0, "negative_value", f"{name} is negative.")


def _judge_texts(fields: Fields, verdicts: Verdicts) -> None:
    for name, column in fields.text.items():
        longest = PROPERTIES_LENGTH if name == "properties" else TEXT_LENGTH
        longest = ID_LENGTH if name in _IDS else longest
        too_long = _true(pc.greater(pc.utf8_length(column), longest))
        verdicts.mark(too_long, "too_long", f"{name} is longer than {longest} characters.")
        odd = pc.match_substring_regex(column, _CONTROL if name in _IDS else r"\x00")
        verdicts.mark(_true(odd), "bad_text", f"{name} holds a control character.")
        if name != "customer_id":
            mail = holds_personal_data(column, phones=False)
            verdicts.mark(mail, "personal_data", f"{name} holds an e-mail address.")
    properties = fields.text.get("properties")
    if properties is not None:
        verdicts.mark(
            _valid(properties) & ~_true(pc.match_substring_regex(properties, r"(?s)^\{.*\}$")),
            "bad_properties",
        )


def _meets(fields: Fields, name: str, wanted: str) -> Mask:
    if name in NUMBERS:
        sign = next(sign for sign in _COMPARE if wanted.startswith(sign))
        with np.errstate(invalid="ignore"):
            return _COMPARE[sign](fields.amounts(name), float(wanted.removeprefix(sign)))
    return _true(pc.match_substring_regex(fields.words(name), f"(?i)^(?:{wanted})$"))


def _valid(array: pa.Array) -> Mask:
    return np.asarray(array.is_valid())


def _true(array: pa.Array) -> Mask:
    return np.asarray(pc.fill_null(array, False))
