"""Which allowance makes a report free, as data: so many a year, and more within dated times."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import msgspec

from features.calendar import instant
from features.contracts.documents import read_yaml

FILE = Path(__file__).parent / "allowance.yaml"
YEARLY, PAID = "yearly", "paid"


class Extra(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``more`` reports between two days (``to`` excluded)."""

    id: str
    since: str
    to: str
    more: int
    source: str


class Allowance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``allowance.yaml``."""

    schema: int
    yearly: int
    source: str
    extra: tuple[Extra, ...] = ()

    def free(self, used: Mapping[str, int], at: int) -> str | None:
        """The allowance under which a report at this moment (µs) is free, None where it is chargeable.

        ``used`` are the reports of the calendar year by the allowance that they took.
        """
        for extra in self.extra:
            if instant(extra.since) <= at < instant(extra.to) and used.get(extra.id, 0) < extra.more:
                return extra.id
        return YEARLY if used.get(YEARLY, 0) < self.yearly else None


@cache
def allowance() -> Allowance:
    """What the file says."""
    return read_yaml(FILE, Allowance)
