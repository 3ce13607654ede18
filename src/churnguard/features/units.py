"""What a signal's number is counted in, and how it is said in English and Hebrew.

A unit turns a number into a phrase: "24 days" and "24 יום", "1 order" and "הזמנה אחת". Hebrew has
a form for two; money and signed numbers are isolated, so that they read rightly in Hebrew text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Literal, get_args

Language = Literal["en", "he"]
LANGUAGES: tuple[Language, ...] = get_args(Language)

_FEW = 10
_DAILY = 1.5
_RHYTHM = {
    "en": ("every", "every day", "several times a day"),
    "he": ("כל", "כל יום", "כמה פעמים ביום"),
}
_ALIKE = (0.95, 1.05)
_HALF_PERCENT = 0.005
_NEARLY = (
    (0, "1%", "less than 1%", "פחות מ-"),
    (1, "99%", "more than 99%", "יותר מ-"),
)
_ISOLATE, _POP = "\u2066", "\u2069"  # left-to-right isolate, and its end


@dataclass(frozen=True)
class Forms:
    """The plural forms of a counted thing in one language; ``{n}`` is the number.

    Attributes
    ----------
    one, two, other : str
        For 1, for 2, for every other number.
    none : str
        For 0.
    many : str
        For 11 and more where that differs: Hebrew says 10 ימים and 11 יום.
    """

    none: str
    one: str
    two: str
    other: str
    many: str = ""


@dataclass(frozen=True)
class Unit:
    """What a number is counted in.

    Attributes
    ----------
    name : str
        A word for tables.
    kind : {"count", "days", "money", "share", "times", "number"}
        How the number is written.
    forms : mapping of str to Forms
        By language, for kinds ``count`` and ``days``.
    usual : float or None
        What is usual by the unit's very meaning: 1 for "times the usual".

    Examples
    --------
    >>> DAYS.phrase(24.2, "en"), DAYS.phrase(1.0, "en"), DAYS.phrase(0.2, "en")
    ('24 days', '1 day', 'less than a day')
    >>> MONEY.phrase(1234.5, "en", currency="GBP"), SHARE.phrase(0.355, "en")
    ('£1,234', '36%')
    >>> TIMES.phrase(3.4, "en"), TIMES.phrase(0.7, "en"), TIMES.phrase(3.4, "he")
    ('3.4 times the usual', '70% of the usual', 'פי 3.4 מהרגיל')
    """

    name: str
    kind: Literal["count", "days", "money", "share", "times", "number"]
    forms: Mapping[str, Forms] | None = None
    usual: float | None = None

    def phrase(self, value: float, language: Language, *, currency: str = "USD") -> str:
        """Return a number as a phrase.

        Parameters
        ----------
        value : float
            A finite number.
        language : {"en", "he"}
            The language of the sentence around it.
        currency : str
            The shop's ISO 4217 code, for money.
        """
        return self.phrases(language, currency=currency)(value)

    def phrases(self, language: Language, *, currency: str = "USD") -> Callable[[float], str]:
        """Return what makes phrases of numbers, as :meth:`phrase` does, for many of them."""
        if self.kind == "money":
            return lambda value: _isolated(_money(value, currency, language), language)
        if self.kind == "share":
            return lambda value: _share(value, language)
        if self.kind == "times":
            return lambda value: _times(value, language)
        if self.forms is None:
            return lambda value: _isolated(_number(value, 1 if abs(value) >= 1 else 2), language)
        words = _Counted(self.forms[language])
        if self.kind != "days":
            return lambda value: words[round(value)]
        short = "less than a day" if language == "en" else "פחות מיום"
        return lambda value: short if 0 <= value < 1 else words[round(value)]

    def every(self, value: float, language: Language) -> str:
        """Return a number of days between things as a rhythm.

        Examples
        --------
        >>> DAYS.every(24.2, "en"), DAYS.every(1.0, "en"), DAYS.every(2.0, "he")
        ('every 24 days', 'every day', 'כל יומיים')
        """
        return self.rhythms(language)(value)

    def rhythms(self, language: Language) -> Callable[[float], str]:
        """Return what tells rhythms as :meth:`every` does, for many numbers."""
        word, daily, often = _RHYTHM[language]
        phrase = self.phrases(language)

        def every(value: float) -> str:
            if value < _DAILY:
                return often if value < 1 / 2 else daily
            return f"{word} {phrase(value)}"

        return every


def counted(name: str, *, en: tuple[str, str], he: tuple[str, str, str, str]) -> Unit:
    """Return a unit of things that are counted.

    Parameters
    ----------
    name : str
        A word for tables.
    en : tuple of str
        Singular and plural, without the number.
    he : tuple of str
        Forms for none, one, two and more; the last one without the number.

    Examples
    --------
    >>> parcels = counted(
    ...     "parcels",
    ...     en=("parcel", "parcels"),
    ...     he=("אין חבילות", "חבילה אחת", "שתי חבילות", "חבילות"),
    ... )
    >>> parcels.phrase(0, "en"), parcels.phrase(2, "en"), parcels.phrase(2, "he")
    ('no parcels', '2 parcels', 'שתי חבילות')
    """
    english = Forms(f"no {en[1]}", f"1 {en[0]}", f"2 {en[1]}", f"{{n}} {en[1]}")
    return Unit(name, "count", {"en": english, "he": Forms(*he[:3], f"{{n}} {he[3]}")})


def _times(value: float, language: Language) -> str:
    """Say a multiple of the usual: "3.4 times the usual", or below 1 "70% of the usual"."""
    if _ALIKE[0] < value < _ALIKE[1]:
        return "about the usual" if language == "en" else "בערך כרגיל"
    if value < 1:
        share = _share(value, language)
        return f"{share} of the usual" if language == "en" else f"{share} מהרגיל"
    text = _number(value, 0 if value >= 10 else 1)
    if text == "2":
        return "twice the usual" if language == "en" else "כפול מהרגיל"
    return f"{text} times the usual" if language == "en" else f"פי {text} מהרגיל"


def _share(value: float, language: Language) -> str:
    """Say a share in whole percent, never rounded to nothing or to all."""
    for near, bound, en, he in _NEARLY:
        if value != near and abs(value - near) < _HALF_PERCENT:
            return en if language == "en" else f"{he}{_isolated(bound, language)}"
    return _isolated(f"{_number(value * 100, 0)}%", language)


class _Counted(dict[int, str]):
    """Whole numbers of a thing in words, each put together once while it is among the first."""

    _MOST = 4_096

    def __init__(self, forms: Forms) -> None:
        super().__init__()
        self._forms = forms

    def __missing__(self, whole: int) -> str:
        forms = self._forms
        if whole in (0, 1, 2):
            words = (forms.none, forms.one, forms.two)[whole]
        else:
            form = forms.many if forms.many and whole > _FEW else forms.other
            words = form.format(n=_number(whole, 0))
        if len(self) < self._MOST:
            self[whole] = words
        return words


def _number(value: float, digits: int) -> str:
    text = f"{value:,.{digits}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text.replace("-", "\u2212")


def _isolated(text: str, language: Language) -> str:
    """Keep the order of signs and digits within right-to-left text."""
    return text if language == "en" else f"{_ISOLATE}{text}{_POP}"


def _money(value: float, currency: str, language: Language) -> str:
    whole = abs(value) >= 100 or value == 0
    if whole:  # the same as by decimals: a double ends in one half where its shortest text does
        return _amount(f"{value:.0f}", currency, language, whole=True)
    rounded = Decimal(str(value)).quantize(_smallest(currency))
    return _amount(str(rounded), currency, language, whole=False)


@lru_cache(maxsize=64)
def _smallest(currency: str) -> Decimal:
    from babel.numbers import get_currency_precision

    return Decimal(1).scaleb(-get_currency_precision(currency))


@lru_cache(maxsize=65_536)
def _amount(rounded: str, currency: str, language: Language, *, whole: bool) -> str:
    from babel.numbers import format_currency

    pattern = "¤#,##0" if whole else "¤#,##0.00"
    text: str = format_currency(
        rounded, currency, pattern, locale=language, currency_digits=not whole
    )
    return text.replace("\u200f", "").replace("-", "\u2212")


DAYS = Unit(
    "days",
    "days",
    {
        "en": Forms("0 days", "1 day", "2 days", "{n} days"),
        "he": Forms("0 ימים", "יום אחד", "יומיים", "{n} ימים", many="{n} יום"),
    },
)
MONEY = Unit("money", "money")
SHARE = Unit("share", "share")
TIMES = Unit("times the usual", "times", usual=1.0)
NUMBER = Unit("number", "number")
DEVIATIONS = Unit("deviations", "number")
ORDERS = counted(
    "orders", en=("order", "orders"), he=("אין הזמנות", "הזמנה אחת", "שתי הזמנות", "הזמנות")
)
LOGINS = counted(
    "logins",
    en=("login", "logins"),
    he=("אין התחברויות", "התחברות אחת", "שתי התחברויות", "התחברויות"),
)
ABANDONED_CARTS = counted(
    "abandoned carts",
    en=("abandoned cart", "abandoned carts"),
    he=("אין עגלות נטושות", "עגלה נטושה אחת", "שתי עגלות נטושות", "עגלות נטושות"),
)
ITEMS = counted(
    "items", en=("item", "items"), he=("אין פריטים", "פריט אחד", "שני פריטים", "פריטים")
)
PRODUCTS = counted(
    "different products",
    en=("product", "different products"),
    he=("אין מוצרים", "מוצר אחד", "שני מוצרים שונים", "מוצרים שונים"),
)
CATEGORIES = counted(
    "categories",
    en=("category", "categories"),
    he=("אין קטגוריות", "קטגוריה אחת", "שתי קטגוריות", "קטגוריות"),
)
SEARCHES = counted(
    "searches", en=("search", "searches"), he=("אין חיפושים", "חיפוש אחד", "שני חיפושים", "חיפושים")
)
REFUNDS = counted(
    "refunds", en=("refund", "refunds"), he=("אין החזרים", "החזר אחד", "שני החזרים", "החזרים")
)
CANCELLATIONS = counted(
    "cancelled orders",
    en=("cancelled order", "cancelled orders"),
    he=("אין ביטולי הזמנות", "ביטול הזמנה אחד", "שני ביטולי הזמנות", "ביטולי הזמנות"),
)
TICKETS = counted(
    "tickets",
    en=("service request", "service requests"),
    he=("אין פניות לשירות", "פנייה אחת לשירות", "שתי פניות לשירות", "פניות לשירות"),
)
EMAILS = counted(
    "e-mails",
    en=("e-mail", "e-mails"),
    he=("אין הודעות דוא״ל", "הודעת דוא״ל אחת", "שתי הודעות דוא״ל", "הודעות דוא״ל"),
)
CLICKS = counted(
    "clicks", en=("click", "clicks"), he=("אין הקלקות", "הקלקה אחת", "שתי הקלקות", "הקלקות")
)
OCCASIONS = Unit(
    "times",
    "count",
    {
        "en": Forms("never", "once", "twice", "{n} times"),
        "he": Forms("אף פעם", "פעם אחת", "פעמיים", "{n} פעמים"),
    },
)
VIEWS = counted(
    "views",
    en=("product view", "product views"),
    he=("אין צפיות במוצרים", "צפייה אחת במוצר", "שתי צפיות במוצרים", "צפיות במוצרים"),
)
