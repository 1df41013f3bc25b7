"""Where a feature comes from and what reads it: from the department's field to the models, rules and signals in force."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import msgspec

from features.contracts.model import Contract
from features.definitions.model import Definition, PlanDocument
from features.definitions.plan import FeaturePlan
from features.errors import NotFound
from features.matrix import Column
from serving.access.model import Authority, Permission
from serving.governance.drafts import plan_of
from serving.governance.standing import BUNDLE
from serving.policy.load import read_policy
from serving.registry import repository
from serving.registry import service as registry
from serving.registry.heads import heads
from serving.registry.model import Kind
from serving.store.engine import Database
from serving.store.session import Connection, tenant_transaction


class UnknownFeature(NotFound):
    """A name that no definition in force has."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"no definition in force gives the feature {name[:80]!r}.", remedy="Search the catalogue."
        )


@dataclass(frozen=True, slots=True)
class Reader:
    """What reads a feature: the version in force in a slot."""

    slot: str
    digest: str


@dataclass(frozen=True, slots=True)
class Feature:
    """A column with its definition; ``siblings`` are the same over other windows, ``parts`` what it is composed of."""

    column: Column
    definition: Definition
    window: str
    siblings: tuple[str, ...]
    datasets: tuple[str, ...]
    readers: tuple[Reader, ...]

    @property
    def parts(self) -> tuple[str, ...]:
        """The columns that it is composed of; empty of a plain feature."""
        return self.definition.of

    def tells(self, words: str) -> bool:
        """Whether every word stands in its names, its sources or its rationale."""
        one = self.column
        text = f"{one.name} {one.zh} {one.en} {one.dataset} {one.rationale}".casefold()
        return all(word in text for word in words.casefold().split())


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The features in force, in the order of the definitions; empty where none are."""

    features: Mapping[str, Feature] = field(default_factory=dict)
    contracts: Mapping[str, Contract] = field(default_factory=dict)
    reasons: Mapping[str, Any] = field(default_factory=dict)
    digest: str = ""

    def some(self, words: str, dataset: str, reader: str) -> list[Feature]:
        """Those that the words tell, of a dataset and read in a slot, where these are named."""
        return [
            one
            for one in self.features.values()
            if (not dataset or dataset in one.datasets)
            and (not reader or any(each.slot == reader for each in one.readers))
            and one.tells(words)
        ]

    def feature(self, name: str) -> Feature:
        """One by its name.

        Raises:
            UnknownFeature: there is none.
        """
        if name not in self.features:
            raise UnknownFeature(name)
        return self.features[name]

    def of_source(self, dataset: str) -> list[Feature]:
        """Those that read a dataset, directly, through a link or as a part."""
        return [one for one in self.features.values() if dataset in one.datasets]


def catalogue(database: Database, asker: Authority, now: int) -> Catalogue:
    """The catalogue of what is in force; a process works it out once of the same versions."""
    asker.holds(Permission.READ_REGISTRY)
    with tenant_transaction(database, asker.tenant) as connection:
        active = repository.active(connection, now)
        if "definitions" not in active:
            return Catalogue()
        document = registry.artifact(connection, active["definitions"]).data
        read = tuple(sorted((slot, name, _names(connection, slot, name)) for slot, name in active.items()))
    return _catalogue(document, read)


def _names(connection: Connection, slot: str, digest: str) -> frozenset[str]:
    """Every name that a version asks for, features among others."""
    kind = slot.partition(".")[0]
    if slot.startswith(BUNDLE):
        return heads(connection, [digest])[digest].reads
    if kind not in {Kind.POLICY.value, Kind.SIGNALS.value, Kind.CLASSES.value}:
        return frozenset()
    return _asked(kind, registry.artifact(connection, digest).data)


@lru_cache(maxsize=16)
def _asked(kind: str, data: bytes) -> frozenset[str]:
    if kind == Kind.POLICY.value:
        return read_policy(data).facts
    return frozenset(text.partition("@")[0] for text in _texts(msgspec.json.decode(data)))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


@lru_cache(maxsize=4)
def _catalogue(document: bytes, read: tuple[tuple[str, str, frozenset[str]], ...]) -> Catalogue:
    plan = plan_of(document)
    features = {one.column.name: one for one in _features(plan, document, read)}
    return Catalogue(features, plan.contracts, plan.reasons, plan.digest)


def _features(
    plan: FeaturePlan, document: bytes, read: Iterable[tuple[str, str, frozenset[str]]]
) -> Iterator[Feature]:
    columns = {column.name: column for column in plan.columns}
    for file in msgspec.json.decode(document, type=PlanDocument).definitions:
        for definition in file.features:
            windows = definition.windows if file.dataset and not definition.of else ("all",)
            names = {_named(definition, window): window for window in windows}
            for name, window in names.items():
                column = columns[name]
                yield Feature(
                    column, definition, window, tuple(each for each in names if each != name), _sources(column),
                    tuple(Reader(slot, digest) for slot, digest, asked in read if name in asked),
                )  # fmt: skip


def _named(definition: Definition, window: str) -> str:
    return definition.name if window in {"all", "now"} else f"{definition.name}_{window}"


def _sources(column: Column) -> tuple[str, ...]:
    return tuple(sorted({part.partition("@")[0] for part in column.dataset.split("+") if part}))
