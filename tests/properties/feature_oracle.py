"""The kernel said slowly: one customer at one cutoff, in plain Python over a list of events.

``OracleRows`` has the methods of ``churnguard.features.rows.Rows``, so every signal's own function
can be run on it; a row of the kernel must then hold the same numbers.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from itertools import pairwise
from random import Random

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

DAY = 86_400_000_000
HOUR = DAY // 24
SCALES = {"value": 10_000, "discount": 10_000}
KINDS = (
    "order_completed",
    "order_refunded",
    "order_cancelled",
    "product_ordered",
    "product_viewed",
    "product_added",
    "product_removed",
    "products_searched",
    "signed_in",
    "email_opened",
    "email_link_clicked",
    "unsubscribed",
    "survey_answered",
    "support_ticket_opened",
    "support_ticket_closed",
    "coupon_applied",
)

MIXES = (
    KINDS,
    ("order_completed", "product_added", "product_removed"),
    ("order_completed", "product_ordered", "order_refunded"),
    ("signed_in", "order_completed"),
    ("products_searched", "survey_answered"),
    ("support_ticket_opened", "support_ticket_opened", "support_ticket_closed"),
    ("product_ordered", "product_viewed"),
)
"""Kinds that are drawn together, so that short logs still meet the rules that need several."""

instants = st.one_of(
    st.integers(8, 14).map(lambda days: days * DAY),
    st.integers(0, 20 * 24).map(lambda hours: hours * HOUR),
    st.integers(0, 500).map(lambda days: days * DAY),
    st.integers(300, 560).map(lambda days: days * DAY),
    st.integers(0, 500 * DAY),
)


@st.composite
def events(draw, *, customers=("a", "b")):
    """Draw a log with ties, nulls, late arrivals and events right on window edges.

    Hypothesis chooses how many events, of which kinds, over how long, and a seed for the rest: full
    logs come quickly, and a failing one still shrinks in number and kinds.
    """
    count = draw(st.integers(0, 60))
    kinds = draw(st.sampled_from(MIXES))
    step = draw(st.sampled_from((DAY, DAY, HOUR, 6 * HOUR, 7 * DAY, 1_000_000)))
    chance = Random(draw(st.integers(0, 10_000)))
    spread = max(1, min(draw(st.sampled_from((10, 10, 60, 500))), 500 * DAY // step))
    names = chance.sample(range(count), count)
    return [
        made(chance, chance.choice(customers), kinds, at=chance.randrange(spread) * step, name=name)
        for name in names
    ]


def made(chance, customer, kinds, *, at, name):
    """Return one event, everything about it by chance but its customer, instant and name."""
    delay = chance.choice((0, 0, 0, 0, 0, 0, 1, HOUR, DAY, 3 * DAY, 60 * DAY))
    return {
        "event_id": f"e{name:03}",
        "customer_id": customer,
        "event": chance.choice(kinds),
        "occurred_at": at,
        "received_at": at + delay,
        "value": chance.choice((None, 0.0, 0.0, 1.0, 9.99, 12.5, 80.0, 0.00005)),
        "quantity": chance.choice((None, 1, 1, 2, 5)),
        "cart_id": chance.choice((None, "c1", "c2")),
        "product_id": chance.choice((None, "p1", "p2", "p3")),
        "category": chance.choice((None, "g1", "g2")),
        "kind": chance.choice((None, "nps", "csat", "ces")),
        "discount": chance.choice((None, 0.0, 0.0, 1.0, 12.5)),
    }


def table(rows):
    """Return events as the canonical table, in the order given."""
    instant, word = pa.timestamp("us", tz="UTC"), pa.string()
    columns = {
        "event_id": word,
        "customer_id": word,
        "event": pa.dictionary(pa.int32(), word),
        "occurred_at": instant,
        "received_at": instant,
        "value": pa.float64(),
        "quantity": pa.int64(),
        "cart_id": word,
        "product_id": word,
        "category": word,
        "kind": word,
        "discount": pa.float64(),
    }
    return pa.table(
        {name: pa.array([row[name] for row in rows], kind) for name, kind in columns.items()}
    )


def money(amount):
    """Return an amount in 1/10,000, halves to even."""
    return None if amount is None else round(amount * 10_000)


class OracleRows:
    """One row: a customer at a cutoff."""

    def __init__(self, rows, customer_id, cutoff, population=None):
        self.cutoffs = np.array([cutoff])
        self.cutoff = cutoff
        self.population = population
        self.known = sorted(
            (
                row | {"value": money(row["value"]), "discount": money(row["discount"])}
                for row in rows
                if row["customer_id"] == customer_id
                and row["occurred_at"] < cutoff
                and row["received_at"] < cutoff
            ),
            key=lambda row: (row["occurred_at"], row["event_id"]),
        )

    def __len__(self):
        return 1

    def once(self, name, make):
        return make(self)

    def events(self, name):
        derive = {
            "cart_abandoned": lambda: [cart for cart in self.carts() if cart["left"]],
            "cart_ended": self.carts,
            "product_left": self.products_left,
            "ticket_moved": self.ticket_moves,
            "basket_bought": self.baskets,
        }
        if name in derive:
            return OracleEvents(self.cutoff, derive[name]())
        return OracleEvents(self.cutoff, [row for row in self.known if row["event"] == name])

    @property
    def season(self):
        years = self.cutoff / DAY / 365.2425
        angle = 2 * math.pi * (years - math.floor(years))
        turns = (math.sin(angle), math.cos(angle), math.sin(2 * angle), math.cos(2 * angle))
        return np.array(turns).reshape(4, 1)

    def carts(self):
        found = []
        for cart in {row["cart_id"] for row in self.known}:
            found += self.carts_named(cart)
        return sorted(found, key=lambda row: row["occurred_at"])

    def carts_named(self, cart):
        """Return what became of the carts of a name: each ends with an item nothing followed."""
        ordered = [r["occurred_at"] for r in self.known if r["event"] == "order_completed"]
        mine = [row for row in self.known if row["cart_id"] == cart]
        added = [row for row in mine if row["event"] == "product_added"]
        removed = [row for row in mine if row["event"] == "product_removed"]
        found, episode = [], []
        for place, item in enumerate(added):
            episode.append(item)
            at = item["occurred_at"]
            following = added[place + 1]["occurred_at"] if place + 1 < len(added) else math.inf
            bought = [when for when in ordered if at <= when <= at + DAY]
            if following <= at + DAY and not [when for when in bought if when < following]:
                continue
            until = min(bought, default=at + DAY)
            taken = [r for r in removed if episode[0]["occurred_at"] <= r["occurred_at"] <= until]
            left = sum(units(row) for row in episode) - sum(units(row) for row in taken)
            worth = sum(r["value"] or 0 for r in episode) - sum(r["value"] or 0 for r in taken)
            if until < self.cutoff:
                found.append(
                    {
                        "occurred_at": until,
                        "value": max(worth, 0),
                        "quantity": left,
                        "left": int(not bought and left > 0),
                        "products": {
                            name: sum(units(r) for r in episode if r["product_id"] == name)
                            - sum(units(r) for r in taken if r["product_id"] == name)
                            for name in {row["product_id"] for row in episode}
                        },
                    }
                )
            episode = []
        return found

    def products_left(self):
        return [
            {"occurred_at": cart["occurred_at"], "product_id": name, "quantity": number}
            for cart in self.carts()
            for name, number in cart["products"].items()
            if cart["left"] and name is not None and number > 0
        ]

    def ticket_moves(self):
        """Return openings and closings with how long a closed one was open, and the oldest open."""
        kinds = ("support_ticket_opened", "support_ticket_closed")
        moves = [row for row in self.known if row["event"] in kinds]
        moves.sort(key=lambda row: (row["occurred_at"], kinds.index(row["event"])))
        found, still_open = [], []
        for move in moves:
            waited = None
            if move["event"] == kinds[0]:
                still_open.append(move)
            else:
                topic = move["kind"]
                answers = [
                    [row for row in still_open if topic is None or row["kind"] == topic],
                    [row for row in still_open if row["kind"] is None],
                ]
                answered = next((rows[0] for rows in answers if rows), None)
                if answered is not None:
                    still_open.remove(answered)
                    waited = move["occurred_at"] - answered["occurred_at"]
            oldest = still_open[0]["occurred_at"] if still_open else None
            found.append({"occurred_at": move["occurred_at"], "waited": waited, "oldest": oldest})
        return found

    def baskets(self):
        found = {}
        for row in self.known:
            if row["event"] == "product_ordered":
                found.setdefault(row["occurred_at"], []).append(row["quantity"] or 0)
        return [
            {"occurred_at": at, "quantity": sum(several), "lines": len(several)}
            for at, several in found.items()
        ]


class OracleEvents:
    """One kind of event before the cutoff."""

    def __init__(self, cutoff, rows):
        self.cutoff = cutoff
        self.rows = rows

    def window(self, days=None, until=0, after=None):
        start = -math.inf if days is None else self.cutoff - days * DAY
        end = self.cutoff - until * DAY
        rows = [row for row in self.rows if start <= row["occurred_at"] < end]
        return rows if after is None else [r for r in rows if r["occurred_at"] > int(after[0])]

    def numbers(self, column, **window):
        return [row[column] for row in self.window(**window) if row[column] is not None]

    def count(self, days=None, *, until=0, after=None):
        return one(len(self.window(days, until, after)))

    def sum(self, column, days=None, *, until=0, after=None):
        found = self.numbers(column, days=days, until=until, after=after)
        return one(sum(found) / SCALES.get(column, 1))

    def mean(self, column, days=None, *, until=0):
        found = self.numbers(column, days=days, until=until)
        return one(sum(found) / SCALES.get(column, 1) / len(found) if found else math.nan)

    def median(self, column, days=None, *, until=0, skip_last=0):
        window = self.window(days, until)
        window = window[: max(len(window) - skip_last, 0)]
        found = [row[column] for row in window if row[column] is not None]
        return one(statistics.median(found) / SCALES.get(column, 1) if found else math.nan)

    def distinct(self, column, days=None, *, until=0):
        return one(len(set(self.numbers(column, days=days, until=until))))

    def most_often(self, column, days=None, *, until=0):
        return one(max(Counter(self.numbers(column, days=days, until=until)).values(), default=0))

    def streak(self, column, equals, days=None):
        wanted, length = round(equals * SCALES.get(column, 1)), 0
        for row in reversed(self.window(days)):
            if row[column] != wanted:
                break
            length += 1
        return one(length)

    def trend(self, column, days=None):
        points = [(r["occurred_at"] / DAY, r[column]) for r in self.window(days)]
        points = [(day, number) for day, number in points if number is not None]
        if len(points) < 3:
            return one(math.nan)
        days_, numbers = zip(*points, strict=True)
        if len(set(days_)) == 1 or sum(numbers) == 0:
            return one(math.nan)
        slope = statistics.linear_regression(days_, numbers).slope
        return one(slope / statistics.mean(numbers) * 30)

    def where(self, column, equals):
        if not isinstance(equals, str):
            equals = round(equals * SCALES.get(column, 1))
        return OracleEvents(self.cutoff, [row for row in self.rows if row[column] == equals])

    def known(self, column):
        return OracleEvents(self.cutoff, [row for row in self.rows if row[column] is not None])

    def first_of(self, column):
        met, kept = {None}, []
        for row in self.rows:
            if row[column] not in met:
                kept.append(row)
            met.add(row[column])
        return OracleEvents(self.cutoff, kept)

    def visits(self, apart_days=1.0):
        starts = []
        for row in self.rows:
            if not starts or row["occurred_at"] - starts[-1]["occurred_at"] >= apart_days * DAY:
                starts.append(row)
        return OracleEvents(self.cutoff, starts)

    def gaps(self, days=None):
        at = [row["occurred_at"] for row in self.window(days)]
        return OracleGaps([(b - a) / DAY for a, b in pairwise(at)])

    def nth(self, nth):
        return self.rows[-nth] if len(self.rows) >= nth else None

    def last(self, column, nth=1):
        row = self.nth(nth)
        missing = row is None or row[column] is None
        return one(math.nan if missing else row[column] / SCALES.get(column, 1))

    def last_at(self, nth=1):
        row = self.nth(nth)
        return np.array([np.iinfo(np.int64).min if row is None else row["occurred_at"]])

    def first_at(self, nth=1):
        row = self.rows[nth - 1] if len(self.rows) >= nth else None
        return np.array([np.iinfo(np.int64).min if row is None else row["occurred_at"]])

    def since_last(self, nth=1):
        row = self.nth(nth)
        return one(math.nan if row is None else (self.cutoff - row["occurred_at"]) / DAY)

    def since_first(self):
        return one((self.cutoff - self.rows[0]["occurred_at"]) / DAY if self.rows else math.nan)


class OracleGaps:
    """Statistics of a list of gaps."""

    def __init__(self, gaps):
        self.gaps = gaps

    def count(self):
        return one(len(self.gaps))

    def mean(self):
        return one(statistics.mean(self.gaps) if self.gaps else math.nan)

    def sd(self):
        return one(statistics.stdev(self.gaps) if len(self.gaps) > 1 else math.nan)

    def median(self):
        return one(statistics.median(self.gaps) if self.gaps else math.nan)

    def longest(self):
        return one(max(self.gaps, default=math.nan))

    def spread(self):
        if not self.gaps:
            return one(math.nan)
        middle = statistics.median(self.gaps)
        return one(statistics.median(abs(gap - middle) for gap in self.gaps))

    def robust_z(self, silence):
        return (silence - self.median()) / max(1.4826 * float(self.spread()[0]), 1.0)


def one(number):
    """Return a number as the column of one row."""
    return np.array([float(number)])


def units(row):
    """Return how many units a cart event moves; one where it does not say."""
    return 1 if row["quantity"] is None else row["quantity"]
