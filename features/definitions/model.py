"""A feature as data: which events, which aggregate, over which windows, and why it may be used."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from features.contracts.model import Contract, Text

Conditions = dict[str, Any]
"""Field to a value (equal), a list (one of), or {lt | le | gt | ge | ne: value}; all must hold."""


class Definition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One feature over its windows; each window is a column named ``<name>_<window>``.

    ``aggregate`` is a name of ``features.kernel.Aggregate`` in small letters, or a
    ``Composition`` of the columns in ``of``. ``where`` keeps events; ``against`` is the second filter of a
    share or of negative months, and ``weight`` the amount of a concentration. Windows are ``6m``,
    ``90d``, ``all`` or ``now`` (valid at the moment); the last two leave the name as it is.
    ``sign`` is the effect on risk that models must keep: -1 lowers, +1 raises, 0 free.
    """

    name: str
    aggregate: str
    zh: str
    en: str
    rationale: str
    reason: str
    sign: int = 0
    column: str = ""
    weight: str = ""
    where: Conditions = msgspec.field(default_factory=dict)
    against: Conditions | None = None
    windows: tuple[str, ...] = ("all",)
    of: tuple[str, ...] = ()
    unit: str = ""


class DefinitionFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The features of one dataset, or, without a dataset, those composed of other columns.

    ``reasons`` are what an applicant is told when a group of features counts against them.
    """

    schema: int
    features: tuple[Definition, ...]
    dataset: str = ""
    reasons: dict[str, Text] = msgspec.field(default_factory=dict)


class PlanDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All contracts and definitions that features were computed with: one document, one digest."""

    schema: int
    contracts: tuple[Contract, ...]
    definitions: tuple[DefinitionFile, ...]


class Composition(StrEnum):
    """Aggregates over columns instead of events."""

    RATIO = "ratio"
    DIFFERENCE = "difference"
    TOTAL = "total"
    PRODUCT = "product"
    MINIMUM = "minimum"
    MAXIMUM = "maximum"
    BREADTH = "breadth"
    """How many of the parts are there at all."""
    AGREEMENT = "agreement"
    """Share of the parts that are there which lie within 30 % of their median."""
