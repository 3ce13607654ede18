"""Two shops in one server, each as if it were alone."""

from __future__ import annotations

import httpx
import pytest
from harness import make_project, stored_ids


def _event(one: str) -> dict[str, object]:
    when = "2026-01-01T10:00:00Z"
    return {"event_id": one, "customer_id": one, "event": "signed_in", "occurred_at": when}


@pytest.mark.chaos
def test_each_key_writes_into_its_own_shop_only(make_server, tmp_path):
    """What comes in by a key is in that shop's store, and in no other; both stop in good order."""
    second = make_project(tmp_path / "second")
    server = make_server("first", words=("--project", str(tmp_path / "second"))).start()
    for name, key in (("a", server.key), ("b", second)):
        headers = {"Authorization": f"Bearer {key}"}
        with httpx.Client(base_url=server.url, headers=headers, timeout=30) as client:
            answer = client.post("/v1/events", json={"events": [_event(name), _event(name + "2")]})
            assert answer.status_code == 202, answer.text
            assert client.get("/v1/at-risk").json()["total_size"] == 0
    assert server.stop() == 0
    assert sorted(stored_ids(server.root)) == ["a", "a2"]
    assert sorted(stored_ids(tmp_path / "second")) == ["b", "b2"]
