"""The public datasets on which scores are judged: files, meaning of the columns, label, cutoffs.

Where customers use something rather than buy it (logins, messages, days of listening), a use is
taken in as an order without money: the label is then "no use in the next days", and everything
that ChurnGuard knows about rhythm applies as it is. ``maps/`` says what the columns mean.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Shop:
    """A public dataset and how it is judged.

    Attributes
    ----------
    title : str
        What it is, for a reader.
    files : tuple of str
        Its files, below its folder.
    until : datetime
        The end of the data; nothing later is used.
    horizon_days, look_back_days : int
        Churn is no order in the horizon, for customers with one in the look-back.
    step_days : int
        Days between two cutoffs that are learned from.
    apart_days : int
        Days between two cutoffs at which models are judged.
    reported_only : bool
        Too few customers to say which model is better.
    word : str
        What an order is here.
    """

    title: str
    files: tuple[str, ...]
    until: datetime
    horizon_days: int = 90
    look_back_days: int = 365
    step_days: int = 30
    apart_days: int = 30
    reported_only: bool = False
    word: str = "order"

    def paths(self, name: str) -> list[Path]:
        """Return where the files are: ``$CHURNGUARD_DATA`` or ``../shared/data``."""
        data = Path(os.environ.get("CHURNGUARD_DATA") or ROOT.parent / "shared" / "data")
        return [data / name / file for file in self.files]

    def mapping(self, name: str) -> Path:
        """Return the file that says what the columns mean."""
        return Path(__file__).parent / "maps" / f"{name}.toml"


def _midnight(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T00:00:00+00:00")


DATASETS: Mapping[str, Shop] = {
    "online_retail_ii": Shop(
        title="Online Retail II (UCI 502): a British gift-ware shop, two years",
        files=("year_2009_2010.parquet", "year_2010_2011.parquet"),
        until=_midnight("2011-12-10"),
    ),
    "afisha_ticket_orders": Shop(
        title="Yandex.Afisha: tickets for events, one year; 17 % ever order again",
        files=("orders.parquet",),
        until=_midnight("2018-06-01"),
        horizon_days=60,
        apart_days=20,
    ),
    "home_goods_shop": Shop(
        title="A Russian shop for plants and household goods, 16 months",
        files=("orders.parquet",),
        until=_midnight("2020-02-01"),
        reported_only=True,
    ),
    "online_grocery_btydplus": Shop(
        title="An online grocery (R package BTYDplus): a cohort of one quarter, two years",
        files=("transactions.parquet",),
        until=_midnight("2007-12-31"),
    ),
    "relax_logins": Shop(
        title="Relax Inc.: days with a login to a web product, two years",
        files=("logins.parquet",),
        until=_midnight("2014-06-05"),
        horizon_days=30,
        look_back_days=90,
        word="login",
    ),
    "college_messages": Shop(
        title="CollegeMsg (SNAP): messages in a students' network, half a year",
        files=("messages.parquet",),
        until=_midnight("2004-10-27"),
        horizon_days=14,
        look_back_days=60,
        step_days=7,
        apart_days=14,
        word="message",
    ),
    "kkbox_daily_activity_sample": Shop(
        title="KKBox (WSDM Cup 2018): days of listening of 144 subscribers, two years",
        files=("active_days.parquet",),
        until=_midnight("2017-03-01"),
        horizon_days=30,
        look_back_days=90,
        reported_only=True,
        word="day of listening",
    ),
}
"""Every dataset by the name of its folder."""
