"""Sources that are asked while a decision waits, declared as data."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec

from features.contracts.documents import BrokenDocument, read_yaml

Millis = Annotated[int, msgspec.Meta(ge=1, le=60_000)]
Name = Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9_]{0,63}$")]
CHECKS = ("identity", "aml")
"""What a source may find instead of records."""


class OnFailure(StrEnum):
    """What becomes of an application when a source does not answer."""

    POLICY = "policy"
    """The policy decides by what it says of missing sources."""
    REFER = "refer"
    """As ``policy``, but nobody is approved without a person."""
    REFUSE = "refuse"
    """Nothing is decided: 503."""


class State(StrEnum):
    """What became of one source in one decision."""

    ANSWERED = "answered"
    FRESH = "fresh"
    """Not asked: a record is recent enough."""
    NOT_AUTHORISED = "not_authorised"
    """Not asked: the consent does not cover it."""
    TIMEOUT = "timeout"
    BREAKER = "breaker"
    """Not asked: it failed too often just now."""
    ERROR = "error"
    """It could not be reached, or its answer cannot be used."""

    @property
    def silent(self) -> bool:
        """Whether the decision has to do without it."""
        return self in {State.TIMEOUT, State.BREAKER, State.ERROR}


class BreakerSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Opens after so many failures in a row; after a while one call tries whether the source is back."""

    failures: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 5
    open_ms: Millis = 10_000


class SourceSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One source: it gives the records of a ``dataset`` or the result of a ``check``.

    ``budget_ms`` bounds all tries together. A source of a dataset whose latest record is at most ``fresh_days`` old
    is not asked. ``token_file`` holds the bearer token that is sent.
    """

    source: Name
    url: Annotated[str, msgspec.Meta(pattern=r"^https?://[^\s?#@]+$", max_length=500)]
    dataset: str = ""
    check: str = ""
    adapter: str = "http"
    budget_ms: Millis = 1_000
    retries: Annotated[int, msgspec.Meta(ge=0, le=5)] = 1
    retry_wait_ms: Millis = 50
    breaker: BreakerSpec = BreakerSpec()
    fresh_days: Annotated[int, msgspec.Meta(ge=0, le=3_650)] = 0
    on_failure: OnFailure = OnFailure.POLICY
    token_file: str = ""
    most_bytes: Annotated[int, msgspec.Meta(ge=1, le=8_388_608)] = 262_144
    connections: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 32

    @property
    def gives(self) -> str:
        """What is missing without it, as the answer names it: a dataset, or ``check.aml``."""
        return self.dataset or f"check.{self.check}"


class SourcesDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Schema 1. ``total_ms`` bounds what all sources of one decision take together, with the storing of their records."""

    schema: Annotated[int, msgspec.Meta(ge=1, le=1)]
    sources: tuple[SourceSpec, ...]
    total_ms: Millis = 1_500


def read_sources(file: Path, datasets: Collection[str], adapters: Collection[str]) -> SourcesDocument:
    """The declaration in a YAML file, checked.

    Raises:
        BrokenDocument: with the place.
    """
    document = read_yaml(file, SourcesDocument)
    seen: set[str] = set()
    for at, spec in enumerate(document.sources):
        place = f"{file}: sources[{at}] ({spec.source})"
        _check(spec, place, datasets, adapters)
        for name in (spec.source, spec.gives):
            if name in seen:
                raise BrokenDocument(place, f"{name} is declared twice.", "Keep one of them.")
            seen.add(name)
    return document


def _check(spec: SourceSpec, place: str, datasets: Collection[str], adapters: Collection[str]) -> None:
    if bool(spec.dataset) == bool(spec.check):
        raise BrokenDocument(place, "it gives both or neither.", "Name either a dataset or a check.")
    if spec.dataset and spec.dataset not in datasets:
        raise BrokenDocument(
            place, f"no contract of a person has the dataset {spec.dataset}.", "Name one that has."
        )
    if spec.check and spec.check not in CHECKS:
        raise BrokenDocument(place, f"{spec.check} is no check.", f"Checks: {', '.join(CHECKS)}.")
    if spec.adapter not in adapters:
        raise BrokenDocument(
            place, f"{spec.adapter} is no adapter.", f"Adapters: {', '.join(sorted(adapters))}."
        )
    if spec.check and spec.fresh_days:
        raise BrokenDocument(place, "a check is not kept.", "Leave out fresh_days.")
