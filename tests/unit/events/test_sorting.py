"""What encoding and sorting promise: the same as plain Python, however many rows there are."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from churnguard.events import encoding, sorting
from churnguard.events.encoding import encode, ranked
from churnguard.events.sorting import first_at, first_before, sort_events

WORDS = [
    "",
    "a",
    "b",
    "ab",
    "abcdefg",
    "abcdefgh",
    "abcdefghi",
    "abcdefgh\0",
    "ש" * 9,
    "x" * 100,
    "x" * 99 + "y",
]


@pytest.fixture(params=[False, True], ids=["few", "many"])
def _many(request, monkeypatch):
    """Let a handful of rows count as many, so that every path is taken."""
    if request.param:
        monkeypatch.setattr(encoding, "MANY_ROWS", 4)
        monkeypatch.setattr(sorting, "MANY_ROWS", 4)
        monkeypatch.setattr(sorting, "_BUCKET_EVENTS", 8)


@pytest.mark.usefixtures("_many")
@pytest.mark.parametrize("nulls", [False, True])
@pytest.mark.parametrize("chunks", [1, 3])
def test_equal_words_get_equal_codes(nulls, chunks):
    """Words of any length, empty ones and ones that differ in the last byte are told apart."""
    random = np.random.default_rng(3)
    rows = [WORDS[i] for i in random.integers(0, len(WORDS), 200)]
    if nulls:
        rows[::7] = [None] * len(rows[::7])
    pieces = [pa.array(rows[part::chunks], pa.string()) for part in range(chunks)]
    column = pa.chunked_array(pieces)
    words, codes = encode(column)
    told = [words[code].as_py() if code >= 0 else None for code in codes.tolist()]
    assert told == column.to_pylist()
    assert len(set(words.to_pylist())) == len(words)


@pytest.mark.usefixtures("_many")
def test_a_slice_of_a_column_is_read_from_where_it_begins():
    """Arrow slices share their memory with what lies before and after them."""
    column = pa.chunked_array([pa.array(WORDS * 3, pa.string()).slice(5, 20)])
    words, codes = encode(column)
    assert [words[code].as_py() for code in codes.tolist()] == column.to_pylist()


def test_a_growing_table_forgets_no_word():
    """More different words than the table begins with are still told apart."""
    every = [f"customer-{n}" for n in range(150_000)]
    words, codes = encode(pa.chunked_array([every]))
    assert words.to_pylist() == every
    assert codes.tolist() == list(range(150_000))


@pytest.mark.usefixtures("_many")
def test_a_column_without_a_word_has_no_codes():
    """Where every row is missing there are no words, in stretches too."""
    words, codes = encode(pa.chunked_array([pa.nulls(12, pa.string())]))
    assert len(words) == 0
    assert codes.tolist() == [-1] * 12


@pytest.mark.usefixtures("_many")
def test_words_are_ranked_by_their_bytes():
    """Ranks follow the order of UTF-8 bytes, and words that no row has are left out."""
    rows = ["é", "z", "A", "z", "aa", "a"]
    column = pa.chunked_array(
        [pa.array(rows).dictionary_encode().filter(pa.array([word != "aa" for word in rows]))]
    )
    words, codes = ranked(column)
    assert words.to_pylist() == ["A", "a", "z", "é"]
    assert codes.tolist() == [3, 2, 0, 2, 1]


@pytest.mark.usefixtures("_many")
@pytest.mark.parametrize("instants", [3, 10_000])
@pytest.mark.parametrize("customers", [1, 5, 40])
def test_events_come_in_the_order_of_kind_customer_instant_and_id(instants, customers):
    """With many ties or few, many customers or one, the order is that of a plain sort."""
    random = np.random.default_rng(customers + instants)
    count = 400
    customer = np.append(random.integers(0, customers, count), np.arange(customers)).astype(
        np.int32
    )
    count = len(customer)
    kind = np.append(random.integers(0, 3, count - 3), [0, 1, 2]).astype(np.int32)
    occurred = random.integers(0, instants, count)
    ids = [f"e{n}" for n in random.permutation(count)]
    edges, rows, sorted_instants = sort_events(kind, customer, occurred, pa.chunked_array([ids]))
    keys = list(zip(kind.tolist(), customer.tolist(), occurred.tolist(), ids, strict=True))
    assert rows.tolist() == sorted(range(count), key=keys.__getitem__)
    assert sorted_instants.tolist() == occurred[rows].tolist()
    group = kind[rows] * customers + customer[rows]
    assert edges.tolist() == np.searchsorted(group, np.arange(3 * customers + 1)).tolist()


@pytest.mark.usefixtures("_many")
def test_two_far_instants_leave_the_order_of_the_others_alone():
    """However far apart the first and the last event lie, those between are in order."""
    random = np.random.default_rng(8)
    between = random.integers(0, 1_000, 400)
    instants = np.concatenate([between, [2**62, -(2**62) - 5], random.integers(0, 1_000, 400)])
    one = np.zeros(len(instants), dtype=np.int32)
    ids = [f"{n:05}" for n in random.permutation(len(instants))]
    _, rows, found = sort_events(one, one, instants, pa.chunked_array([ids]))
    expected = sorted(range(len(ids)), key=lambda row: (instants[row], ids[row]))
    assert rows.tolist() == expected
    assert found.tolist() == instants[expected].tolist()


def test_ids_in_several_chunks_settle_ties_too():
    """The ids of a table in chunks are compared as if they were in one piece."""
    nothing = np.zeros(4, np.int32)
    ids = pa.chunked_array([["d", "b"], ["c", "a"]])
    assert sort_events(nothing, nothing, np.zeros(4, np.int64), ids)[1].tolist() == [3, 1, 2, 0]


def test_the_search_is_the_same_whatever_came_before():
    """Walking on from the row before finds what halving finds, in any order of the rows."""
    random = np.random.default_rng(5)
    occurred = np.concatenate(
        [np.sort(random.integers(0, 50, 60)), np.sort(random.integers(0, 9, 30))]
    )
    second = random.random(500) < 0.4
    low = np.where(second, 60, 0)
    high = np.where(second, 90, 60) - random.integers(0, 20, 500)
    at = random.integers(-2, 55, 500)
    for order in (np.arange(500), np.lexsort((at, low)), np.lexsort((-at, low))):
        found = first_at(occurred, low[order], high[order], at[order])
        wanted = [
            a + np.searchsorted(occurred[a:b], t)
            for a, b, t in zip(low[order], high[order], at[order], strict=True)
        ]
        assert found.tolist() == wanted


@pytest.mark.parametrize("sort", [True, False], ids=["in order", "in any order"])
def test_a_window_that_begins_at_another_row_s_cutoff_begins_where_a_search_says(sort):
    """Places taken over from the customer's earlier rows are those that halving finds."""
    random = np.random.default_rng(6)
    edges = np.array([0, 0, 7, 7, 40, 90])
    occurred = np.concatenate([np.sort(random.integers(0, 60, n)) for n in np.diff(edges)])
    customers = np.sort(random.integers(0, 5, 400)).astype(np.int32)
    cutoffs = random.integers(0, 12, 400) * 5
    if sort:
        cutoffs = cutoffs[np.lexsort((cutoffs, customers))]
    low, high = edges[customers], edges[customers + 1]
    end = first_at(occurred, low, high, cutoffs)
    for back in (0, 5, 12, 40, 100):
        found = first_before(occurred, customers, (low, end), cutoffs, back)
        assert found.tolist() == first_at(occurred, low, high, cutoffs - back).tolist()
