"""Canonical JSON objects of many rows that have the same names, written from arrays: RFC 8785, as ``canonical_bytes``."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import msgspec
import numpy as np
from numba import njit
from numba.types import Array, float64, int32, int64, uint8, void
from numpy.typing import NDArray

from features.canonical import canonical_bytes

NUMBER, ABSENT = -1, -2
"""Of a cell: it holds its number, or its name is left out of the object."""
_EXACT, _FIXED = 2.0**53, 1e-4
_COMMA, _MINUS, _ZERO, _OPEN, _CLOSE = 44, 45, 48, 123, 125
_MOST_DIGITS = 17
"""Of a whole number below 2**53, with its sign."""
_BLOCK = 16
"""Rows that are written at a time: their texts stay near the processor."""

_F2 = Array(float64, 2, "C", readonly=True)
_W2 = Array(int32, 2, "C", readonly=True)
_U1 = Array(uint8, 1, "C", readonly=True)
_I1 = Array(int64, 1, "C", readonly=True)


class Objects:
    """Objects with some of these names, in the order in which the RFC sorts them; names are plain ASCII."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        order = sorted(range(len(names)), key=self.names.__getitem__)
        self._order = np.array(order, dtype=np.intp)
        self._keys = _Packed([msgspec.json.encode(names[k]) + b":" for k in order])

    def write(
        self, values: NDArray[np.float64], words: NDArray[np.int32], texts: Sequence[bytes] = ()
    ) -> list[bytes]:
        """The object of each row: ``values`` [rows, names] where ``words`` says ``NUMBER``, else the text of that place.

        Raises:
            Invalid: a number that has no canonical form.
        """
        values, words = (
            np.ascontiguousarray(values[:, self._order]),
            np.ascontiguousarray(words[:, self._order]),
        )
        assert words.max(initial=ABSENT) < len(texts)
        table, found = _Packed(texts), []
        width = len(self.names) * (1 + max(_MOST_DIGITS, table.longest)) + 2 + len(self._keys.data)
        ends = np.empty(_BLOCK, dtype=np.int64)
        out = np.empty(0, dtype=np.uint8)
        for start in range(0, len(values), _BLOCK):
            block = slice(start, start + _BLOCK)
            decimals = _decimals(values[block], words[block])
            if len(out) < _BLOCK * width + len(decimals):
                out = np.empty(_BLOCK * width + len(decimals), dtype=np.uint8)
            write_objects(values[block], words[block], *self._keys.arrays, *table.arrays, decimals, out, ends)
            stops = [0, *ends[: len(values[block])].tolist()]
            found += [out[a:b].tobytes() for a, b in pairwise(stops)]
        return found


class _Packed:
    """Texts one after the other, and where each begins."""

    def __init__(self, texts: Sequence[bytes]) -> None:
        self.data = b"".join(texts)
        lengths = [len(text) for text in texts]
        self.longest = max(lengths, default=0)
        starts = np.cumsum([0, *lengths], dtype=np.int64)
        self.arrays = (np.frombuffer(self.data + b"\0", dtype=np.uint8), starts)


def _decimals(values: NDArray[np.float64], words: NDArray[np.int32]) -> NDArray[np.uint8]:
    """The texts of the numbers that are not whole, each with a comma after it, row by row."""
    whole = (values == np.trunc(values)) & (np.abs(values) < _EXACT)
    found = values[(words == NUMBER) & ~whole]
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


@njit(
    void(_F2, _W2, _U1, _I1, _U1, _I1, _U1, Array(uint8, 1, "C"), Array(int64, 1, "C")),
    cache=True,
)  # fmt: skip
def write_objects(values, words, keys, key_starts, texts, text_starts, decimals, out, ends):
    """Write the object of each row into ``out``, and where it ends; columns stand in the order of ``keys``."""
    at, next_ = 0, 0
    for row in range(values.shape[0]):
        out[at] = _OPEN
        at += 1
        first = True
        for column in range(values.shape[1]):
            word = words[row, column]
            if word == ABSENT:
                continue
            if not first:
                out[at] = _COMMA
                at += 1
            first = False
            for place in range(key_starts[column], key_starts[column + 1]):
                out[at] = keys[place]
                at += 1
            if word >= 0:
                for place in range(text_starts[word], text_starts[word + 1]):
                    out[at] = texts[place]
                    at += 1
                continue
            x = values[row, column]
            if abs(x) < _EXACT and x == np.trunc(x):
                at = _whole(np.int64(x), out, at)
                continue
            while decimals[next_] != _COMMA:
                out[at] = decimals[next_]
                at += 1
                next_ += 1
            next_ += 1
        out[at] = _CLOSE
        at += 1
        ends[row] = at
