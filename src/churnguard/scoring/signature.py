"""Ed25519 signatures, so that a server loads only bundles that this shop made.

The private key comes from ``CHURNGUARD_SIGNING_KEY`` (or its ``_FILE`` form) or from the file that
``churnguard init`` wrote; public keys are PEM files in the project's ``serving/trust/``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from churnguard.errors import BundleMismatch, StoreError


def new_key_pair() -> tuple[str, str]:
    """Return a new private and public key, both as PEM text.

    Examples
    --------
    >>> private, public = new_key_pair()
    >>> signature = sign(b"manifest", private)
    >>> is_signed_by(b"manifest", signature, [public]), is_signed_by(b"other", signature, [public])
    (True, False)
    """
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private.decode(), _public_pem(key.public_key())


def public_of(private: str) -> str:
    """Return the public key of a private one, both as PEM text."""
    return _public_pem(_private_key(private).public_key())


def fingerprint(public: str) -> str:
    """Return a short name for a public key: the first 16 hex digits of its SHA-256.

    Examples
    --------
    >>> len(fingerprint(new_key_pair()[1]))
    16
    """
    key = _public_key(public).public_bytes(Encoding.Raw, PublicFormat.Raw)
    return hashlib.sha256(key).hexdigest()[:16]


def sign(message: bytes, private: str) -> bytes:
    """Return the 64-byte Ed25519 signature of a message.

    Raises
    ------
    StoreError
        If the private key is not an Ed25519 key in PEM form.
    """
    return _private_key(private).sign(message)


def is_signed_by(message: bytes, signature: bytes, publics: Iterable[str]) -> bool:
    """Tell whether one of the public keys made the signature."""
    for public in publics:
        try:
            _public_key(public).verify(signature, message)
        except InvalidSignature:
            continue
        return True
    return False


def read_trusted(folder: Path) -> list[str]:
    """Return the public keys (PEM) in a trust folder; none when there is no folder."""
    return [file.read_text(encoding="ascii") for file in sorted(folder.glob("*.pem"))]


def _private_key(pem: str) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise StoreError(
            "The signing key is not an Ed25519 private key in PEM form.",
            hint="Make a new pair with 'churnguard keys new-signing'.",
        )
    return key


def _public_key(pem: str) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise BundleMismatch(
            "A file in serving/trust/ is not an Ed25519 public key in PEM form.",
            hint="Remove it, or copy the key there again.",
        )
    return key


def _public_pem(key: Ed25519PublicKey) -> str:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
