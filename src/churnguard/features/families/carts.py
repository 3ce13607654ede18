"""Carts: what was put into a cart and left there.

A cart is all that goes under one ``cart_id`` (without ids a customer has one cart). It ends with
the customer's next order, or when 24 hours have passed since something was last put into it, and is
abandoned in the second case if something is still in it. That is known, and counts, from the end of
the 24 hours on; whatever is put into it later begins another cart. Its value is that of what was
put into it, less that of what was taken out.
"""

from __future__ import annotations

from churnguard.clock import DAY_US
from churnguard.features.carts import CART_TIMEOUT_US
from churnguard.features.rows import EventRows, Floats, Rows, ratio
from churnguard.features.signal import signal
from churnguard.features.tracks import CART_ABANDONED
from churnguard.features.units import ABANDONED_CARTS, DAYS, MONEY, OCCASIONS, SHARE

_NEEDS = ("product_added",)
_NONE_EN = "No abandoned carts on record"
_NONE_HE = "לא נרשמו עגלות נטושות"


def _carts(rows: Rows) -> EventRows:
    return rows.events(CART_ABANDONED)


@signal(
    unit=ABANDONED_CARTS,
    direction=1,
    needs=_NEEDS,
    windows=(30, 90),
    en="{carts_abandoned_{days}d} in the last {days} days",
    he="{carts_abandoned_{days}d} ב-{days} הימים האחרונים",
)
def carts_abandoned(rows: Rows, days: int) -> Floats:
    """Carts that became abandoned in the last {days} days."""
    return _carts(rows).count(days)


@signal(
    unit=ABANDONED_CARTS,
    direction=1,
    needs=_NEEDS,
    en="{cart_streak} since the last order",
    he="{cart_streak} מאז ההזמנה האחרונה",
)
def cart_streak(rows: Rows) -> Floats:
    """Carts that became abandoned since the last order."""
    return _carts(rows).count(after=rows.events("order_completed").last_at())


@signal(
    unit=MONEY,
    needs=_NEEDS,
    en="{cart_value_left} left in abandoned carts since the last order",
    he="מוצרים בשווי {cart_value_left} נותרו בעגלות נטושות מאז ההזמנה האחרונה",
    zero_en="Nothing left in abandoned carts since the last order",
    zero_he="לא נותר דבר בעגלות נטושות מאז ההזמנה האחרונה",
)
def cart_value_left(rows: Rows) -> Floats:
    """Value left in the carts that became abandoned since the last order."""
    return _carts(rows).sum("value", after=rows.events("order_completed").last_at())


@signal(
    unit=SHARE,
    direction=1,
    needs=_NEEDS,
    windows=(90,),
    en="{cart_abandoned_share_{days}d} of carts were left behind in the last {days} days",
    he="{cart_abandoned_share_{days}d} מהעגלות ננטשו ב-{days} הימים האחרונים",
    zero_en="No carts were left behind in the last {days} days",
    zero_he="לא ננטשו עגלות ב-{days} הימים האחרונים",
    missing_en="No carts or orders in the last {days} days",
    missing_he="אין עגלות או הזמנות ב-{days} הימים האחרונים",
)
def cart_abandoned_share(rows: Rows, days: int) -> Floats:
    """Abandoned carts as a share of abandoned carts and orders in the last {days} days."""
    left = _carts(rows).count(days)
    return ratio(left, left + rows.events("order_completed").count(days))


@signal(
    unit=DAYS,
    needs=_NEEDS,
    en="Last left a cart behind {days_since_cart} ago",
    he="עגלה ננטשה לאחרונה לפני {days_since_cart}",
    missing_en=_NONE_EN,
    missing_he=_NONE_HE,
)
def days_since_cart(rows: Rows) -> Floats:
    """Days since the last item was put into the cart that was abandoned last."""
    return _carts(rows).since_last() + CART_TIMEOUT_US / DAY_US


@signal(
    unit=SHARE,
    direction=1,
    needs=_NEEDS,
    windows=(90,),
    en="{cart_left_share_{days}d} of the carts filled in the last {days} days were left behind",
    he="{cart_left_share_{days}d} מהעגלות שמולאו ב-{days} הימים האחרונים ננטשו",
    zero_en="None of the carts filled in the last {days} days was left behind",
    zero_he="אף עגלה שמולאה ב-{days} הימים האחרונים לא ננטשה",
    missing_en="No carts filled in the last {days} days",
    missing_he="לא מולאו עגלות ב-{days} הימים האחרונים",
)
def cart_left_share(rows: Rows, days: int) -> Floats:
    """Abandoned carts as a share of the carts that ended in the last {days} days.

    A cart ends with the order that buys it, or when the timeout after its last item has passed.
    """
    ended = rows.events("cart_ended")
    return ratio(ended.where("left", equals=1).count(days), ended.count(days))


@signal(
    unit=OCCASIONS,
    direction=1,
    needs=_NEEDS,
    windows=(180,),
    en="One product was left in a cart {same_product_left_{days}d} in the last {days} days",
    he="מוצר אחד נותר בעגלה נטושה {same_product_left_{days}d} ב-{days} הימים האחרונים",
    zero_en="No product was left in a cart in the last {days} days",
    zero_he="לא נותרו מוצרים בעגלות נטושות ב-{days} הימים האחרונים",
)
def same_product_left(rows: Rows, days: int) -> Floats:
    """Abandoned carts of the last {days} days that the same product was left in, at most."""
    return rows.events("product_left").most_often("product_id", days)
