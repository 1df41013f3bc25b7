"""What is told of a loan's class, and what is refused."""

from __future__ import annotations

from typing import Any

import msgspec

from features.errors import Conflict, Forbidden, Invalid, NotFound
from serving.classes.document import RiskClass

MOST_REASON = 2_000
MONTH = r"^\d{4}-(0[1-9]|1[0-2])$"


class ClassRow(msgspec.Struct, frozen=True):
    """A loan at a month's end; instants are ISO texts, money fen.

    ``risk_class`` counts: the one that a person confirmed, else the ``proposed``; ``raised`` is what the rules alone lead to, and
    ``held_by`` the regulation under which the proposal is worse. ``pending`` waits for a second person. Alert level, class and
    stage are three fields of their own. ``left_by`` says how the loan left the book in the month.
    """

    loan_id: str
    month: str
    risk_class: RiskClass
    proposed: RiskClass
    raised: RiskClass
    held_by: str
    confirmed: bool
    confirmed_by: str | None
    confirmed_at: str | None
    reason: str
    pending: RiskClass | None
    pending_by: str | None
    stage: int
    alert_level: str | None
    left_by: str
    dpd: int
    balance_fen: int
    ecl_fen: int
    ecl_year_fen: int
    ecl_life_fen: int
    segment: str
    months_clean: int
    periods_kept: int
    evidence: list[dict[str, str]]
    parameters: str
    proposed_at: str
    version: int


class ClassEvent(msgspec.Struct, frozen=True):
    """What became of a class, by whom and why."""

    month: str
    at: str
    who: str | None
    kind: str
    from_class: RiskClass
    to_class: RiskClass
    reason: str


class ClassView(msgspec.Struct, frozen=True):
    """A loan's class and what people did about it, in all months, oldest first."""

    loan: ClassRow
    events: list[ClassEvent]


class ClassPage(msgspec.Struct, frozen=True):
    """Loans of a month by their id; ``next``, where there is one, is the ``after`` of the next page."""

    month: str
    classes: list[ClassRow]
    next: str | None


class Ruling(msgspec.Struct, frozen=True):
    """What a person says: the class, and why. ``month`` is the last that was proposed, where none is given."""

    risk_class: RiskClass
    reason: str = ""
    month: str = ""
    version: int | None = None


class UnknownClass(NotFound):
    """No class of such a loan, or of that month."""

    def __init__(self, place: str = "loan_id") -> None:
        super().__init__(
            "no class was proposed for this loan in that month.", place=place,
            remedy="`yidai classes list` tells who was classed; `yidai classes propose` classes a month.",
        )  # fmt: skip


class NoMonth(NotFound):
    """No month has been classed."""

    def __init__(self) -> None:
        super().__init__(
            "no month has been classed yet.",
            place="month",
            remedy="`yidai classes propose` does the last one.",
        )


class MonthNotOver(Invalid):
    """A month that has not ended, or none."""

    def __init__(self, month: str) -> None:
        super().__init__(
            f"{month!r} is no month that is over.", place="month", remedy="Name one such as 2026-10."
        )


class ClassChanged(Conflict):
    """Somebody else, or a new proposal, changed it after it was read."""

    def __init__(self, version: int) -> None:
        super().__init__(
            f"the class has changed since you read it: it is at version {version}.", place="version",
            remedy="Read it again and send the `version` of that answer.",
        )  # fmt: skip


class LoanLeft(Conflict):
    """A loan that is not on the book any more."""

    def __init__(self) -> None:
        super().__init__(
            "this loan left the book in that month; its class is not confirmed.", place="month",
            remedy="Confirm the month before, or correct the loan's records and propose anew.",
        )  # fmt: skip


class SamePerson(Forbidden):
    """The second of four eyes are the first."""

    def __init__(self) -> None:
        super().__init__(
            "a better class than proposed takes two people, and you were the first.",
            place="risk_class", remedy="Ask another risk officer.",
        )  # fmt: skip


class WrongRuling(Invalid):
    """A ruling without a reason where one is needed, or with one that cannot be kept."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem, place="reason", remedy=remedy)


class Proposed(msgspec.Struct, frozen=True):
    """What a run proposed: loans, how many are new or changed, how many by class and stage, rules that could not be told."""

    month: str
    loans: int
    changed: int
    classes: dict[str, int]
    stages: dict[str, int]
    ecl_fen: int
    left: dict[str, int]
    skipped: dict[str, int]
    parameters: str


Row = dict[str, Any]
"""A row of ``class_point`` as it is written."""
