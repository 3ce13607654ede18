"""Senders that die (F39), and the loops that send."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from harness import make_project
from receiver import OK, receiving, status

from churnguard.bootstrap import open_shop
from churnguard.clock import system_clock
from churnguard.errors import StoreUnavailable
from churnguard.jobs import webhooks
from churnguard.jobs.deliver import CLAIM, deliver_due
from churnguard.jobs.loops import Alone, Loop, background_loops, running
from churnguard.jobs.messages import message
from churnguard.testing import fake_shop

ALLOW = {"CHURNGUARD_WEBHOOK_ALLOW": '["127.0.0.0/8"]'}
SENDER = """
import sys
from pathlib import Path
from churnguard.bootstrap import open_shop
from churnguard.jobs.deliver import deliver_due
deliver_due(open_shop(Path(sys.argv[1])))
"""


def _wait(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


@pytest.fixture
def receiver():
    with receiving() as made:
        yield made


def _endpoint(shop, receiver):
    return webhooks.add_webhook(shop, receiver.url, ["risk.raised"], actor="cli:test")


def _tell(shop):
    told = message("risk.raised", {"customer_id": "C1"}, now=shop.clock(), customer_id="C1")
    shop.outbox.put([told])
    return told


def test_a_sender_killed_after_sending_sends_again_under_the_same_id(tmp_path, receiver):
    """F39: kill -9 when the receiver has the message and nobody has marked it: never lost."""
    root = tmp_path / "shop"
    make_project(root)
    shop = open_shop(root, environ=ALLOW)
    there, told = _endpoint(shop, receiver), _tell(shop)
    receiver.mode = "hang"
    sender = subprocess.Popen([sys.executable, "-c", SENDER, str(root)], env=ALLOW)
    _wait(lambda: receiver.requests)
    sender.kill()
    sender.wait()
    (waiting,) = shop.outbox.deliveries(there.endpoint_id)
    assert (waiting.state, waiting.attempts) == ("waiting", 0)
    receiver.mode = OK
    assert dict(deliver_due(shop)) == {}  # for as long as the dead one may still be at it
    later = replace(shop, clock=lambda: system_clock() + CLAIM)
    assert dict(deliver_due(later)) == {"delivered": 1}
    ids = [headers["webhook-id"] for headers, _ in receiver.requests]
    assert ids == [told.message_id] * 2
    assert dict(deliver_due(later)) == {}


def test_messages_are_sent_while_others_are_put(tmp_path, receiver):
    """The loop carries everything away, through a receiver that fails now and then."""
    root = tmp_path / "shop"
    make_project(root)
    shop = open_shop(root, environ=ALLOW)
    there = _endpoint(shop, receiver)
    offset = [timedelta()]
    moving = replace(shop, clock=lambda: system_clock() + offset[0])
    loop = replace(background_loops(moving, lambda: None)[0], seconds=0.01)
    with running([loop]):
        told = set()
        for number in range(30):
            receiver.mode = status(500) if number % 10 == 5 else OK
            told.add(_tell(moving).message_id)
            time.sleep(0.01)
        receiver.mode = OK

        def all_there():
            offset[0] += timedelta(seconds=10)
            found = moving.outbox.deliveries(there.endpoint_id, limit=100)
            return {one.state for one in found} == {"delivered"}

        _wait(all_there)
    assert {headers["webhook-id"] for headers, _ in receiver.requests} == told


def test_a_loop_outlives_what_goes_wrong_in_it(caplog):
    """A step that fails is logged without what it was about, and tried again."""
    steps = []
    done = threading.Event()

    def step():
        steps.append(1)
        if len(steps) < 3:
            raise StoreUnavailable("The store could not be read: gone.")
        done.set()
        return False

    with running([Loop("watch", 0.01, step)]):
        assert done.wait(10)
    facts = [record.facts for record in caplog.records if record.message == "loop failed"]
    assert [one["failures"] for one in facts] == [1, 2]
    assert facts[0]["loop"] == "watch"


def test_a_loop_is_ended_after_its_step():
    begun, ended = threading.Event(), []

    def step():
        begun.set()
        time.sleep(0.2)
        ended.append(1)
        return True

    with running([Loop("slow", 0.01, step)]):
        begun.wait(10)
    assert ended


def test_a_loop_leaves_time_for_others():
    """A step that always has more to do gets its share of the time, and no more."""
    steps = []

    def step():
        steps.append(time.monotonic())
        time.sleep(0.02)
        return True

    with running([Loop("busy", 0.0, step, share=0.1)]):
        time.sleep(0.5)
    gaps = [later - sooner for sooner, later in pairwise(steps)]
    assert gaps
    assert min(gaps) >= 0.15


def test_of_several_processes_one_watches():
    """F30: a lease is kept from step to step, and goes to another when its holder is silent."""
    now = [fake_shop().clock()]
    shop = fake_shop(clock=lambda: now[0])
    one, other = Alone(shop, "risk-watch"), Alone(shop, "risk-watch")
    assert (one(), other(), one()) == (True, False, True)
    now[0] += timedelta(seconds=29)
    assert (one(), other()) == (True, False)
    now[0] += timedelta(seconds=31)
    assert (other(), one()) == (True, False)


@pytest.mark.chaos
def test_a_server_sends_and_a_worker_sends(make_server, receiver):
    """The loops run within serve, and in a worker where the setting keeps them out of serve."""
    inside = make_server("one", environ=ALLOW).start()
    shop = open_shop(inside.root, environ=ALLOW)
    _endpoint(shop, receiver)
    _tell(shop)
    _wait(lambda: len(receiver.requests) == 1)
    assert inside.stop() == 0
    outside = make_server("two", environ=ALLOW | {"CHURNGUARD_BACKGROUND_LOOPS": "false"}).start()
    shop = open_shop(outside.root, environ=ALLOW)
    _endpoint(shop, receiver)
    _tell(shop)
    time.sleep(3)
    assert len(receiver.requests) == 1
    command = [sys.executable, "-m", "churnguard.cli", "worker", "--project", str(outside.root)]
    with (outside.root / "worker.log").open("wb") as log:
        worker = subprocess.Popen(command, stdout=log, stderr=log, env=ALLOW)
    _wait(lambda: len(receiver.requests) == 2)
    worker.terminate()
    assert worker.wait(timeout=60) == 0
    lines = (outside.root / "worker.log").read_text().splitlines()
    told = [json.loads(line) for line in lines if line.startswith("{")]
    assert [one["outcome"] for one in told if one["event"] == "webhook"] == ["delivered"]
