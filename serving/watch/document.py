"""Signals as data: what a bank's officer writes, reads and approves. Conditions, dates, and the sentence that proves a hit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

import msgspec

from features.contracts.model import Text
from features.definitions.model import DefinitionFile

SCHEMA = 3
"""The schema that is written: with a rule that combines; 1 and 2 are still read."""
EARLY_PD = "early_pd"
"""What the rule makes of the model's PD and the signals that stand."""
STANDING = "early_signals"
"""In evidence: the names of the early signals that stand."""
REASONS = "warning_reasons"
"""In evidence: what raised the warning model's PD most."""


class Level(StrEnum):
    """Severity, the gravest last."""

    YELLOW = "yellow"
    ORANGE = "orange"
    RED = "red"


class Group(StrEnum):
    """Which signals are counted together: those of the payments themselves, of the conduct of the account around a
    loan, of a whole village, and the early ones, which all others are.
    """

    REPAYMENT = "repayment"
    CONDUCT = "conduct"
    VILLAGE = "village"
    EARLY = "early"


class Operator(StrEnum):
    """Comparison of a value with a threshold."""

    LT = "lt"
    LE = "le"
    GT = "gt"
    GE = "ge"
    EQ = "eq"


class Name(NamedTuple):
    """A value by its name: ``balance``, ``balance@3m`` (as it was known three months before) or ``balance@grant``."""

    base: str
    months: int = 0
    grant: bool = False

    def __str__(self) -> str:
        """As it is written."""
        return (
            f"{self.base}@grant"
            if self.grant
            else f"{self.base}@{self.months}m"
            if self.months
            else self.base
        )

    def before(self) -> str:
        """The name of the same value a month earlier; the grant does not move."""
        return str(self) if self.grant else str(self._replace(months=self.months + 1))

    @staticmethod
    def parse(text: str) -> Name:
        """Read a name; what does not fit is taken as a base, which nobody knows."""
        base, _, moment = text.partition("@")
        if moment == "grant":
            return Name(base, 0, grant=True)
        if re.fullmatch(r"[1-9]\d?m", moment):
            return Name(base, int(moment[:-1]))
        return Name(text)


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A value against a threshold, which may be so many ``times`` another value, or the other value ``plus`` it."""

    feature: str
    op: Operator
    value: float
    times: str = ""
    plus: str = ""

    @property
    def reads(self) -> tuple[str, ...]:
        """The names of the values."""
        return tuple(name for name in (self.feature, self.times, self.plus) if name)


class Clause(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Conditions that must hold together, within a level's ``any``."""

    all: tuple[Condition, ...]


class Trigger(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A level is raised where every condition of ``all`` holds and, if there are some, one clause of ``any``."""

    level: Level
    all: tuple[Condition, ...] = ()
    any: tuple[Clause, ...] = ()

    def conditions(self) -> Iterator[Condition]:
        """Every condition, wherever it stands."""
        yield from self.all
        for clause in self.any:
            yield from clause.all


class Expectation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a signal expects to happen, and within how many months."""

    zh: str
    en: str
    months: int


class Signal(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One signal; its ``levels`` are tried in order, so the gravest stands first.

    ``number`` is its place in the list of forty (larger: optional). ``basis`` says where the threshold comes from (E1 to E6, regulations,
    or P where it is our own proposal). It holds from ``effective_from`` until the day before ``effective_to`` (China). With
    ``months`` 2 a level must be met now and a month before. ``playbook`` is the recommended action.
    The first schema has none of these, but an ``action`` in words.
    """

    code: str
    zh: str
    en: str
    source: str
    levels: tuple[Trigger, ...]
    evidence: Text
    action: Text | None = None
    number: int = 0
    basis: tuple[str, ...] = ()
    group: Group = Group.EARLY
    effective_from: str = ""
    effective_to: str = ""
    months: int = 1
    playbook: str = ""
    expects: Expectation | None = None
    note: Text | None = None

    @property
    def features(self) -> tuple[str, ...]:
        """The values that its conditions read."""
        return tuple(
            dict.fromkeys(name for level in self.levels for c in level.conditions() for name in c.reads)
        )

    @property
    def reads(self) -> tuple[str, ...]:
        """The values that its conditions read, those of the month before among them where it needs two."""
        earlier = [Name.parse(name).before() for name in self.features] if self.months > 1 else []
        return tuple(dict.fromkeys([*self.features, *earlier]))


class Factor(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """So many times do the odds of a default rise where a signal stands ``at_least`` at a level."""

    signal: str
    times: float
    at_least: Level = Level.YELLOW


class Combination(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How the warning model and the signals make one early level.

    ``model`` is the PD that it begins with. Early signals other than ``facts`` stay yellow where it could be told.
    ``budget`` is the share of the loans at 0 days past due of which a month may bring a new orange or red.
    """

    budget: float
    facts: tuple[str, ...] = ()
    factors: tuple[Factor, ...] = ()
    model: str = "warning_pd_12m"


class SignalsDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """All signals of a portfolio: one artifact of the registry.

    ``playbooks`` are the actions by code; ``definitions`` are features that signals alone read, so that a model's
    columns do not change with them. ``combination`` makes one early level of the model and the signals, from schema 3 on.
    """

    schema: int
    signals: tuple[Signal, ...]
    playbooks: dict[str, Text] = msgspec.field(default_factory=dict)
    definitions: tuple[DefinitionFile, ...] = ()
    combination: Combination | None = None

    @property
    def reads(self) -> tuple[str, ...]:
        """Every value that some condition, evidence or the rule reads."""
        rule = () if self.combination is None else (self.combination.model,)
        names = (name for one in self.signals for name in (*one.reads, *placeholders(one.evidence)))
        return tuple(dict.fromkeys([*names, *rule]))


PLACEHOLDER = re.compile(r"\{([A-Za-z_][\w@]*)(?::(pct))?\}")
AS_OF = "as_of"
"""In evidence: the day as of which the values were known."""


def placeholders(text: Text) -> list[str]:
    """The values that a sentence tells, in both languages."""
    return [found for each in (text.zh, text.en) for found, _ in PLACEHOLDER.findall(each) if found != AS_OF]


def is_plain(text: str) -> bool:
    """Whether a text is a sentence whose braces are all placeholders."""
    rest = PLACEHOLDER.sub("", text)
    return bool(text.strip()) and "{" not in rest and "}" not in rest
