"""Check: what a shop's data can carry today, what is missing, and from when it will do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np

from churnguard.clock import DAY_US, from_us, iso, to_us
from churnguard.errors import NotEnoughHistory
from churnguard.features.coverage import carried_by
from churnguard.jobs.lesson import newest_mature, refuse_unseen
from churnguard.jobs.ports import Progress, Shop, silent
from churnguard.jobs.readiness import CutoffCount, Readiness, Wanting
from churnguard.jobs.snapshots import History, not_to_be_profiled, read_history
from churnguard.jobs.stages import Stage, stages
from churnguard.labels import ORDER_GAP, label_named
from churnguard.project.layout import Layout
from churnguard.project.loader import load_catalogue, load_recipe
from churnguard.training.cutoffs import CutoffPlan, plan_cutoffs
from churnguard.training.recipe import Recipe

_ORDER = "order_completed"
_FARTHEST_DAYS = 3_000


def check(shop: Shop, *, recipe: str = "default", progress: Progress = silent) -> Readiness:
    """Tell what a shop's data can carry.

    Parameters
    ----------
    shop : Shop
        An opened project; nothing is changed.
    recipe : str
        The recipe of ``training/`` whose needs are asked for.
    progress : callable
        Told what is being done.

    Returns
    -------
    Readiness
        Also for a shop without any event.

    Raises
    ------
    ProjectError
        If the catalogue or the recipe cannot be used; a shop's own signals are tried out here.
    """
    layout = Layout(shop.root)
    catalogue, read = load_catalogue(layout), load_recipe(layout, recipe)
    set_aside = dict(shop.events.quarantine_counts())
    try:
        history = read_history(shop, known_before=shop.clock(), progress=progress)
    except NotEnoughHistory as nothing:
        return Readiness(quarantined=set_aside, wanting=(Wanting(nothing.message, nothing.hint),))
    progress("what the events can carry", 0, None)
    carried, left_out = carried_by(catalogue, history.timelines)
    families: dict[str, int] = {}
    for found in carried.signals:
        families[found.family] = families.get(found.family, 0) + 1
    orders = np.concatenate([np.diff(part.track(_ORDER).offsets) for part in history.timelines])
    steps = _stages(shop, history, read)
    counts, wanting, enough_from = _training(shop, history, read, steps)
    eligible_now = _eligible(shop, history, to_us(shop.clock()))
    if label_named(shop.settings.label).seen_in(history.event_counts) and not eligible_now:
        wanting = (*wanting, _stale(history))
    return Readiness(
        events=dict(sorted(history.event_counts.items())),
        customers=len(orders),
        buyers=int((orders > 0).sum()),
        repeat_buyers=int((orders > 1).sum()),
        data_from=history.data_from,
        data_through=history.data_through,
        assumed_share=history.assumed_share,
        eligible_now=eligible_now,
        not_profiled=len(not_to_be_profiled(shop)),
        families=families,
        left_out=left_out,
        quarantined=set_aside,
        cutoffs=counts,
        wanting=wanting,
        enough_from=enough_from,
        label=shop.settings.label,
        horizon_days=shop.settings.horizon_days,
        look_back_days=shop.settings.look_back_days,
        stages=steps,
    )


def _stages(shop: Shop, history: History, recipe: Recipe) -> tuple[Stage, ...]:
    """Return what the shop's size can carry; nothing for a shop without orders."""
    if not history.event_counts.get(_ORDER):
        return ()
    return stages(
        history.timelines,
        recipe,
        data_from=to_us(history.data_from),
        data_end=history.data_end,
        horizon=shop.settings.horizon_days,
    )


def _stale(history: History) -> Wanting:
    return Wanting(
        f"Nobody is eligible for a score today: the newest event is of "
        f"{iso(history.data_through)[:10]}.",
        "Ingest what happened since, or say --as-of to look at that time; days foretold here count "
        "from that event.",
        hinders=False,
    )


def _eligible(shop: Shop, history: History, at: int) -> int:
    label, days = label_named(shop.settings.label), shop.settings.look_back_days
    return sum(len(label.eligible(timeline, at, days)) for timeline in history.timelines)


def _training(
    shop: Shop, history: History, recipe: Recipe, steps: tuple[Stage, ...]
) -> tuple[tuple[CutoffCount, ...], tuple[Wanting, ...], datetime | None]:
    """Return rows by possible cutoff, what training lacks, and from when the time is enough."""
    try:
        refuse_unseen(label_named(shop.settings.label), history.event_counts)
    except NotEnoughHistory as unseen:
        by_orders = shop.settings.label == ORDER_GAP
        return (), (Wanting(*(NO_ORDERS if by_orders else (unseen.message, unseen.hint))),), None
    try:
        plan = _plan(shop, history, recipe, later_days=0)
    except NotEnoughHistory as short:
        return (), (Wanting(short.message, short.hint),), _enough_from(shop, history, recipe)
    counts = tuple(_counted(shop, history, at) for at in plan.learn)
    hint = "More customers or a longer history" + (_ABOVE if steps else ".")
    thin = [
        Wanting(what, hint)
        for what in _thin(counts, _learned_from(shop, history, plan.learn), recipe)
    ]
    return counts, tuple(thin or _weak(shop, history, recipe, plan, counts)), None


_ABOVE = "; what the shop's size can carry, and when, stands above."


NO_ORDERS = (
    "There are no orders: nobody is eligible for a score, and nobody can be seen to churn.",
    "Bring in the orders, or see whether they were set aside: 'churnguard quarantine list'. A shop "
    "that is looked at or subscribed to has another label in churnguard.toml: docs/horizon.md.",
)


def _plan(shop: Shop, history: History, recipe: Recipe, *, later_days: int) -> CutoffPlan:
    """Return the cutoffs of training, if the data went on for so many days more."""
    end = history.data_end + later_days * DAY_US
    horizon = shop.settings.horizon_days
    return plan_cutoffs(
        recipe.cutoffs,
        newest_us=newest_mature(end, horizon, shop.settings.timezone),
        history_from_us=to_us(history.data_from),
        horizon_days=horizon,
    )


def _enough_from(
    shop: Shop, history: History, recipe: Recipe, *, cutoffs: int = 0
) -> datetime | None:
    """Return the first end of data at which training has its cutoffs, if events keep coming."""
    for days in range(1, _FARTHEST_DAYS):
        try:
            plan = _plan(shop, history, recipe, later_days=days)
        except NotEnoughHistory:
            continue
        if len(plan.judge) >= cutoffs:
            return from_us(history.data_end + days * DAY_US)
    return None


def _counted(shop: Shop, history: History, at: int) -> CutoffCount:
    """Count the rows of a cutoff whose outcome is known."""
    label, settings, rows, gone = label_named(shop.settings.label), shop.settings, 0, 0
    for timeline in history.timelines:
        codes = label.eligible(timeline, at, settings.look_back_days)
        instants = np.full(len(codes), at, np.int64)
        rows += len(codes)
        gone += int(label.churned(timeline, codes, instants, settings.horizon_days).sum())
    return CutoffCount(iso(from_us(at)), rows, gone)


def _learned_from(shop: Shop, history: History, cutoffs: Sequence[int]) -> int:
    """Count the customers who have a row at any of some cutoffs."""
    label, days = label_named(shop.settings.label), shop.settings.look_back_days
    return sum(
        len(np.unique(np.concatenate([label.eligible(timeline, at, days) for at in cutoffs])))
        for timeline in history.timelines
        if cutoffs
    )


def _thin(counts: Sequence[CutoffCount], customers: int, recipe: Recipe) -> list[str]:
    """Return what the rows lack by the recipe's needs, in words."""
    needs = recipe.needs
    gone = sum(count.churned for count in counts)
    stayed = sum(count.rows for count in counts) - gone
    there: Mapping[str, tuple[int, int]] = {
        "customers with a known outcome": (customers, needs.customers),
        "rows of customers who left": (gone, needs.churned),
        "rows of customers who stayed": (stayed, needs.stayed),
        "cutoffs with a known outcome": (len(counts), needs.cutoffs),
    }
    return [
        f"There are {number:,} {what}; the recipe needs {wanted:,}."
        for what, (number, wanted) in there.items()
        if number < wanted
    ]


def _judged(
    shop: Shop,
    history: History,
    recipe: Recipe,
    plan: CutoffPlan,
    counts: Sequence[CutoffCount],
) -> int:
    """Count the past cutoffs at which enough was known for a model to be fitted and judged."""
    horizon, enough = shop.settings.horizon_days * DAY_US, 0
    for at in plan.judge:
        known = [cutoff for cutoff in plan.learn if cutoff + horizon <= at]
        customers = _learned_from(shop, history, known)
        enough += not _thin(counts[: len(known)], customers, recipe)
    return enough


def _weak(
    shop: Shop,
    history: History,
    recipe: Recipe,
    plan: CutoffPlan,
    counts: Sequence[CutoffCount],
) -> list[Wanting]:
    """Return a note where so few cutoffs can be judged that a promotion needs a named approver."""
    wanted, judged = recipe.gate.min_cutoffs, _judged(shop, history, recipe, plan, counts)
    if judged >= wanted:
        return []
    if len(plan.judge) >= wanted:
        where = "At the others" if judged else "At each of them"
        hint = f"{where} too little was known to fit a model: it takes more customers or time."
    else:
        enough = _enough_from(shop, history, recipe, cutoffs=wanted)
        when = (
            f"It will have {wanted} from {iso(enough)[:10]}" if enough else "A longer history helps"
        )
        hint = f"{when}, if events keep coming."
    many = f"Only {judged}" if judged else "None"
    return [
        Wanting(
            f"{many} of the past cutoffs can be judged; the gate "
            f"wants {wanted} for a new champion, with fewer it needs a named approver.",
            hint,
            hinders=False,
        )
    ]
