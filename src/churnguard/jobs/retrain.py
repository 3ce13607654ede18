"""Retrain: a challenger on drift or by schedule, through the gate, once a day; it says why.

What was decided is kept in the project, a line a shop-local day, so that the night's work can be
repeated without a second training.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from churnguard.clock import local_day, not_in_future
from churnguard.errors import InvalidRequest, PromotionRefused
from churnguard.jobs.drift import drift
from churnguard.jobs.drift_report import DriftReport
from churnguard.jobs.ports import LedgerEntry, Progress, Shop, silent
from churnguard.jobs.train import train
from churnguard.jobs.watch_book import WatchBook
from churnguard.project.layout import Layout

BOOK = "retrain.jsonl"

Verdict = Literal["promoted", "refused", "nothing"]


@dataclass(frozen=True)
class RetrainReport:
    """What was decided, and why.

    Attributes
    ----------
    day : str
        The shop-local day.
    why : str
        Why there was a challenger, or none.
    did : {"promoted", "refused", "nothing"}
        What became of it.
    version : str or None
        The challenger's version.
    gate : str
        Why the gate refused it; empty where it did not.
    """

    day: str
    why: str
    did: Verdict
    version: str | None = None
    gate: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return asdict(self)

    def to_text(self) -> str:
        """Return one or two sentences for a person."""
        if self.did == "nothing":
            return f"Nothing was trained: {self.why}"
        became = (
            "and is champion now." if self.did == "promoted" else f"and was refused: {self.gate}"
        )
        return f"Trained, since {self.why} Version {self.version} went through the gate {became}"


def retrain(
    shop: Shop,
    *,
    if_drift: bool = False,
    schedule_days: int | None = None,
    as_of: datetime | None = None,
    recipe: str = "default",
    approved_by: str | None = None,
    progress: Progress = silent,
) -> RetrainReport:
    """Train a challenger where there is a reason to, and let the gate decide.

    Parameters
    ----------
    shop : Shop
        An opened project.
    if_drift : bool
        A reason is that something drifted.
    schedule_days : int, optional
        A reason is that the champion was trained so many days ago. Without either of the two,
        being asked is the reason.
    as_of : datetime, optional
        Use only what was known before it; now when not given.
    recipe : str
        A recipe of the project's ``training/``.
    approved_by : str, optional
        Who answers for a promotion; needed where the gate has few cutoffs to go by.
    progress : callable
        Told what is being done.

    Raises
    ------
    InvalidRequest
        If ``schedule_days`` is under 1, or the instant lies in the future.
    NotEnoughHistory
        If the data are too thin.
    """
    if schedule_days is not None and schedule_days < 1:
        raise InvalidRequest("--schedule-days must be at least 1.", hint="Say --schedule-days 30.")
    now = not_in_future(as_of, shop.clock) if as_of else shop.clock()
    day = local_day(now, shop.settings.timezone).isoformat()
    book = WatchBook(Layout(shop.root).data / BOOK)
    before = book.entries().get(day)
    if before is not None:
        return RetrainReport(
            day, f"version {before['version']} was trained for {day} already.", "nothing"
        )
    champion = shop.ledger.champion()
    if champion is not None and _day(shop, champion) >= day:
        known = f"the champion knows what was known on {_day(shop, champion)}."
        return RetrainReport(day, known, "nothing")
    why, wanted = _reason(
        shop, champion, now, if_drift=if_drift, schedule_days=schedule_days, progress=progress
    )
    if not wanted:
        return RetrainReport(day, why, "nothing")
    try:
        done = train(
            shop,
            recipe=recipe,
            until=now,
            promote=True,
            approved_by=approved_by,
            progress=progress,
        )
        report = RetrainReport(day, why, "promoted", done.version)
    except PromotionRefused as refused:
        newest = shop.registry().versions()[0].version
        report = RetrainReport(day, why, "refused", newest, refused.message)
    book.put(day, report.to_dict())
    return report


def _day(shop: Shop, entry: LedgerEntry) -> str:
    return local_day(entry.trained_until, shop.settings.timezone).isoformat()


def _reason(
    shop: Shop,
    champion: LedgerEntry | None,
    now: datetime,
    *,
    if_drift: bool,
    schedule_days: int | None,
    progress: Progress,
) -> tuple[str, bool]:
    """Return a sentence, and whether it is a reason to train."""
    if champion is None:
        return "there is no champion yet.", True
    if not if_drift and schedule_days is None:
        return "it was asked for.", True
    against = []
    if schedule_days is not None:
        age = (now - champion.trained_until) // timedelta(days=1)
        words = f"the champion is {age} days old, and {schedule_days} are the schedule"
        if age >= schedule_days:
            return f"{words}.", True
        against.append(words)
    if if_drift:
        words, alarm = _drifted(drift(shop, as_of=now, progress=progress))
        if alarm:
            return f"{words}.", True
        against.append(words)
    return f"{'; '.join(against)}.", False


def _drifted(report: DriftReport) -> tuple[str, bool]:
    if not report.alarm:
        return "nothing drifted", False
    return f"there is drift in {', '.join(one.name for one in report.drifted)}", True
