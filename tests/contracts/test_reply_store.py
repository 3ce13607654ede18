"""What every store of kept replies promises, the fake and the real one alike."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from churnguard.jobs.ports import Reply
from churnguard.store.database import joined, open_database, reading, upgrade_database, writing
from churnguard.store.replies import SqlReplyStore
from churnguard.store.service_tables import lease
from churnguard.testing import NOON, FakeReplyStore

DONE = Reply(b"print", 201, {"location": "/v1/things/1"}, b'{"customer_id":"C1"}')


@pytest.fixture(params=["fake", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def replies(request, tmp_path):
    if request.param == "fake":
        yield FakeReplyStore()
        return
    url = "sqlite:///shop.db"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
        upgrade_database(url)
    engine = open_database(url, root=tmp_path)
    yield SqlReplyStore(engine)
    engine.dispose()


def begin(replies, *, after=0, key=b"key"):
    now = NOON + timedelta(seconds=after)
    return replies.begin(key, b"print", now=now, patience=60, keep=3600)


def test_the_first_runs_and_the_second_is_told_so(replies):
    assert begin(replies) is None
    assert begin(replies, after=59) == Reply(b"print", running=True)
    assert begin(replies, key=b"other") is None


def test_a_finished_reply_comes_back_word_for_word_until_it_expires(replies):
    begin(replies)
    assert replies.finish(b"key", DONE, started=NOON)
    assert begin(replies, after=3599) == DONE
    assert begin(replies, after=3600) is None


def test_a_dead_request_is_taken_over_and_its_late_end_is_refused(replies):
    """Whoever was taken for dead and was not must not count twice."""
    begin(replies)
    assert begin(replies, after=60) is None
    assert not replies.finish(b"key", DONE, started=NOON)
    assert replies.finish(b"key", DONE, started=NOON + timedelta(seconds=60))


def test_a_request_that_died_while_the_clock_was_wrong_is_taken_over(replies):
    """F27: begun in a future that the clock has left again; nobody waits until that comes."""
    begin(replies, after=400 * 86_400)
    assert begin(replies) is None
    assert replies.finish(b"key", DONE, started=NOON)


def test_an_abandoned_request_may_be_sent_again(replies):
    begin(replies)
    replies.abandon(b"key", started=NOON)
    assert begin(replies) is None


def test_replies_that_name_a_person_can_be_forgotten(replies):
    for key in (b"key", b"other"):
        begin(replies, key=key)
    replies.finish(b"key", DONE, started=NOON)
    replies.finish(b"other", Reply(b"print", 200, {}, b"{}"), started=NOON)
    assert replies.forget("C1") == 1
    assert begin(replies) is None
    assert begin(replies, key=b"other") is not None


def test_what_is_written_together_is_taken_back_together(tmp_path):
    """One transaction, through every writing and reading inside it."""
    engine = open_database("sqlite:///shop.db", root=tmp_path)
    count = sa.select(sa.func.count()).select_from(lease)

    def add(name):
        with writing(engine) as connection:
            connection.execute(sa.insert(lease).values(name=name, holder="", token=1, until=0))
        with reading(engine) as connection:
            return connection.execute(count).scalar_one()

    def fail_half_way():
        with joined(engine):
            assert (add("a"), add("b")) == (1, 2)
            raise LookupError

    with pytest.raises(LookupError):
        fail_half_way()
    assert add("c") == 1
    engine.dispose()
