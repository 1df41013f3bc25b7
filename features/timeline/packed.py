"""One subject's timeline as bytes: what the online store holds and a decision reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.errors import Integrity
from features.timeline.events import EventTable

Int64 = NDArray[np.int64]
TIMES = ("subject", "valid_from", "valid_to", "known_from", "known_to", "version")
"""The rows of a block before its fields."""


class Part(msgspec.Struct, array_like=True, frozen=True):
    """One dataset's place in the data: its block begins at ``start`` (in int64s) and has these rows and fields."""

    name: str
    start: int
    rows: int
    fields: tuple[str, ...]


class _Packed(msgspec.Struct, array_like=True, frozen=True):
    parts: tuple[Part, ...]
    data: bytes
    """A block a dataset, int64 little endian [6 + fields, rows]: the five times and the version, then the fields."""
    tail: int = 0
    disputed: tuple[str, ...] = ()


_decoder = msgspec.msgpack.Decoder(_Packed)


class PackedTimeline(Mapping[str, EventTable]):
    """The tables of one subject by dataset, each made when it is asked for; ``data`` is what the kernel reads.

    ``tail`` is the highest number of a single record that was consulted, ``disputed`` the datasets in which
    the subject disputes a record.
    """

    def __init__(
        self, parts: tuple[Part, ...], data: Int64, tail: int = 0, disputed: tuple[str, ...] = ()
    ) -> None:
        self.parts = {part.name: part for part in parts}
        self.data = data
        self.tail = tail
        self.disputed = disputed

    def __getitem__(self, name: str) -> EventTable:
        """One dataset's events."""
        part = self.parts[name]
        width = len(TIMES) + len(part.fields)
        block = self.data[part.start : part.start + width * part.rows].reshape(width, part.rows)
        columns = dict(zip(part.fields, block[len(TIMES) :], strict=True))
        subject, valid_from, valid_to, known_from, known_to, version = block[: len(TIMES)]
        return EventTable(subject, valid_from, valid_to, known_from, known_to, version, columns)

    def __iter__(self) -> Iterator[str]:
        """Names of datasets."""
        return iter(self.parts)

    def __contains__(self, name: object) -> bool:
        """Whether a dataset is there; no table is made for that."""
        return name in self.parts

    def __len__(self) -> int:
        """Number of datasets."""
        return len(self.parts)


def pack(tables: Mapping[str, EventTable], tail: int = 0, disputed: Iterable[str] = ()) -> bytes:
    """All datasets of one subject, the empty ones too: hydrated and silent is not the same as absent."""
    parts, blocks, start = [], [], 0
    for name, table in sorted(tables.items()):
        parts.append(Part(name, start, len(table), tuple(table.columns)))
        blocks += [getattr(table, each) for each in TIMES] + list(table.columns.values())
        start += (len(TIMES) + len(table.columns)) * len(table)
    data = np.concatenate(blocks).astype("<i8").tobytes() if blocks else b""
    return msgspec.msgpack.encode(_Packed(tuple(parts), data, tail, tuple(disputed)))


def unpack(data: bytes) -> PackedTimeline:
    """The tables that ``pack`` was given.

    Raises:
        Integrity: not such bytes.
    """
    try:
        packed = _decoder.decode(data)
        numbers = np.frombuffer(packed.data, dtype="<i8")
    except (msgspec.DecodeError, ValueError) as error:
        raise Integrity("a packed timeline cannot be read.", remedy="Hydrate the subject again.") from error
    if sum((len(TIMES) + len(part.fields)) * part.rows for part in packed.parts) != len(numbers):
        raise Integrity("a packed timeline was cut.", remedy="Hydrate the subject again.")
    return PackedTimeline(packed.parts, numbers, packed.tail, packed.disputed)
