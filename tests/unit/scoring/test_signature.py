"""Only a key of the trust folder makes a signature that holds."""

from __future__ import annotations

import pytest

from churnguard.errors import BundleMismatch, StoreError
from churnguard.scoring.signature import fingerprint, is_signed_by, new_key_pair, public_of, sign


def test_any_changed_byte_breaks_the_signature() -> None:
    private, public = new_key_pair()
    message = b'{"files": {}}'
    signature = sign(message, private)
    assert is_signed_by(message, signature, [public])
    for place in range(len(message)):
        changed = message[:place] + bytes([message[place] ^ 1]) + message[place + 1 :]
        assert not is_signed_by(changed, signature, [public])


def test_a_stranger_s_signature_does_not_hold() -> None:
    (mine, my_public), (theirs, _) = new_key_pair(), new_key_pair()
    assert not is_signed_by(b"x", sign(b"x", theirs), [my_public])
    assert not is_signed_by(b"x", sign(b"x", mine), [])
    assert public_of(mine) == my_public
    assert fingerprint(my_public) == fingerprint(public_of(mine))


def test_what_is_no_key_is_named() -> None:
    with pytest.raises(StoreError, match="signing key"):
        sign(b"x", "nonsense")
    with pytest.raises(BundleMismatch, match="serving/trust"):
        is_signed_by(b"x", b"y" * 64, ["nonsense"])
