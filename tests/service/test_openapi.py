"""The API's description and the page made of it."""

from __future__ import annotations

import json
import re
from html import unescape

from churnguard.serving import create_app
from churnguard.serving.problems import kinds
from churnguard.testing import FakeChampion, FakeScorer, fake_shop

SPECIAL = {
    ("/metrics", "200"): ["text/plain; version=0.0.4; charset=utf-8"],
    ("/v1/events", "200"): [],  # the handshake answers by headers alone
}
REFRESH = "Refresh it with: python docs/refresh_openapi.py"


def _described() -> dict:
    return create_app(fake_shop(), FakeChampion(), scorer=FakeScorer()).openapi()


def test_the_kept_description_is_current(repo_root):
    kept = json.loads((repo_root / "docs" / "openapi.json").read_text(encoding="utf-8"))
    assert kept == json.loads(json.dumps(_described())), REFRESH


def test_every_call_is_described_with_its_problems():
    described = _described()
    assert described["openapi"].startswith("3.1")
    for path, operations in described["paths"].items():
        for operation in operations.values():
            assert operation["summary"], path
            assert operation["description"], path
            for code, answer in operation["responses"].items():
                good = SPECIAL.get((path, code), ["application/json"])
                wanted = good if int(code) < 300 else ["application/problem+json"]
                assert list(answer.get("content", [])) == wanted, (path, code)


def test_every_reference_leads_somewhere():
    described = _described()
    schemas = described["components"]["schemas"]
    for name in re.findall(r"#/components/schemas/(\w+)", json.dumps(described)):
        assert name in schemas


def test_the_reference_page_shows_all_of_it(client):
    described = _described()
    html = client.as_key(None).get("/docs").text
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            assert f"{method.upper()} {path}" in html
            for parameter in operation.get("parameters", []):
                assert f"<code>{parameter['name']}</code>" in html
    for slug, _, _ in kinds():
        assert f'id="{slug}"' in html
    assert "<script" not in html
    assert "cdn" not in html
    for example in re.findall(r"<pre[^>]*><code>(.*?)</code>", html, re.DOTALL):
        json.loads(unescape(example))
