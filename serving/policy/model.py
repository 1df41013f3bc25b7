"""A credit policy as a document: rules, grades, limits, prices. Data, never code."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Any

import msgspec

from features.contracts.model import Text


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


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parts of a policy refuse fields that they do not know."""


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


class OnMissing(Document, frozen=True):
    """What a rule does when what it asks is unknown, said for each kind of missing: never silent."""

    no_record: str
    source_down: str
    not_authorised: str


class Rule(Document, frozen=True):
    """It strikes when its condition is true. ``decline`` is a knock-out, ``refer`` sends to a person."""

    id: str
    source: str
    code: str
    effect: str
    when: When
    missing: OnMissing
    zh: str
    en: str


class Gate(Document, frozen=True):
    """Rules that belong together, in order."""

    id: str
    title: Text
    rules: tuple[Rule, ...]


class GradeBand(Document, frozen=True):
    """What applies to the grades ``first`` to ``last`` of the master scale.

    ``inflow_share_ppm`` is the part of a year's verified inflow that a limit may reach.
    """

    first: int
    last: int
    outcome: Outcome
    rate_ppm: int
    max_limit_fen: int
    inflow_share_ppm: int


class Cap(Document, frozen=True):
    """A ceiling that holds between two dates (``to`` excluded, empty: still), in fen or in ppm a year."""

    id: str
    source: str
    value: int
    since: str
    to: str = ""


class Reason(Document, frozen=True):
    """A reason as it is told."""

    code: str
    zh: str
    en: str


class LimitPolicy(Document, frozen=True):
    """``income`` names the feature with a year's verified inflow in yuan.

    ``reasons`` are the texts for each thing that can lower a limit: ``income``, ``unverified``,
    ``grade``, ``cap``; and ``too_small`` when what is left is not worth granting.
    """

    income: str
    unverified_limit_fen: int
    min_limit_fen: int
    step_fen: int
    caps: tuple[Cap, ...]
    reasons: dict[str, Reason]


class RandomApproval(Document, frozen=True):
    """A small, capped stream of approvals among those whom the score refuses, so that models can learn.

    ``share_ppm`` of the refused in the grades ``first`` to ``last``, ``monthly_budget`` of them at most.
    """

    share_ppm: int
    first: int
    last: int
    max_limit_fen: int
    rate_ppm: int
    monthly_budget: int


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


class PolicyDocument(Document, frozen=True):
    """One policy. ``pd_model`` names the bundle slot whose PD decides; ``challengers`` only watch."""

    schema: int
    policy: str
    title: Text
    pd_model: str
    products: dict[str, Text]
    purposes: dict[str, Text]
    gates: tuple[Gate, ...]
    grades: tuple[GradeBand, ...]
    score_reason: Reason
    limits: LimitPolicy
    rate_caps: tuple[Cap, ...]
    challengers: tuple[str, ...] = ()
    random_approval: RandomApproval | None = None
    withheld: Withheld | None = None
    disclosure: dict[str, Text] = msgspec.field(default_factory=dict)


EFFECTS = {"pass": Effect.PASS, "refer": Effect.REFER, "decline": Effect.DECLINE}
"""Effects by the word that documents use."""
