"""What each page of the desk shows: one documented dataclass a page, one function that fills it.

The same values leave as JSON with ``?format=json``.
"""

from __future__ import annotations

from churnguard.serving.desk.pages.at_risk_list import (
    ROWS,
    SHOWN,
    SORTS,
    AtRiskListPage,
    at_risk_page,
)
from churnguard.serving.desk.pages.customer import CustomerPage, customer_page
from churnguard.serving.desk.pages.entrance import ProblemPage, SignInPage
from churnguard.serving.desk.pages.words import BANDS, REFUSALS, Words

__all__ = [
    "BANDS",
    "PAGES",
    "REFUSALS",
    "ROWS",
    "SHOWN",
    "SORTS",
    "AtRiskListPage",
    "CustomerPage",
    "ProblemPage",
    "SignInPage",
    "Words",
    "at_risk_page",
    "customer_page",
]

PAGES = (AtRiskListPage, CustomerPage, SignInPage, ProblemPage)
"""Every page there is."""
