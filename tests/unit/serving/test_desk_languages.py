"""Words, numbers and dates of the desk."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from churnguard.scoring.score import STATUS_REASONS
from churnguard.serving.desk.languages import LOCALES, read_languages
from churnguard.serving.desk.rendering import HERE

LANGUAGES = read_languages(currency="ILS", timezone="Asia/Jerusalem")
_PLACEHOLDER = re.compile(r"%\((\w+)\)s")


def _used() -> set[str | tuple[str, ...]]:
    """Return every text that the templates and the code may show."""
    templates = extract_from_dir(
        HERE / "templates",
        method_map=[("**.html", "jinja2")],
        keywords={"_": None, "ngettext": (1, 2)},
    )
    code = extract_from_dir(HERE, method_map=[("**.py", "python")], keywords={"N_": None})
    return {found[2] for found in (*templates, *code)} | set(STATUS_REASONS.values())


def _catalogue(code: str):
    with (LOCALES / code / "messages.po").open("rb") as file:
        return read_po(file, locale=code)


CATALOGUES = sorted(Path(file).parent.name for file in LOCALES.glob("*/messages.po"))


@pytest.mark.parametrize("code", CATALOGUES)
def test_every_text_is_translated_and_no_other(code):
    """A page never falls back to English, and no dead text is carried along."""
    catalogue = _catalogue(code)
    assert {message.id for message in catalogue if message.id} == _used()


@pytest.mark.parametrize("code", CATALOGUES)
def test_every_translation_is_whole_and_keeps_the_placeholders(code):
    for message in _catalogue(code):
        if not message.id:
            continue
        assert not message.fuzzy
        texts = message.string if message.pluralizable else (message.string,)
        ids = message.id if message.pluralizable else (message.id,)
        wanted = set().union(*(_PLACEHOLDER.findall(text) for text in ids))
        for text in texts:
            assert text.strip()
            # gettext fills in "num" by itself, so a form may go without it.
            assert set(_PLACEHOLDER.findall(text)) | {"num"} == wanted | {"num"}
            assert "%" not in _PLACEHOLDER.sub("", text)


def test_hebrew_reads_from_the_right_with_its_own_words():
    hebrew = LANGUAGES["he"]
    assert hebrew.direction == "rtl"
    assert hebrew.name == "עברית"
    assert hebrew.words.gettext("Undo") == "ביטול"


def test_numbers_follow_cldr_and_the_shops_currency():
    english, hebrew = LANGUAGES["en"], LANGUAGES["he"]
    assert english.money(1234.5) == "₪1,234"
    assert english.money(9.4) == "₪9.40"
    assert english.money(0) == "₪0"
    assert "₪" in hebrew.money(9.4)
    assert english.number(1234567) == "1,234,567"
    assert (english.points(0.187), english.points(-0.0432)) == ("+18.7", "\N{MINUS SIGN}4.3")
    assert (english.points(0.0004), english.points(-0.0004)) == ("0.0", "0.0")


def test_near_certainty_is_said_in_words_where_signs_would_be_mirrored():
    """In text from right to left, ">99%" would be read as less than 99%."""
    assert LANGUAGES["en"].percent(0.999) == ">99%"
    assert LANGUAGES["he"].percent(0.999) == "מעל 99%"
    assert LANGUAGES["he"].percent(0.001) == "פחות מ-1%"


def test_a_yen_has_no_cents():
    assert read_languages(currency="JPY", timezone="UTC")["en"].money(9.4) == "¥9"


def test_days_are_the_shops_own():
    late = datetime(2026, 6, 30, 21, 30, tzinfo=UTC)
    assert LANGUAGES["en"].day(late) == "Jul 1, 2026"
    assert LANGUAGES["he"].moment(late) == "1 ביולי 2026, 0:30"


def test_a_text_without_a_translation_is_shown_in_english():
    assert LANGUAGES["he"].pick({"en": "Rest"}) == "Rest"
    assert LANGUAGES["he"].pick({"en": "Rest", "he": "מנוחה"}) == "מנוחה"
    assert LANGUAGES["he"].pick({}) == ""
