"""A policy as a document: rules, segments, dated tables. Data, never code."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Any

import msgspec

from features.contracts.model import Text
from serving.policy.cost import Cost
from serving.policy.experiment import Breaker, Experiment
from serving.policy.lending import Document, LimitPolicy, OfferRules, Reason

GRADES = 10
"""Of the master scale."""
LONGEST_TERM = 360
"""Months, as the longest that an application may ask for."""
GENERAL = "general"
"""The segment of everybody whom no other takes."""


class Effect(IntEnum):
    """What a rule does to an application; the worst effect stands."""

    PASS = 0
    REFER = 1
    DECLINE = 2


class Outcome(StrEnum):
    """What an applicant is told."""

    APPROVE = "approve"
    REFER = "refer"
    DECLINE = "decline"


class Operator(StrEnum):
    """How a fact is compared with a rule's value."""

    LT = "lt"
    LE = "le"
    GT = "gt"
    GE = "ge"
    EQ = "eq"
    NE = "ne"
    IN = "in"
    NOT_IN = "not_in"


class Condition(Document, frozen=True):
    """``fact op value``; the fact is a feature or one of ``serving.policy.facts``."""

    fact: str
    op: Operator
    value: Any


class When(Document, frozen=True):
    """All or any of some conditions; exactly one of the two."""

    all: tuple[Condition, ...] = ()
    any: tuple[Condition, ...] = ()

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The conditions, whichever way they are joined."""
        return self.all or self.any

    @property
    def asked(self) -> list[tuple[str, str]]:
        """The field of each fact that is asked for, with the fact."""
        join = "all" if self.all else "any"
        return [(f"when.{join}[{at}].fact", each.fact) for at, each in enumerate(self.conditions)]


class OnMissing(Document, frozen=True):
    """What a rule does when what it asks is unknown, said for each kind of missing: never silent."""

    no_record: str
    source_down: str
    not_authorised: str


class Force(StrEnum):
    """Whether a person may decide otherwise."""

    HARD = "hard"
    """Nobody overrides it, and chance never approves past it."""
    SOFT = "soft"


class Scope(Document, frozen=True, omit_defaults=True):
    """Where a rule holds; an empty part holds everywhere. An unknown region is no way out of it."""

    products: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()


class Rule(Document, frozen=True, omit_defaults=True):
    """It strikes when its condition is true. ``decline`` is a knock-out, ``refer`` sends to a person.

    It holds from the day ``effective_from`` to the day before ``effective_to`` in China (empty: always). ``unknown`` is
    told where it strikes because what it asks is not known; without it, the rule's own text as what could not be checked.
    """

    id: str
    source: str
    code: str
    effect: str
    force: Force
    when: When
    missing: OnMissing
    zh: str
    en: str
    scope: Scope | None = None
    effective_from: str = ""
    effective_to: str = ""
    unknown: Reason | None = None


class Gate(Document, frozen=True):
    """Rules that belong together, in order."""

    id: str
    title: Text
    rules: tuple[Rule, ...]


class Unknown(StrEnum):
    """What a segment does with whom its condition cannot tell."""

    MATCH = "match"
    NEXT = "next"


class Segment(Document, frozen=True):
    """Applicants of a kind, by facts. The first segment whose condition is true takes them, else ``general``."""

    id: str
    when: When
    unknown: Unknown
    zh: str
    en: str


class Row(Document, frozen=True, omit_defaults=True, kw_only=True):
    """A row of a table holds between two days in China, for some products and segments (empty: for all)."""

    id: str
    effective_from: str
    effective_to: str = ""
    products: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()


class CutoffRow(Row, frozen=True, kw_only=True):
    """What becomes of the grades from the first to the last of ``grades``."""

    grades: tuple[int, int]
    outcome: Outcome


class LimitRow(Row, frozen=True, kw_only=True):
    """The most in fen, and the part of a year's verified inflow that a limit may reach, of some grades."""

    grades: tuple[int, int]
    inflow_share_ppm: int
    max_limit_fen: int


class PriceRow(Row, frozen=True, kw_only=True):
    """The rate in ppm a year of some grades for terms from the first to the last of ``terms``, in months.

    With a ``cost`` it is the least rate, and who costs more pays what covers it.
    """

    grades: tuple[int, int]
    rate_ppm: int
    terms: tuple[int, int] = (1, LONGEST_TERM)
    cost: Cost | None = None


class CapRow(Row, frozen=True, kw_only=True):
    """A ceiling with its source, in fen or in ppm a year. Where several hold the lowest binds."""

    source: str
    value: int


class Tables(Document, frozen=True, omit_defaults=True):
    """Of cut-offs, limits and prices exactly one row holds for every case and day; of caps at least one."""

    cutoffs: tuple[CutoffRow, ...]
    limits: tuple[LimitRow, ...]
    prices: tuple[PriceRow, ...]
    limit_caps: tuple[CapRow, ...]
    rate_caps: tuple[CapRow, ...]
    exposure_caps: tuple[CapRow, ...] = ()
    """The most, in fen, that is promised to one household at a time; without a row nothing bounds it."""


class RandomApproval(Document, frozen=True, omit_defaults=True):
    """A small, capped stream of approvals among those whom the score refuses, so that models can learn.

    ``share_ppm`` of the refused in the grades ``first`` to ``last``, ``monthly_budget`` of them at most, with limits of
    ``monthly_amount_fen`` and expected losses (limit x PD x ``lgd_ppm``) of ``monthly_loss_fen`` in all.
    """

    share_ppm: int
    first: int
    last: int
    max_limit_fen: int
    rate_ppm: int
    monthly_budget: int
    monthly_amount_fen: int | None = None
    monthly_loss_fen: int | None = None
    lgd_ppm: int | None = None


class GradeFrom(StrEnum):
    """Which PD gives the grade where sources are withheld."""

    POINT = "point"
    """The score's own: a source that would have spoken against the applicant is worth withholding."""
    HIGH = "high"
    """The upper end of what the withheld sources leave open: withholding seldom pays."""
    WORST = "worst"
    """The most that they could have added: no grade is ever better for it."""


class Withheld(Document, frozen=True):
    """What withheld sources do to grade and outcome. ``reason`` is told when they alone send a case to a person.

    With ``max_pd_high`` an interval that reaches beyond it does so too.
    """

    grade_from: GradeFrom
    reason: Reason
    max_pd_high: float | None = None


class PolicyKind(StrEnum):
    """What is decided."""

    CREDIT = "credit"
    """A loan: a model grades, tables say outcome, limit and price."""
    ELIGIBILITY = "eligibility"
    """A yes or no by rules alone: no model, no offer."""


class PolicyDocument(Document, frozen=True, omit_defaults=True):
    """One policy, from the day ``effective_from`` in China; schema 1 is read as this (``serving.policy.first``).

    ``pd_model`` names the bundle slot whose PD decides; ``challengers`` only watch, unless one of ``experiments`` lets them decide. ``purposes`` and
    ``regions`` are the words that rules may use of an application, with what they say.
    """

    schema: int
    policy: str
    title: Text
    kind: PolicyKind
    effective_from: str
    products: dict[str, Text]
    gates: tuple[Gate, ...]
    purposes: dict[str, Text] = msgspec.field(default_factory=dict)
    regions: dict[str, Text] = msgspec.field(default_factory=dict)
    segments: tuple[Segment, ...] = ()
    pd_model: str = ""
    challengers: tuple[str, ...] = ()
    tables: Tables | None = None
    score_reason: Reason | None = None
    limits: LimitPolicy | None = None
    random_approval: RandomApproval | None = None
    withheld: Withheld | None = None
    offers: OfferRules | None = None
    disclosure: dict[str, Text] = msgspec.field(default_factory=dict)
    breakers: tuple[Breaker, ...] = ()
    experiments: tuple[Experiment, ...] = ()


EFFECTS = {"pass": Effect.PASS, "refer": Effect.REFER, "decline": Effect.DECLINE}
"""Effects by the word that documents use."""
