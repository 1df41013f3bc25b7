"""One subject's timeline as bytes: what the online store holds and a decision reads.

Names and fields of the datasets are the same for all subjects that were packed under the same definitions, so they stand
apart (``Shape``) and are read once; the numbers are compressed, which the store and the wire take less time for than
decompressing takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.canonical import UNREADABLE
from features.errors import Integrity
from features.timeline.events import EventTable

Int64 = NDArray[np.int64]
TIMES = ("subject", "valid_from", "valid_to", "known_from", "known_to", "version")
"""The rows of a block before its fields."""

_LZ4 = pa.Codec("lz4_raw")
_Named = tuple[tuple[str, tuple[str, ...]], ...]


class Shape:
    """Which datasets are packed, in order, and the fields of each."""

    def __init__(self, named: _Named) -> None:
        self.fields = dict(named)
        self.place = {name: at for at, (name, _) in enumerate(named)}
        self.widths = np.array([len(TIMES) + len(fields) for _, fields in named], dtype=np.int64)

    @staticmethod
    @lru_cache(maxsize=256)
    def read(data: bytes) -> Shape:
        """The shape in these bytes; the same bytes give the same object."""
        return Shape(_names.decode(data))


class _Packed(msgspec.Struct, array_like=True, frozen=True):
    """``data`` is compressed: a block a dataset, int64 little endian [6 + fields, rows]: the five times and the version,
    then the fields. ``rows`` are int64 too.
    """

    shape: bytes
    rows: bytes
    data: bytes
    tail: int = 0
    disputed: tuple[str, ...] = ()


class _Part(msgspec.Struct, array_like=True, frozen=True):
    name: str
    start: int
    rows: int
    fields: tuple[str, ...]


class _First(msgspec.Struct, array_like=True, frozen=True):
    """How timelines were packed at first: names with every subject, numbers as they are."""

    parts: tuple[_Part, ...]
    data: bytes
    tail: int = 0
    disputed: tuple[str, ...] = ()


_names = msgspec.msgpack.Decoder(_Named)
_decoder = msgspec.msgpack.Decoder(_Packed)
_first = msgspec.msgpack.Decoder(_First)


class PackedTimeline(Mapping[str, EventTable]):
    """The tables of one subject by dataset, each made when it is asked for; ``data`` is what the kernel reads.

    ``rows`` and ``starts`` (in int64s) are those of each dataset of the shape. ``tail`` is the highest number of a single
    record that was consulted, ``disputed`` the datasets in which the subject disputes a record.
    """

    def __init__(
        self, shape: Shape, rows: Int64, data: Int64, tail: int = 0, disputed: tuple[str, ...] = ()
    ) -> None:
        self.shape = shape
        self.rows = rows
        self.starts = np.zeros(len(rows) + 1, dtype=np.int64)
        np.cumsum(rows * shape.widths, out=self.starts[1:])
        self.data = data
        self.tail = tail
        self.disputed = disputed

    def __getitem__(self, name: str) -> EventTable:
        """One dataset's events."""
        place = self.shape.place[name]
        fields = self.shape.fields[name]
        width = len(TIMES) + len(fields)
        block = self.data[self.starts[place] : self.starts[place + 1]].reshape(width, int(self.rows[place]))
        columns = dict(zip(fields, block[len(TIMES) :], strict=True))
        subject, valid_from, valid_to, known_from, known_to, version = block[: len(TIMES)]
        return EventTable(subject, valid_from, valid_to, known_from, known_to, version, columns)

    def __iter__(self) -> Iterator[str]:
        """Names of datasets."""
        return iter(self.shape.place)

    def __contains__(self, name: object) -> bool:
        """Whether a dataset is there; no table is made for that."""
        return name in self.shape.place

    def __len__(self) -> int:
        """Number of datasets."""
        return len(self.shape.place)


def pack(tables: Mapping[str, EventTable], tail: int = 0, disputed: Iterable[str] = ()) -> bytes:
    """All datasets of one subject, the empty ones too: hydrated and silent is not the same as absent."""
    named = [(name, tuple(table.columns)) for name, table in sorted(tables.items())]
    rows = np.array([len(tables[name]) for name, _ in named], dtype="<i8")
    blocks = [
        column
        for name, _ in named
        for column in (*(getattr(tables[name], each) for each in TIMES), *tables[name].columns.values())
    ]
    data = np.concatenate(blocks).astype("<i8").tobytes() if blocks else b""
    shape = msgspec.msgpack.encode(named)
    return msgspec.msgpack.encode(
        _Packed(shape, rows.tobytes(), _LZ4.compress(data, asbytes=True), tail, tuple(disputed))
    )


def unpack(data: bytes) -> PackedTimeline:
    """The tables that ``pack`` was given.

    Raises:
        Integrity: not such bytes.
    """
    try:
        return _unpacked(_decoder.decode(data))
    except msgspec.ValidationError:
        return _unpack_first(data)
    except (*UNREADABLE, ValueError, OSError) as error:
        raise _Unreadable from error


def _unpacked(packed: _Packed) -> PackedTimeline:
    shape = Shape.read(packed.shape)
    rows = np.frombuffer(packed.rows, dtype="<i8")
    if len(rows) != len(shape.widths):
        raise _Cut
    size = int(rows @ shape.widths) * 8
    numbers = np.frombuffer(_LZ4.decompress(packed.data, size), dtype="<i8")
    return PackedTimeline(shape, rows, numbers, packed.tail, packed.disputed)


def _unpack_first(data: bytes) -> PackedTimeline:
    try:
        packed = _first.decode(data)
        numbers = np.frombuffer(packed.data, dtype="<i8")
    except (*UNREADABLE, ValueError) as error:
        raise _Unreadable from error
    shape = Shape.read(msgspec.msgpack.encode([(part.name, part.fields) for part in packed.parts]))
    rows = np.array([part.rows for part in packed.parts], dtype=np.int64)
    if int(rows @ shape.widths) != len(numbers):
        raise _Cut
    return PackedTimeline(shape, rows, numbers, packed.tail, packed.disputed)


class _Unreadable(Integrity):
    def __init__(self) -> None:
        super().__init__(
            "a packed timeline cannot be read.", remedy="Hydrate the subject again.", code="integrity"
        )


class _Cut(Integrity):
    def __init__(self) -> None:
        super().__init__("a packed timeline was cut.", remedy="Hydrate the subject again.", code="integrity")
