"""Batches, single records, flushes and compactions in any order: every pin reads what plain lists say."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.calendar import DAY, NEVER, NULL, instant, months_before
from features.contracts.model import Contract
from features.timeline.compaction import aged_of, compact, lost_since
from features.timeline.events import RETRACTED, TAIL, Int64, Pin, RawEvents, empty_raw, mix
from features.timeline.lake import BUCKET_BITS, Batch, Lake
from features.timeline.life import expired, expiry, months_after
from tests.features.worlds import WAGES

CONTRACT = msgspec.convert(
    {**WAGES, "links": [{"kind": "boss", "to": "person", "field": "payer"}], "retention_months": 60}, Contract
)
BOOK = {"wages": CONTRACT}
BEGIN = instant("2015-01-31")
FAR = 1 << BUCKET_BITS
PEOPLE = (1, 2, FAR)
Row = dict[str, int]


@dataclass
class Waiting:
    """A tail that is a list."""

    held: list[Row] = field(default_factory=list)

    def rows(self, _: Contract, subjects: list[int] | None, by: str) -> RawEvents:
        """See ``Tail.rows``."""
        found = [r for r in self.held if subjects is None or r[by] in subjects]
        return raw_of(found)


def raw_of(rows: list[Row]) -> RawEvents:
    """Rows as a lake takes them."""
    if not rows:
        return empty_raw(CONTRACT.names)

    def column(name: str) -> Int64:
        return np.array([row[name] for row in rows], dtype=np.int64)

    columns = {n: column(n) for n in ("slip", "amount", "payer")}
    columns |= {"paid_on": column("valid_from"), "until": column("valid_to"), "told_on": column("known_from")}
    absent = np.full(len(rows), NULL)
    times = (
        column("subject"),
        column("valid_from"),
        column("valid_to"),
        column("known_from"),
        column("version"),
    )
    return RawEvents(*times, mix([columns["slip"]]), {n: columns.get(n, absent) for n in CONTRACT.names})


@st.composite
def row(draw: st.DrawFn) -> Row:
    """A record of the years 2015 and 2016; ties are frequent."""
    begin = BEGIN + 30 * DAY * draw(st.integers(0, 20))
    return {
        "subject": draw(st.sampled_from(PEOPLE)), "valid_from": begin,
        "valid_to": draw(st.sampled_from([NEVER, begin, begin + 400 * DAY, RETRACTED])),
        "known_from": begin + draw(st.sampled_from([0, 30, 300])) * DAY, "slip": draw(st.integers(0, 2)),
        "amount": draw(st.integers(0, 3)), "payer": draw(st.sampled_from([NULL, *PEOPLE])),
    }  # fmt: skip


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("batch"), st.lists(row(), min_size=1, max_size=4)),
        st.tuples(st.just("record"), row()),
        st.tuples(st.just("flush"), st.none()),
        st.tuples(st.just("cut"), st.none()),
        st.tuples(st.just("compact"), st.none()),
    ),
    max_size=9,
)
Seen = list[tuple[int, ...]]


def oracle(rows: list[Row], pin: Pin, as_of: int) -> Seen:
    """What is seen, record by record, over plain lists."""
    seen = [r for r in rows if r["version"] <= pin.lake or TAIL < r["version"] <= TAIL + pin.tail]
    found: Seen = []
    for subject, slip in {(r["subject"], r["slip"]) for r in seen}:
        chain = [r for r in seen if (r["subject"], r["slip"]) == (subject, slip) and r["known_from"] <= as_of]
        if not chain:
            continue
        last = max(chain, key=lambda r: (r["known_from"], r["version"]))
        ended = last["valid_to"] != NEVER and months_before(as_of, 60) >= last["valid_to"]
        if last["valid_to"] != RETRACTED and not ended:
            found.append(told(last))
    return sorted(found)


def told(r: Row) -> tuple[int, ...]:
    return (r["subject"], r["slip"], r["valid_from"], r["valid_to"], r["amount"], r["payer"])


def read(lake: Lake, pin: Pin, as_of: int, *, whole: bool) -> Seen:
    """The same of a lake, read whole or subject by subject."""
    if whole:
        tables = [lake.read(CONTRACT, pin=pin)]
    else:
        tables = [lake.subject_tables(BOOK, person, pin=pin)["wages"] for person in PEOPLE]
    found: Seen = []
    for table in tables:
        now = table.visible(as_of)
        c = now.columns
        columns = (now.subject, c["slip"], now.valid_from, now.valid_to, c["amount"], c["payer"])
        found += zip(*(column.tolist() for column in columns), strict=True)
    return sorted(found)


@dataclass
class World:
    """A lake with its tail, and all that was accepted in plain lists."""

    lake: Lake
    tail: Waiting
    rows: list[Row] = field(default_factory=list)
    batches: int = 0
    numbered: int = 0
    written: int = 0

    def step(self, kind: str, what: Any, now: int) -> None:
        """One thing that happens."""
        if kind == "batch":
            self.batch(what)
        elif kind == "record":
            self.numbered += 1
            self.rows.append({**what, "version": TAIL + self.numbered})
            self.tail.held.append(self.rows[-1])
        elif kind == "compact":
            list(compact(self.lake, BOOK, now))
        else:
            self.flush(cut=kind == "cut")

    def batch(self, rows: list[Row]) -> None:
        """Rows that are not stored yet, one of a kind."""
        self.batches = self.lake.next_version()
        fresh: dict[tuple[int, ...], Row] = {}
        for each in rows:
            fresh.setdefault((*told(each), each["known_from"]), {**each, "version": self.batches})
        stored = {(*told(r), r["known_from"]) for r in self.rows if r["version"] <= TAIL + self.written}
        kept = [each for key, each in fresh.items() if key not in stored]
        one_a_moment = {(r["subject"], r["slip"], r["known_from"]): r for r in kept}
        chosen = list(one_a_moment.values())
        if chosen:
            raw = raw_of(chosen)
            assert self.lake.append("wages", raw, raw.subject < 0) == len(chosen)
            self.rows += chosen

    def flush(self, *, cut: bool) -> None:
        """As ``serving.records.flush``; cut off before the tail is emptied, or before it is told."""
        done = self.lake.flushed()
        last = self.lake.flushing() if self.lake.flushing() > done else self.numbered
        if last == done:
            return
        self.lake.begin_flush(last)
        chosen = [r for r in self.tail.held if done < r["version"] - TAIL <= last]
        raw = raw_of(chosen)
        self.lake.flush("wages", Batch(raw, raw.subject < 0), done + 1, last)
        self.written = last
        if cut:
            return
        self.lake.end_flush(last)
        self.tail.held = [r for r in self.tail.held if r["version"] - TAIL > last]


def world(folder: Path) -> World:
    tail = Waiting()
    return World(Lake(folder, tail), tail)


@settings(max_examples=60, deadline=None)
@given(STEPS, st.integers(0, 40), st.data())
def test_every_read_at_every_pin_is_what_plain_lists_say(tmp_path_factory, steps, months, data) -> None:
    found = world(tmp_path_factory.mktemp("lake"))
    pins: list[Pin] = []
    for kind, what in [*steps, ("compact", None)]:
        found.step(kind, what, now=BEGIN - DAY)  # nothing is past its retention yet
        pins.append(Pin(found.lake.settled(), found.numbered))
        pin = data.draw(st.sampled_from(pins))
        as_of = BEGIN + 60 * DAY * months
        expected = oracle(found.rows, pin, as_of)
        assert read(found.lake, pin, as_of, whole=True) == expected
        assert read(found.lake, pin, as_of, whole=False) == expected


@settings(max_examples=80, deadline=None)
@given(STEPS, st.integers(0, 40), st.integers(0, 40))
def test_what_retention_drops_nobody_could_have_seen(tmp_path_factory, steps, before, later) -> None:
    found = world(tmp_path_factory.mktemp("lake"))
    now = BEGIN + 60 * DAY * before
    for kind, what in [*steps, ("flush", None), ("compact", None)]:
        if kind == "batch" and before and any(each["known_from"] > now for each in what):
            continue
        found.step(
            kind, what, now=now if kind == "compact" and what is None and not found.tail.held else BEGIN - DAY
        )
    as_of = now + 60 * DAY * later
    pin = Pin(found.lake.settled(), found.numbered)
    assert read(found.lake, pin, as_of, whole=True) == oracle(found.rows, pin, as_of)


def test_a_closed_case_is_gone_sixty_months_after_its_end_and_its_opening_with_it(tmp_path) -> None:
    found = world(tmp_path)
    end = instant("2016-02-29")
    case = {"subject": 1, "slip": 1, "valid_from": BEGIN, "amount": 9, "payer": NULL}
    found.batch([{**case, "valid_to": NEVER, "known_from": BEGIN}])
    found.batch([{**case, "valid_to": end, "known_from": end}])
    last_day = instant("2021-02-28")
    pin = Pin(2)
    assert len(read(found.lake, pin, last_day - 1, whole=True)) == 1
    assert read(found.lake, pin, last_day, whole=True) == []
    (done,) = compact(found.lake, BOOK, last_day)
    assert (done.rows, done.aged) == (0, 2)
    assert len(found.lake.raw(CONTRACT, None).subject) == 0
    assert aged_of(tmp_path / "wages" / "00000")[:, 0].tolist() == [1]
    assert lost_since(found.lake, BOOK, 1, last_day - DAY)
    assert not lost_since(found.lake, BOOK, 1, last_day)
    assert not lost_since(found.lake, BOOK, 2, BEGIN)
    assert list(compact(found.lake, BOOK, last_day)) == []


def test_an_erased_subject_is_not_read_at_once_and_not_stored_after_the_compaction(tmp_path) -> None:
    found = world(tmp_path)
    mine = {"valid_from": BEGIN, "valid_to": NEVER, "known_from": BEGIN, "slip": 1, "amount": 9}
    found.batch([{**mine, "subject": 1, "payer": 2}, {**mine, "subject": 2, "payer": 1}])
    found.step("record", {**mine, "subject": FAR, "payer": 1}, BEGIN)
    found.lake.erase([1])
    raw = found.lake.raw(CONTRACT, None)
    assert (sorted(raw.subject.tolist()), set(raw.columns["payer"].tolist())) == ([2, FAR], {NULL})
    assert (
        len(found.lake.raw(CONTRACT, [1]).subject) == len(found.lake.raw(CONTRACT, [1], "payer").subject) == 0
    )
    found.step("flush", None, BEGIN)
    assert sum(done.erased for done in compact(found.lake, BOOK, BEGIN)) == 1
    (tmp_path / "_erased").unlink()
    raw = found.lake.raw(CONTRACT, None)
    assert (sorted(raw.subject.tolist()), set(raw.columns["payer"].tolist())) == ([2, FAR], {NULL})


def test_a_reader_whose_files_a_compaction_takes_away_reads_on(tmp_path, monkeypatch) -> None:
    found = world(tmp_path)
    mine = {"subject": 1, "valid_from": BEGIN, "valid_to": NEVER, "payer": NULL, "amount": 1}
    for k in range(3):
        found.batch([{**mine, "slip": k, "known_from": BEGIN}])
    listed = Lake.segments
    turns: list[int] = []

    def meanwhile(lake: Lake, dataset: str, buckets: Any = None) -> list[Path]:
        paths = listed(lake, dataset, buckets)
        if len(turns) < 2:
            turns.append(len(paths))
            monkeypatch.setattr(Lake, "segments", listed)
            list(compact(found.lake, BOOK, BEGIN))
            monkeypatch.setattr(Lake, "segments", meanwhile)
        return paths

    monkeypatch.setattr(Lake, "segments", meanwhile)
    assert len(found.lake.raw(CONTRACT, [1]).subject) == 3
    assert turns == [3, 1]


@given(st.integers(-60_000, 60_000), st.integers(0, 24 * 3600 - 1), st.integers(0, 240))
def test_months_are_added_as_they_are_taken_away(day, second, months) -> None:
    moment = BEGIN + day * DAY + second * 1_000_000
    assert int(months_after(np.array([moment]), months)[0]) == months_before(moment, -months)


def test_what_never_ends_or_has_no_time_is_kept() -> None:
    never = np.array([NEVER, RETRACTED])
    assert expiry(CONTRACT, never, never).tolist() == [NEVER, NEVER]
    timeless = msgspec.convert({**WAGES, "history": "static"}, Contract)
    assert expiry(timeless, np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)).tolist() == [NEVER]
    assert not expired(CONTRACT, empty_raw(CONTRACT.names), BEGIN).size


@pytest.mark.parametrize("version", [[], [3], [TAIL + 2], [3, TAIL + 2, 1]])
def test_a_pin_of_versions_sees_them_all(version) -> None:
    found = np.array(version, dtype=np.int64)
    assert Pin.of(found).sees(found).all()
    assert not Pin.of(found).sees(np.array([4, TAIL + 3])).any()
