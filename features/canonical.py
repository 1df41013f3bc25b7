"""One byte form and one digest for every document, so that equal documents have equal digests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

import msgspec
import rfc8785

from features.errors import Invalid

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises of bytes that are no document: not of the form, not UTF-8, nested too deeply."""
_EXACT = 2.0**53
_FIXED = 1e-4
_SORTED = msgspec.json.Encoder(order="sorted")
_FOUR_BYTES = (b"\xf0", b"\xf1", b"\xf2", b"\xf3", b"\xf4")
"""What begins a character beyond the basic plane: a key with one sorts otherwise by UTF-16 than by code point."""
_WIRE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True, check_circular=False)


class _Unusual(Exception):
    """A value whose text Python and the RFC may write differently: the library writes it."""


def canonical_bytes(document: Any) -> bytes:
    """RFC 8785 bytes of a JSON-like value or msgspec Struct.

    Integers beyond 2**53 are refused by the RFC: store them as strings. The library that knows every
    corner of the RFC takes milliseconds for a receipt, so that common values, whose text Python's own
    encoder writes alike, do not pass through it; the tests hold the two against each other.

    Raises:
        Invalid: the value has no canonical form (NaN, infinity, a too large integer).
    """
    value = msgspec.to_builtins(document)
    try:
        return _WIRE.encode(_common(value)).encode()
    except (_Unusual, UnicodeEncodeError):
        return _by_library(value)


def canonical_struct(document: msgspec.Struct, numbers: Iterable[float] = ()) -> bytes:
    """``canonical_bytes`` of a struct, written in C; what looks unusual takes the longer way.

    ``numbers`` are all of its floats, and those of its integers that may be large: others are not looked at, and
    a float in a field that is declared an integer would go unseen.

    Raises:
        Invalid: as ``canonical_bytes``.
    """
    for number in numbers:
        if not (_FIXED <= number < 1.0 or _is_plain(number)):
            return canonical_bytes(document)
    data = _SORTED.encode(document)
    if not data.isascii():
        for byte in _FOUR_BYTES:
            if byte in data:
                return canonical_bytes(document)
    return data


def _is_plain(number: float) -> bool:
    size = abs(number)
    return size < _EXACT and (type(number) is int or (size >= _FIXED and not number.is_integer()))


def number_text(value: float) -> str:
    """The canonical text of a number.

    Raises:
        Invalid: it has none.
    """
    if abs(value) < _EXACT and value == int(value):
        return str(int(value))
    return repr(value) if _FIXED <= abs(value) < _EXACT else canonical_bytes(value).decode()


def _by_library(value: Any) -> bytes:
    try:
        return bytes(rfc8785.dumps(value))
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise Invalid(f"the document has no canonical form: {error}") from error


def _common(value: Any) -> Any:
    """The same value with whole floats as integers."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return value
    if kind is int:
        return _small(value)
    if kind is float:
        return _float(value)
    if kind is dict:
        return {_key(key): _common(item) for key, item in value.items()}
    if kind is list or kind is tuple:
        return [_common(item) for item in value]
    raise _Unusual


def _small(value: int) -> int:
    if -_EXACT < value < _EXACT:
        return value
    raise _Unusual


def _float(value: float) -> int | float:
    if not _FIXED <= abs(value) < _EXACT and value != 0.0:
        raise _Unusual
    return int(value) if value.is_integer() else value


def _key(key: Any) -> str:
    """A key whose order by code point is also its order by UTF-16 unit."""
    if type(key) is str and (key.isascii() or max(key) < "\ud800"):
        return key
    raise _Unusual


def digest(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def document_digest(document: Any) -> str:
    """Digest of the canonical bytes of a document."""
    return digest(canonical_bytes(document))


def code_of(text: str) -> int:
    """Stable 48-bit code of a category or opaque id: exact in float64, equal on every machine."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=6).digest(), "big")
