"""The at-risk list and the outcomes of its actions over HTTP."""

from __future__ import annotations

import pytest

from churnguard.testing import build_action, build_run, build_score


def _ids(answer) -> list[str]:
    return [row["customer_id"] for row in answer.json()["scores"]]


@pytest.fixture
def shop():
    from churnguard.testing import fake_shop

    def score(name, risk, gain, **changes):
        action = build_action(expected_gain=gain, decision_id=f"d-{name}", **changes)
        band = "high" if risk > 0.66 else "low"
        return build_score(name, churn_risk=risk, band=band, action=action)

    return fake_shop(
        [
            score("A", 0.9, 1.0),
            score("B", 0.7, 5.0, code="vip_call"),
            score("C", 0.1, 9.0, group="control"),
            build_score("D", status="abstained", status_reason="no_order_yet"),
        ]
    )


def test_most_worthwhile_first_and_only_those_with_a_number(client):
    answer = client.get("/v1/at-risk")
    assert _ids(answer) == ["C", "B", "A"]
    body = answer.json()
    assert (body["total_size"], body["next_page_token"]) == (3, "")
    assert body["run"]["as_of"] == "2026-11-21T12:00:00Z"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("sort=risk", "ABC"),
        ("band=high", "BA"),
        ("min_risk=0.7", "BA"),
        ("min_risk=0.70001", "A"),
        ("action=vip_call", "B"),
        ("group=control", "C"),
        ("segment=loyal", "CBA"),
        ("segment=none-such", ""),
        ("min_value=118", "CBA"),
        ("min_value=119", ""),
        ("outcome=done", ""),
    ],
)
def test_filters(client, query, expected):
    assert _ids(client.get(f"/v1/at-risk?{query}")) == list(expected)


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("band=huge", "#/query/band"),
        ("min_risk=2", "#/query/min_risk"),
        ("min_risk=nan", "#/query/min_risk"),
        ("sort=name", "#/query/sort"),
        ("page_size=many", "#/query/page_size"),
    ],
)
def test_a_wrong_filter_is_told(client, query, pointer):
    answer = client.get(f"/v1/at-risk?{query}")
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_a_negative_page_is_refused_and_a_huge_one_clamped(client):
    assert client.get("/v1/at-risk?page_size=-1").status_code == 400
    assert client.get("/v1/at-risk?page_size=99999").status_code == 200


def test_pages_follow_each_other(client):
    seen, token = [], ""
    for _ in range(3):
        answer = client.get("/v1/at-risk", params={"page_size": 1, "page_token": token})
        seen += _ids(answer)
        token = answer.json()["next_page_token"]
    assert (seen, token) == (["C", "B", "A"], "")


@pytest.mark.parametrize("token", ["x", "%00", "W10", "e30", "é", "A" * 5000])
def test_a_made_up_token_is_refused(client, token):
    answer = client.get("/v1/at-risk", params={"page_token": token})
    assert answer.status_code == 400
    assert "without page_token" in answer.json()["hint"]


def test_a_token_is_bound_to_its_filters_and_batch(client, shop):
    token = client.get("/v1/at-risk?page_size=1").json()["next_page_token"]
    other = client.get("/v1/at-risk", params={"page_token": token, "sort": "risk"})
    assert other.status_code == 400
    shop.scores.save_run(build_run("run-2"), [build_score("A")])
    assert client.get("/v1/at-risk", params={"page_token": token}).status_code == 400


def test_an_outcome_takes_the_customer_off_the_list_and_undo_brings_back(client, shop):
    answer = client.post("/v1/actions/d-C/outcome", json={"outcome": "contacted", "note": "ok"})
    assert answer.status_code == 200
    assert answer.json() == {
        "decision_id": "d-C",
        "customer_id": "C",
        "outcome": "contacted",
        "at": "2026-11-21T12:00:00Z",
    }
    assert _ids(client.get("/v1/at-risk")) == ["B", "A"]
    assert _ids(client.get("/v1/at-risk?outcome=done")) == ["C"]
    assert shop.scores.outcomes_of("C")[0]["actor"].startswith("key:")
    client.post("/v1/actions/d-C/outcome", json={"outcome": "reopened"})
    assert _ids(client.get("/v1/at-risk")) == ["C", "B", "A"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/actions/none/outcome", {"outcome": "contacted"}, 404),
        ("/v1/actions/d-C/outcome", {"outcome": "bought"}, 422),
        ("/v1/actions/d-C/outcome", {}, 422),
        ("/v1/actions/d-C/outcome", {"outcome": "contacted", "note": "x" * 501}, 422),
        ("/v1/actions/d-C/outcome", {"outcome": "contacted", "extra": 1}, 422),
    ],
)
def test_a_wrong_outcome_is_refused(client, path, body, status):
    answer = client.post(path, json=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
