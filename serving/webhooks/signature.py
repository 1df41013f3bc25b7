"""Signatures as Standard Webhooks 1.0 has them: HMAC-SHA256 over id, time and body."""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Mapping, Sequence

PREFIX = "whsec_"
_BYTES = 32


def new_secret() -> bytes:
    """What signs an endpoint's messages."""
    return secrets.token_bytes(_BYTES)


def shown(secret: bytes) -> str:
    """A secret as its owner keeps it."""
    return PREFIX + base64.b64encode(secret).decode()


def headers(delivery: str, seconds: int, body: bytes, keys: Sequence[bytes]) -> Mapping[str, str]:
    """The headers of one attempt at ``seconds`` of UTC; one signature a key, a space between them."""
    signed = f"{delivery}.{seconds}.".encode() + body
    found = [base64.b64encode(hmac.digest(key, signed, "sha256")).decode() for key in keys]
    return {
        "webhook-id": delivery,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(f"v1,{each}" for each in found),
    }
