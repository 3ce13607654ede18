"""Receivers that are down, slow, hostile or gone (F38), and what is sent to them."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from receiver import OK, receiving, self_signed, status

from churnguard.jobs import webhooks
from churnguard.jobs.deliver import SCHEDULE_SECONDS, deliver_due
from churnguard.jobs.messages import message
from churnguard.jobs.webhook_signature import signature
from churnguard.store.courier import MOST_READ, HttpCourier
from churnguard.testing import NOON, FakeCourier, fake_shop

OWN = ("127.0.0.0/8",)


class Clock:
    """A clock that a test moves."""

    def __init__(self):
        self.now = NOON

    def __call__(self):
        return self.now


@pytest.fixture
def receiver():
    with receiving() as made:
        yield made


@pytest.fixture
def shop(tmp_path):
    """A shop that may send to this machine, whose deliveries may take a second."""
    return fake_shop(root=tmp_path, clock=Clock(), courier=HttpCourier(OWN, timeout=1.0))


def _endpoint(shop, url):
    return webhooks.add_webhook(shop, url, ["risk.raised"], actor="cli:test")


def _put(shop, customer_id="C1"):
    told = message("risk.raised", {"customer_id": customer_id}, now=shop.clock())
    told = replace(told, customer_id=customer_id)
    shop.outbox.put([told])
    return told


def _send(shop):
    return dict(deliver_due(shop, draw=lambda: 0.5))


def test_a_delivery_is_signed_as_standard_webhooks_has_it(shop, receiver):
    """The receiver can check id, time and raw body with the secret that was shown once."""
    there = _endpoint(shop, receiver.url)
    told = _put(shop)
    assert _send(shop) == {"delivered": 1}
    ((headers, body),) = receiver.requests
    assert headers[":line"] == "POST /hook?shop=1 HTTP/1.1"
    assert headers["host"] == f"127.0.0.1:{receiver.port}"
    assert headers["webhook-id"] == told.message_id
    stamp = int(headers["webhook-timestamp"])
    assert stamp == int(NOON.timestamp())
    secret = webhooks.shown_secret(shop, there.endpoint_id, 1)
    assert headers["webhook-signature"] == signature(secret, told.message_id, stamp, body)
    assert json.loads(body) == json.loads(told.body)
    assert {"type", "timestamp", "data"} == json.loads(body).keys()
    assert _send(shop) == {}


def test_for_a_day_after_a_rotation_both_secrets_sign(shop, receiver):
    there = _endpoint(shop, receiver.url)
    webhooks.rotate_webhook(shop, there.endpoint_id, actor="cli:test")
    for hours, signatures in ((1, 2), (25, 1)):
        shop.clock.now = NOON + timedelta(hours=hours)
        _put(shop)
        _send(shop)
        headers, body = receiver.requests[-1]
        found = headers["webhook-signature"].split(" ")
        secrets = [webhooks.shown_secret(shop, there.endpoint_id, one) for one in (2, 1)]
        stamp = int(headers["webhook-timestamp"])
        wanted = [signature(secret, headers["webhook-id"], stamp, body) for secret in secrets]
        assert found == wanted[:signatures]


@pytest.mark.parametrize(
    ("mode", "error"),
    [
        (status(500), "status_500"),
        (status(302, "Location: http://169.254.169.254/latest/meta-data"), "status_302"),
        (status(301, "Location: /elsewhere"), "status_301"),
        (b"SSH-2.0-OpenSSH_9.9\r\n", "not_http"),
        (b"", "reset"),
        ("reset", "reset"),
    ],
)
def test_whatever_is_not_2xx_is_sent_again(shop, receiver, mode, error):
    """A failure, a redirect (followed nowhere), no HTTP at all, a cut: each waits for the next."""
    there = _endpoint(shop, receiver.url)
    told = _put(shop)
    receiver.mode = mode
    assert _send(shop) == {"waiting": 1}
    (one,) = shop.outbox.deliveries(there.endpoint_id)
    assert (one.state, one.attempts, one.last_error) == ("waiting", 1, error)
    assert len(receiver.requests) == 1
    assert one.next_at - NOON == timedelta(seconds=5.5)
    assert _send(shop) == {}
    receiver.mode = OK
    shop.clock.now = one.next_at
    assert _send(shop) == {"delivered": 1}
    first, second = (headers["webhook-id"] for headers, _ in receiver.requests)
    assert first == second == told.message_id


@pytest.mark.parametrize("mode", ["hang", "drip"])
def test_a_slow_receiver_is_given_up_in_time(shop, receiver, mode):
    """All of a delivery has one limit, also where a byte arrives now and then."""
    there = _endpoint(shop, receiver.url)
    _put(shop)
    receiver.mode = mode
    started = time.monotonic()
    assert _send(shop) == {"waiting": 1}
    assert time.monotonic() - started < 3
    (one,) = shop.outbox.deliveries(there.endpoint_id)
    assert one.last_error == "timeout"


def test_an_answer_without_end_is_not_read(shop, receiver):
    """A gigabyte is answered; some of it may be on its way, little of it is read."""
    _endpoint(shop, receiver.url)
    _put(shop)
    receiver.mode = "huge"
    assert _send(shop) == {"delivered": 1}
    time.sleep(0.2)
    assert receiver.read_back < 100 * MOST_READ


def test_a_receiver_that_is_down_is_tried_for_three_days_then_it_fails_and_can_be_replayed(shop):
    with receiving() as gone:
        url = gone.url
    there = _endpoint(shop, url)
    told = _put(shop)
    waits = []
    for _ in SCHEDULE_SECONDS:
        before = shop.clock()
        (outcome,) = _send(shop)
        (one,) = shop.outbox.deliveries(there.endpoint_id)
        waits.append(one.next_at - before)
        shop.clock.now = one.next_at
    assert outcome == "failed"
    assert (one.attempts, one.last_error) == (10, "refused")
    wanted = [timedelta(seconds=1.1 * seconds) for seconds in SCHEDULE_SECONDS[1:]]
    assert waits[:-1] == wanted
    assert _send(shop) == {}
    assert webhooks.replay(shop, there.endpoint_id, message_ids=[told.message_id]) == 1
    assert _send(shop) == {"waiting": 1}


def test_gone_disables_the_endpoint(shop, receiver):
    """410: nothing is sent any more, what waited is kept as failed and can be replayed."""
    there = _endpoint(shop, receiver.url)
    _put(shop)
    _put(shop, "C2")
    receiver.mode = status(410)
    assert _send(shop) == {"failed": 1}
    assert webhooks.webhook(shop, there.endpoint_id).disabled_reason == "gone"
    assert _send(shop) == {}
    assert dict(shop.outbox.counts()) == {"failed": 2}
    assert len(receiver.requests) == 1
    receiver.mode = OK
    webhooks.enable_webhook(shop, there.endpoint_id)
    assert webhooks.replay(shop, there.endpoint_id) == 2
    assert _send(shop) == {"delivered": 2}


@pytest.mark.parametrize("code", [429, 503])
@pytest.mark.parametrize(
    ("asked", "seconds"),
    [("600", 600), ("Sat, 21 Nov 2026 12:20:00 GMT", 1200), ("1", 5.5), ("soon", 5.5)],
)
def test_a_receiver_may_ask_us_to_wait(shop, receiver, code, asked, seconds):
    """Retry-After is obeyed, as a number or a date; it never shortens the wait."""
    shop = replace(shop, courier=HttpCourier(OWN, timeout=1.0, clock=shop.clock))
    there = _endpoint(shop, receiver.url)
    _put(shop)
    receiver.mode = status(code, f"Retry-After: {asked}")
    assert _send(shop) == {"waiting": 1}
    (one,) = shop.outbox.deliveries(there.endpoint_id)
    assert one.next_at - NOON == timedelta(seconds=seconds)


def test_a_certificate_that_nobody_trusts_is_not_sent_to(shop, tmp_path):
    with receiving(self_signed(tmp_path)) as receiver:
        there = _endpoint(shop, receiver.url)
        _put(shop)
        assert _send(shop) == {"waiting": 1}
        assert receiver.requests == []
    (one,) = shop.outbox.deliveries(there.endpoint_id)
    assert one.last_error == "tls"


def test_a_receiver_that_fails_holds_up_nobody_else(shop, receiver):
    with receiving() as gone:
        dead = gone.url
    _endpoint(shop, dead)
    _endpoint(shop, receiver.url)
    for number in range(5):
        _put(shop, f"C{number}")
    assert _send(shop) == {"delivered": 5, "waiting": 1}
    assert _send(shop) == {}


def test_who_objects_between_writing_and_sending_is_not_told_of(shop, receiver):
    """F45: the check is made right before each sending; the erased are told of all the same."""
    import pyarrow as pa

    from churnguard.events.customers import CUSTOMER_SCHEMA

    there = webhooks.add_webhook(
        shop, receiver.url, ["risk.raised", "subject.erased"], actor="cli:test"
    )
    _put(shop, "C1")
    _put(shop, "C2")
    erased = replace(message("subject.erased", {}, now=NOON), customer_id="C1")
    shop.outbox.put([erased])
    row = dict.fromkeys(CUSTOMER_SCHEMA.names) | {"customer_id": "C1", "opt_out_profiling": True}
    shop.events.put_customers(pa.Table.from_pylist([row], schema=CUSTOMER_SCHEMA))
    assert _send(shop) == {"cancelled": 1, "delivered": 2}
    (one,) = shop.outbox.deliveries(there.endpoint_id, state="cancelled")
    assert (one.message.customer_id, one.last_error) == ("C1", "objected")
    assert b"C1" not in b"".join(body for _, body in receiver.requests)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "0.0.0.0", "224.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1",
        "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2001:0:7f00:1::", "2001:db8::1",
    ],
)  # fmt: skip
def test_nothing_is_sent_to_private_addresses(address):
    """SSRF: neither by address nor by a name that leads there, one of several included."""
    courier = HttpCourier(resolve=lambda _host, _port: ["93.184.216.34", address])
    host = f"[{address}]" if ":" in address else address
    assert courier.refuse(f"https://{host}/") is not None
    assert courier.refuse("https://crm.example/") is None
    receipt = courier.post("https://crm.example/", b"{}", {})
    assert (receipt.status, receipt.error) == (None, "address_refused")


def test_a_name_is_resolved_once_and_never_again(receiver):
    """DNS rebinding: the address that was looked at is the one that is connected to."""
    asked = []

    def resolve(host, port):
        asked.append((host, port))
        return ["127.0.0.1"]

    courier = HttpCourier(OWN, resolve=resolve)
    receipt = courier.post(f"http://no-such-host.invalid:{receiver.port}/a", b"{}", {})
    assert receipt.status == 204
    assert asked == [("no-such-host.invalid", receiver.port)]
    assert receiver.requests[0][0]["host"] == f"no-such-host.invalid:{receiver.port}"


@pytest.mark.parametrize(
    "url",
    [
        "ftp://crm.example/", "crm.example", "https://", "https://user:pw@crm.example/",
        "https://crm.example:99999/", "https://crm.example/a b", "https://crm.example/\r\nX: 1",
        "https://crm.éxample/", "http://crm.example/", "file:///etc/passwd", "https://[::1/",
    ],
)  # fmt: skip
def test_addresses_that_are_none_are_refused(url):
    courier = HttpCourier()
    assert courier.refuse(url) is not None
    if not url.startswith("http://"):
        assert courier.post(url, b"{}", {}).error == "bad_url"


def test_plain_http_is_for_the_own_network_only():
    public = HttpCourier(OWN, resolve=lambda _host, _port: ["93.184.216.34"])
    assert public.post("http://crm.example/", b"{}", {}).error == "address_refused"
    assert HttpCourier().refuse("http://93.184.216.34/") is not None
    assert HttpCourier(OWN).refuse("http://127.0.0.1:8080/") is None


def test_an_unknown_name_waits_for_better_days():
    def resolve(_host, _port):
        raise OSError("no such host")

    assert (
        HttpCourier(resolve=resolve).post("https://crm.example/", b"", {}).error == "unknown_host"
    )


def test_a_message_is_the_same_bytes_at_every_attempt(tmp_path):
    """What is signed is what is sent, whatever becomes of settings meanwhile."""
    courier = FakeCourier()
    shop = fake_shop(root=tmp_path, courier=courier)
    webhooks.add_webhook(shop, "https://a.example", ["risk.raised"], actor="cli:test")
    told = _put(shop)
    _send(shop)
    assert courier.sent[0][1] == told.body.encode()
