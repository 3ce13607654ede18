"""The harness itself: a server lives, dies and comes back; the checker sees what is wrong."""

from __future__ import annotations

import httpx
import pytest


def test_a_server_is_killed_and_comes_back(make_server):
    """What other tests of faults lean on: a real process, gone at once, and started anew."""
    with make_server() as server:
        with server.client() as client:
            assert client.get("/livez").status_code == 200
        server.kill()
        with pytest.raises(httpx.TransportError), server.client() as client:
            client.get("/livez")


def test_the_checker_sees_what_is_lost_invented_or_doubled(history):
    history.sending(["a", "b", "c"])
    history.told(["a"])
    history.check(["a"])
    history.check(["a", "b"])
    for stored, wrong in ((["b"], "lost"), (["a", "x"], "nobody"), (["a", "b", "b"], "once")):
        with pytest.raises(AssertionError, match=wrong):
            history.check(stored)
