"""Who owns which data: departments, partners and the three master databases, as data."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from features.contracts.model import Text


class OwnerKind(StrEnum):
    """What an owner of data is; partners are the bank and the bureau, which are no departments."""

    GOVERNMENT = "government"
    JUDICIAL = "judicial"
    PUBLIC_BODY = "public_body"
    UTILITY = "utility"
    PARTNER = "partner"


class Owner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A department or partner. ``datasets`` is empty where none is under contract yet.

    ``law`` is the statute under which it keeps its records; ``refresh`` and ``usual_lag_days`` are those of
    the department, and each dataset's contract states its own.
    """

    code: str
    zh: str
    en: str
    kind: OwnerKind
    law: Text
    refresh: str
    usual_lag_days: float
    datasets: tuple[str, ...]
    note: Text | None = None


class Master(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A master database: the datasets to which all others are joined."""

    code: str
    zh: str
    en: str
    datasets: tuple[str, ...]


class Catalogue(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All owners of data."""

    schema: int
    departments: tuple[Owner, ...]
    partners: tuple[Owner, ...]
    masters: tuple[Master, ...]

    @property
    def owners(self) -> tuple[Owner, ...]:
        """Departments, then partners."""
        return self.departments + self.partners

    def owner(self, dataset: str) -> Owner:
        """Who owns a dataset (a ``KeyError`` where nobody does: the catalogue is checked against contracts)."""
        for owner in self.owners:
            if dataset in owner.datasets:
                return owner
        raise KeyError(dataset)
