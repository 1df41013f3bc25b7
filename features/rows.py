"""Canonical JSON of many rows that have the same names, written from arrays: RFC 8785, as ``canonical_bytes``."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import msgspec
import numpy as np
from numba import njit
from numba.types import Array, Tuple, float64, int32, int64, uint8
from numpy.typing import NDArray

from features.canonical import canonical_bytes

NUMBER, ABSENT = -1, -2
"""Of a cell: it holds its number, or its name is left out of the object."""
_EXACT, _FIXED = 2.0**53, 1e-4
_COMMA, _MINUS, _POINT, _ZERO = 44, 45, 46, 48
_MOST_DIGITS = 17
"""Of a whole number below 2**53 or a short decimal, with sign and point."""
_BLOCK = 16
"""Rows that are written at a time: their texts stay near the processor."""

_F2 = Array(float64, 2, "C", readonly=True)
_W2 = Array(int32, 2, "C", readonly=True)
_NOTHING = np.empty(0, dtype=np.uint8)
_U1 = Array(uint8, 1, "C", readonly=True)
_I1 = Array(int64, 1, "C", readonly=True)
_TEXTS = Tuple((_U1, _I1))


class Objects:
    """Objects with some of these names, in the order in which the RFC sorts them; names are plain ASCII.

    ``listed`` writes lists of their values instead, in the same order: for rows whose names stand elsewhere.
    """

    def __init__(self, names: Sequence[str], *, listed: bool = False) -> None:
        self.names = tuple(names)
        order = sorted(range(len(names)), key=self.names.__getitem__)
        self._order = np.array(order, dtype=np.int64)
        self._keys = _Packed([b"" if listed else msgspec.json.encode(names[k]) + b":" for k in order])
        self._ends = np.frombuffer(b"[]" if listed else b"{}", dtype=np.uint8)
        self._last: tuple[tuple[bytes, ...], _Packed] | None = None

    def write(
        self, values: NDArray[np.float64], words: NDArray[np.int32], texts: Sequence[bytes] = ()
    ) -> list[bytes]:
        """The object of each row: ``values`` [rows, names] where ``words`` says ``NUMBER``, else the text of that place.

        Raises:
            Invalid: a number that has no canonical form.
        """
        values, words = np.ascontiguousarray(values), np.ascontiguousarray(words)
        assert words.max(initial=ABSENT) < len(texts)
        table, found = self._packed(texts), []
        decimals, next_ = _decimals(values, words, self._order), 0
        width = len(self.names) * (1 + max(_MOST_DIGITS, table.longest)) + 2 + len(self._keys.data)
        ends = np.empty(_BLOCK, dtype=np.int64)
        out = np.empty(min(len(values), _BLOCK) * width + len(decimals), dtype=np.uint8)
        for start in range(0, len(values), _BLOCK):
            block = slice(start, start + _BLOCK)
            next_ = write_objects(
                values[block], words[block], self._order, self._keys.arrays, table.arrays, decimals, next_,
                self._ends, out, ends,
            )  # fmt: skip
            stops = [0, *ends[: len(values[block])].tolist()]
            found += [out[a:b].tobytes() for a, b in pairwise(stops)]
        return found

    def _packed(self, texts: Sequence[bytes]) -> _Packed:
        """The texts, which mostly are those of the last time."""
        known = tuple(texts)
        if self._last is None or self._last[0] != known:
            self._last = known, _Packed(known)
        return self._last[1]


class _Packed:
    """Texts one after the other, and where each begins."""

    def __init__(self, texts: Sequence[bytes]) -> None:
        self.data = b"".join(texts)
        lengths = [len(text) for text in texts]
        self.longest = max(lengths, default=0)
        starts = np.cumsum([0, *lengths], dtype=np.int64)
        self.arrays = (np.frombuffer(self.data + b"\0", dtype=np.uint8), starts)


def _decimals(
    values: NDArray[np.float64], words: NDArray[np.int32], order: NDArray[np.int64]
) -> NDArray[np.uint8]:
    """The texts of the numbers that are neither whole nor short, each with a comma after it, row by row."""
    found = np.empty(values.size)
    found = found[: fractions(values, words, order, found)]
    if not len(found):
        return _NOTHING
    size = np.abs(found)
    plain = (size >= _FIXED) & (size < _EXACT)
    told = msgspec.json.encode(np.where(plain, found, 0.5).tolist())[1:-1] + b","
    if not plain.all():
        told = _with_unusual(told, found, np.flatnonzero(~plain))
    return np.frombuffer(told, dtype=np.uint8)


def _with_unusual(told: bytes, values: NDArray[np.float64], places: NDArray[np.intp]) -> bytes:
    """The texts with those of the numbers at ``places`` by the library that knows them."""
    texts = told.split(b",")
    for place in places.tolist():
        texts[place] = canonical_bytes(float(values[place]))
    return b",".join(texts)


@njit(cache=True, inline="always")
def _whole(number, out, at):
    """The digits of an integer, from the last one on."""
    ten = np.uint64(10)
    if number < 0:
        out[at] = _MINUS
        at += 1
        number = -number
    left, end, power = np.uint64(number), at + 1, ten
    while left >= power:
        power *= ten
        end += 1
    for place in range(end - 1, at - 1, -1):
        rest = left // ten
        out[place] = np.uint8(_ZERO) + np.uint8(left - ten * rest)
        left = rest
    return end


@njit(cache=True, inline="always")
def _places(x):
    """Two or nine, if so many decimal places say a number exactly; else none.

    A text of at most fifteen digits that reads as ``x`` is the shortest one once its last zeros are left out, because
    no two such texts read alike; and a whole number over a power of ten is rounded as the text of it is read.
    """
    size = abs(x)
    if size < _FIXED or size >= 1e13:
        return 0
    if np.rint(size * 1e2) / 1e2 == size and size < 1e12:
        return 2
    if size < 1e5 and np.rint(size * 1e9) / 1e9 == size:
        return 9
    return 0


@njit(cache=True, inline="always")
def _decimal(x, places, out, at):
    """The text of a number that has so many decimal places, without zeros at its end."""
    if x < 0:
        out[at] = _MINUS
        at += 1
    scale = np.int64(100) if places == 2 else np.int64(1_000_000_000)
    number = np.int64(np.rint(abs(x) * scale))
    whole = number // scale
    rest = number - whole * scale
    at = _whole(whole, out, at)
    while rest % 10 == 0:
        rest //= 10
        places -= 1
    out[at] = _POINT
    for place in range(at + places, at, -1):
        left = rest // 10
        out[place] = np.uint8(_ZERO) + np.uint8(rest - 10 * left)
        rest = left
    return at + places + 1


@njit(int64(_F2, _W2, _I1, Array(float64, 1, "C")), cache=True)
def fractions(values, words, order, out):
    """Gather the numbers that are neither whole nor short, in ``order`` of each row; how many there are."""
    count = 0
    for row in range(values.shape[0]):
        for column in order:
            if words[row, column] == NUMBER:
                x = values[row, column]
                if not (abs(x) < _EXACT and x == np.trunc(x)) and _places(x) == 0:
                    out[count] = x
                    count += 1
    return count


@njit(
    int64(_F2, _W2, _I1, _TEXTS, _TEXTS, _U1, int64, _U1, Array(uint8, 1, "C"), Array(int64, 1, "C")),
    cache=True,
)  # fmt: skip
def write_objects(values, words, order, keys, texts, decimals, next_, brackets, out, ends):
    """Write each row between ``brackets`` into ``out``, and where it ends; ``keys`` stand in ``order``.

    ``decimals`` are read from ``next_`` on; where they go on after the last row is returned.
    """
    at = 0
    keys_, key_starts = keys
    texts_, text_starts = texts
    for row in range(values.shape[0]):
        out[at] = brackets[0]
        at += 1
        first = True
        for place in range(order.shape[0]):
            word = words[row, order[place]]
            if word == ABSENT:
                continue
            if not first:
                out[at] = _COMMA
                at += 1
            first = False
            for letter in range(key_starts[place], key_starts[place + 1]):
                out[at] = keys_[letter]
                at += 1
            if word >= 0:
                for letter in range(text_starts[word], text_starts[word + 1]):
                    out[at] = texts_[letter]
                    at += 1
                continue
            x = values[row, order[place]]
            if abs(x) < _EXACT and x == np.trunc(x):
                at = _whole(np.int64(x), out, at)
                continue
            places = _places(x)
            if places:
                at = _decimal(x, places, out, at)
                continue
            while decimals[next_] != _COMMA:
                out[at] = decimals[next_]
                at += 1
                next_ += 1
            next_ += 1
        out[at] = brackets[1]
        at += 1
        ends[row] = at
    return next_
