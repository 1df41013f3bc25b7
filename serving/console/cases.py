"""Applications that wait for a person: the queue, what lies before the reviewer, and the decision."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from features.calendar import NEVER
from serving.access.model import Permission
from serving.cases.api import place_of
from serving.cases.model import CaseState, PersonOutcome, Terms, Verdict, WrongState
from serving.cases.reasons import MOST_TEXT, person_reasons
from serving.cases.repository import Wanted
from serving.console.asking import Sent, Visit, WrongField, go, opening, sending
from serving.console.borrowers import borrowers
from serving.console.forms import amount
from serving.console.pages import ROOT

router = APIRouter(prefix=f"{ROOT}/cases")
Reader = Annotated[Visit, Depends(opening(Permission.READ_CASES))]
Deciding = Annotated[Sent, Depends(sending(Permission.DECIDE_CASES))]
A_PAGE = 50


@router.get("")
async def queue(
    visit: Reader,
    state: Annotated[list[CaseState] | None, Query()] = None,
    product: Annotated[str, Query(max_length=64)] = "",
    after: Annotated[str, Query(max_length=64)] = "",
    *,
    overdue: bool = False,
) -> Response:
    """The first due first; without a state those that are not decided."""
    states = tuple(state or (each for each in CaseState if each is not CaseState.DECIDED))
    wanted = Wanted(states, product or None, NEVER, place_of(after) if after else Wanted().after, A_PAGE)
    held = visit.services.cases
    found = await (held.overdue if overdue else held.some)(visit.authority(Permission.READ_CASES), wanted)
    last = f"{found[-1].due_at}.{found[-1].case_id}" if len(found) == A_PAGE else ""
    return visit.page(
        "cases.html",
        cases=found,
        states=tuple(CaseState),
        chosen=states,
        product=product,
        overdue=overdue,
        after=last,
    )


@router.get("/{case_id}")
async def case(case_id: UUID, visit: Reader) -> Response:
    """Decision, reasons, facts, policy trace, what the applicant says, what may be granted; the read is logged."""
    view = await visit.services.cases.view(visit.authority(Permission.READ_CASES), case_id)
    name, borrower = visit.session.actor.name, None
    if visit.may(Permission.HANDLE_ALERTS):
        handler = visit.authority(Permission.HANDLE_ALERTS)
        borrower = await borrowers(visit.request).case_of_decision(handler, view.case.decision_id)
    return visit.page(
        "case.html", view=view, borrower=borrower, case=view.case,
        evidence=view.evidence, decision=view.evidence.decision,
        reasons=tuple(person_reasons().values()), mine=view.case.taken_by == name, most_text=MOST_TEXT,
        proposed_by_me=view.case.proposed_by == name,
    )  # fmt: skip


@router.post("/{case_id}/take")
async def take(case_id: UUID, sent: Deciding) -> Response:
    """Take it, or with `over` from somebody else, which is logged."""
    authority, over = sent.visit.authority(Permission.DECIDE_CASES), bool(sent.text("over", 8, needed=False))
    await sent.visit.services.cases.take(authority, case_id, over=over)
    return go(f"{ROOT}/cases/{case_id}")


@router.post("/{case_id}/decide")
async def decide(case_id: UUID, sent: Deciding) -> Response:
    """Approve or decline, with a reason of the list and in words; above an amount it waits for a second person."""
    visit, verdict = sent.visit, _verdict(sent)
    try:
        await visit.services.deciding.decide(visit.authority(Permission.DECIDE_CASES), case_id, verdict)
    except WrongState:
        if not await _decided_so(visit, case_id, verdict):
            raise
    return go(f"{ROOT}/cases/{case_id}")


@router.post("/{case_id}/second")
async def second(case_id: UUID, sent: Deciding) -> Response:
    """Agree with what another person proposed, or send it back."""
    agree = sent.text("agree", 8) == "yes"
    authority = sent.visit.authority(Permission.DECIDE_CASES)
    await sent.visit.services.deciding.second(authority, case_id, sent.text("seen", 64), agree=agree)
    return go(f"{ROOT}/cases/{case_id}")


async def _decided_so(visit: Visit, case_id: UUID, verdict: Verdict) -> bool:
    """Whether this person has just decided it so: a form that was sent twice."""
    found = await visit.services.cases.listed(visit.authority(Permission.READ_CASES), case_id)
    said = (found.taken_by, found.outcome, found.reason_code)
    return found.state is CaseState.DECIDED and said == (
        visit.session.actor.name, verdict.outcome.value, verdict.reason_code
    )  # fmt: skip


def _verdict(sent: Sent) -> Verdict:
    outcome, code = _outcome(sent), sent.text("reason_code", 64)
    terms = _terms(sent) if outcome is PersonOutcome.APPROVE else None
    return Verdict(outcome, code, sent.text("reason", MOST_TEXT), sent.text("seen", 64), terms)


def _outcome(sent: Sent) -> PersonOutcome:
    try:
        return PersonOutcome(sent.text("outcome", 16))
    except ValueError:
        raise WrongField("outcome", "approve or decline.") from None


def _terms(sent: Sent) -> Terms | None:
    """What is granted; None where the product has no terms and none are given."""
    values: dict[str, Any] = {
        name: sent.text(name, 20, needed=False) for name in ("limit_yuan", "rate_percent")
    }
    if not any(values.values()):
        return None
    return Terms(amount(sent, "limit_yuan"), round(amount(sent, "rate_percent") * 100))
