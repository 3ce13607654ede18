"""The desk over HTTP: who may sit there, what the pages show, what a click does."""

from __future__ import annotations

import re
import typing
from dataclasses import replace
from html import escape, unescape
from urllib.parse import quote

import pytest

from churnguard.jobs.champion import RefusalReason, RefusedModel
from churnguard.project.template import template_root
from churnguard.testing import (
    NOON,
    FakeChampion,
    FakeScorer,
    build_action,
    build_events,
    build_reason,
    build_run,
    build_score,
    fake_shop,
    sample_shop,
)

ORIGIN = {"Origin": "http://localhost:8000"}
PAGE = {"Accept": "text/html"}


def _token(html: str) -> str:
    return unescape(re.search(r'name="token" value="([^"]+)"', html).group(1))


@pytest.fixture
def desk_shop():
    return fake_shop(
        [build_score("C1"), build_score("C2", churn_risk=0.4, band="medium")],
        events=build_events([{"event_id": "o1"}, {"event_id": "s1", "event": "signed_in"}]),
        root=template_root(),
    )


@pytest.fixture
def desk(make_client, desk_shop):
    return make_client(desk_shop, open_desk=True)


@pytest.fixture
def locked(make_client, desk_shop):
    return make_client(desk_shop)


# -- signing in -----------------------------------------------------------------------------------


def test_a_stranger_is_led_to_the_door_and_back(locked, desk_shop):
    answer = locked.get("/desk/customers/C1", headers=PAGE)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/desk/sign-in?next=%2Fdesk%2Fcustomers%2FC1"
    _, key = desk_shop.keys.create("dana", ["desk"], now=NOON)
    form = {"key": key, "next": "/desk/customers/C1"}
    answer = locked.post("/desk/sign-in", data=form, headers=ORIGIN)
    assert (answer.status_code, answer.headers["location"]) == (303, "/desk/customers/C1")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert key not in cookie
    assert locked.get("/desk/customers/C1", headers=PAGE).status_code == 200


@pytest.mark.parametrize("scopes", [None, ["scores:read"]])
def test_a_wrong_key_is_refused_in_words(locked, desk_shop, scopes):
    key = desk_shop.keys.create("x", scopes, now=NOON)[1] if scopes else "cg_live_a_b"
    answer = locked.post("/desk/sign-in", data={"key": key}, headers={**ORIGIN, **PAGE})
    assert answer.status_code == 401
    assert "This key is wrong" in answer.text
    assert key not in answer.text


@pytest.mark.parametrize(
    "path", ["//evil.test", "/desk\\@evil.test", "https://evil.test", "/x", ""]
)
def test_after_signing_in_nobody_is_led_elsewhere(locked, desk_shop, path):
    _, key = desk_shop.keys.create("dana", ["desk"], now=NOON)
    answer = locked.post("/desk/sign-in", data={"key": key, "next": path}, headers=ORIGIN)
    assert answer.headers["location"] == "/desk"


def test_revoking_the_key_ends_the_session_at_once(locked, desk_shop):
    key, text = desk_shop.keys.create("dana", ["desk"], now=NOON)
    locked.post("/desk/sign-in", data={"key": text}, headers=ORIGIN)
    assert locked.get("/desk", headers=PAGE).status_code == 200
    desk_shop.keys.revoke(key.key_id, now=NOON)
    assert locked.get("/desk", headers=PAGE).status_code == 303


def test_signing_out_forgets_the_cookie(locked, desk_shop):
    _, text = desk_shop.keys.create("dana", ["desk"], now=NOON)
    locked.post("/desk/sign-in", data={"key": text}, headers=ORIGIN)
    token = _token(locked.get("/desk", headers=PAGE).text)
    assert locked.post("/desk/sign-out", data={"token": token}, headers=ORIGIN).status_code == 303
    assert locked.get("/desk", headers=PAGE).status_code == 303


def test_the_json_twin_wants_a_session_or_a_key(locked, desk_shop):
    answer = locked.get("/desk?format=json")
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    _, text = desk_shop.keys.create("dana", ["desk"], now=NOON)
    answer = locked.as_key(text).get("/desk?format=json")
    assert [row["customer_id"] for row in answer.json()["rows"]] == ["C1", "C2"]


# -- forms ----------------------------------------------------------------------------------------


def _mark(desk, outcome="contacted", *, token=None, headers=ORIGIN, **more):
    token = _token(desk.get("/desk/customers/C1", headers=PAGE).text) if token is None else token
    form = {"token": token, "outcome": outcome, **more}
    return desk.post("/desk/actions/d-C1/outcome", data=form, headers={**PAGE, **headers})


def test_marking_done_takes_the_customer_off_the_list_and_undo_brings_back(desk, desk_shop):
    answer = _mark(desk, note=" called ", back="band=high")
    assert (answer.status_code, answer.headers["location"]) == (303, "/desk?band=high")
    told = desk_shop.scores.outcomes_of("C1")[0]
    assert (told["outcome"], told["note"], told["actor"]) == ("contacted", "called", "desk:open")
    page = desk.get("/desk", headers=PAGE).text
    assert "<bdi>C1</bdi> is marked as done." in page
    assert 'href="/desk/customers/C1">' in page  # in the message, no longer in the list
    assert '<th role="rowheader" scope="row" class="who"><a href="/desk/customers/C1' not in page
    assert "is marked as done" not in desk.get("/desk", headers=PAGE).text  # told once
    assert "Taken back" not in desk.get("/desk/customers/C1", headers=PAGE).text
    _mark(desk, "reopened")
    assert "is back on the list" in desk.get("/desk", headers=PAGE).text
    assert "Taken back" in desk.get("/desk/customers/C1", headers=PAGE).text


@pytest.mark.parametrize(
    "headers",
    [{}, {"Origin": "https://evil.test"}, {"Origin": "null"}, {"Origin": "http://localhost"}],
)
def test_a_form_from_elsewhere_is_refused(desk, desk_shop, headers):
    answer = _mark(desk, headers=headers)
    assert answer.status_code == 403
    assert desk_shop.scores.outcomes_of("C1") == []


@pytest.mark.parametrize("token", ["", "x", "é"])
def test_a_form_without_the_right_token_is_refused(desk, desk_shop, token):
    desk.get("/desk", headers=PAGE)
    assert _mark(desk, token=token).status_code == 403
    assert desk_shop.scores.outcomes_of("C1") == []


def test_the_token_of_another_session_is_refused(make_client, desk_shop):
    one, other = make_client(desk_shop, open_desk=True), make_client(desk_shop, open_desk=True)
    token = _token(one.get("/desk/customers/C1", headers=PAGE).text)
    other.get("/desk", headers=PAGE)
    assert _mark(other, token=token).status_code == 403


def test_a_wrong_outcome_or_decision_is_a_page_that_says_so(desk):
    assert _mark(desk, "sold").status_code == 422
    token = _token(desk.get("/desk/customers/C1", headers=PAGE).text)
    form = {"token": token, "outcome": "contacted"}
    answer = desk.post("/desk/actions/none/outcome", data=form, headers={**ORIGIN, **PAGE})
    assert answer.status_code == 404
    assert "text/html" in answer.headers["content-type"]


# -- pages ----------------------------------------------------------------------------------------


def test_the_start_page_shows_who_is_worth_saving_most(make_client):
    shop = sample_shop(60)
    client = make_client(shop, open_desk=True)
    page = client.get("/desk?format=json").json()
    gains = [row["action"]["expected_gain"] for row in page["rows"]]
    assert gains == sorted(gains, reverse=True)
    assert page["total"] < page["scored"]
    assert "low" not in {row["band"] for row in page["rows"]}
    html = client.get("/desk", headers=PAGE).text
    assert html.count('scope="row"') == 25
    assert page["rows"][0]["reason"] in unescape(html)
    following = client.get(f"/desk?{page['next_query']}&format=json").json()
    assert following["rows"][0]["customer_id"] not in [row["customer_id"] for row in page["rows"]]


def test_filters_keep_their_choice(make_client):
    client = make_client(sample_shop(90), open_desk=True)
    page = client.get("/desk?band=high&sort=risk&format=json").json()
    assert {row["band"] for row in page["rows"]} == {"high"}
    assert [choice["value"] for choice in page["bands"] if choice["chosen"]] == ["high"]
    assert page["next_query"].startswith("band=high&sort=risk&page_token=")
    html = client.get("/desk?band=high", headers=PAGE).text
    assert '<option value="high" selected>' in html


@pytest.mark.parametrize("query", ["band=huge", "sort=name", "outcome=x", "page_token=x"])
def test_a_made_up_filter_is_a_page_that_says_so(desk, query):
    answer = desk.get(f"/desk?{query}", headers=PAGE)
    assert answer.status_code == 400
    assert "This did not work" in answer.text


def test_a_customers_page_says_what_the_number_means(desk):
    html = desk.get("/desk/customers/C1", headers=PAGE).text
    assert "71 of 100 customers like this one do not order in the next 90 days." in html
    assert "between 62 and 79" in html
    assert "Last ordered 96 days ago; usually every 28" in html
    assert "Cart reminder" in html  # the playbook's name, not the code
    assert "1 order in the past year" in html


@pytest.mark.parametrize(
    ("risk", "interval", "said", "not_said"),
    [
        (0.998, (0.971, 0.999), ["Nearly all", "do not order", "at least 97 of 100"], "100 of 100"),
        (0.998, (0.996, 0.999), ["Nearly all", "do not order"], "nine times in ten"),
        (0.002, (0.001, 0.03), ["Nearly all", "order again", "at most 3 of 100"], "0 of 100 c"),
        (0.712, (0.711, 0.713), ["71 of 100 customers"], "nine times in ten"),
    ],
)
def test_a_risk_near_certainty_is_told_in_words(make_client, risk, interval, said, not_said):
    """Nobody writes "100 of 100; between 100 and 100"; a range of one number is left out."""
    score = build_score("C1", churn_risk=risk, interval=interval)
    html = make_client(fake_shop([score]), open_desk=True).get("/desk/customers/C1", headers=PAGE)
    assert all(text in html.text for text in said)
    assert not_said not in html.text


def test_a_shop_of_subscriptions_is_not_told_of_orders(make_client):
    """What leaving means is the shop's own setting; its page says no more than that."""
    shop = fake_shop([build_score("C1", churn_risk=0.712, interval=(0.62, 0.79))])
    settings = shop.settings.model_copy(update={"label": "subscription"})
    client = make_client(replace(shop, settings=settings), open_desk=True)
    html = client.get("/desk/customers/C1", headers=PAGE).text
    assert "71 of 100 customers like this one leave in the next 90 days." in html
    assert "do not order" not in html


def test_reasons_below_half_a_point_are_folded_away(make_client):
    """Still there with their sum, so that all of them lead to the risk."""
    effects = {"a": 0.18, "b": -0.0046, "c": 0.004, "d": -0.001}
    reasons = tuple(
        build_reason(code, effect=points * 4, effect_points=points, text={"en": f"Reason {code}"})
        for code, points in effects.items()
    )
    client = make_client(fake_shop([build_score("C1", reasons=reasons)]), open_desk=True)
    page = client.get("/desk/customers/C1?format=json").json()
    assert [reason["code"] for reason in page["reasons"]] == ["a", "b"]
    assert [reason["code"] for reason in page["smaller_reasons"]] == ["c", "d"]
    shown, _, folded = client.get("/desk/customers/C1", headers=PAGE).text.partition("<details")
    assert "Reason b" in shown
    assert "Reason c" not in shown
    assert 'Smaller reasons (2), together <bdi dir="ltr">+0.3</bdi>' in folded
    assert "Reason d" in folded


def test_the_same_page_in_hebrew(desk):
    html = desk.get("/desk/customers/C1", headers={**PAGE, "Accept-Language": "he"}).text
    assert '<html lang="he" dir="rtl">' in html
    assert "71 מתוך 100 לקוחות כאלה לא מזמינים ב-90 הימים הקרובים." in html
    assert "ההזמנה האחרונה לפני 96 ימים; בדרך כלל כל 28" in html
    assert "תזכורת עגלה" in html
    assert "Suggested action" not in html


def test_the_language_is_kept_once_chosen(desk):
    answer = desk.get("/desk/language/he?back=" + quote("/desk/customers/C1?back=band%3Dhigh"))
    assert answer.headers["location"] == "/desk/customers/C1?back=band%3Dhigh"
    page = desk.get("/desk", headers={**PAGE, "Accept-Language": "en"})
    assert page.headers["content-language"] == "he"
    assert desk.get("/desk/language/xx?back=//evil").headers["location"] == "/desk"


def test_a_held_out_customer_is_not_to_be_contacted(make_client):
    action = build_action(group="control", decision_id="d-C1")
    shop = fake_shop([build_score("C1", action=action)], root=template_root())
    client = make_client(shop, open_desk=True)
    html = client.get("/desk/customers/C1", headers=PAGE).text
    assert "Held out: do not contact" in html
    assert "Mark as done" not in html
    assert "What to say" not in html
    assert "Held out" in client.get("/desk", headers=PAGE).text


HOSTILE = "<script>alert(1)</script>'\"&/../ל\u202e"


def test_hostile_names_are_shown_as_they_are_and_do_nothing(make_client):
    """In ids, reasons, notes and the shop's own name."""
    reason = build_reason(text={"en": HOSTILE, "he": HOSTILE})
    score = build_score(
        HOSTILE, reasons=(reason,), segment=HOSTILE, action=build_action(HOSTILE, decision_id="d1")
    )
    shop = fake_shop([score], root=template_root())
    client = make_client(shop, open_desk=True, scorer=FakeScorer([score]))
    url = "/desk/customers/" + quote(HOSTILE, safe="")
    shop.scores.record_outcome("d1", "dismissed", at=NOON, actor=HOSTILE, note=HOSTILE)
    for path in ("/desk?outcome=all", url, f"{url}?back={quote(HOSTILE)}", "/desk?band=" + HOSTILE):
        html = client.get(path, headers=PAGE).text
        assert "<script" not in html
        assert "'\"&/" not in html
    assert (
        f"<bdi>{escape(HOSTILE, quote=True)}</bdi>".replace("&#x27;", "&#39;").replace(
            "&quot;", "&#34;"
        )
        in client.get(url, headers=PAGE).text
    )


def test_a_customer_outside_the_list_is_scored_now(make_client, desk_shop):
    """Known by an order, not in the batch: a fresh number, without buttons."""
    desk_shop.events.append(build_events([{"event_id": "n1", "customer_id": "C9"}]))
    client = make_client(desk_shop, open_desk=True, scorer=FakeScorer([build_score("C9")]))
    html = client.get("/desk/customers/C9", headers=PAGE).text
    assert "Scored just now" in html
    assert "Mark as done" not in html


def test_reasons_that_the_batch_left_out_are_fetched(make_client, desk_shop):
    desk_shop.scores.save_run(build_run("run-2"), [build_score("C1", reasons=None)])
    asked = []

    class Scorer(FakeScorer):
        def __call__(self, *args, as_of, explain):
            asked.append(as_of)
            return super().__call__(*args, as_of=as_of, explain=explain)

    client = make_client(desk_shop, open_desk=True, scorer=Scorer([build_score("C1")]))
    assert "usually every 28" in client.get("/desk/customers/C1", headers=PAGE).text
    assert asked == [NOON]


def test_a_customer_without_a_number_is_told_why(make_client):
    score = build_score("C3", status="abstained", status_reason="too_little_history")
    client = make_client(fake_shop([score]), open_desk=True)
    html = client.get("/desk/customers/C3", headers=PAGE).text
    assert "No number" in html
    assert "There are too few events to carry a number." in html


def test_an_unknown_customer_is_a_page(desk):
    answer = desk.get("/desk/customers/nobody", headers=PAGE)
    assert answer.status_code == 404
    assert "This page does not exist" in answer.text


@pytest.mark.parametrize(
    ("champion", "told"),
    [(FakeChampion(), "churnguard score"), (FakeChampion(None), "churnguard train")],
)
def test_an_empty_desk_tells_what_to_do(make_client, champion, told):
    client = make_client(fake_shop(), champion=champion, open_desk=True)
    html = client.get("/desk", headers=PAGE).text
    assert "Nothing has been scored yet" in html
    assert told in html


# -- a new model that was refused -----------------------------------------------------------------

WHY = "The file trees.txt in bundle 3f9a07 is not what was signed. Fetch it again."


def _reasons():
    literal, others = typing.get_args(RefusalReason)
    return [*typing.get_args(literal), *typing.get_args(others)]


@pytest.mark.parametrize(
    ("code", "said", "meanwhile"),
    [
        ("en", "The new model, version <bdi>13</bdi>, was not put to use.", "goes on answering"),
        ("he", "המודל החדש, גרסה <bdi>13</bdi>, לא הוכנס לשימוש.", "ממשיכה לתת את הציונים"),
    ],
)
def test_a_refused_model_is_told_on_every_page(make_client, desk_shop, code, said, meanwhile):
    """Managers see which model is not in use, why in words, and which one answers meanwhile."""
    champion = FakeChampion(refused=RefusedModel("13", "damaged", WHY))
    client = make_client(desk_shop, champion=champion, open_desk=True)
    for page in ("/desk", "/desk/customers/C1", "/desk/customers/nobody"):
        html = client.get(page, headers=PAGE | {"Accept-Language": code}).text
        assert said in html
        assert meanwhile in html
        assert "<bdi>12</bdi>" in html
        assert not re.search("3f9a07|trees.txt", html), "no internals"


def test_each_reason_has_words_of_its_own(make_client, desk_shop):
    told, champion = set(), FakeChampion()
    client = make_client(desk_shop, champion=champion, open_desk=True)
    for reason in _reasons():
        champion.refused = RefusedModel("13", reason, WHY)
        html = client.get("/desk", headers=PAGE).text
        told.add(re.search(r"was not put to use.</strong> (.+?)</p>", html).group(1))
    assert len(told) == len(_reasons())


def test_a_refused_model_without_another_says_that_nobody_is_scored(make_client, desk_shop):
    champion = FakeChampion(None, refused=RefusedModel("13", "damaged", WHY))
    html = make_client(desk_shop, champion=champion, open_desk=True).get("/desk", headers=PAGE).text
    assert "nobody is scored until this is mended" in html
    assert "goes on answering" not in html


def test_all_well_and_strangers_see_no_banner(make_client, desk_shop):
    champion = FakeChampion(refused=RefusedModel("13", "damaged", WHY))
    locked = make_client(desk_shop, champion=champion)
    assert "was not put to use" not in locked.get("/desk/sign-in", headers=PAGE).text
    well = make_client(desk_shop, open_desk=True)
    assert "was not put to use" not in well.get("/desk", headers=PAGE).text


def test_a_list_without_matches_offers_to_clear(desk):
    html = desk.get("/desk?band=low", headers=PAGE).text
    assert "No customer matches" in html
    assert "Clear the filters" in html


def test_the_style_sheet_is_kept_and_named_by_its_content(desk):
    html = desk.get("/desk", headers=PAGE).text
    address = re.search(r'href="(/desk/static/desk.css\?v=\w+)"', html).group(1)
    answer = desk.get(address)
    assert answer.headers["content-type"].startswith("text/css")
    assert "immutable" in answer.headers["cache-control"]
    assert desk.get("/desk/static/../desk.py").status_code == 404


def test_the_servers_address_leads_to_the_desk(desk):
    assert desk.get("/").headers["location"] == "/desk"


def test_a_session_key_lets_two_processes_share_a_session(make_client, desk_shop):
    _, text = desk_shop.keys.create("dana", ["desk"], now=NOON)
    one, other = (make_client(desk_shop, session_key=b"k" * 32) for _ in range(2))
    one.post("/desk/sign-in", data={"key": text}, headers=ORIGIN)
    cookie = {"Cookie": f"cg_session={one.cookies['cg_session']}"}
    assert other.get("/desk", headers={**PAGE, **cookie}).status_code == 200
