"""What a decision takes of the limits that it shares with others, read from its answer and its policy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from uuid import UUID

from features.calendar import DAY, instant, iso
from features.errors import Unavailable
from serving.decisions.arms import ARM
from serving.decisions.budgets import (
    HOUSEHOLD,
    RANDOM_AMOUNT,
    RANDOM_BUDGETS,
    RANDOM_COUNT,
    RANDOM_LOSS,
    Full,
    Reservation,
)
from serving.decisions.case import CaseHousehold
from serving.decisions.decider import Decision
from serving.decisions.holding import BREAKER, graded_pd
from serving.decisions.holding import reservations as breakers
from serving.decisions.linking import Link
from serving.decisions.repository import Inputs
from serving.decisions.verdict import RANDOM
from serving.offers.loss import expected_loss
from serving.offers.model import NewOffer
from serving.offers.offer import Offer
from serving.policy.model import RandomApproval
from serving.policy.policy import Policy

MOST_TRIALS = 8
"""How often an application is decided while others take what it would reserve."""


class Contended(Unavailable):
    """Others kept taking what is left of a shared limit while this application was decided."""

    def __init__(self) -> None:
        super().__init__(
            "too many applications share one limit just now; nothing was decided.",
            remedy="Send the same request again with the same Idempotency-Key.",
        )


@dataclass(frozen=True, slots=True)
class Trial:
    """One attempt to decide: later ones keep id and moment, so that chance draws once; ``random`` whether it may.

    With ``line_fen`` it looks at a line that holds so much of its household's cap: it reserves and offers nothing, and
    no stop holds it. ``full`` are the breakers that had too little left.
    """

    decision_id: UUID
    now: int
    random: bool = True
    line_fen: int | None = None
    full: frozenset[str] = frozenset()

    @staticmethod
    def first(link: Link | None, decision_id: UUID, now: int) -> Trial:
        """Of an application, or of a decision that follows another."""
        if link is None or not link.kind.of_line:
            return Trial(decision_id, now)
        return Trial(decision_id, now, random=False, line_fen=link.held_fen)

    def after(self, full: Full) -> Trial:
        """The next one, when these budgets had too little left."""
        names = set(full.names)
        breakers = {name for name in names if name.startswith(BREAKER)}
        random = self.random and not RANDOM_BUDGETS & names
        return replace(self, random=random, full=self.full | breakers)


@dataclass(frozen=True, slots=True)
class Made:
    """A decision that is not stored yet, with its subject's key and what it takes of shared limits."""

    decision: Decision
    data_key: bytes
    reservations: tuple[Reservation, ...]
    offer: NewOffer | None


def made_of(decision: Decision, data_key: bytes, policy: Policy, trial: Trial) -> Made:
    """A decision with what it is stored with."""
    if trial.line_fen is not None:
        return Made(decision, data_key, (), None)
    return Made(decision, data_key, reservations_of(decision, policy), offer_of(decision, policy))


def household_of(inputs: Inputs, policy: Policy, trial: Trial) -> CaseHousehold | None:
    """With whom the applicant shares a cap, and what of it is promised but for the line that is looked at.

    None where the policy bounds nothing of the kind.
    """
    if inputs.holder is None or policy.document.tables is None or not policy.document.tables.exposure_caps:
        return None
    return CaseHousehold(inputs.holder, max(inputs.promised - (trial.line_fen or 0), 0))


def held_by(inputs: Inputs, trial: Trial) -> tuple[dict[str, str], tuple[str, ...]]:
    """The stops that hold an application, and the breakers that are full; a line that is looked at knows neither, but
    for the arms that are stopped.
    """
    if trial.line_fen is not None:
        return {name: why for name, why in inputs.stopped.items() if name.startswith(ARM)}, ()
    return inputs.stopped, tuple(sorted(trial.full))


def reservations_of(decision: Decision, policy: Policy) -> tuple[Reservation, ...]:
    """The limit of the household that an approval promises and its part of the day's breakers; of a random one also its
    part of the month's budgets.
    """
    offer = decision.answer.offer
    found = [*breakers(decision.case, decision.answer, policy)]
    if not isinstance(offer, Offer):
        return tuple(found)
    found += _exposure(decision, offer, policy)
    stream = policy.document.random_approval
    if stream is not None and decision.answer.stream == RANDOM:
        found += _random(decision, offer, stream)
    return tuple(found)


def offer_of(decision: Decision, policy: Policy) -> NewOffer | None:
    """The offer of an approval, under a policy that says how long offers stand."""
    case, offer, rules = decision.case, decision.answer.offer, policy.document.offers
    if not isinstance(offer, Offer) or rules is None:
        return None
    holds = case.household is not None and "exposure_caps" in decision.answer.rows
    return NewOffer(
        subject_id=case.subject.subject_id,
        holder=case.household.holder if holds and case.household else None,
        product=case.asked.product,
        limit_fen=offer.limit_fen,
        line_months=rules.line_months,
        made_at=case.decided_at,
        valid_to=instant(offer.valid_to) + DAY,
    )


def _exposure(decision: Decision, offer: Offer, policy: Policy) -> Iterator[Reservation]:
    household, tables = decision.case.household, policy.document.tables
    row = decision.answer.rows.get("exposure_caps")
    if household is not None and tables is not None and row is not None:
        cap = next(each.value for each in tables.exposure_caps if each.id == row)
        yield Reservation(HOUSEHOLD, str(household.holder), offer.limit_fen, cap)


def _random(decision: Decision, offer: Offer, stream: RandomApproval) -> Iterator[Reservation]:
    month = iso(decision.case.decided_at)[:7]
    yield Reservation(RANDOM_COUNT, month, 1, stream.monthly_budget)
    if stream.monthly_amount_fen is not None:
        yield Reservation(RANDOM_AMOUNT, month, offer.limit_fen, stream.monthly_amount_fen)
    if stream.monthly_loss_fen is not None and stream.lgd_ppm is not None:
        loss = expected_loss(offer.limit_fen, graded_pd(decision.answer), stream.lgd_ppm)
        yield Reservation(RANDOM_LOSS, month, loss, stream.monthly_loss_fen)
