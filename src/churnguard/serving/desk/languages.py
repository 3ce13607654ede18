"""The desk's languages: words from ``.po`` catalogues, numbers and dates from CLDR.

English is the source, so it has no catalogue. A language is a folder under ``locale/`` with a
``messages.po``; it is read when the app starts, there is no compile step.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from babel import Locale, dates, numbers
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

LOCALES = Path(__file__).parent / "locale"
SOURCE = "en"


def N_(text: str) -> str:  # noqa: N802 - gettext's own name for "translate later"
    """Mark a text for the catalogues; it is translated where it is shown.

    Examples
    --------
    >>> N_("Done")
    'Done'
    """
    return text


@dataclass(frozen=True)
class Language:
    """One language of the desk, with the shop's currency and time zone.

    Attributes
    ----------
    code : str
        ``en`` or ``he``.
    locale : Locale
        CLDR's rules.
    words : NullTranslations
        The catalogue.
    currency, timezone : str
        The shop's.
    """

    code: str
    locale: Locale
    words: NullTranslations
    currency: str
    timezone: str

    @property
    def direction(self) -> str:
        """``rtl`` or ``ltr``."""
        return str(self.locale.text_direction)

    @property
    def name(self) -> str:
        """The language's name in itself."""
        return str(self.locale.get_language_name() or self.code).capitalize()

    def number(self, value: float) -> str:
        """Write a number: 1,234 or 3.4."""
        return str(numbers.format_decimal(value, "#,##0.#", locale=self.locale))

    def percent(self, share: float) -> str:
        """Write a share as whole percent, never rounded to certainty.

        Examples
        --------
        >>> language = read_languages(currency="ILS", timezone="UTC")["en"]
        >>> language.percent(0.714), language.percent(0.9999), language.percent(0.001)
        ('71%', '>99%', '<1%')
        """
        if 0 < share < 0.005:
            return self._bound(N_("<%(share)s"), 0.01)
        if 0.995 < share < 1:
            return self._bound(N_(">%(share)s"), 0.99)
        return self._whole(share)

    def _bound(self, text: str, share: float) -> str:
        """Say in words where a sign would be read the wrong way round."""
        return str(self.words.gettext(text)) % {"share": self._whole(share)}

    def _whole(self, share: float) -> str:
        return str(numbers.format_percent(share, "0%", locale=self.locale))

    def points(self, share: float) -> str:
        """Write a change of risk in points, with its sign; what rounds to nothing has none."""
        points = round(share * 100, 1)
        pattern = "+0.0;-0.0" if points else "0.0"
        text = numbers.format_decimal(points + 0.0, pattern, locale=self.locale)
        return str(text).replace("-", "\N{MINUS SIGN}")

    def money(self, amount: float) -> str:
        """Write money of the shop; small sums to the cent."""
        whole = abs(amount) >= 100 or amount == 0
        pattern = self.locale.currency_formats["standard"].pattern
        return str(
            numbers.format_currency(
                round(amount) if whole else amount,
                self.currency,
                pattern.replace(".00", "") if whole else None,
                locale=self.locale,
                currency_digits=not whole,
            )
        )

    def day(self, instant: datetime) -> str:
        """Write a shop-local day: Nov 21, 2026."""
        return self._local(instant, "yMMMd")

    def moment(self, instant: datetime) -> str:
        """Write a shop-local day and time."""
        return f"{self._local(instant, 'yMMMd')}, {self._local(instant, 'Hm')}"

    def month(self, instant: datetime) -> str:
        """Write a month's short name."""
        local = instant.astimezone(ZoneInfo(self.timezone))
        return str(dates.format_date(local, "LLL", locale=self.locale))

    def _local(self, instant: datetime, skeleton: str) -> str:
        zone = ZoneInfo(self.timezone)
        return str(dates.format_skeleton(skeleton, instant, tzinfo=zone, locale=self.locale))

    def pick(self, texts: Mapping[str, str]) -> str:
        """Return the text in this language, else in English, else any."""
        return texts.get(self.code) or texts.get(SOURCE) or next(iter(texts.values()), "")


def read_languages(*, currency: str, timezone: str) -> dict[str, Language]:
    """Read every language there is, by code, English first.

    Examples
    --------
    >>> languages = read_languages(currency="ILS", timezone="Asia/Jerusalem")
    >>> [(code, language.direction) for code, language in languages.items()]
    [('en', 'ltr'), ('he', 'rtl')]
    """
    found = [SOURCE, *sorted(file.parent.name for file in LOCALES.glob("*/messages.po"))]
    return {
        code: Language(code, Locale.parse(code), _words(code), currency, timezone) for code in found
    }


def _words(code: str) -> NullTranslations:
    if code == SOURCE:
        return NullTranslations()
    with (LOCALES / code / "messages.po").open("rb") as file:
        catalogue = read_po(file, locale=code)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled)


def negotiate(accepted: str, available: Mapping[str, Language]) -> Language:
    """Choose a language by an ``Accept-Language`` header, English when none fits.

    Examples
    --------
    >>> languages = read_languages(currency="ILS", timezone="UTC")
    >>> negotiate("fr;q=0.9, he-IL;q=0.8, en;q=0.1", languages).code
    'he'
    >>> negotiate("iw", languages).code, negotiate(";;q=x", languages).code
    ('he', 'en')
    """
    wanted = []
    for part in accepted[:500].split(","):
        tag, _, quality = part.strip().partition(";q=")
        try:
            weight = float(quality or 1)
        except ValueError:
            weight = 0.0
        code = tag.split("-")[0].strip().lower()
        wanted.append((-weight, {"iw": "he"}.get(code, code)))
    fitting = [code for weight, code in sorted(wanted) if weight < 0 and code in available]
    return available[fitting[0] if fitting else SOURCE]
