"""What a serving process does not load."""

from __future__ import annotations

import subprocess
import sys

_ASK_EVERYTHING = """
import asyncio, sys
import httpx
from churnguard.serving import create_app
from churnguard.testing import FakeChampion, FakeScorer, NOON, build_events, build_score, fake_shop

shop = fake_shop([build_score("C1")], events=build_events())
_, key = shop.keys.create("crm", ["scores:read"], now=NOON)
app = create_app(shop, FakeChampion(), scorer=FakeScorer([build_score("C1")]), open_desk=True)
paths = ["/v1/customers/C1/score?explain=true", "/v1/at-risk", "/v1/model", "/readyz", "/docs",
         "/desk", "/desk/customers/C1", "/openapi.json"]

async def ask():
    http = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://localhost")
    http.headers["Authorization"] = "Bearer " + key
    for path in paths:
        answer = await http.get(path)
        assert answer.status_code == 200, (path, answer.text)

asyncio.run(ask())
heavy = ["mlflow", "pandas", "sklearn", "matplotlib", "duckdb", "typer", "lightgbm"]
print([name for name in heavy if sys.modules.get(name)])
"""


def _loaded(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_door_itself_asks_for_no_heavy_guest():
    """Every kind of route, without mlflow or scikit-learn; pandas comes with PyArrow alone."""
    assert _loaded(_ASK_EVERYTHING) in ("[]", "['pandas']")


def test_a_process_that_only_serves_has_none_of_them():
    """With the guests locked out every kind of route answers all the same."""
    lock = "from churnguard.serving.guests import lock_out\nlock_out()\n"
    assert _loaded(lock + _ASK_EVERYTHING) == "[]"


def test_lightgbm_works_without_its_heavy_friends():
    """Loading and asking a booster needs neither pandas nor scikit-learn."""
    program = """
import sys
from churnguard.serving.guests import lock_out
lock_out()
import lightgbm, numpy
data = lightgbm.Dataset(numpy.arange(40.0).reshape(20, 2), label=[0, 1] * 10)
booster = lightgbm.train({"verbose": -1, "min_data_in_leaf": 1, "num_threads": 1}, data, 2)
text = booster.model_to_string()
again = lightgbm.Booster(model_str=text).predict(numpy.ones((1, 2)), pred_contrib=True)
print(again.shape, [name for name in ("pandas", "sklearn") if sys.modules.get(name)])
"""
    assert _loaded(program) == "(1, 3) []"
