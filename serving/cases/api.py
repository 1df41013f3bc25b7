"""/v1/cases, and the review that an applicant asks for."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from features.calendar import NEVER, instant, iso
from features.errors import Invalid
from serving.access.bearer import asking
from serving.access.model import Authority, Permission
from serving.cases.model import CaseRow, CaseState, PersonOutcome, Terms, Verdict
from serving.cases.reasons import MOST_TEXT
from serving.cases.repository import Wanted
from serving.cases.service import CaseView
from serving.services import Services, services

router = APIRouter(prefix="/v1", tags=["cases"])
Reader = Annotated[Authority, Depends(asking(Permission.READ_CASES))]
Officer = Annotated[Authority, Depends(asking(Permission.DECIDE_CASES))]
Applicant = Annotated[Authority, Depends(asking(Permission.EXERCISE_RIGHTS))]
Held = Annotated[Services, Depends(services)]
Digest = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
Fen = Annotated[int, Field(ge=0, le=100_000_000_000)]
JSON = "application/json"


class Body(BaseModel):
    """Bodies refuse what they do not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TakeBody(Body):
    """`over` takes it from somebody else, which is logged."""

    over: bool = False


class TermsBody(Body):
    """What is granted."""

    limit_fen: Fen
    annual_rate_ppm: Annotated[int, Field(ge=0, le=10_000_000)]


class DecideBody(Body):
    """Approve or decline; `seen` is the digest that GET /v1/cases/{id} gave."""

    outcome: PersonOutcome
    reason_code: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    reason: Annotated[str, StringConstraints(min_length=1, max_length=MOST_TEXT)]
    seen: Digest
    terms: TermsBody | None = None


class SecondBody(Body):
    """Agree with the proposal, or send it back; `seen` as for a decision."""

    agree: bool
    seen: Digest


class WrongCursor(Invalid):
    """An ``after`` that no answer gave."""

    def __init__(self) -> None:
        super().__init__(
            "this is no place in the queue.", place="after", remedy="Send the `next` of an answer."
        )


@router.get("/cases", summary="What waits for a person")
async def cases(
    authority: Reader,
    held: Held,
    state: Annotated[list[CaseState] | None, Query()] = None,
    product: Annotated[str | None, Query(max_length=64)] = None,
    due_before: Annotated[str, Query(max_length=40)] = "",
    after: Annotated[str, Query(max_length=64)] = "",
    most: Annotated[int, Query(ge=1, le=200)] = 50,
    *,
    overdue: bool = False,
) -> Response:
    """The first due first. `next`, where there is one, is the `after` of the next page."""
    before = instant(due_before) if due_before else NEVER
    place = place_of(after) if after else Wanted().after
    wanted = Wanted(tuple(state or ()), product, before, place, most)
    found = await (held.cases.overdue if overdue else held.cases.some)(authority, wanted)
    last = f"{found[-1].due_at}.{found[-1].case_id}" if len(found) == most else None
    return _json({"cases": [told(case) for case in found], "next": last})


@router.get("/cases/{case_id}", summary="One case with all that counts")
async def case(case_id: UUID, authority: Reader, held: Held) -> Response:
    """Decision, reasons, facts, what the applicant says and disputes, what may be granted; the read is logged."""
    return _json(told_view(await held.cases.view(authority, case_id)))


@router.post("/cases/{case_id}/take", summary="Take a case")
async def take(case_id: UUID, body: TakeBody, authority: Officer, held: Held) -> Response:
    """Who has taken it decides it."""
    return _json(told(await held.cases.take(authority, case_id, over=body.over)))


@router.post("/cases/{case_id}/decide", summary="Decide a case")
async def decide(case_id: UUID, body: DecideBody, authority: Officer, held: Held) -> Response:
    """A linked decision with its own receipt; above an amount it waits for a second person."""
    terms = None if body.terms is None else Terms(body.terms.limit_fen, body.terms.annual_rate_ppm)
    verdict = Verdict(body.outcome, body.reason_code, body.reason, body.seen, terms)
    return _json(told(await held.deciding.decide(authority, case_id, verdict)))


@router.post("/cases/{case_id}/second", summary="Agree with a proposal, or send it back")
async def second(case_id: UUID, body: SecondBody, authority: Officer, held: Held) -> Response:
    """By another person than the one who proposed it."""
    return _json(told(await held.deciding.second(authority, case_id, body.seen, agree=body.agree)))


@router.post("/decisions/{decision_id}/human-review", summary="Ask for a person's review")
async def human_review(decision_id: UUID, authority: Applicant, held: Held) -> Response:
    """For the applicant (REG-PI-08); asking again gives the same case."""
    return _json(told(await held.cases.request(authority, decision_id)))


def told(case: CaseRow) -> dict[str, Any]:
    """A case as it is answered: instants as texts."""
    values: dict[str, Any] = msgspec.to_builtins(case)
    for name in ("opened_at", "due_at", "requested_at", "taken_at", "proposed_at", "decided_at"):
        values[name] = None if values[name] is None else iso(values[name])
    return values


def told_view(view: CaseView) -> dict[str, Any]:
    """A case with its evidence as it is answered."""
    return {
        "case": told(view.case), "evidence": msgspec.to_builtins(view.evidence), "seen": view.seen,
        "cap_left_fen": view.cap_left_fen,
    }  # fmt: skip


def place_of(text: str) -> tuple[int, UUID]:
    """The place in the queue that an answer gave.

    Raises:
        WrongCursor: none did.
    """
    due, _, name = text.partition(".")
    try:
        place = int(due), UUID(name)
    except ValueError:
        raise WrongCursor from None
    if not -1 <= place[0] < NEVER:
        raise WrongCursor
    return place


def _json(value: Any) -> Response:
    return Response(msgspec.json.encode(value), media_type=JSON)
