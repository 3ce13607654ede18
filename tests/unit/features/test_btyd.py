"""BG/NBD and MBG/NBD: closed forms against published values and simulation, fits against truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import approx_fprime
from scipy.stats import beta, gamma, poisson

from churnguard.errors import NotEnoughHistory, SchemaError
from churnguard.features import btyd
from churnguard.features.btyd import BgNbd, MbgNbd, fit_bgnbd, fit_mbgnbd

CDNOW = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426)


def simulated(model: BgNbd, customers: int, seed: int, horizon: float = 90.0):
    """Orders drawn from the model's own story: frequency, recency, age, orders in the horizon."""
    rng = np.random.default_rng(seed)
    rates = rng.gamma(model.r, 1 / model.alpha, customers)
    leaves = rng.beta(model.a, model.b, customers)
    ages = rng.uniform(60, 700, customers)
    rows = []
    for rate, leave, age in zip(rates, leaves, ages, strict=True):
        now, times = 0.0, []
        alive = not (isinstance(model, MbgNbd) and rng.random() < leave)
        while alive:
            now += rng.exponential(1 / rate)
            if now > age + horizon:
                break
            times.append(now)
            alive = rng.random() >= leave
        past = [time for time in times if time <= age]
        rows.append((len(past), past[-1] if past else 0.0, age, len(times) - len(past)))
    return np.array(rows).T


def test_expected_orders_match_the_published_example():
    """Fader, Hardie, Lee's spreadsheet note gives 1.226 for x=2, t_x=30.43, T=38.86, t=39."""
    assert float(CDNOW.expected_orders(2, 30.43, 38.86, 39)) == pytest.approx(1.226, abs=5e-4)


def test_one_time_buyers_are_alive_in_bgnbd_only():
    """The flaw of BG/NBD is there, and MBG/NBD mends it."""
    assert float(CDNOW.p_alive(0, 0, 1000)) == 1.0
    assert float(MbgNbd(0.243, 4.414, 0.793, 2.426).p_alive(0, 0, 1000)) < 0.5


@pytest.mark.parametrize("kind", [BgNbd, MbgNbd])
@pytest.mark.parametrize(("x", "recent", "age"), [(1, 5.0, 40.0), (3, 20.0, 30.0), (7, 39.0, 40.0)])
def test_closed_forms_equal_brute_force_integration(kind, x, recent, age):
    """P(alive), churn risk and likelihood agree with integrating over rate and leaving chance."""
    model = kind(r=0.8, alpha=6.0, a=0.9, b=2.2)
    horizon = 12.0
    exact = {"epsabs": 0.0, "epsrel": 1e-9}

    def rate_part(exposure):
        weight = gamma(model.r, scale=1 / model.alpha).pdf
        return quad(
            lambda lam: lam**x * np.exp(-lam * exposure) * weight(lam), 0, 20, limit=200, **exact
        )[0]

    def leave_part(stays, leaves):
        weight = beta(model.a, model.b).pdf
        return quad(lambda p: (1 - p) ** stays * p**leaves * weight(p), 0, 1, **exact)[0]

    shift = 1 if kind is MbgNbd else 0
    alive = rate_part(age) * leave_part(x + shift, 0)
    left = rate_part(recent) * leave_part(x + shift - 1, 1)
    silent = rate_part(age + horizon) * leave_part(x + shift, 0) + left
    assert float(model.p_alive(x, recent, age)) == pytest.approx(alive / (alive + left), rel=1e-6)
    assert float(model.churn_risk(x, recent, age, horizon)) == pytest.approx(
        silent / (alive + left), rel=1e-6
    )
    one = np.ones(1)
    value, _ = btyd._log_likelihood(model, btyd._Counts.of(x * one), recent * one, age * one, one)
    assert value == pytest.approx(np.log(alive + left), rel=1e-6)


@pytest.mark.parametrize("kind", [BgNbd, MbgNbd])
def test_gradient_equals_finite_differences(kind):
    """The analytic gradient is the slope of the likelihood, one-time buyers included."""
    x, *rest = (np.array(v, dtype=float) for v in ([0, 2, 9], [0, 14, 80], [50, 60, 82], [3, 1, 2]))
    rows = [btyd._Counts.of(x), *rest]
    point = np.array([0.6, 7.0, 0.8, 1.9])

    def likelihood(theta):
        return btyd._log_likelihood(kind(*theta), *rows)[0]

    _, gradient = btyd._log_likelihood(kind(*point), *rows)
    assert gradient == pytest.approx(approx_fprime(point, likelihood, 1e-7), rel=1e-4)


@pytest.mark.parametrize(
    ("fit", "truth"),
    [
        (fit_bgnbd, BgNbd(r=0.6, alpha=40.0, a=0.7, b=2.5)),
        (fit_mbgnbd, MbgNbd(r=0.8, alpha=40.0, a=0.6, b=2.0)),
    ],
)
def test_known_parameters_are_recovered(fit, truth):
    """From 4,000 simulated customers each parameter comes back within 25 %."""
    frequency, recency, age, _ = simulated(truth, 4000, seed=1)
    model = fit(frequency, recency, age)
    assert [model.r, model.alpha, model.a, model.b] == pytest.approx(
        [truth.r, truth.alpha, truth.a, truth.b], rel=0.25
    )


@pytest.mark.parametrize("truth", [BgNbd(0.6, 40.0, 0.7, 2.5), MbgNbd(0.8, 40.0, 0.6, 2.0)])
def test_forecasts_are_right_on_average(truth):
    """Over simulated customers the mean forecast equals what happened, within four SDs."""
    frequency, recency, age, later = simulated(truth, 4000, seed=2)
    risk = truth.churn_risk(frequency, recency, age, 90.0)
    spread = np.sqrt(np.mean(risk * (1 - risk)) / len(risk))
    assert abs(risk.mean() - (later == 0).mean()) < 4 * spread
    expected = truth.expected_orders(frequency, recency, age, 90.0)
    assert abs(expected.mean() - later.mean()) < 4 * later.std() / np.sqrt(len(later))


@pytest.mark.parametrize("kind", [BgNbd, MbgNbd])
@pytest.mark.parametrize(
    ("x", "recent", "age"), [(2, 30.0, 80.0), (74, 101.0, 102.0), (518, 612.0, 612.0)]
)
def test_orders_of_a_daily_customer_are_foreseen_as_exactly_as_those_of_a_rare_one(
    kind, x, recent, age
):
    """Expected orders are those of every chance to leave, weighed by how likely it is.

    A living customer with rate l and chance p to leave orders (1 - exp(-l p t)) / p times.
    """
    model, horizon = kind(r=0.07, alpha=1.07, a=0.12, b=1.2), 90.0
    stays = model.b + x + (kind is MbgNbd)
    logs = np.linspace(-300.0, -1e-6, 300_001)
    leaves = np.exp(logs)
    weight = np.exp(model.a * logs + (stays - 1.0) * np.log1p(-leaves))
    faster = np.log1p(leaves * horizon / (model.alpha + age))
    orders = -np.expm1(-(model.r + x) * faster) / leaves
    exact = model.p_alive(x, recent, age) * (weight @ orders) / weight.sum()
    assert float(model.expected_orders(x, recent, age, horizon)) == pytest.approx(exact, rel=1e-8)


def test_expected_orders_pass_smoothly_through_a_equal_to_one():
    """The formula's removable singularity at a = 1 is not felt."""
    near = [float(BgNbd(0.5, 30, a, 2).expected_orders(3, 50, 80, 90)) for a in (0.999, 1.0, 1.001)]
    assert near[1] == pytest.approx((near[0] + near[2]) / 2, rel=1e-4)


def test_one_row_equals_many_bit_for_bit():
    """A batch and its single rows give the same bits in every closed form."""
    frequency, recency, age, _ = simulated(BgNbd(0.6, 40.0, 0.7, 2.5), 257, seed=3)
    model = fit_mbgnbd(frequency, recency, age)
    for forecast in (model.churn_risk, model.expected_orders):
        batch = forecast(frequency, recency, age, 90.0)
        single = [float(forecast(*row, 90.0)) for row in zip(frequency, recency, age, strict=True)]
        assert batch.tolist() == single


def test_poisson_limit():
    """With nobody leaving and one known rate, expected orders are rate times days."""
    model = BgNbd(r=2e3, alpha=2e4, a=1e-4, b=1e4)
    assert float(model.expected_orders(4, 40, 45, 30)) == pytest.approx(3.0, rel=1e-3)
    assert float(model.churn_risk(4, 40, 45, 30)) == pytest.approx(poisson(3.0).pmf(0), rel=1e-2)


def test_small_shop_is_held_by_the_prior():
    """Twenty customers give finite, moderate parameters."""
    rng = np.random.default_rng(0)
    model = fit_bgnbd([0] * 10 + [1] * 10, [0] * 10 + list(rng.uniform(1, 90, 10)), [100] * 20)
    assert all(1e-3 < value < 1e4 for value in (model.r, model.alpha, model.a, model.b))


def test_too_few_repeat_buyers_are_refused_with_the_counts():
    """The refusal says how many there are and how many are needed."""
    with pytest.raises(NotEnoughHistory, match="30 customers, 2 of whom ordered again"):
        fit_bgnbd([0] * 28 + [1, 2], [0] * 28 + [5, 6], [50] * 30)


@pytest.mark.parametrize("row", [(-1, 0, 5), (1, 9, 5), (1, np.nan, 5)])
def test_impossible_rows_are_refused(row):
    """Negative counts, a last order after today and missing numbers are no history."""
    with pytest.raises(SchemaError):
        fit_bgnbd([row[0]] * 30, [row[1]] * 30, [row[2]] * 30)


@pytest.mark.parametrize("kind", [BgNbd, MbgNbd])
def test_one_model_a_row_gives_the_bits_of_each_model_alone(kind):
    """Rows may have a fit each; what is known of staying may be handed in and changes no bit."""
    fits = np.array(
        [[0.243, 4.414, 0.793, 2.426], [0.525, 6.183, 1.0, 1.614], [0.4, 9.0, 0.9, 2.0]]
    )
    x, recent, old = np.array([2.0, 0.0, 7.0]), np.array([30.0, 0.0, 30.0]), np.array([38.0, 9, 31])
    rows = kind(*fits.T)
    alive = rows.p_alive(x, recent, old)
    risks = rows.churn_risk(x, recent, old, 90.0, alive=alive)
    orders = rows.expected_orders(x, recent, old, 90.0, alive=alive)
    for row, fit in enumerate(fits.tolist()):
        one, mine = kind(*fit), (x[row], recent[row], old[row])
        assert float(one.p_alive(*mine)) == alive[row]
        assert float(one.churn_risk(*mine, 90.0)) == risks[row]
        assert float(one.expected_orders(*mine, 90.0)) == orders[row]


def test_a_one_time_buyer_of_long_ago_is_alive_to_bgnbd_and_gone_to_mbgnbd():
    """The known flaw of BG/NBD, and how MBG/NBD deals with it."""
    bought_once = (0, 0.0, 1000.0)
    assert float(BgNbd(0.243, 4.414, 0.793, 2.426).p_alive(*bought_once)) == 1.0
    assert float(MbgNbd(0.525, 6.183, 0.891, 1.614).p_alive(*bought_once)) < 0.2
