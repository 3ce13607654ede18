"""``--engine``, ``--events`` and ``--format``: a combination that means nothing is refused."""

from __future__ import annotations

import pytest

from churnguard.bootstrap import open_engine
from churnguard.errors import InvalidRequest
from churnguard.testing import fake_shop


def test_the_local_engine_is_this_process():
    assert open_engine("local", fake_shop()) is None


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"name": "flink"}, "no engine 'flink'"),
        ({"name": "local", "events": "shop.events"}, "the project's own events"),
        ({"name": "local", "format": "orc"}, "the project's own events"),
    ],
)
def test_what_means_nothing_is_refused(words, told):
    with pytest.raises(InvalidRequest, match=told):
        open_engine(shop=fake_shop(), **words)
