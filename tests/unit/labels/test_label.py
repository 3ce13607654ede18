"""A label is chosen by its name: a setting, and any kind of event where activity is what counts."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from churnguard.clock import DAY_US
from churnguard.errors import InvalidRequest, ProjectError
from churnguard.events.timeline import Timeline
from churnguard.labels import LABELS, label_named
from churnguard.project.settings import read_settings
from churnguard.project.template import create_project

INSTANT = pa.timestamp("us", tz="UTC")
LINES = (
    ("looks", "signed_in", 5),
    ("looks", "signed_in", 30),
    ("stops", "signed_in", 5),
    ("stops", "order_completed", 30),
    ("writes", "message_sent", 7),
)


def timeline():
    ids = [f"e{place}" for place in range(len(LINES))]
    customers, events, days = zip(*LINES, strict=True)
    instants = pa.array([day * DAY_US for day in days], INSTANT)
    names = ("event_id", "customer_id", "event", "occurred_at", "received_at")
    return Timeline.from_arrow(pa.table([ids, customers, events, instants, instants], names=names))


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("activity", {"looks": False, "stops": True}),
        ("activity:signed_in", {"looks": False, "stops": True}),
        ("activity:message_sent", {"writes": True}),
        ("order_gap", {}),
    ],
)
def test_activity_asks_for_one_kind_of_event(name, outcome):
    """Who did it in the look-back is eligible; an order saves nobody who no longer looks in."""
    label, cutoff = label_named(name), 20 * DAY_US
    found = label.eligible(timeline(), cutoff, 90)
    gone = label.churned(timeline(), found, np.full(len(found), cutoff), 30)
    assert dict(zip(timeline().customer_ids[found], gone.tolist(), strict=True)) == outcome


def test_every_label_says_what_it_is():
    """Under its own name, with the days of horizon and look-back."""
    for name, label in LABELS.items():
        assert label.name == name
        assert "30 days" in label.told(30, 90)
        assert "90 days" in label.told(30, 90)


@pytest.mark.parametrize("name", ["contract", "activity:", "activity:Signed In", "signed_in"])
def test_a_name_that_is_none_is_refused_with_those_there_are(name):
    """At the label, and at the project's setting."""
    with pytest.raises(InvalidRequest, match="no label") as refused:
        label_named(name)
    assert "subscription" in refused.value.hint


def test_a_project_names_its_label(tmp_path):
    """The default is the order gap; a label that is none names the setting and the choices."""
    create_project(tmp_path / "shop")
    assert read_settings(tmp_path / "shop", {}).label == "order_gap"
    asked = {"CHURNGUARD_LABEL": "activity:message_sent"}
    assert read_settings(tmp_path / "shop", asked).label == "activity:message_sent"
    with pytest.raises(ProjectError, match=r"'label' cannot be used.*activity:EVENT"):
        read_settings(tmp_path / "shop", {"CHURNGUARD_LABEL": "contract"})
