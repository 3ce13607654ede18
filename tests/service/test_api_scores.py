"""Scores over HTTP."""

from __future__ import annotations

import pytest

from churnguard.scoring.score import Score
from churnguard.serving.scores.schemas import ScoreAnswer
from churnguard.testing import FakeScorer, build_action, build_score, fake_shop


def test_one_score_is_the_score_record_itself(client):
    """The answer is ``Score.to_dict``, as of now, without reasons unless asked."""
    answer = client.get("/v1/customers/C1/score")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {**_as_json(build_score("C1")), "reasons": None}


def test_reasons_come_when_asked(client):
    reasons = client.get("/v1/customers/C1/score?explain=true").json()["reasons"]
    assert reasons[0]["text"]["he"] == "ההזמנה האחרונה לפני 96 ימים; בדרך כלל כל 28"


def test_as_of_is_read_in_the_shops_zone(client):
    """A date is shop-local midnight."""
    answer = client.get("/v1/customers/C1/score?as_of=2026-07-01").json()
    assert answer["as_of"] == "2026-06-30T21:00:00Z"


def test_a_known_customer_without_a_number_is_no_error(client):
    answer = client.get("/v1/customers/C3/score")
    assert answer.status_code == 200
    assert answer.json()["status_reason"] == "too_little_history"


def test_an_unknown_customer_is_a_404(client):
    answer = client.get("/v1/customers/nobody/score")
    assert answer.status_code == 404
    assert answer.json()["type"] == "/docs#customer-not-found"


@pytest.mark.parametrize("customer_id", ["a/b", "50%", "é ü", "ל-7", "?x=1#y"])
def test_an_id_may_hold_anything_printable(make_client, shop, new_key, customer_id):
    from urllib.parse import quote

    client = make_client(
        shop, scorer=FakeScorer([build_score(customer_id)]), key=new_key("scores:read")
    )
    answer = client.get(f"/v1/customers/{quote(customer_id, safe='')}/score")
    assert answer.json()["customer_id"] == customer_id


def test_numbers_keep_full_precision(make_client, shop, new_key):
    """0.1 + 0.2 arrives as the same double that left."""
    scorer = FakeScorer([build_score("C1", churn_risk=0.1 + 0.2)])
    client = make_client(shop, scorer=scorer, key=new_key("scores:read"))
    assert b'"churn_risk":0.30000000000000004' in client.get("/v1/customers/C1/score").content


def test_bulk_keeps_order_and_repeats_and_says_unknown(client):
    items = [{"customer_id": name} for name in ("C2", "nobody", "C1", "C2")]
    rows = client.post("/v1/scores", json={"items": items, "explain": True}).json()["scores"]
    assert [(row["customer_id"], row["status"]) for row in rows] == [
        ("C2", "scored"),
        ("nobody", "unknown"),
        ("C1", "scored"),
        ("C2", "scored"),
    ]
    assert rows[0]["reasons"]


def test_bulk_is_asked_for_reasons_in_the_query_as_well(client):
    """As for one customer; other parameters are still refused by name."""
    items = {"items": [{"customer_id": "C1"}]}
    (with_them,) = client.post("/v1/scores?explain=true", json=items).json()["scores"]
    (without,) = client.post("/v1/scores", json=items).json()["scores"]
    assert with_them["reasons"]
    assert without["reasons"] is None
    assert client.post("/v1/scores?explian=true", json=items).status_code == 422


def test_bulk_of_nothing_is_nothing(client):
    assert client.post("/v1/scores", json={"items": []}).json() == {"scores": []}


def test_bulk_stops_at_a_thousand(client):
    items = [{"customer_id": f"C{n}"} for n in range(1001)]
    assert client.post("/v1/scores", json={"items": items[:1000]}).status_code == 200
    answer = client.post("/v1/scores", json={"items": items})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "#/items"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ('{"items": [{"customer_id": ""}]}', "#/items/0/customer_id"),
        ('{"items": [{"customer_id": "a\\u0000b"}]}', "#/items/0/customer_id"),
        ('{"items": [{"customer_id": 7}]}', "#/items/0/customer_id"),
        ('{"items": [{"customer_id": "C1", "events": []}]}', "#/items/0/events"),
        ('{"items": [], "wat": 1}', "#/wat"),
        ('{"items": NaN}', "#"),
        ("{", "#"),
        ("[" * 100_000, "#"),
        ('{"items": [{"customer_id": "\\ud800"}]}', "#"),
    ],
)
def test_an_unsound_body_is_told_where(client, body, pointer):
    """Wrong fields, unknown fields, NaN, broken, endlessly nested, half a surrogate."""
    headers = {"Content-Type": "application/json"}
    answer = client.post("/v1/scores", content=body, headers=headers)
    assert answer.status_code == 422
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/v1/customers/C1/score", "?explain=false"),
        ("/v1/customers/nobody/score", "?explain=false"),
        ("/v1/scores", ""),
    ],
)
def test_the_short_way_and_the_long_way_answer_alike(client, path, query):
    """A request that the framework's layers handle differs from a plain one in nothing."""
    if query:
        short, long = client.get(path), client.get(path + query)
    else:
        body = b'{"items": [{"customer_id": "C1"}]}'
        short, long = (
            client.post(path, content=body, headers={"Content-Type": kind})
            for kind in ("application/json", "application/x+json")
        )
    told = [
        (
            one.status_code,
            {**one.headers, "x-request-id": "", "ratelimit": ""},
            {**one.json(), "request_id": ""},
        )
        for one in (short, long)
    ]
    assert told[0] == told[1]


def test_a_body_that_is_not_said_to_be_json_is_refused(client):
    body = b'{"items": [{"customer_id": "C1"}]}'
    for kind, status in [("text/plain", 415), ("application/json; charset=utf-8", 200)]:
        answer = client.post("/v1/scores", content=body, headers={"Content-Type": kind})
        assert answer.status_code == status, kind


def test_a_bad_instant_is_a_400_with_a_hint(client):
    answer = client.get("/v1/customers/C1/score?as_of=yesterday")
    assert answer.status_code == 400
    assert "2026-11-21" in answer.json()["hint"]


def test_the_future_is_refused(client):
    assert client.get("/v1/customers/C1/score?as_of=2026-11-21T12:00:00Z").status_code == 200
    answer = client.get("/v1/customers/C1/score?as_of=2026-11-21T12:00:01Z")
    assert answer.status_code == 400
    assert "future" in answer.json()["detail"]


def test_what_is_suggested_now_can_be_answered_and_a_look_back_cannot(make_client, shop, new_key):
    """A decision is stored with each suggestion of the moment, not with one for a past instant."""
    action = build_action(decision_id="d-new")
    key = new_key("scores:read", "actions:write")
    scorer = FakeScorer([build_score("C8", action=action)])
    client = make_client(shop, scorer=scorer, key=key)
    client.get("/v1/customers/C8/score?as_of=2026-01-01")
    report = {"outcome": "contacted"}
    assert client.post("/v1/actions/d-new/outcome", json=report).status_code == 404
    client.get("/v1/customers/C8/score")
    assert client.post("/v1/actions/d-new/outcome", json=report).json()["customer_id"] == "C8"


def test_the_documented_shape_is_the_real_one(client):
    """Field for field, in order; and the model behind the docs accepts the real answer."""
    answer = client.get("/v1/customers/C1/score?explain=true").json()
    assert list(answer) == list(ScoreAnswer.model_fields)
    assert ScoreAnswer.model_validate(answer).model_dump(mode="json") == answer


def test_the_shop_is_asked_once_for_repeated_ids(make_client, new_key, shop):
    asked = []

    class Counting(FakeScorer):
        def __call__(self, shop, champion, customer_ids, **options):
            asked.append(list(customer_ids))
            return super().__call__(shop, champion, customer_ids, **options)

    client = make_client(shop, scorer=Counting([build_score("C1")]), key=new_key("scores:read"))
    client.post("/v1/scores", json={"items": [{"customer_id": "C1"}] * 3})
    assert asked == [["C1"]]


def _as_json(score: Score) -> dict:
    import orjson

    return orjson.loads(orjson.dumps(score.to_dict()))


def test_fake_shops_are_apart():
    """Two shops in memory share nothing."""
    one, other = fake_shop([build_score("C1")]), fake_shop()
    assert one.scores.latest_run() is not None
    assert other.scores.latest_run() is None
