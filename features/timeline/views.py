"""Datasets seen through dated links: a firm's events from its owner, a household's from each member.

A view is named ``<dataset>@<link>``. An event is seen through a link only where the link holds: its valid
time lies within the link's (an event with a duration is cut to it), and it is seen from when both were known
until either was corrected. A row that declares a link itself is seen through that link and no other. Where
two links of one person to one group overlap, an event at one moment is seen once; one with a duration may be
seen twice, so departments end a membership (``registered_until``) before another begins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from features.contracts.model import Contract, LinkRule, SubjectKind
from features.errors import Invalid
from features.timeline.events import EventTable, Int64, Pin, RawEvents, sort_events
from features.timeline.life import standing

HOUSEHOLD = "household"
"""The suffix of views from one member of a household on all of them."""
Indices = NDArray[np.intp]
Read = Callable[[str, list[int] | None, str], RawEvents]
"""Accepted rows of a dataset whose column (``subject`` or a link's field) is one of these; None for all."""


class Reach(StrEnum):
    """Who sees whose events through a link."""

    OWNER = "owner"
    """The person in the field sees the subject of the row."""
    HOUSEHOLD = "household"
    """Everybody with the same value in the field sees everybody."""
    PLACE = "place"
    """The subject of the row sees the subject in the field."""


@dataclass(frozen=True, slots=True)
class View:
    """Events of ``dataset`` through the link in ``field`` of the dataset ``source``."""

    name: str
    dataset: str
    source: str
    field: str
    reach: Reach

    @property
    def own(self) -> bool:
        """Whether the events declare the link themselves."""
        return self.dataset == self.source

    @property
    def relatives(self) -> bool:
        """Whether it shows data of other persons."""
        return self.reach is Reach.HOUSEHOLD


@dataclass(frozen=True, slots=True)
class Sights:
    """Who sees whom and when, arrays int64 [n]; ``row`` is the one event that is seen where it is not -1."""

    seer: Int64
    member: Int64
    valid_from: Int64
    valid_to: Int64
    known_from: Int64
    known_to: Int64
    version: Int64
    row: Int64

    def take(self, rows: Indices | NDArray[np.bool_]) -> Sights:
        """The chosen ones."""
        return Sights(*(getattr(self, name)[rows] for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class Seen:
    """What one subject sees: ``members`` are those whose events may be in it at or after the moment of the
    reading, and ``pin`` is the nearest that sees all rows that were consulted, also those that took an event
    away: a receipt that keeps it reads the same again.
    """

    table: EventTable
    members: frozenset[int]
    pin: Pin


def views(contracts: Mapping[str, Contract]) -> dict[str, View]:
    """Every view that the links of these contracts allow, by name.

    Raises:
        Invalid: two contracts declare a link of the same name for a dataset that declares none.
    """
    found: dict[str, View] = {}
    for source, link in _links(contracts):
        for name, contract in contracts.items():
            view = _view(name, contract, contracts[source], link)
            if view is None:
                continue
            before = found.get(view.name)
            if before is None or view.own:
                found[view.name] = view
            elif not before.own:
                problem = f"both {before.source} and {source} declare the link of the view {view.name}."
                raise Invalid(problem, remedy="Give one of the links another kind.")
    return found


def _links(contracts: Mapping[str, Contract]) -> list[tuple[str, LinkRule]]:
    return [(name, link) for name, contract in contracts.items() for link in contract.links]


def _view(name: str, contract: Contract, source: Contract, link: LinkRule) -> View | None:
    reach, seen = _reach(source, link)
    if reach is None or contract.subject is not seen:
        return None
    suffix = HOUSEHOLD if reach is Reach.HOUSEHOLD else link.kind
    return View(f"{name}@{suffix}", name, source.dataset, link.field, reach)


def _reach(source: Contract, link: LinkRule) -> tuple[Reach | None, SubjectKind]:
    """How a link is looked through, and the kind of subject that is seen."""
    if link.to is SubjectKind.HOUSEHOLD and source.subject is SubjectKind.PERSON:
        return Reach.HOUSEHOLD, SubjectKind.PERSON
    if link.to is SubjectKind.PERSON and source.subject is SubjectKind.LEGAL_PERSON:
        return Reach.OWNER, SubjectKind.LEGAL_PERSON
    if link.to is SubjectKind.OPAQUE and source.subject is SubjectKind.PERSON:
        return Reach.PLACE, SubjectKind.OPAQUE
    return None, source.subject


def sights(view: View, links: EventTable, seers: Int64 | None = None) -> Sights:
    """Who sees whom through these rows of the view's source; of these seers only, where they are given."""
    end = links.columns[view.field]
    rows = np.flatnonzero(end >= 0)
    if view.reach is Reach.HOUSEHOLD:
        found = _members(rows, links, end, seers)
    else:
        ends = (end[rows], links.subject[rows])
        seer, member = ends if view.reach is Reach.OWNER else ends[::-1]
        found = Sights(seer, member, *_times(links, rows), rows.astype(np.int64))
    if seers is not None:
        found = found.take(np.isin(found.seer, seers))
    return found if view.own else replace(found, row=np.full(len(found.row), -1))


def _times(links: EventTable, rows: Indices) -> tuple[Int64, Int64, Int64, Int64, Int64]:
    return (
        links.valid_from[rows],
        links.valid_to[rows],
        links.known_from[rows],
        links.known_to[rows],
        links.version[rows],
    )


def _members(rows: Indices, links: EventTable, group: Int64, seers: Int64 | None) -> Sights:
    """Pairs of rows of one group, where both hold."""
    ordered = rows[np.argsort(group[rows], kind="stable")]
    mine = rows if seers is None else rows[np.isin(links.subject[rows], seers)]
    left, at = join(group[mine], group[ordered])
    a, b = mine[left], ordered[at]
    found = Sights(
        links.subject[a],
        links.subject[b],
        np.maximum(links.valid_from[a], links.valid_from[b]),
        np.minimum(links.valid_to[a], links.valid_to[b]),
        np.maximum(links.known_from[a], links.known_from[b]),
        np.minimum(links.known_to[a], links.known_to[b]),
        np.maximum(links.version[a], links.version[b]),
        b.astype(np.int64),
    )
    return found.take((found.valid_from < found.valid_to) & (found.known_from < found.known_to))


def join(left: Int64, right: Int64) -> tuple[Indices, Indices]:
    """Pairs of places [pairs] with equal values; ``right`` is sorted."""
    first = np.searchsorted(right, left, side="left")
    count = np.searchsorted(right, left, side="right") - first
    before = np.cumsum(count) - count
    at = np.arange(count.sum()) - np.repeat(before - first, count)
    return np.repeat(np.arange(len(left)), count), at


def through(seen: Sights, events: EventTable, *, lasting: bool) -> EventTable:
    """The events that are seen, as events of their seers. ``lasting`` events are cut to the link's dates."""
    own = bool(len(seen.row)) and seen.row[0] >= 0
    left, at = join(seen.member, events.subject)
    if own:
        left, at = np.arange(len(seen.row)), seen.row.astype(np.intp)
    begin, end = events.valid_from[at], events.valid_to[at]
    kept = (seen.valid_from[left] <= begin) & ((begin < seen.valid_to[left]) | own)
    if lasting:
        kept &= begin == end  # an event without a duration
        begin = np.maximum(begin, seen.valid_from[left])
        end = np.minimum(end, seen.valid_to[left])
        kept |= begin < end
    known_from = np.maximum(events.known_from[at], seen.known_from[left])
    known_to = np.minimum(events.known_to[at], seen.known_to[left])
    kept &= known_from < known_to
    version = np.maximum(events.version[at], seen.version[left])
    columns = {name: values[at] for name, values in events.columns.items()}
    copies = EventTable(seen.seer[left], begin, end, known_from, known_to, version, columns)
    rows = np.flatnonzero(kept)
    return sort_events(_once(copies.take(rows), at[rows]))


def _once(copies: EventTable, event: Indices) -> EventTable:
    """Copies of one event that are seen by one subject at the same time, through two links, as one."""
    order = np.lexsort((copies.known_from, copies.valid_to, copies.valid_from, event, copies.subject))
    table, event = copies.take(order), event[order]
    same = (event[1:] == event[:-1]) & (table.subject[1:] == table.subject[:-1])
    same &= (table.valid_from[1:] == table.valid_from[:-1]) & (table.valid_to[1:] == table.valid_to[:-1])
    if not (same & (table.known_from[1:] < table.known_to[:-1])).any():
        return table
    kept = np.ones(len(table), dtype=bool)
    known_to, version = table.known_to.copy(), table.version.copy()
    first = 0
    for row in range(1, len(table)):
        if same[row - 1] and table.known_from[row] <= known_to[first]:
            known_to[first] = max(known_to[first], known_to[row])
            version[first] = max(version[first], version[row])
            kept[row] = False
        else:
            first = row
    return replace(table, known_to=known_to, version=version).take(kept)


class ViewReader:
    """Reads views of one lake state; rows that ``pin`` does not see are as if they had never arrived."""

    def __init__(self, contracts: Mapping[str, Contract], read: Read, pin: Pin | None = None) -> None:
        self._contracts, self._read, self._pin = contracts, read, pin
        self._linked: dict[tuple[str, str, Reach, int], RawEvents] = {}

    def whole(self, view: View, seers: Int64 | None = None) -> EventTable:
        """The view of everybody, or of these seers."""
        events = self._standing(view.dataset, self._read(view.dataset, None, "subject"))
        links = events if view.own else self._standing(view.source, self._read(view.source, None, "subject"))
        return through(sights(view, links, seers), events, lasting=self._lasting(view))

    def of(self, view: View, seer: int, at: int | None = None) -> Seen:
        """The view of one subject, reading the rows of those whom it sees and no others.

        ``at`` is the first moment as of which it will be read: what was corrected before is left out.
        """
        raw = self._links_of(view, seer)
        links = self._standing(view.source, raw)
        seen = sights(view, links, np.array([seer]))
        if at is not None:
            seen = seen.take(seen.known_to > at)
        members = np.unique(seen.member)
        rows = raw if view.own else self._read(view.dataset, members.tolist(), "subject")
        events = links if view.own else self._standing(view.dataset, rows)
        table = through(seen, events, lasting=self._lasting(view))
        pin = self._consulted(raw).joined(self._consulted(rows))
        return Seen(table, frozenset(members.tolist()), pin)

    def relatives(self, of: Iterable[View], subject: int) -> frozenset[int]:
        """Everybody who sees this subject in a household, itself left out."""
        found: set[int] = set()
        for view in {(v.source, v.field): v for v in of if v.relatives}.values():
            found |= set(self._links_of(view, subject).subject.tolist())
        return frozenset(found - {subject})

    def _links_of(self, view: View, seer: int) -> RawEvents:
        key = (view.source, view.field, view.reach, seer)
        if key not in self._linked:
            self._linked[key] = self._read_links(view, seer)
        return self._linked[key]

    def _read_links(self, view: View, seer: int) -> RawEvents:
        """Every row of those who are linked with the seer, corrected ones too."""
        if view.reach is Reach.OWNER:
            firms = self._read(view.source, [seer], view.field).subject
            return self._read(view.source, np.unique(firms).tolist(), "subject")
        mine = self._read(view.source, [seer], "subject")
        if view.reach is Reach.PLACE:
            return mine
        groups = np.unique(mine.columns[view.field])
        others = self._read(view.source, groups[groups >= 0].tolist(), view.field).subject
        return self._read(view.source, np.union1d(others, [seer]).tolist(), "subject")

    def _lasting(self, view: View) -> bool:
        return self._contracts[view.dataset].times.valid_to is not None

    def _standing(self, dataset: str, raw: RawEvents) -> EventTable:
        return standing(self._contracts[dataset], raw, self._pin)

    def _consulted(self, raw: RawEvents) -> Pin:
        """The nearest pin that sees these rows, as far as they may be seen."""
        return Pin.of(raw.version if self._pin is None else raw.version[self._pin.sees(raw.version)])
