"""Timelines that were packed in the first form are read as those of today."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from features.errors import Integrity
from features.timeline.events import EventTable
from features.timeline.packed import TIMES, pack, unpack


def table(rows: int, seed: int = 0) -> EventTable:
    """Events of two fields."""
    numbers = np.random.default_rng(seed).integers(-(2**62), 2**62, size=(len(TIMES) + 2, rows))
    return EventTable(*numbers[: len(TIMES)], {"amount": numbers[-2], "payer": numbers[-1]})


def packed_first(tables: dict[str, EventTable], tail: int, disputed: tuple[str, ...]) -> bytes:
    """As the first form had it: each dataset's name, start, rows and fields, then the bare numbers."""
    parts, blocks, start = [], [], 0
    for name, each in sorted(tables.items()):
        parts.append([name, start, len(each), list(each.columns)])
        blocks += [getattr(each, time) for time in TIMES] + list(each.columns.values())
        start += (len(TIMES) + len(each.columns)) * len(each)
    return msgspec.msgpack.encode([parts, np.concatenate(blocks).astype("<i8").tobytes(), tail, disputed])


TABLES = {"wages": table(3), "silent": table(0), "court": table(5, 1)}


def test_the_first_form_reads_as_todays() -> None:
    old, new = unpack(packed_first(TABLES, 7, ("court",))), unpack(pack(TABLES, 7, ("court",)))
    assert list(old) == list(new) == ["court", "silent", "wages"]
    assert (old.tail, old.disputed) == (new.tail, new.disputed) == (7, ("court",))
    for name, each in TABLES.items():
        for found in (old[name], new[name]):
            assert np.array_equal(found.known_from, each.known_from)
            assert {n: c.tolist() for n, c in found.columns.items()} == {
                n: c.tolist() for n, c in each.columns.items()
            }


def test_subjects_of_one_plan_share_their_shape() -> None:
    assert unpack(pack(TABLES)).shape is unpack(pack({**TABLES, "wages": table(9)})).shape


@pytest.mark.parametrize("at", [1, -1, 40])
def test_what_was_cut_is_refused(at: int) -> None:
    for whole in (pack(TABLES), packed_first(TABLES, 0, ())):
        with pytest.raises(Integrity, match="packed timeline"):
            unpack(whole[:at])
