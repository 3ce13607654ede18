"""How numbers are said in English and Hebrew."""

from __future__ import annotations

import pytest
from babel.numbers import format_currency

from churnguard.features.units import DAYS, MONEY, NUMBER, OCCASIONS, ORDERS, SHARE, TIMES


@pytest.mark.parametrize(
    ("unit", "value", "en", "he"),
    [
        (DAYS, 0.4, "less than a day", "פחות מיום"),
        (DAYS, 1.2, "1 day", "יום אחד"),
        (DAYS, 2.0, "2 days", "יומיים"),
        (DAYS, 24.0, "24 days", "24 יום"),
        (DAYS, 1500.0, "1,500 days", "1,500 יום"),
        (ORDERS, 0.0, "no orders", "אין הזמנות"),
        (ORDERS, 1.0, "1 order", "הזמנה אחת"),
        (ORDERS, 2.0, "2 orders", "שתי הזמנות"),
        (ORDERS, 11.0, "11 orders", "11 הזמנות"),
        (TIMES, 3.44, "3.4 times the usual", "פי 3.4 מהרגיל"),
        (TIMES, 12.4, "12 times the usual", "פי 12 מהרגיל"),
        (TIMES, 0.7, "70% of the usual", "\u206670%\u2069 מהרגיל"),
        (TIMES, 1.02, "about the usual", "בערך כרגיל"),
        (TIMES, 2.0, "twice the usual", "כפול מהרגיל"),
        (SHARE, 0.355, "36%", "\u206636%\u2069"),
        (SHARE, 0.0, "0%", "\u20660%\u2069"),
        (SHARE, 0.003, "less than 1%", "פחות מ-\u20661%\u2069"),
        (SHARE, 0.999, "more than 99%", "יותר מ-\u206699%\u2069"),
        (SHARE, 1.0, "100%", "\u2066100%\u2069"),
        (SHARE, -0.02, "\u22122%", "\u2066\u22122%\u2069"),
        (NUMBER, 7.25, "7.2", "\u20667.2\u2069"),
        (NUMBER, 0.04, "0.04", "\u20660.04\u2069"),
        (OCCASIONS, 1.0, "once", "פעם אחת"),
        (MONEY, 0.0, "₪0", "\u2066₪0\u2069"),
        (MONEY, 45.5, "₪45.50", "\u2066₪45.50\u2069"),
        (MONEY, 1234.5, "₪1,234", "\u2066₪1,234\u2069"),
        (MONEY, -3.0, "\u2212₪3.00", "\u2066\u2212₪3.00\u2069"),
    ],
)
def test_a_number_is_said_as_people_say_it(unit, value, en, he):
    """Plurals (Hebrew has one for two), money in the shop's currency, signs kept in their place."""
    assert unit.phrase(value, "en", currency="ILS") == en
    assert unit.phrase(value, "he", currency="ILS") == he


@pytest.mark.parametrize(
    ("days", "en", "he"),
    [
        (0.2, "several times a day", "כמה פעמים ביום"),
        (0.9, "every day", "כל יום"),
        (1.4, "every day", "כל יום"),
        (2.0, "every 2 days", "כל יומיים"),
        (24.2, "every 24 days", "כל 24 יום"),
    ],
)
def test_a_rhythm_is_said_as_people_say_it(days, en, he):
    """Nobody says "every 1 day" or "every less than a day"."""
    assert (DAYS.every(days, "en"), DAYS.every(days, "he")) == (en, he)


def test_money_is_in_the_shops_currency():
    """The currency is the shop's, not the reader's."""
    assert MONEY.phrase(80.0, "en", currency="GBP") == "£80.00"
    assert MONEY.phrase(8000.0, "he", currency="GBP") == "\u2066£8,000\u2069"


@pytest.mark.parametrize("currency", ["USD", "JPY", "KWD", "ILS"])
@pytest.mark.parametrize("value", [0.0, -0.001, 0.125, 2.675, 99.9951, 1234.5, -1235.5, 3e16])
def test_an_amount_is_written_as_babel_writes_the_unrounded_number(value, currency) -> None:
    """Amounts are rounded before they are looked up, by the currency's own digits."""
    whole = abs(value) >= 100 or value == 0
    pattern = "¤#,##0" if whole else "¤#,##0.00"
    told = format_currency(value, currency, pattern, locale="en", currency_digits=not whole)
    assert MONEY.phrase(value, "en", currency=currency) == told.replace("-", "\u2212")
