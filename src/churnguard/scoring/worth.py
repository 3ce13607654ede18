"""What customers are worth: by the shop's facts and their signals, for :mod:`compose`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from churnguard.policy.rules import SignalTable
from churnguard.policy.value import (
    DAYS_A_YEAR,
    expected_value,
    expected_value_year,
    expected_values,
)
from churnguard.scoring.context import ScoringContext


def if_customers_stay(
    context: ScoringContext, table: SignalTable, days: int
) -> NDArray[np.float64]:
    """Return what each customer brings who stays: what an action that prevents churn keeps."""
    return expected_values(
        _first_known(table, "net_spend_365d"),
        _first_known(table, "orders_365d", "orders_total"),
        shop_mean_spend=context.shop_mean_spend,
        horizon_days=days,
        margin=context.margin,
    )


def worth_of(
    context: ScoringContext,
    table: SignalTable,
    risks: NDArray[np.float64],
    if_stays: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the margin to be expected over the horizon and over a year, shape (n, 2)."""
    spend = table.column("expected_spend_90d")
    horizon = expected_value(
        risks,
        if_stays,
        expected_spend=spend,
        rhythm_risk=table.column("mbgnbd_churn_risk"),
        horizon_days=context.horizon_days,
        margin=context.margin,
    )
    year = expected_value_year(
        _first_known(table, "net_spend_365d"),
        if_customers_stay(context, table, DAYS_A_YEAR),
        expected_spend=spend,
        margin=context.margin,
    )
    return np.column_stack([horizon, year])


def _first_known(table: SignalTable, *names: str) -> NDArray[np.float64]:
    """Return the first of these signals that the catalogue has; missing for all if it has none."""
    columns = (table.column(name) for name in names)
    found = next((column for column in columns if column is not None), None)
    return np.full(len(table), np.nan) if found is None else found
