"""Signatures of webhooks, by Standard Webhooks 1.0.0 (symmetric form).

An endpoint's secret is derived from the service's own key, the endpoint's id and the secret's
generation: none stands in the store, and a copy of the store signs nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime, timedelta

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from churnguard.jobs.ports import Endpoint

OVERLAP = timedelta(hours=24)
"""How long after a rotation the secret before signs as well."""

_PREFIX = "whsec_"
_BYTES = 32


def webhook_secret(service_key: bytes, endpoint_id: str, generation: int) -> str:
    """Return an endpoint's secret, as it is shown once: ``whsec_`` and base64 of 32 bytes.

    Parameters
    ----------
    service_key : bytes
        The service's own key.
    endpoint_id : str
        Whose secret it is.
    generation : int
        Which of its secrets.

    Examples
    --------
    >>> webhook_secret(b"k" * 32, "we_1", 1) == webhook_secret(b"k" * 32, "we_1", 2)
    False
    """
    info = f"churnguard webhook\0{endpoint_id}\0{generation}".encode()
    derived = HKDF(hashes.SHA256(), length=_BYTES, salt=None, info=info).derive(service_key)
    return _PREFIX + base64.b64encode(derived).decode()


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Return one signature, ``v1,`` and base64 of HMAC-SHA256 over ``id.timestamp.body``.

    Parameters
    ----------
    secret : str
        ``whsec_...``.
    message_id : str
        The header ``webhook-id``.
    timestamp : int
        The header ``webhook-timestamp``, Unix seconds of the attempt.
    body : bytes
        As it is sent.

    Examples
    --------
    The example of the specification:

    >>> signature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek",
    ...           1614265330, b'{"test": 2432232314}')
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
    """
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def signed_headers(
    service_key: bytes, endpoint: Endpoint, *, message_id: str, body: bytes, now: datetime
) -> dict[str, str]:
    """Return the three headers of a delivery; soon after a rotation two secrets sign.

    Parameters
    ----------
    service_key : bytes
        The service's own key.
    endpoint : Endpoint
        Where it goes.
    message_id : str
        The same for every attempt.
    body : bytes
        As it is sent.
    now : datetime
        When the attempt is made.
    """
    timestamp = int(now.timestamp())
    generations = [endpoint.generation]
    rotated = endpoint.rotated_at
    if endpoint.generation > 1 and rotated is not None and now < rotated + OVERLAP:
        generations.append(endpoint.generation - 1)
    secrets = [webhook_secret(service_key, endpoint.endpoint_id, one) for one in generations]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(
            signature(secret, message_id, timestamp, body) for secret in secrets
        ),
    }
