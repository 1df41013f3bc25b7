"""A case: a decision that waits for a person, and what the person may answer."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

import msgspec

from features.errors import Conflict, Forbidden, Invalid, NotFound


class CaseState(StrEnum):
    """Where a case stands."""

    OPEN = "open"
    TAKEN = "taken"
    AWAITING_SECOND = "awaiting_second"
    """One person has proposed; another has to agree."""
    DECIDED = "decided"


class Origin(StrEnum):
    """How a case began."""

    REFER = "refer"
    REQUEST = "request"
    """The applicant asked for a person (REG-PI-08)."""


class Override(StrEnum):
    """In what a person's decision differs from the system's."""

    APPROVED = "approved_against_system"
    DECLINED = "declined_against_system"
    TERMS = "other_terms"


class PersonOutcome(StrEnum):
    """What a person may decide."""

    APPROVE = "approve"
    DECLINE = "decline"


class CaseRow(msgspec.Struct, frozen=True):
    """A case as it is listed; instants in µs, ``codes`` the reasons' codes, people by name.

    ``level`` is 0 within its time, 1 once it is overdue, 2 a week later.
    ``override`` is None until it is decided and empty where the person's decision is no override.
    """

    case_id: UUID
    decision_id: UUID
    origin: Origin
    system_outcome: str
    grade: int | None
    codes: tuple[str, ...]
    product: str | None
    amount_fen: int | None
    opened_at: int
    due_at: int
    requested_at: int | None
    state: CaseState
    taken_by: str | None
    taken_at: int | None
    proposed_by: str | None
    proposed_at: int | None
    decided_at: int | None
    linked_id: UUID | None
    outcome: str | None
    reason_code: str | None
    override: str | None
    level: int


class Terms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a reviewer grants: a limit in fen and a rate in ppm a year."""

    limit_fen: int
    annual_rate_ppm: int


class Verdict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a reviewer decides: why, by a code of ``reasons.yaml`` and in own words, and the digest of what was seen."""

    outcome: PersonOutcome
    reason_code: str
    reason: str
    seen: str
    terms: Terms | None = None


class UnknownCase(NotFound):
    """No case of this id in the tenant."""

    def __init__(self) -> None:
        super().__init__("there is no such case.", place="case_id", remedy="See GET /v1/cases.")


class CaseTaken(Conflict):
    """Somebody else has the case."""

    def __init__(self, who: str | None) -> None:
        super().__init__(
            f"{who} has taken this case.", place="case_id",
            remedy="Let them decide it, or take it over with `over: true`, which is logged.",
        )  # fmt: skip


class NotTaken(Conflict):
    """Who decides has not taken the case."""

    def __init__(self) -> None:
        super().__init__(
            "you have not taken this case.", place="case_id", remedy="POST /v1/cases/{id}/take, read it, then decide."
        )  # fmt: skip


class WrongState(Conflict):
    """The case is elsewhere in its life."""

    def __init__(self, state: CaseState) -> None:
        remedies = {
            CaseState.DECIDED: "Read the linked decision; an applicant who disagrees may dispute a record or complain.",
            CaseState.AWAITING_SECOND: "Another person agrees or sends it back with POST /v1/cases/{id}/second.",
            CaseState.OPEN: "Take it with POST /v1/cases/{id}/take.",
            CaseState.TAKEN: "Who has taken it decides it with POST /v1/cases/{id}/decide.",
        }
        super().__init__(
            f"the case is {state.value.replace('_', ' ')}.", place="case_id", remedy=remedies[state], code=f"case_{state.value}"
        )  # fmt: skip


class CaseChanged(Conflict):
    """What the reviewer saw is not what is there now."""

    def __init__(self) -> None:
        super().__init__(
            "the case is not as it was when you read it.", place="seen",
            remedy="Read it again with GET /v1/cases/{id} and send the `seen` of that answer.",
        )  # fmt: skip


class SamePerson(Forbidden):
    """The second of four eyes are the first."""

    def __init__(self) -> None:
        super().__init__(
            "who proposed a decision may not be its second person.", place="case_id", remedy="Ask somebody else."
        )  # fmt: skip


class HardRule(Conflict):
    """A rule that nobody overrides."""

    def __init__(self, rules: tuple[str, ...]) -> None:
        super().__init__(
            f"no person may approve against {', '.join(rules)}.", place="outcome",
            remedy="Decline it; if the record behind the rule is wrong, open a dispute and decide again after it.",
        )  # fmt: skip


class WrongReason(Invalid):
    """A reason code that is not of the list, or not for this outcome."""

    def __init__(self, code: str, outcome: str, known: list[str]) -> None:
        super().__init__(
            f"{code!r} is no reason to {outcome}.", place="reason_code", remedy=f"Codes: {', '.join(known)}."
        )  # fmt: skip


class NoText(Invalid):
    """A decision of a person without words."""

    def __init__(self) -> None:
        super().__init__(
            "a person's decision needs its reason in writing, in at most 2,000 characters.", place="reason",
            remedy="Say what you saw and why it counts.",
        )  # fmt: skip


class WrongTerms(Invalid):
    """Terms that may not be granted."""

    def __init__(self, place: str, problem: str, remedy: str) -> None:
        super().__init__(problem, place=place, remedy=remedy)


class ReviewOfReview(Conflict):
    """A person has decided this already."""

    def __init__(self, kind: str) -> None:
        problem = (
            "this decision was made by a person"
            if kind == "person"
            else "a person has reviewed this decision"
        )
        super().__init__(
            f"{problem}: there is no review of a review.", place="decision_id",
            remedy="Dispute a record that is wrong, add a statement to it, or use the complaint channel of the notice.",
        )  # fmt: skip


class NothingToReview(Conflict):
    """What was asked was granted, at the best price."""

    def __init__(self) -> None:
        super().__init__(
            "everything that was asked for was approved at the best grade.", place="decision_id",
            remedy="A person reviews what was declined, referred, lowered or made dearer.",
        )  # fmt: skip
