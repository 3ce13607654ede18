"""Scores are put together from model, book and playbook."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from churnguard.clock import to_us
from churnguard.errors import BundleMismatch, CatalogueError
from churnguard.features.build import FeatureRows
from churnguard.features.catalogue import Catalogue
from churnguard.features.signal import Signal
from churnguard.features.units import NUMBER
from churnguard.policy import Holdout
from churnguard.policy.playbook import parse_playbook
from churnguard.scoring.compose import ScoringContext, compose_scores, score_without_number
from churnguard.scoring.score import STATUS_REASONS, ModelName

AS_OF = datetime(2026, 11, 21, 8, tzinfo=UTC)
NAMES = (
    "days_since_order",
    "orders_total",
    "orders_365d",
    "net_spend_365d",
    "days_since_first_order",
    "order_gap_ratio",
)
WEIGHTS = np.array([0.01, -0.1, -0.05, -0.0001, 0.0, 0.2])
BASE = -0.4


@dataclass(frozen=True)
class LinearModel:
    """A model whose contributions anybody can work out: weight times value, 0 where missing."""

    width: float = 0.2

    def margins(self, X):
        return np.array([math.fsum(row) for row in self.contributions(X).tolist()])

    def risks(self, X):
        return np.array([1 / (1 + math.exp(-margin)) for margin in self.margins(X).tolist()])

    def contributions(self, X):
        base = np.full((len(X), 1), BASE)
        return np.hstack([np.nan_to_num(X) * WEIGHTS, base])

    def intervals(self, margins):
        middle = np.array([1 / (1 + math.exp(-margin)) for margin in margins.tolist()])
        return np.column_stack([middle - self.width / 2, middle + self.width / 2])


def told(name: str, family: str) -> Signal:
    return Signal(
        name=name,
        version=1,
        family=family,
        unit=NUMBER,
        direction=0,
        formula="A number.",
        needs=(),
        sentence={"en": f"It is {{{name}}}", "he": f"הערך הוא {{{name}}}"},
        missing={"en": "It is not known", "he": "לא ידוע"},
        zero={"en": "", "he": ""},
        usual=None,
        told_as=None,
        days=None,
        source=name,
        compute=lambda rows: np.zeros(len(rows)),
    )


FAMILY = {
    "days_since_order": "recency",
    "order_gap_ratio": "recency",
    "days_since_first_order": "tenure",
}


def feature_rows(values, customer_ids: Sequence[str], names=NAMES) -> FeatureRows:
    return FeatureRows(
        np.array(values, dtype=float).reshape(len(customer_ids), len(names)),
        names,
        np.array(customer_ids, dtype=object),
        np.full(len(customer_ids), to_us(AS_OF)),
    )


def rows(**customers: Sequence[float]) -> FeatureRows:
    return feature_rows(list(customers.values()), tuple(customers))


STEADY = (20.0, 8.0, 6.0, 900.0, 700.0, 0.7)
SILENT = (150.0, 8.0, 6.0, 900.0, 700.0, 5.0)
ONCE = (40.0, 1.0, 1.0, 50.0, 40.0, math.nan)


def words(text: str) -> dict[str, dict[str, str]]:
    return {key: {"en": text, "he": "טקסט"} for key in ("name", "description", "message")}


@pytest.fixture
def context() -> ScoringContext:
    playbook = parse_playbook(
        {
            "actions": {
                "leave_alone": words("Leave alone") | {"channel": "none", "prevents": 0},
                "call": words("Call")
                | {
                    "channel": "phone",
                    "consent": "phone",
                    "prevents": 0.1,
                    "cost": 0.5,
                    "cooldown_days": 30,
                    "when": ["order_gap_ratio >= 2"],
                },
                "banner": words("Banner") | {"channel": "onsite", "prevents": 0.01, "cost": 0.01},
            }
        }
    )
    catalogue = Catalogue(tuple(told(name, FAMILY.get(name, "orders")) for name in NAMES))
    return ScoringContext(
        model=LinearModel(),
        model_name=ModelName("1", "sha256:0", "platt", None),
        catalogue=catalogue,
        playbook=playbook,
        holdout=Holdout(b"0123456789abcdef", share=0.1),
        shop_mean_spend=200.0,
        data_through=AS_OF - timedelta(hours=1),
    )


def test_a_scored_customer_has_every_field(context):
    """A scored customer has number, interval, band, segment, value, action and model."""
    (score,) = compose_scores(context, rows(a=SILENT), {}, {}, as_of=AS_OF, explain=True)
    assert (score.status, score.status_reason) == ("scored", None)
    missing = [name for name, value in score.to_dict().items() if value is None]
    assert missing == ["status_reason"]
    assert score.stale is False


@pytest.mark.parametrize(
    ("values", "book", "status", "reason"),
    [
        ((math.nan, 0, 0, 0, math.nan, math.nan), None, "abstained", "no_order_yet"),
        ((365.0001, 3, 0, 0, 900, 4), None, "abstained", "outside_look_back"),
        (STEADY, {"exclude": True}, "abstained", "excluded"),
        (STEADY, {"opt_out_profiling": True}, "objected", "opted_out"),
        (STEADY, {"opt_out_profiling": True, "exclude": True}, "objected", "opted_out"),
        (STEADY, {"restricted": True}, "restricted", "restricted"),
    ],
)
def test_silence_has_a_reason_and_neither_number_nor_action(context, values, book, status, reason):
    """Whoever gets no number gets its reason, and no risk, value, segment or action."""
    (score,) = compose_scores(context, rows(a=values), {"a": book}, {}, as_of=AS_OF, explain=True)
    assert (score.status, score.status_reason) == (status, reason)
    assert reason in STATUS_REASONS
    told = score.to_dict()
    for name in ("churn_risk", "interval", "band", "segment", "margin", "reasons", "action"):
        assert told[name] is None, name
    assert told["expected_value"] is told["expected_value_year"] is None


def test_an_order_exactly_at_the_look_back_is_recent_enough(context):
    """The look-back window is closed at its start."""
    at_border = (365.0, *STEADY[1:])
    (score,) = compose_scores(context, rows(a=at_border), {}, {}, as_of=AS_OF)
    assert score.status == "scored"


def test_an_interval_that_says_nothing_is_too_little_history(context):
    """A model that spans nearly everything is not quoted."""
    wide = replace(context, model=LinearModel(width=0.95))
    (score,) = compose_scores(wide, rows(a=STEADY), {}, {}, as_of=AS_OF)
    assert (score.status, score.status_reason) == ("abstained", "too_little_history")


def test_one_customer_gets_the_same_numbers_alone_and_among_many(context):
    """Alone, in another order or among silent customers: the record is the same."""
    many = rows(a=STEADY, b=SILENT, c=(math.nan,) * 6, d=ONCE, e=(400.0, *STEADY[1:]))
    book = {"b": {"consent_phone": True}, "d": {"consent_phone": None}}
    together = compose_scores(context, many, book, {}, as_of=AS_OF, explain=True)
    for place, customer_id in enumerate(many.customer_ids):
        alone = feature_rows(many.values[place], (customer_id,))
        (score,) = compose_scores(context, alone, book, {}, as_of=AS_OF, explain=True)
        assert score == together[place]


def test_reasons_lead_from_base_margin_to_margin(context):
    """Effects add up to the margin, points to the risk, and signals of a family are told once."""
    for score in compose_scores(
        context, rows(a=STEADY, b=SILENT, c=ONCE), {}, {}, as_of=AS_OF, explain=True
    ):
        effects = math.fsum(reason.effect for reason in score.reasons)
        assert abs(score.base_margin + effects - score.margin) < 1e-9
        base_risk = 1 / (1 + math.exp(-score.base_margin))
        points = math.fsum(reason.effect_points for reason in score.reasons)
        assert abs(base_risk + points - score.churn_risk) < 1e-9
        families = [reason.family for reason in score.reasons]
        assert len(families) == len(set(families))
        sizes = [abs(reason.effect) for reason in score.reasons]
        assert sizes == sorted(sizes, reverse=True)


def test_a_customer_asked_about_twice_gets_each_row_its_own_score(context):
    """Two rows of one customer (what is, and what if) are two scores, in their places."""
    twice = feature_rows([STEADY, SILENT], ("a", "a"))
    steady, silent = compose_scores(context, twice, {}, {}, as_of=AS_OF, explain=True)
    assert [steady] == compose_scores(context, rows(a=STEADY), {}, {}, as_of=AS_OF, explain=True)
    assert [silent] == compose_scores(context, rows(a=SILENT), {}, {}, as_of=AS_OF, explain=True)
    assert steady.churn_risk < silent.churn_risk


def test_only_those_asked_for_are_explained(context):
    """Reasons and what was not eligible are given to the customers named, and to no others."""
    a, b = compose_scores(
        context, rows(a=SILENT, b=SILENT), {}, {}, as_of=AS_OF, explain={"b", "unknown"}
    )
    assert a.reasons is None
    assert a.base_margin is None
    assert a.action.not_eligible == {}
    assert b.reasons
    assert b.action.not_eligible == {"call": "no consent for phone is on record"}
    assert a.churn_risk == b.churn_risk


@pytest.mark.parametrize("consent", [None, False, 1, "yes"])
def test_only_a_plain_yes_is_consent(context, consent):
    """Unknown consent, or anything but True, is not contactable."""
    book = {"a": {"consent_phone": consent}}
    (score,) = compose_scores(context, rows(a=SILENT), book, {}, as_of=AS_OF)
    assert score.action.code == "banner"


def test_consent_and_cooldown_decide_the_action(context):
    """With consent the better action is chosen; within its cooldown it is not."""
    book = {"a": {"consent_phone": True}}
    last = {"a": {"call": AS_OF - timedelta(days=29, hours=12)}}
    (fresh,) = compose_scores(context, rows(a=SILENT), book, {}, as_of=AS_OF)
    (tired,) = compose_scores(context, rows(a=SILENT), book, last, as_of=AS_OF, explain=True)
    (rested,) = compose_scores(
        context, rows(a=SILENT), book, last, as_of=AS_OF + timedelta(hours=12)
    )
    assert [s.action.code for s in (fresh, tired, rested)] == ["call", "banner", "call"]
    assert tired.action.not_eligible == {
        "call": "taken too recently: its cooldown lasts 0.5 more days"
    }


def test_every_scored_customer_has_a_group_and_its_propensity(context):
    """Group and propensity stand even where nothing is done, and the decision has a name."""
    many = rows(**{f"c{number}": STEADY for number in range(300)})
    scores = compose_scores(context, many, {}, {}, as_of=AS_OF)
    drawn = {(score.action.group, score.action.propensity) for score in scores}
    assert drawn == {("treat", 0.9), ("control", 0.1)}
    assert len({score.action.decision_id for score in scores}) == 300


def test_old_data_make_a_score_stale(context):
    """Data older than the limit, or none, are said to be stale."""
    old = replace(context, data_through=AS_OF - timedelta(hours=49))
    for changed in (old, replace(context, data_through=None)):
        (score,) = compose_scores(changed, rows(a=STEADY), {}, {}, as_of=AS_OF)
        assert score.stale


def test_nobody_to_score_gives_nothing(context):
    """No rows, no scores."""
    empty = rows()
    assert compose_scores(context, empty, {}, {}, as_of=AS_OF) == []


def test_other_columns_are_refused(context):
    """Rows that do not fit the model are never scored."""
    odd = feature_rows(np.zeros(6), ("a",), names=NAMES[::-1])
    with pytest.raises(BundleMismatch, match="columns"):
        compose_scores(context, odd, {}, {}, as_of=AS_OF)


def test_a_catalogue_without_recency_is_refused(context):
    """Without the days since the last order nobody can tell who is still a customer."""
    bare = replace(context, catalogue=Catalogue((told("tickets_open", "service"),)))
    with pytest.raises(CatalogueError, match="days_since_order"):
        compose_scores(
            bare, feature_rows([0], ("a",), names=("tickets_open",)), {}, {}, as_of=AS_OF
        )


@pytest.mark.parametrize("reason", STATUS_REASONS)
def test_every_status_reason_can_be_told(context, reason):
    """Each documented reason makes a score without a number."""
    score = score_without_number(context, "a", reason, as_of=AS_OF)
    assert score.status != "scored"
    assert score.churn_risk is None
    assert score.action is None


def test_reasons_start_from_a_customer_who_is_usual_in_everything(context):
    """The base is that customer's margin, and being usual is no reason."""
    usual = dict(zip(NAMES, (30.0, 4.0, 3.0, 300.0, 400.0, 1.0), strict=True))
    model, table = context.model, np.array([list(usual.values())])
    compared = replace(context, peers=usual)
    same, silent = compose_scores(
        compared, rows(same=tuple(usual.values()), silent=SILENT), {}, {}, as_of=AS_OF, explain=True
    )
    assert same.reasons == ()
    assert same.base_margin == pytest.approx(model.margins(table)[0])
    assert silent.base_margin == same.base_margin
    effects = math.fsum(reason.effect for reason in silent.reasons)
    assert silent.base_margin + effects == pytest.approx(silent.margin, abs=1e-12)


def test_peers_are_those_of_the_customers_segment(context):
    """A silent customer is compared with customers at risk."""
    compared = replace(
        context,
        peers={"days_since_order": 30.0},
        segment_peers={"at_risk": {"days_since_order": 120.0}},
    )
    (silent,) = compose_scores(compared, rows(silent=SILENT), {}, {}, as_of=AS_OF, explain=True)
    assert silent.segment == "at_risk"
    told = {reason.code: reason for reason in silent.reasons}["days_since_order"]
    assert (told.peers, told.peers_of) == (120.0, "at_risk")
