"""Policies of schema 1: bands of grades without a date. They are read as the tables that they amount to."""

from __future__ import annotations

import msgspec

from features.contracts.model import Text
from serving.policy.lending import Document, LimitPolicy, Reason
from serving.policy.model import (
    CapRow,
    CutoffRow,
    Force,
    Gate,
    LimitRow,
    OnMissing,
    Outcome,
    PolicyDocument,
    PolicyKind,
    PriceRow,
    RandomApproval,
    Rule,
    Tables,
    When,
    Withheld,
)

LONG_AGO = "1970-01-01"
"""Bands of schema 1 held whenever it was asked."""


class FirstRule(Document, frozen=True):
    """A rule before it said whether a person may decide otherwise."""

    id: str
    source: str
    code: str
    effect: str
    when: When
    missing: OnMissing
    zh: str
    en: str


class FirstGate(Document, frozen=True):
    """Rules that belong together, in order."""

    id: str
    title: Text
    rules: tuple[FirstRule, ...]


class GradeBand(Document, frozen=True):
    """What applies to the grades ``first`` to ``last`` of the master scale."""

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


class FirstLimits(Document, frozen=True):
    """Limits with their caps; see ``LimitPolicy``."""

    income: str
    unverified_limit_fen: int
    min_limit_fen: int
    step_fen: int
    caps: tuple[Cap, ...]
    reasons: dict[str, Reason]


class FirstDocument(Document, frozen=True):
    """One policy of schema 1."""

    schema: int
    policy: str
    title: Text
    pd_model: str
    products: dict[str, Text]
    purposes: dict[str, Text]
    gates: tuple[FirstGate, ...]
    grades: tuple[GradeBand, ...]
    score_reason: Reason
    limits: FirstLimits
    rate_caps: tuple[Cap, ...]
    challengers: tuple[str, ...] = ()
    random_approval: RandomApproval | None = None
    withheld: Withheld | None = None
    disclosure: dict[str, Text] = msgspec.field(default_factory=dict)


def as_second(old: FirstDocument) -> PolicyDocument:
    """The same policy in the words of schema 2. What declined was a hard rule, what referred a soft one."""
    limits = old.limits
    return PolicyDocument(
        schema=2,
        policy=old.policy,
        title=old.title,
        kind=PolicyKind.CREDIT,
        effective_from=LONG_AGO,
        products=old.products,
        gates=tuple(_gate(gate) for gate in old.gates),
        purposes=old.purposes,
        pd_model=old.pd_model,
        challengers=old.challengers,
        tables=_tables(old),
        score_reason=old.score_reason,
        limits=LimitPolicy(
            limits.income, limits.unverified_limit_fen, limits.min_limit_fen, limits.step_fen, limits.reasons
        ),
        random_approval=old.random_approval,
        withheld=old.withheld,
        disclosure=old.disclosure,
    )


def _gate(old: FirstGate) -> Gate:
    return Gate(old.id, old.title, tuple(_rule(rule) for rule in old.rules))


def _rule(old: FirstRule) -> Rule:
    force = Force.HARD if old.effect == "decline" else Force.SOFT
    return Rule(old.id, old.source, old.code, old.effect, force, old.when, old.missing, old.zh, old.en)


def _tables(old: FirstDocument) -> Tables:
    return Tables(
        cutoffs=tuple(
            CutoffRow(id=_name(b), effective_from=LONG_AGO, grades=(b.first, b.last), outcome=b.outcome)
            for b in old.grades
        ),
        limits=tuple(
            LimitRow(
                id=_name(b),
                effective_from=LONG_AGO,
                grades=(b.first, b.last),
                inflow_share_ppm=b.inflow_share_ppm,
                max_limit_fen=b.max_limit_fen,
            )
            for b in old.grades
        ),
        prices=tuple(
            PriceRow(id=_name(b), effective_from=LONG_AGO, grades=(b.first, b.last), rate_ppm=b.rate_ppm)
            for b in old.grades
        ),
        limit_caps=tuple(_cap(cap) for cap in old.limits.caps),
        rate_caps=tuple(_cap(cap) for cap in old.rate_caps),
    )


def _name(band: GradeBand) -> str:
    return f"grades {band.first}-{band.last}"


def _cap(cap: Cap) -> CapRow:
    return CapRow(
        id=cap.id, effective_from=cap.since, effective_to=cap.to, source=cap.source, value=cap.value
    )
