"""Who belongs to whom, as of a date: households and their members, firms and their owners."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.calendar import NULL
from features.contracts.model import Contract
from features.errors import Invalid
from features.timeline.events import EventTable

Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Links:
    """Dated links of one kind, arrays [links]: ``member`` belongs to ``owner`` (a subject or a group's code).

    Built from a dataset whose contract declares the link; a link is seen as of a moment where its row is
    known and true then.
    """

    kind: str
    member: Int64
    owner: Int64
    table: EventTable

    @staticmethod
    def of(contract: Contract, table: EventTable, kind: str) -> Links:
        """The links of a kind that a dataset's rows declare.

        Raises:
            Invalid: the contract declares no such link.
        """
        field = next((link.field for link in contract.links if link.kind == kind), None)
        if field is None:
            raise Invalid(
                f"dataset {contract.dataset} declares no link {kind!r}.", remedy="Add it to `links`."
            )
        return Links(kind, table.subject, table.columns[field], table)

    def seen(self, as_of: int) -> NDArray[np.bool_]:
        """The links that are known and true at ``as_of``."""
        table = self.table
        known = (table.known_from <= as_of) & (as_of < table.known_to)
        true = (table.valid_from <= as_of) & (as_of < table.valid_to)
        return np.asarray(known & true & (self.owner != NULL))

    def owner_of(self, member: int, as_of: int) -> int | None:
        """The household of a person, or the owner of a firm; the latest link where there are several."""
        rows = np.flatnonzero(self.seen(as_of) & (self.member == member))
        return int(self.owner[rows[-1]]) if len(rows) else None

    def members_of(self, owner: int, as_of: int) -> tuple[int, ...]:
        """The members of a household, or the firms of an owner, ascending."""
        return tuple(np.unique(self.member[self.seen(as_of) & (self.owner == owner)]).tolist())
