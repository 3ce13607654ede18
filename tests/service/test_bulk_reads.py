"""API6: whoever reads the whole base needs a second scope, and is written down."""

from __future__ import annotations

import pytest

from churnguard.jobs import pages as listing
from churnguard.serving.at_risk import bulk


@pytest.fixture(autouse=True)
def short_list(monkeypatch):
    """Call two customers many."""
    monkeypatch.setattr(bulk, "LARGEST_PAGE", 1)
    assert listing.LARGEST_PAGE == 1000


def pages(client):
    """Ask for the list page by page; return the answers."""
    answers = [client.get("/v1/at-risk?page_size=1")]
    token = answers[0].json()["next_page_token"]
    answers.append(client.get(f"/v1/at-risk?page_size=1&page_token={token}"))
    return answers


def test_the_first_page_is_for_everybody_and_the_next_for_who_may_export(client, new_key, shop):
    first, second = pages(client.as_key(new_key("scores:read")))
    assert (first.status_code, second.status_code) == (200, 403)
    assert 'scope="scores:export"' in second.headers["www-authenticate"]
    assert shop.audit.entries() == []


def test_reading_on_is_written_down_once(client, new_key, shop):
    reader = client.as_key(new_key("scores:read", "scores:export"))
    for _ in range(3):
        assert [one.status_code for one in pages(reader)] == [200, 200]
    (entry,) = shop.audit.entries()
    assert entry.action == "scores.read_in_bulk"
    assert entry.details["customers"] == 2


def test_a_short_list_is_nobodys_export(client, new_key, shop, monkeypatch):
    monkeypatch.setattr(bulk, "LARGEST_PAGE", 1000)
    assert [one.status_code for one in pages(client.as_key(new_key("scores:read")))] == [200, 200]
    assert shop.audit.entries() == []
