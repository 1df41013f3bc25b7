"""Browsers in which a person has signed in before: whoever guesses elsewhere keeps nobody out of them.

A mark that only this console can make stands in a cookie. Failed sign-ins from a browser with a mark are counted by the mark,
all others by the name and the address, so that a stranger who fails on purpose locks a name for strangers only.
"""

from __future__ import annotations

import hmac
import secrets

PURPOSE = "console.browser"
"""Of the key under which marks are made."""


def mark(key: bytes, tenant: str, name: str) -> str:
    """A new mark of a browser in which this person has signed in."""
    own = secrets.token_urlsafe(16)
    return f"{own}.{_seal(key, own, tenant, name)}"


def known(key: bytes, given: str, tenant: str, name: str) -> str:
    """What tells this browser from others; empty where the mark is no one of ours, or of another person."""
    own, _, sealed = given.partition(".")
    expected = _seal(key, own, tenant, name)
    return own if own and hmac.compare_digest(sealed.encode(), expected.encode()) else ""


def _seal(key: bytes, *parts: str) -> str:
    return hmac.digest(key, "\0".join(parts).encode(), "sha256").hex()
