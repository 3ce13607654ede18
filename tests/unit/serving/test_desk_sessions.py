"""Cookies that only we can make."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnguard.serving.desk.sessions import SESSION_HOURS, Sealer
from churnguard.testing import NOON

SEALER = Sealer(b"k" * 32)


def test_a_session_comes_back_until_it_ends():
    session = SEALER.new_session("k1", "dana", now=NOON)
    cookie = SEALER.seal_session(session)
    end = NOON + timedelta(hours=SESSION_HOURS)
    assert SEALER.open_session(cookie, now=end - timedelta(seconds=1)) == session
    assert SEALER.open_session(cookie, now=end) is None


def test_another_key_opens_nothing():
    cookie = SEALER.seal_session(SEALER.new_session("k1", "dana", now=NOON))
    assert Sealer(b"x" * 32).open_session(cookie, now=NOON) is None


@pytest.mark.parametrize("place", range(0, 160, 7))
def test_a_changed_cookie_opens_nothing(place):
    cookie = SEALER.seal_session(SEALER.new_session("k1", "dana", now=NOON))
    changed = cookie[:place] + ("A" if cookie[place] != "A" else "B") + cookie[place + 1 :]
    assert SEALER.open_session(changed, now=NOON) is None


@given(st.text())
def test_made_up_cookies_open_nothing(text):
    assert SEALER.open_session(text, now=NOON) is None


def test_every_session_has_its_own_form_token():
    tokens = {SEALER.form_token(SEALER.new_session("k", "d", now=NOON)) for _ in range(5)}
    assert len(tokens) == 5
