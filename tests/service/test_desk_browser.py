"""The desk in a real browser, both languages: few clicks, no overflow, a silent console."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any, Self
from urllib.parse import quote

import pytest
import uvicorn

from churnguard.jobs.ports import Shop
from churnguard.serving import create_app
from churnguard.testing import (
    NOON,
    FakeChampion,
    FakeScorer,
    build_action,
    build_reason,
    build_score,
    fake_shop,
    sample_shop,
)

pytestmark = pytest.mark.chromium

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Served:
    """A shop served on a free port of this machine."""

    def __init__(self, shop: Shop, **options: Any) -> None:
        self.shop = shop
        app = create_app(shop, FakeChampion(), scorer=FakeScorer(), **options)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._server = uvicorn.Server(
            uvicorn.Config(app, access_log=False, log_level="warning", lifespan="on")
        )
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],))

    def __enter__(self) -> Self:
        self._thread.start()
        deadline = time.monotonic() + 20
        while not self._server.started and time.monotonic() < deadline:
            time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=20)
        self._socket.close()


@pytest.fixture
def served() -> Iterator[Served]:
    with Served(sample_shop(60), open_desk=True) as served:
        yield served


@pytest.fixture(scope="module")
def browser(request) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    path = request.getfixturevalue("chromium_path")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser) -> Iterator[Any]:
    """Open pages in contexts of their own; whatever the console complains about fails the test."""
    contexts, complaints = [], []

    def build(**options: Any) -> Any:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("requestfailed", lambda request: complaints.extend(_real_failure(request)))
        return page

    yield build
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.mark.parametrize(
    ("locale", "done", "told", "direction"),
    [
        ("en-US", "Mark as done", "is marked as done.", "ltr"),
        ("he-IL", "סימון כבוצע", "סומן כבוצע.", "rtl"),
    ],
)
def test_the_customer_most_worth_saving_is_handled_in_two_clicks(
    served, open_page, locale, done, told, direction
):
    """From the start page: open the first who is not held out, see why, mark as done; undo."""
    page = open_page(locale=locale)
    page.goto(f"{served.url}/desk")
    assert page.locator("html").get_attribute("dir") == direction
    first = page.locator("tbody tr").filter(has_not=page.locator(".held")).first
    customer = first.locator(".who a").inner_text()
    first.locator(".who a").click()  # one
    assert page.locator(".reasons li").count() >= 2
    page.get_by_role("button", name=done).click()  # two
    assert page.url == f"{served.url}/desk"
    assert told in page.locator(".flash").inner_text()
    assert customer not in page.locator("tbody").inner_text()
    outcome = served.shop.scores.outcomes_of(customer)[0]
    assert (outcome["outcome"], outcome["actor"]) == ("contacted", "desk:open")
    page.locator(".flash button").click()
    assert customer in page.locator("tbody").inner_text()


@pytest.mark.parametrize("locale", ["en-US", "he-IL"])
@pytest.mark.parametrize("width", [375, 768, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_overflows_sideways(served, open_page, locale, width, scheme):
    page = open_page(locale=locale, viewport={"width": width, "height": 800}, color_scheme=scheme)
    customer = served.shop.scores.at_risk(_everybody())[0][0].customer_id
    for path in ("/desk", f"/desk/customers/{customer}", "/desk/sign-in", "/docs"):
        page.goto(served.url + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def _real_failure(request: Any) -> list[str]:
    """Return the address of a request that failed, not of one that the next page cut off."""
    return [] if "ERR_ABORTED" in (request.failure or "") else [request.url]


def _everybody():
    from churnguard.jobs.ports import AtRiskQuery

    return AtRiskQuery(page_size=1)


def test_the_keyboard_alone_is_enough(served, open_page):
    """Skip link first, then on to a customer and its button, with a visible focus all the way."""
    page = open_page(locale="en-US")
    page.goto(f"{served.url}/desk")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('.who') !== null"):
            break
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    page.wait_for_url("**/desk/customers/*")


def test_signing_in_works_in_the_browser(open_page):
    shop = sample_shop(20)
    _, key = shop.keys.create("dana", ["desk"], now=NOON)
    with Served(shop) as served:
        page = open_page(locale="en-US")
        page.goto(f"{served.url}/desk")
        page.get_by_label("API key").fill(key)
        page.get_by_role("button", name="Sign in").click()
        assert page.url == f"{served.url}/desk"
        page.get_by_role("button", name="Sign out").click()
        assert page.url == f"{served.url}/desk/sign-in"


def test_every_control_has_a_name_and_every_page_one_heading(served, open_page):
    """What a screen reader needs first: names, one h1, landmarks, a language."""
    page = open_page(locale="he-IL")
    customer = served.shop.scores.at_risk(_everybody())[0][0].customer_id
    nameless = """() => [...document.querySelectorAll(`a, button, select, textarea, [role=img],
        input:not([type=hidden], [hidden])`)].filter(e => !(e.innerText || e.labels?.length
        || e.ariaLabel || e.getAttribute('aria-labelledby'))).map(e => e.outerHTML)"""
    for path in ("/desk", f"/desk/customers/{customer}", "/desk/sign-in"):
        page.goto(served.url + path)
        assert page.evaluate(nameless) == []
        assert page.locator("h1").count() == 1
        assert page.locator("main").count() == page.locator("header").count() == 1
        assert page.locator("html").get_attribute("lang") == "he"


HOSTILE = "<img src=x onerror='window.ran=1'><script>window.ran=1</script>\u202e=1+1"


def test_hostile_names_run_nothing_and_the_policy_stops_what_would(browser) -> None:
    """F47: in the list and on the page of a customer; a script that got in would not run either."""
    reason = build_reason(text={"en": HOSTILE, "he": HOSTILE})
    score = build_score(HOSTILE, reasons=(reason,), action=build_action(HOSTILE, decision_id="d1"))
    with Served(fake_shop([score]), open_desk=True) as served:
        page = browser.new_page()
        for path in ("/desk?outcome=all", "/desk/customers/" + quote(HOSTILE, safe="")):
            assert page.goto(served.url + path).status == 200
            assert HOSTILE in page.locator("body").inner_text()
            assert page.evaluate("window.ran") is None
        page.evaluate(
            "const late = document.createElement('script');"
            "late.textContent = 'window.ran = 1'; document.body.append(late)"
        )
        assert page.evaluate("window.ran") is None
        page.close()
