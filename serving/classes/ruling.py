"""What a person's word makes of a proposal. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from serving.classes.document import RiskClass
from serving.classes.model import MOST_REASON, ClassChanged, LoanLeft, Ruling, SamePerson, WrongRuling
from serving.process.telling import NumberInText, holds_number


@dataclass(frozen=True, slots=True)
class Locked:
    """A class under its row's lock."""

    month: str
    loan: str
    subject_id: int
    proposed: RiskClass
    risk_class: RiskClass
    left_by: str
    pending: RiskClass | None
    pending_by: UUID | None
    version: int


@dataclass(frozen=True, slots=True)
class Step:
    """What is written: the event's kind, the class that counts then, and whether it waits for a second person."""

    kind: str
    risk_class: RiskClass
    waits: bool


def rule(row: Locked, ruling: Ruling, actor: UUID) -> Step:
    """A class is confirmed or made worse by one person with a reason, made better than proposed by two.

    Raises:
        ClassChanged: it is not as the person saw it.
        LoanLeft, SamePerson: it is not to be had now.
        WrongRuling: another class than proposed has no reason.
    """
    if ruling.version is not None and ruling.version != row.version:
        raise ClassChanged(row.version)
    if row.left_by:
        raise LoanLeft
    wanted = ruling.risk_class
    if wanted is not row.proposed and not ruling.reason.strip():
        raise WrongRuling("another class than proposed needs a reason.", "Say why in a sentence.")
    if wanted.rank >= row.proposed.rank:
        return Step("confirmed", wanted, waits=False)
    if row.pending is not wanted:
        return Step("better_proposed", wanted, waits=True)
    if row.pending_by == actor:
        raise SamePerson
    return Step("better_confirmed", wanted, waits=False)


def check_ruling(ruling: Ruling) -> None:
    """Nothing, where its reason can be kept.

    Raises:
        WrongRuling, NumberInText: it cannot.
    """
    if len(ruling.reason) > MOST_REASON:
        raise WrongRuling(f"a reason has at most {MOST_REASON} characters.", "Say it shorter.")
    if holds_number(ruling.reason):
        raise NumberInText("reason")
