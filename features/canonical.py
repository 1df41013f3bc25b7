"""One byte form and one digest for every document, so that equal documents have equal digests."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import rfc8785

from features.errors import Invalid


def canonical_bytes(document: Any) -> bytes:
    """RFC 8785 bytes of a JSON-like value or msgspec Struct.

    Integers beyond 2**53 are refused by the RFC: store them as strings.

    Raises:
        Invalid: the value has no canonical form (NaN, infinity, a too large integer).
    """
    try:
        return bytes(rfc8785.dumps(msgspec.to_builtins(document)))
    except rfc8785.CanonicalizationError as error:
        raise Invalid(f"the document has no canonical form: {error}") from error


def digest(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def document_digest(document: Any) -> str:
    """Digest of the canonical bytes of a document."""
    return digest(canonical_bytes(document))


def code_of(text: str) -> int:
    """Stable 48-bit code of a category or opaque id: exact in float64, equal on every machine."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=6).digest(), "big")
