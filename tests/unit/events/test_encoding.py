"""Words as integers: what encoding promises, for short words, long ones, and none."""

import numpy as np
import pyarrow as pa
import pytest

from churnguard.events.encoding import MANY_ROWS, encode, ranked
from churnguard.events.short_words import SHORT

SHORT_WORDS = ("", "a", "a\0", "a\0\0", "\0", "b", "ab", "é", "שלום"[:3], "1234567", "99", "100")
LONG_WORDS = (*SHORT_WORDS, "12345678", "customer-0001", "customer-0002")


def words_of(different: tuple[str, ...], *, seed: int) -> list[str | None]:
    random = np.random.default_rng(seed)
    some = [*different, *(str(number) for number in range(5_000)), None]
    return [some[place] for place in random.integers(0, len(some), MANY_ROWS + 7)]


def in_pieces(words: list[str | None]) -> pa.ChunkedArray:
    """Return words in chunks of which one is a slice of a larger array."""
    half = len(words) // 3
    inner = pa.array(["lost", "lost too", *words[half:], "lost"], pa.string())
    return pa.chunked_array(
        [pa.array(words[:half], pa.string()), inner.slice(2, len(words) - half)]
    )


@pytest.mark.parametrize("different", [SHORT_WORDS, LONG_WORDS])
def test_a_code_leads_back_to_its_row_s_word(different: tuple[str, ...]) -> None:
    """Every row's code is the place of its word, -1 where null; no word has two codes."""
    given = words_of(different, seed=1)
    words, codes = encode(in_pieces(given))
    back = [*words.to_pylist(), None]
    assert [back[code] for code in codes] == given
    assert len(set(words.to_pylist())) == len(words)


@pytest.mark.parametrize("different", [SHORT_WORDS, LONG_WORDS])
def test_ranks_follow_the_bytes_of_words(different: tuple[str, ...]) -> None:
    """Ranks have the order of the UTF-8 bytes, also where words hold zero bytes."""
    given = [word for word in words_of(different, seed=2) if word is not None] + ["~"] * 5_100
    words, codes = ranked(in_pieces(given))
    expected = sorted(set(given), key=lambda word: word.encode())
    assert words.to_pylist() == expected
    assert [expected[code] for code in codes[:1_000]] == given[:1_000]


def test_words_of_this_test_are_on_both_sides_of_the_limit() -> None:
    """The words above reach both ways of encoding."""
    assert max(len(word.encode()) for word in SHORT_WORDS) == SHORT
    assert max(len(word.encode()) for word in LONG_WORDS) > SHORT
