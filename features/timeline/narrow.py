"""The timeline of some people, for who looks at few of very many: the same reads, and nobody else's rows in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from features.consent import Access, Verdict
from features.contracts.model import Contract
from features.timeline.door import AccessLog, Door
from features.timeline.events import EventTable, Int64, Pin, RawEvents
from features.timeline.lake import Lake, Tail
from features.timeline.life import standing
from features.timeline.views import Reach, View, sights, through, views


class NarrowLake(Lake):
    """A lake in which there are no others; what is asked of named subjects is read of whoever they are."""

    def __init__(self, root: Path, tail: Tail | None, people: Int64) -> None:
        super().__init__(root, tail)
        self._people: list[int] = np.unique(people).tolist()
        self._links: dict[tuple[str, str, Reach, tuple[int, ...]], RawEvents] = {}

    def raw(self, contract: Contract, subjects: list[int] | None, by: str = "subject") -> RawEvents:
        """See ``Lake.raw``; all of them are these."""
        return super().raw(contract, self._people if subjects is None else subjects, by)

    def tables(
        self,
        contracts: Mapping[str, Contract],
        names: Iterable[str],
        seers: Int64 | None = None,
        *,
        pin: Pin | None = None,
    ) -> dict[str, EventTable]:
        """See ``Lake.tables``; who is seen through a view is read too, though nobody of these."""
        known = views(contracts)
        asked = self._people if seers is None else np.unique(seers).tolist()
        return {
            name: self._view(contracts, known[name], asked, pin)
            if name in known
            else self.read(contracts[name], pin=pin)
            for name in names
        }

    def _view(
        self, contracts: Mapping[str, Contract], view: View, seers: list[int], pin: Pin | None
    ) -> EventTable:
        links = standing(contracts[view.source], self._linked(contracts[view.source], view, seers), pin)
        seen, contract = sights(view, links, np.array(seers, dtype=np.int64)), contracts[view.dataset]
        events = (
            links
            if view.own
            else standing(contract, self.raw(contract, np.unique(seen.member).tolist()), pin)
        )
        return through(seen, events, lasting=contract.times.valid_to is not None)

    def _linked(self, source: Contract, view: View, seers: list[int]) -> RawEvents:
        """Every row that links these with others, corrected ones too."""
        key = (view.source, view.field, view.reach, tuple(seers))
        if key not in self._links:
            self._links[key] = self._read_linked(source, view, seers)
        return self._links[key]

    def _read_linked(self, source: Contract, view: View, seers: list[int]) -> RawEvents:
        if view.reach is Reach.OWNER:
            return self.raw(source, np.unique(self.raw(source, seers, view.field).subject).tolist())
        mine = self.raw(source, seers)
        if view.reach is Reach.PLACE:
            return mine
        groups = np.unique(mine.columns[view.field])
        others = self.raw(source, groups[groups >= 0].tolist(), view.field).subject
        return self.raw(source, np.union1d(others, seers).tolist())


class NarrowDoor(Door):
    """The door to the timeline of some people: who reads all of them has read nobody else, and that is what is kept."""

    def __init__(self, root: Path, tail: Tail | None, access: Access, log: AccessLog, people: Int64) -> None:
        super().__init__(NarrowLake(root, tail, people), access, log)
        self._people: list[int] = np.unique(people).tolist()

    def _note(
        self, contracts: Mapping[str, Contract], found: Mapping[str, Verdict], subjects: list[int] | None
    ) -> None:
        super()._note(contracts, found, self._people if subjects is None else subjects)
