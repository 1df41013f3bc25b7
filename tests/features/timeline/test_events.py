"""Corrections, views and row hashes."""

from __future__ import annotations

import numpy as np
from hypothesis import given

from features.calendar import NEVER
from features.timeline.events import RETRACTED, Pin, mix
from features.timeline.packed import pack, unpack
from features.timeline.views import Reach, View, sights, through
from tests.features.worlds import HISTORIES, raw_of


def test_a_hash_that_is_itself_a_column_still_tells_rows_apart() -> None:
    subjects = np.arange(50_000, dtype=np.int64)
    constant = np.zeros(50_000, dtype=np.int64)
    assert len(np.unique(mix([subjects, mix([subjects]), constant]))) == 50_000


@given(HISTORIES)
def test_at_every_moment_at_most_one_row_stands_under_a_key(history) -> None:
    if not history:
        return
    table = raw_of(history).resolve()
    for moment in {row["known_from"] for row in history}:
        seen = table.visible(moment)
        keys = list(zip(seen.subject.tolist(), seen.columns["slip"].tolist(), strict=True))
        assert len(keys) == len(set(keys))


@given(HISTORIES)
def test_the_latest_known_row_of_a_key_stands(history) -> None:
    if not history:
        return
    table = raw_of(history).resolve()
    for version, row in enumerate(history, start=1):
        rivals = [
            (other["known_from"], k)
            for k, other in enumerate(history, start=1)
            if (other["subject"], other["slip"]) == (row["subject"], row["slip"])
        ]
        stands = max(rivals) == (row["known_from"], version)
        assert (table.known_to[table.version == version][0] == NEVER) == stands


@given(HISTORIES)
def test_packing_and_unpacking_one_timeline_changes_nothing(history) -> None:
    table = raw_of(history).resolve() if history else raw_of([]).resolve()
    back = unpack(pack({"wages": table, "silent": table.take(np.array([], dtype=np.intp))}))
    assert set(back) == {"wages", "silent"}
    assert all(np.array_equal(back["wages"].columns[name], values) for name, values in table.columns.items())
    assert np.array_equal(back["wages"].known_to, table.known_to)
    assert len(back["silent"]) == 0


@given(HISTORIES)
def test_a_view_shows_each_event_from_its_owner_and_loses_those_without(history) -> None:
    table = raw_of(history).resolve()
    owned = View("wages@payer", "wages", "wages", "payer", Reach.OWNER)
    view = through(sights(owned, table), table, lasting=True)
    ever = table.columns["payer"][table.known_from < table.known_to]
    assert sorted(view.subject.tolist()) == sorted(v for v in ever.tolist() if v >= 0)


def test_a_retraction_hides_what_it_takes_back_from_all_but_older_pins() -> None:
    rows = [
        {"subject": 1, "valid_from": 10, "valid_to": NEVER, "known_from": 20, "slip": 1, "version": 1},
        {"subject": 1, "valid_from": 10, "valid_to": RETRACTED, "known_from": 20, "slip": 1, "version": 2},
        {"subject": 1, "valid_from": 10, "valid_to": NEVER, "known_from": 20, "slip": 2, "version": 1},
    ]
    raw = raw_of([{"amount": 0, "payer": 0, "kind": 0, "born_on": 0, **row} for row in rows])
    assert [len(raw.resolve().visible(t)) for t in (19, 20, 10_000)] == [0, 1, 1]
    assert len(raw.resolve(Pin(1)).visible(20)) == 2
    assert int(raw.resolve().version.max()) == 2
