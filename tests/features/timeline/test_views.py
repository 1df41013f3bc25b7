"""Views through links, against an oracle that looks at each pair of rows and each moment by itself."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.calendar import NEVER, NULL
from features.contracts.model import Contract, Text
from features.definitions.conditions import BrokenDefinition
from features.definitions.model import Definition, DefinitionFile, PlanDocument
from features.definitions.plan import FeaturePlan
from features.errors import Invalid
from features.timeline.events import EventTable, Int64, Pin, RawEvents, mix
from features.timeline.lake import BUCKET_BITS, Lake
from features.timeline.views import ViewReader, views


def contract(
    name: str, subject: str, *, lasting: bool, links: list[dict[str, str]] | None = None
) -> Contract:
    """A dataset with a slip, an amount and, where it has links, the field ``other``."""
    fields = [{"name": n, "type": "date"} for n in ("begins", "ends", "told")]
    fields += [{"name": "slip", "type": "integer"}, {"name": "amount", "type": "integer"}]
    fields += [{"name": "other", "type": "id"}] if links else []
    return msgspec.convert(
        {
            "schema": 1, "dataset": name, "department": "test", "title": {"zh": "测", "en": "t"},
            "subject": subject, "subject_field": "who", "consent_category": name, "legal_basis": ["consent"],
            "times": {"valid_from": {"field": "begins"}, "known_from": {"field": "told"},
                      **({"valid_to": {"field": "ends"}} if lasting else {})},
            "key": ["slip"], "fields": fields, "links": links or [], "history": "static",
        },
        Contract,
    )  # fmt: skip


CONTRACTS = {
    c.dataset: c
    for c in (
        contract("homes", "person", lasting=True, links=[{"kind": "member_of", "to": "household", "field": "other"}]),
        contract("places", "person", lasting=True, links=[{"kind": "village", "to": "opaque", "field": "other"}]),
        contract("firms", "legal_person", lasting=True, links=[{"kind": "owner", "to": "person", "field": "other"}]),
        contract("wages", "person", lasting=False),
        contract("cars", "person", lasting=True),
        contract("sales", "legal_person", lasting=False),
        contract("storms", "opaque", lasting=False),
    )
}  # fmt: skip
REACH = {"household": "homes", "owner": "firms", "village": "places"}
FAR = 2 << BUCKET_BITS
PEOPLE, GROUPS, FIRMS = (0, 1, FAR), (70, 71), (FAR + 10, FAR + 11)
SUBJECTS = {"person": PEOPLE, "legal_person": FIRMS, "opaque": GROUPS}
ENDS = {"homes": GROUPS, "places": GROUPS, "firms": PEOPLE}
Row = dict[str, int]


@st.composite
def row(draw: st.DrawFn, name: str) -> Row:
    """One accepted row; days are small numbers, so that ties and touching intervals are frequent."""
    begin = draw(st.integers(0, 8))
    lasting = CONTRACTS[name].times.valid_to is not None
    end = draw(st.sampled_from([NEVER, begin, begin + 1, begin + 4])) if lasting else NEVER
    found = {
        "subject": draw(st.sampled_from(SUBJECTS[CONTRACTS[name].subject])),
        "valid_from": begin, "valid_to": end, "known_from": draw(st.integers(0, 8)),
        "version": draw(st.integers(1, 4)), "slip": draw(st.integers(0, 2)), "amount": draw(st.integers(0, 99)),
    }  # fmt: skip
    if name in ENDS:
        found["other"] = draw(st.sampled_from([*ENDS[name], NULL]))
    return found


WORLDS = st.fixed_dictionaries({name: st.lists(row(name), max_size=7) for name in CONTRACTS})


def stored(name: str, rows: list[Row]) -> RawEvents:
    """Rows as the lake keeps them."""

    def column(field: str) -> Int64:
        return np.array([each[field] for each in rows], dtype=np.int64)

    columns = {n: column(n) for n in ("slip", "amount", *(["other"] if name in ENDS else []))}
    columns |= {"begins": column("valid_from"), "ends": column("valid_to"), "told": column("known_from")}
    columns = {n: columns[n] for n in CONTRACTS[name].names}
    times = [column(n) for n in ("subject", "valid_from", "valid_to", "known_from", "version")]
    return RawEvents(*times, mix([columns["slip"]]), columns)


def fill(folder: Path, world: dict[str, list[Row]]) -> Lake:
    """A lake that took these rows, version by version."""
    lake = Lake(folder)
    for version, (name, rows) in product((1, 2, 3, 4), world.items()):
        batch = [each for each in rows if each["version"] == version]
        if batch:
            lake.append(name, stored(name, batch), np.zeros(len(batch), dtype=bool))
    return lake


@dataclass(frozen=True)
class Rows:
    """Accepted rows in memory."""

    world: dict[str, list[Row]]

    def reader(self, pin: Pin | None = None) -> ViewReader:
        """A reader of them."""

        def read(name: str, wanted: list[int] | None, by: str) -> RawEvents:
            field = {"subject": "subject"}.get(by, by)
            rows = [r for r in self.world[name] if wanted is None or r[field] in wanted]
            return stored(name, rows)

        return ViewReader(CONTRACTS, read, pin)

    def standing(self, name: str, limit: int | None) -> list[Row]:
        """A dataset's corrected events as plain rows."""
        table = stored(name, self.world[name]).resolve(None if limit is None else Pin(limit))
        times = ("subject", "valid_from", "valid_to", "known_from", "known_to", "version")
        return [
            {n: int(getattr(table, n)[k]) for n in times} | {n: int(v[k]) for n, v in table.columns.items()}
            for k in range(len(table))
        ]


def cut(*rows: Row) -> Row:
    """What is common to the times of several rows."""
    return {
        "valid_from": max(r["valid_from"] for r in rows), "valid_to": min(r["valid_to"] for r in rows),
        "known_from": max(r["known_from"] for r in rows), "known_to": min(r["known_to"] for r in rows),
        "version": max(r["version"] for r in rows),
    }  # fmt: skip


def pairs(reach: str, links: list[Row]) -> list[tuple[int, int, Row, Row]]:
    """(seer, seen, times of the link, the row that links the seen one)."""
    links = [link for link in links if link["other"] != NULL]
    if reach == "owner":
        return [(link["other"], link["subject"], cut(link), link) for link in links]
    if reach == "village":
        return [(link["subject"], link["other"], cut(link), link) for link in links]
    both = [(a, b) for a, b in product(links, links) if a["other"] == b["other"]]
    found = [(a["subject"], b["subject"], cut(a, b), b) for a, b in both]
    return [each for each in found if each[2]["valid_from"] < each[2]["valid_to"]]


def oracle(rows: Rows, view: str, limit: int | None) -> dict[tuple[int, ...], set[int]]:
    """By (seer, times, values): the moments at which the event is seen."""
    dataset, reach = view.split("@")
    source, events = REACH[reach], rows.standing(dataset, limit)
    found: dict[tuple[int, ...], set[int]] = {}
    for (seer, seen, times, link), event in product(pairs(reach, rows.standing(source, limit)), events):
        if event != link if dataset == source else event["subject"] != seen:
            continue
        there = cut(times, event)
        if CONTRACTS[dataset].times.valid_to is None or event["valid_from"] == event["valid_to"]:
            inside = times["valid_from"] <= event["valid_from"] < times["valid_to"] or dataset == source
            if not inside or event["valid_from"] < times["valid_from"]:
                continue
            there |= {"valid_to": event["valid_to"]}
        elif there["valid_from"] >= there["valid_to"]:
            continue
        values = [event[name] for name in CONTRACTS[dataset].names]
        key = (seer, there["valid_from"], there["valid_to"], *values, event["version"], event["subject"])
        moments = {t for t in range(12) if there["known_from"] <= t < there["known_to"]}
        found[key] = found.get(key, set()) | moments
    return {key: moments for key, moments in found.items() if moments}


def told(table: EventTable, dataset: str) -> dict[tuple[int, ...], list[int]]:
    """The same of a table: each moment once for each copy."""
    found: dict[tuple[int, ...], list[int]] = {}
    for k in range(len(table)):
        values = [int(table.columns[name][k]) for name in CONTRACTS[dataset].names]
        key = (int(table.subject[k]), int(table.valid_from[k]), int(table.valid_to[k]), *values)
        moments = range(int(table.known_from[k]), min(int(table.known_to[k]), 12))
        found.setdefault(key, []).extend(moments)
    return {key: sorted(moments) for key, moments in found.items() if moments}


def merged(world: dict[tuple[int, ...], set[int]]) -> dict[tuple[int, ...], list[int]]:
    """The oracle's answer without versions and owners of events, each event's moments beside the others'."""
    found: dict[tuple[int, ...], list[int]] = {}
    for key, moments in world.items():
        found.setdefault(key[:-2], []).extend(moments)
    return {key: sorted(moments) for key, moments in found.items()}


VIEWS = (
    "wages@household", "cars@household", "homes@household", "sales@owner", "firms@owner", "storms@village",
)  # fmt: skip


KNOWN = views(CONTRACTS)


@settings(max_examples=150)
@given(world=WORLDS, limit=st.sampled_from([None, 1, 2, 3]))
def test_an_event_is_seen_through_a_link_within_its_dates_and_once(world: Any, limit: int | None) -> None:
    rows, pin = Rows(world), None if limit is None else Pin(limit)
    for view in VIEWS:
        dataset, expected = view.split("@")[0], merged(oracle(rows, view, limit))
        found: dict[tuple[int, ...], list[int]] = {}
        for person in PEOPLE:
            found |= told(rows.reader(pin).of(KNOWN[view], person).table, dataset)
        assert found == expected, view
        assert told(rows.reader(pin).whole(KNOWN[view]), dataset) == expected, view
        some = rows.reader(pin).whole(KNOWN[view], np.array([FAR]))
        assert told(some, dataset) == {key: at for key, at in expected.items() if key[0] == FAR}, view


@settings(max_examples=80)
@given(world=WORLDS)
def test_a_pinned_version_reads_the_same_after_more_has_come(world: Any) -> None:
    """The highest version among the rows consulted is enough to see the same again."""
    before = Rows({n: [r for r in rows if r["version"] <= 2] for n, rows in world.items()})
    for subject, view in product(PEOPLE, VIEWS):
        seen = before.reader().of(KNOWN[view], subject)
        again = Rows(world).reader(seen.pin).of(KNOWN[view], subject)
        assert told(seen.table, view.split("@")[0]) == told(again.table, view.split("@")[0])
        assert seen.pin.lake <= 2


@settings(max_examples=80)
@given(world=WORLDS, at=st.integers(0, 9))
def test_what_a_later_reader_cannot_see_any_more_is_left_out_with_its_people(world: Any, at: int) -> None:
    rows, view = Rows(world), KNOWN["wages@household"]
    links = pairs("household", rows.standing("homes", None))
    for subject in PEOPLE:
        seen, every = rows.reader().of(view, subject, at), rows.reader().of(view, subject)
        times = [(m, t["known_from"], t["known_to"]) for s, m, t, _ in links if s == subject]
        assert seen.members == {m for m, begin, end in times if end > max(at, begin)}
        assert later(seen.table, at) == later(every.table, at)


def later(table: EventTable, at: int) -> dict[tuple[int, ...], list[int]]:
    """What is seen at and after a moment."""
    found = {key: [t for t in moments if t >= at] for key, moments in told(table, "wages").items()}
    return {key: moments for key, moments in found.items() if moments}


def test_relatives_are_those_who_ever_shared_a_household(tmp_path: Path) -> None:
    rows = [home(0, 70, 1), home(1, 70, 2), home(1, 71, 3), home(FAR, 71, 4)]
    lake = fill(tmp_path, {"homes": rows})
    assert lake.relatives(CONTRACTS, VIEWS, 0) == {1}
    assert lake.relatives(CONTRACTS, VIEWS, 1) == {0, FAR}
    assert lake.relatives(CONTRACTS, ["sales@owner"], 0) == frozenset()


def home(subject: int, group: int, slip: int, **changes: int) -> Row:
    """A membership from day 0 on, known from day 0."""
    times = {"valid_from": 0, "valid_to": NEVER, "known_from": 0, "version": 1}
    return {"subject": subject, "slip": slip, "amount": 0, "other": group} | times | changes


def test_a_corrected_link_ends_what_was_seen_through_it(tmp_path: Path) -> None:
    wage = {"subject": 1, "slip": 9, "amount": 5, "valid_from": 2, "valid_to": NEVER, "known_from": 3, "version": 1}  # fmt: skip
    moved = home(1, 71, 2, known_from=6, version=2)
    lake = fill(tmp_path, {"homes": [home(0, 70, 1), home(1, 70, 2), moved], "wages": [wage]})
    table = lake.subject_tables(CONTRACTS, 0, names=["wages@household"])["wages@household"]
    assert (table.known_from.tolist(), table.known_to.tolist()) == ([3], [6])
    pinned = lake.subject_tables(CONTRACTS, 0, names=["wages@household"], pin=Pin(1))["wages@household"]
    assert pinned.known_to.tolist() == [NEVER]
    assert lake.seen(CONTRACTS, 0, ["wages@household"])["wages@household"].pin == Pin(2)


def test_the_possible_views_are_those_of_declared_links() -> None:
    assert set(views(CONTRACTS)) == {
        "homes@household", "places@household", "wages@household", "cars@household",
        "firms@owner", "sales@owner", "storms@village",
    }  # fmt: skip


def test_an_unknown_link_is_refused_with_the_possible_ones() -> None:
    feature = msgspec.convert(
        {"name": "n", "aggregate": "count", "zh": "测", "en": "t", "rationale": "t", "reason": "R"},
        Definition,
    )
    reasons = {"R": Text("测", "t")}
    for name, known in (("wages@owner", "wages@household"), ("sales@village", "sales@owner")):
        file = DefinitionFile(1, (feature,), name, reasons)
        with pytest.raises(BrokenDefinition, match="Views: " + known):
            FeaturePlan(PlanDocument(1, tuple(CONTRACTS.values()), (file,)))


def test_two_links_of_one_name_are_refused_where_neither_is_the_datasets_own() -> None:
    twice = contract(
        "guilds", "legal_person", lasting=False, links=[{"kind": "owner", "to": "person", "field": "other"}]
    )
    with pytest.raises(Invalid, match="sales@owner"):
        views({**CONTRACTS, "guilds": twice})
