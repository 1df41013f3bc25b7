"""A borrower as a risk officer sees one, and a village."""

from __future__ import annotations

from uuid import UUID

import msgspec

from features.contracts.model import Text
from features.errors import Invalid, NotFound
from features.loans.model import Event, Loan
from serving.alerts.model import AlertRow, EventRow
from serving.loans.model import LoanView
from serving.process.telling import NumberInText, holds_number

LEAST_REASON, MOST_REASON = 10, 500
History = tuple[Loan, list[Event]]


class Value(msgspec.Struct, frozen=True):
    """A value with its title."""

    title: Text
    value: Text
    unit: str


class SourceRow(msgspec.Struct, frozen=True):
    """A source's records by month, as far as the timeline's months go."""

    dataset: str
    title: Text
    department: str
    counts: tuple[int, ...]
    total: int


class RecordRow(msgspec.Struct, frozen=True):
    """One record: when it was true and since when it is known (µs), with values that may be shown, which name nobody."""

    dataset: str
    title: Text
    valid_from: int
    known_from: int
    values: tuple[Value, ...]


class NotRead(msgspec.Struct, frozen=True):
    """A source that the officer may not read of this borrower."""

    dataset: str
    title: Text
    category: str


class Timeline(msgspec.Struct, frozen=True):
    """What the sources know of a borrower, as far as contract and consent allow. ``after`` leads to older records, 0 where there
    are none; ``months`` are texts, oldest first.
    """

    months: tuple[str, ...]
    sources: tuple[SourceRow, ...]
    records: tuple[RecordRow, ...]
    whole: int
    after: int
    not_read: tuple[NotRead, ...]


class DecisionRow(msgspec.Struct, frozen=True):
    """A decision about the borrower with its grade, PD and reasons; ``case_id`` where a person was asked to look."""

    decision_id: UUID
    decided_at: int
    outcome: str
    kind: str
    grade: int | None
    pd: float | None
    limit_fen: int | None
    reasons: tuple[Text, ...]
    case_id: UUID | None


class ClassPoint(msgspec.Struct, frozen=True):
    """The class of one of its loans at a month's end."""

    month: str
    loan: str
    risk_class: str
    confirmed: bool
    stage: int
    ecl_fen: int
    dpd: int


class Told(msgspec.Struct, frozen=True):
    """An event of one of the borrower's alerts."""

    alert_id: UUID
    loan: str
    signal: str
    event: EventRow


class Beside(msgspec.Struct, frozen=True):
    """Somebody beside the borrower, by no name and no number: ``how`` household or guarantor. With alerts of its own there is a
    page about it, and ``level`` is the gravest that nobody released.
    """

    how: str
    case_id: UUID | None
    level: str | None


class Firm(msgspec.Struct, frozen=True):
    """A firm of the borrower's by what the register says, without its name or number."""

    values: tuple[Value, ...]


class Around(msgspec.Struct, frozen=True):
    """Who stands beside a borrower; None where that may not be read."""

    household: tuple[Beside, ...] | None
    guarantors: tuple[Beside, ...] | None
    firms: tuple[Firm, ...] | None


class BorrowerView(msgspec.Struct, frozen=True):
    """All of it; ``masked`` is the borrower's number without what would name it."""

    case_id: UUID
    masked: str
    as_of: int
    village: str | None
    alerts: list[AlertRow]
    story: list[Told]
    earlier: int
    timeline: Timeline
    loans: list[LoanView]
    decisions: list[DecisionRow]
    classes: list[ClassPoint]
    around: Around


class LevelCount(msgspec.Struct, frozen=True):
    """Alerts of a level that nobody released."""

    level: str
    alerts: int
    borrowers: int


class ClassCount(msgspec.Struct, frozen=True):
    """Loans with alerts by class."""

    risk_class: str
    loans: int
    balance_fen: int


class VillageView(msgspec.Struct, frozen=True):
    """A village's alerts beside all of the tenant: by level, with how many borrowers, and the classes of the loans that they are
    about in ``month``, the last that was classed. ``borrowers`` count once whatever their alerts.
    """

    village: str
    levels: list[LevelCount]
    borrowers: int
    all_borrowers: int
    month: str
    classes: list[ClassCount]


class UnknownBorrower(NotFound):
    """No case of this id in the tenant, none of a borrower, or one who was erased."""

    def __init__(self) -> None:
        super().__init__(
            "there is no such borrower.", place="case_id", remedy="Open an alert of the borrower."
        )


class UnknownVillage(NotFound):
    """No alert of the tenant was ever in such a village."""

    def __init__(self) -> None:
        super().__init__(
            "no alert was ever in such a village.", place="village", remedy="Choose one from the inbox."
        )


class WeakReason(Invalid):
    """A number that would be revealed without saying why."""

    def __init__(self) -> None:
        super().__init__(
            f"a reason of {LEAST_REASON} to {MOST_REASON} characters is needed.", place="reason",
            remedy="Say what the number is needed for, such as a call that the playbook asks for.",
        )  # fmt: skip


def checked_reason(text: str) -> str:
    """A reason without the space around it.

    Raises:
        WeakReason, NumberInText: it says too little, too much, or who somebody is.
    """
    reason = " ".join(text.split())
    if not LEAST_REASON <= len(reason) <= MOST_REASON:
        raise WeakReason
    if holds_number(reason):
        raise NumberInText("reason")
    return reason


def masked(number: str) -> str:
    """A number's first three and last two characters, which find nobody."""
    return (
        f"{number[:3]}{'*' * max(len(number) - 5, 0)}{number[-2:]}" if len(number) > 5 else "*" * len(number)
    )
