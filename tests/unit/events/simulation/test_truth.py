"""The truth is true: stated risks, causes and response types are what then happens."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from churnguard.events.simulation import (
    CAUSE_SHARES,
    CAUSES,
    SimulatedShop,
    SimulationPlan,
    simulate,
)

DAY = 86_400_000_000
SEEDS = (1, 2, 3)


@dataclass(frozen=True)
class Outcome:
    """Truth rows with a whole horizon after them, and whether there was no order in it."""

    truth: pa.Table
    churned: np.ndarray

    def where(self, mask: np.ndarray) -> Outcome:
        return Outcome(self.truth.filter(pa.array(mask)), self.churned[mask])

    def __getitem__(self, column: str) -> np.ndarray:
        values = self.truth[column]
        if pa.types.is_dictionary(values.type):
            return np.asarray(values.cast(pa.string()).to_pylist(), dtype=object)
        return values.to_numpy()


def plan(seed: int, *, misspecified: bool = False) -> SimulationPlan:
    return SimulationPlan(
        customers=1_500,
        days=600,
        seed=seed,
        end=datetime(2026, 5, 1, tzinfo=UTC),
        misspecified=misspecified,
        truth_every_days=60,
    )


@pytest.fixture(scope="module")
def shops() -> list[SimulatedShop]:
    return [simulate(plan(seed)) for seed in SEEDS]


def customers_times(table: pa.Table, time: str) -> tuple[np.ndarray, np.ndarray]:
    customer = pc.utf8_slice_codeunits(table["customer_id"], 1).cast(pa.int64()).to_numpy()
    return customer, table[time].cast(pa.int64()).to_numpy()


def outcome(shop: SimulatedShop, horizon_days: int = 90) -> Outcome:
    ordered = pc.equal(shop.events["event"].cast(pa.string()), "order_completed")
    who, when = customers_times(shop.events.filter(ordered), "occurred_at")
    end = shop.events["occurred_at"].cast(pa.int64()).to_numpy().max()
    _, at = customers_times(shop.truth, "at")
    truth = shop.truth.filter(pa.array(at + horizon_days * DAY <= end - DAY))
    customer, at = customers_times(truth, "at")
    scale = 10**17
    keys = np.sort(who * scale + when)
    place = np.searchsorted(keys, customer * scale + at)
    following = np.append(keys, np.iinfo(np.int64).max)[place]
    return Outcome(truth, following >= customer * scale + at + horizon_days * DAY)


def joined(outcomes: list[Outcome]) -> Outcome:
    return Outcome(
        pa.concat_tables([found.truth for found in outcomes]),
        np.concatenate([found.churned for found in outcomes]),
    )


def deviations(found: Outcome, bins: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Return by bin of true risk: realised share minus mean risk, and its standard error."""
    risk, order = found["churn_risk"], np.argsort(found["churn_risk"])
    groups = np.array_split(order, bins)
    off = np.array([found.churned[g].mean() - risk[g].mean() for g in groups])
    error = np.array([np.sqrt((risk[g] * (1 - risk[g])).mean() / len(g)) for g in groups])
    return off, error


@pytest.mark.parametrize("misspecified", [False, True])
def test_the_true_risk_is_what_then_happens(shops, misspecified):
    """In each eighth of the customers still there, to 2 points and the luck of the draw.

    Cutoffs are two months apart and windows overlap, so the error is taken as for half the rows.
    """
    if misspecified:
        shops = [simulate(plan(seed, misspecified=True)) for seed in SEEDS]
    found = joined([outcome(shop) for shop in shops])
    there = found.where(found["state"] != "gone")
    off, error = deviations(there)
    assert len(there.churned) > 10_000
    assert (np.abs(off) < 0.02 + 3 * np.sqrt(2) * error).all(), off
    assert abs(there.churned.mean() - there["churn_risk"].mean()) < 0.015


def test_that_check_can_fail(shops):
    """A truth that is off by a tenth in the log-odds' slope or by four points is caught."""
    found = joined([outcome(shop) for shop in shops])
    there = found.where(found["state"] != "gone")
    risk = np.clip(there["churn_risk"], 0.001, 0.999)
    flat = 1 / (1 + ((1 - risk) / risk) ** 0.7)
    wrong = Outcome(
        there.truth.set_column(
            there.truth.column_names.index("churn_risk"), "churn_risk", pa.array(flat)
        ),
        there.churned,
    )
    off, error = deviations(wrong)
    assert (np.abs(off) >= 0.02 + 3 * np.sqrt(2) * error).any()


def test_the_gone_do_not_order(shops):
    """Gone means a risk of 1, a cause, a day, and never an order again."""
    for shop in shops:
        found = outcome(shop)
        gone = found.where(found["state"] == "gone")
        assert gone.churned.all()
        assert (gone["churn_risk"] == 1.0).all()
        assert gone.truth["cause"].null_count == gone.truth["left_at"].null_count == 0


def test_risks_spread_so_that_there_is_something_to_learn(shops):
    """Of those with an order in the past year, 45 to 70 % churn, and risks are not all 0 or 1."""
    found = joined([outcome(shop) for shop in shops])
    bought = found.where(found["state"] != "prospect")
    risk = bought["churn_risk"][bought["state"] != "gone"]
    assert ((risk > 0.33) & (risk < 0.66)).mean() > 0.15
    assert (risk < 0.2).mean() > 0.1
    assert (risk > 0.66).mean() > 0.1


def test_causes_appear_with_the_stated_shares(shops):
    """Within 4 standard errors and 2 points of ``CAUSE_SHARES``."""
    newest = [
        shop.truth.filter(pc.equal(shop.truth["at"], pc.max(shop.truth["at"]))) for shop in shops
    ]
    causes = pa.concat_tables(newest)["cause"].cast(pa.string()).drop_null().to_pylist()
    assert len(causes) > 1_000
    for cause, stated in zip(CAUSES, CAUSE_SHARES, strict=True):
        share = causes.count(cause) / len(causes)
        assert abs(share - stated) < 0.02 + 4 * np.sqrt(stated * (1 - stated) / len(causes)), cause


@pytest.mark.parametrize(
    ("cause", "event", "empty_only"),
    [
        ("carts", "product_added", False),
        ("searches", "products_searched", True),
        ("service", "support_ticket_opened", False),
        ("delivery", "support_ticket_opened", False),
    ],
)
def test_a_cause_can_be_seen_in_the_log(shops, cause, event, empty_only):
    """In the 90 days before leaving, its traces are denser than before leaving for the silence."""

    def traces(shop: SimulatedShop, wanted: str) -> tuple[int, int]:
        newest = shop.truth.filter(pc.equal(shop.truth["at"], pc.max(shop.truth["at"])))
        left = newest.filter(pc.equal(newest["cause"].cast(pa.string()), wanted))
        who, when = customers_times(left, "left_at")
        chosen = pc.equal(shop.events["event"].cast(pa.string()), event)
        rows = shop.events.filter(chosen)
        if event == "product_added":
            bought = rows.filter(pc.is_in(rows["cart_id"], _bought_carts(shop)))["cart_id"]
            rows = rows.filter(pc.invert(pc.is_in(rows["cart_id"], bought.combine_chunks())))
        if empty_only:
            rows = rows.filter(pc.equal(rows["value"], 0.0))
        if cause == "delivery":
            rows = rows.filter(pc.equal(rows["kind"], "late_delivery"))
        leave = dict(zip(who.tolist(), when.tolist(), strict=True))
        customer, at = customers_times(rows, "occurred_at")
        seen = {
            c
            for c, t in zip(customer.tolist(), at.tolist(), strict=True)
            if c in leave and leave[c] - 90 * DAY <= t <= leave[c] + DAY
        }
        return len(seen), len(leave)

    seen, left = np.sum([traces(shop, cause) for shop in shops], axis=0)
    other_seen, other_left = np.sum([traces(shop, "silence") for shop in shops], axis=0)
    assert left > 50
    assert seen / left > 1.5 * other_seen / other_left
    assert seen / left > 0.3


def _bought_carts(shop: SimulatedShop) -> pa.Array:
    bought = pc.equal(shop.events["event"].cast(pa.string()), "order_completed")
    return shop.events.filter(bought)["cart_id"].combine_chunks()


def test_offers_do_what_the_response_type_says(shops):
    """Persuadables order more in the two weeks of an offer, sleeping dogs less; others as before.

    The held out are the comparison; the differences are tested at four standard errors.
    """
    rates: dict[str, dict[bool, list[bool]]] = {}
    for shop in shops:
        kinds = dict(
            zip(
                shop.truth["customer_id"].to_pylist(),
                shop.truth["response_type"].cast(pa.string()).to_pylist(),
                strict=True,
            )
        )
        ordered = pc.equal(shop.events["event"].cast(pa.string()), "order_completed")
        who, when = customers_times(shop.events.filter(ordered), "occurred_at")
        keys = np.append(np.sort(who * 10**17 + when), np.iinfo(np.int64).max)
        customer, at = customers_times(shop.offers, "at")
        place = np.searchsorted(keys, customer * 10**17 + at)
        soon = keys[place] < customer * 10**17 + at + 14 * DAY
        for name, offered, bought in zip(
            shop.offers["customer_id"].to_pylist(),
            shop.offers["offered"].to_pylist(),
            soon.tolist(),
            strict=True,
        ):
            kind = rates.setdefault(kinds[name], {True: [], False: []})
            kind[offered].append(bought)
    z = {kind: _difference(arms[True], arms[False]) for kind, arms in rates.items()}
    assert z["persuadable"] > 4
    assert z["sleeping_dog"] < -3
    assert abs(z["sure_thing"]) < 4
    assert abs(z["lost_cause"]) < 4


def _difference(offered: list[bool], held: list[bool]) -> float:
    """Return the difference of two shares in standard errors."""
    p, q = np.mean(offered), np.mean(held)
    return float((p - q) / np.sqrt(p * (1 - p) / len(offered) + q * (1 - q) / len(held)))


def test_the_truth_knows_what_an_offer_would_do(shops):
    """An offer lowers a persuadable's risk, raises a sleeping dog's, leaves the others' alone."""
    truth = joined([outcome(shop) for shop in shops])
    there = truth.where((truth["state"] != "gone") & (truth["state"] != "prospect"))
    lift = there["churn_risk_if_offered"] - there["churn_risk"]
    kind = there["response_type"]
    assert lift[kind == "persuadable"].mean() < -0.02
    assert lift[kind == "sleeping_dog"].mean() > 0.02
    assert np.abs(lift[np.isin(kind, ["sure_thing", "lost_cause"])]).max() == 0.0


def test_the_misspecified_shop_changes_its_tracking():
    """Sign-ins per order fall on one day in the last third; nothing else tells of it."""
    shop = simulate(plan(4, misspecified=True))
    names = shop.events["event"].cast(pa.string())
    _, at = customers_times(shop.events, "occurred_at")
    early, late = at < at.min() + 400 * DAY, at > at.max() - 60 * DAY

    def share(mask: np.ndarray) -> float:
        chosen = names.filter(pa.array(mask)).to_pylist()
        return chosen.count("signed_in") / chosen.count("products_searched")

    assert share(late) < 0.6 * share(early)
