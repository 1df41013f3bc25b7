"""One subject's timeline as bytes: what the online store holds and a decision reads."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np

from features.errors import Integrity
from features.timeline.events import EventTable

_TIMES = ("subject", "valid_from", "valid_to", "known_from", "known_to", "version")


class _Packed(msgspec.Struct, array_like=True, frozen=True):
    rows: int
    names: tuple[str, ...]
    data: bytes
    """int64 little endian [6 + fields, rows]: the five times and the version, then the fields."""


_decoder = msgspec.msgpack.Decoder(dict[str, _Packed])


def pack(tables: Mapping[str, EventTable]) -> bytes:
    """All datasets of one subject, the empty ones too: hydrated and silent is not the same as absent."""
    return msgspec.msgpack.encode({name: _pack(table) for name, table in sorted(tables.items())})


def unpack(data: bytes) -> dict[str, EventTable]:
    """The tables that ``pack`` was given.

    Raises:
        Integrity: not such bytes.
    """
    try:
        return {name: _unpack(packed) for name, packed in _decoder.decode(data).items()}
    except (msgspec.DecodeError, ValueError) as error:
        raise Integrity("a packed timeline cannot be read.", remedy="Hydrate the subject again.") from error


def _pack(table: EventTable) -> _Packed:
    arrays = [getattr(table, name) for name in _TIMES] + list(table.columns.values())
    return _Packed(len(table), tuple(table.columns), np.stack(arrays).astype("<i8").tobytes())


def _unpack(packed: _Packed) -> EventTable:
    matrix = np.frombuffer(packed.data, dtype="<i8").reshape(len(_TIMES) + len(packed.names), packed.rows)
    subject, valid_from, valid_to, known_from, known_to, version = matrix[: len(_TIMES)]
    columns = dict(zip(packed.names, matrix[len(_TIMES) :], strict=True))
    return EventTable(subject, valid_from, valid_to, known_from, known_to, version, columns)
