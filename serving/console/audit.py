"""The auditor's pages: decisions found, opened and replayed; the log verified; who saw what and why."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from features.calendar import NEVER, instant
from features.consent import Purpose
from serving.access.model import Permission
from serving.commands import access_reading, deeds_reading
from serving.commands.access_reading import Asked, ReadRow
from serving.console.asking import Sent, Visit, opening, sending
from serving.console.commands import command
from serving.console.pages import ROOT
from serving.decisions.reading import DecidedByPerson
from serving.decisions.replay import Replayed, replay
from serving.decisions.searching import A_PAGE, FoundDecision, Search
from serving.log.model import NothingSealed, NotSealed
from serving.log.verify import verify
from serving.policy.model import Outcome

router = APIRouter(prefix=f"{ROOT}/audit")
Auditor = Annotated[Visit, Depends(opening(Permission.READ_ACCESS_LOG))]
Order = Annotated[Sent, Depends(sending(Permission.READ_ACCESS_LOG))]
Text = Annotated[str, Query(max_length=64)]
MOST_READS = 200
MOST_DEEDS = 100
Place = Annotated[int | None, Query(ge=0, lt=2**63)]
NOTHING = dict.fromkeys(("who", "outcome", "model", "since", "until"), "")


@router.get("")
async def search(
    visit: Auditor, who: Text = "", outcome: Text = "", model: Text = "", since: Text = "", until: Text = "",
    decision: Text = "", after: UUID | None = None,
) -> Response:  # fmt: skip
    """Decisions, the newest first; a person's number is sent by the form beside, never in an address."""
    if decision:
        return visit.page(
            "audit_find.html",
            found=await _one(visit, decision),
            asked=NOTHING,
            after="",
            outcomes=tuple(Outcome),
        )
    asked = {"who": who, "outcome": outcome, "model": model, "since": since, "until": until}
    begins, ends = instant(since) if since else 0, instant(until) if until else NEVER
    found = await _find(visit, Search(who, outcome, model, "", begins, ends, after))
    last = found[-1].decision_id if len(found) == A_PAGE else ""
    address = urlencode({name: value for name, value in asked.items() if value})
    return visit.page(
        "audit_find.html", found=found, asked=asked, after=f"{address}&after={last}" if last else "",
        outcomes=tuple(Outcome),
    )  # fmt: skip


@router.post("")
async def search_subject(sent: Order) -> Response:
    """The decisions about a person."""
    found = await _find(sent.visit, Search(number=sent.text("number", 32)))
    return sent.visit.page("audit_find.html", found=found, asked=NOTHING, after="", outcomes=tuple(Outcome))


@router.get("/decisions/{decision_id}")
async def decision(decision_id: UUID, visit: Auditor) -> Response:
    """The answer, the receipt with every value beside its name, and its place in the log."""
    return await _decision(visit, decision_id, None)


@router.post("/decisions/{decision_id}/replay")
async def replay_one(decision_id: UUID, sent: Order) -> Response:
    """Decide again from the lake and the receipt, and compare bytes."""
    visit, authority = sent.visit, sent.visit.authority(Permission.REPLAY)
    settings, database = visit.services.settings, visit.request.app.state.database

    def run() -> Replayed:
        return next(iter(replay(settings, database, authority, decision_id)))

    return await _decision(visit, decision_id, await asyncio.to_thread(run))


@router.get("/decisions/{decision_id}/receipt.json")
async def receipt(decision_id: UUID, visit: Auditor) -> Response:
    """The receipt's canonical bytes, to be kept."""
    opened = await visit.services.reader.receipt(visit.authority(Permission.READ_RECEIPTS), decision_id)
    kept = {"Content-Disposition": f'attachment; filename="receipt-{decision_id}.json"'}
    return Response(opened.data, media_type="application/json", headers=kept)


@router.get("/log")
async def log_page(visit: Auditor) -> Response:
    """The newest checkpoint, which whoever keeps it can hold against the log later."""
    return await _log(visit, None)


@router.post("/log")
async def verify_log(sent: Order) -> Response:
    """Compute the whole log again from the stored rows."""
    visit = sent.visit
    found = await command(visit, Permission.READ_LOG, verify, (), _silent, visit.services.clock())
    return await _log(visit, found)


@router.get("/access")
async def access(
    visit: Auditor, who: Text = "", purpose: Text = "", since: Text = "", until: Text = "",
    before: Place = None, skip: Annotated[int, Query(ge=0, le=100_000)] = 0,
) -> Response:  # fmt: skip
    """Who read whose records, what of them, when and why, the newest first. A page begins at the moment ``before`` (µs), without
    the ``skip`` reads of that moment that the page before has shown.
    """
    question = access_reading.asked("", "", who, purpose, since, until, MOST_READS)
    if before is not None:
        ends = min(question.wanted.until, before + 1)
        question = replace(question, wanted=replace(question.wanted, until=ends))
    asked = {"who": who, "purpose": purpose, "since": since, "until": until}
    return await _reads(visit, question, asked, skip)


@router.post("/access")
async def access_of_subject(sent: Order) -> Response:
    """Who read the records of one person."""
    since, until = (sent.text(name, 64, needed=False) for name in ("since", "until"))
    question = access_reading.asked("person", sent.text("number", 32), "", "", since, until, MOST_READS)
    return await _reads(sent.visit, question, {})


@router.get("/deeds")
async def deeds(
    visit: Auditor, who: Text = "", action: Text = "", since: Text = "", until: Text = "", after: Place = None
) -> Response:
    """Who did what to which object, the newest first."""
    wanted = deeds_reading.asked(who, action, since, until, after, MOST_DEEDS)
    found = await command(visit, Permission.READ_ACCESS_LOG, deeds_reading.told, wanted)
    asked = {"who": who, "action": action, "since": since, "until": until}
    more = urlencode(asked | {"after": str(found[-1].entry)}) if len(found) == MOST_DEEDS else ""
    return visit.page("audit_deeds.html", deeds=found, asked=asked, more=more)


async def _reads(visit: Visit, question: Asked, asked: dict[str, str], skip: int = 0) -> Response:
    """A page of reads; one more is asked for, which tells whether there is another page. Without what was ``asked`` in the
    address there is none to lead to: a person's number is in no address.
    """
    authority, last = visit.authority(Permission.READ_ACCESS_LOG), skip + MOST_READS
    settings, database = visit.services.settings, visit.request.app.state.database
    question = replace(question, wanted=replace(question.wanted, most=last + 1, newest=True))
    found = await asyncio.to_thread(access_reading.told, settings, database, authority, question)
    more, shown = len(found) > last, found[:last]
    return visit.page(
        "audit_access.html", reads=shown[skip:], asked=NOTHING | {"purpose": ""} | asked, purposes=tuple(Purpose),
        most=MOST_READS if more else 0, more=urlencode(asked | _place_of(shown)) if more and asked else "",
    )  # fmt: skip


def _place_of(shown: Sequence[ReadRow]) -> dict[str, str]:
    """Where the next page begins: at the moment of the last read, without those of that moment that were shown."""
    when = shown[-1].when
    return {"before": str(instant(when)), "skip": str(sum(one.when == when for one in shown))}


async def _find(visit: Visit, asked: Search) -> Sequence[FoundDecision]:
    return await visit.services.search.find(visit.authority(Permission.READ_RECEIPTS), asked)


async def _one(visit: Visit, text: str) -> Sequence[FoundDecision]:
    """The decision of an id, or nothing where it is none."""
    try:
        name = UUID(text.strip())
    except ValueError:
        return []
    return await _find(visit, Search(decision=name))


async def _decision(visit: Visit, decision_id: UUID, replayed: Replayed | None) -> Response:
    held = visit.services
    opened = await held.reader.receipt(visit.authority(Permission.READ_RECEIPTS), decision_id)
    answer = json.loads(await held.reader.answer(visit.authority(Permission.READ_DECISIONS), decision_id))
    return visit.page(
        "audit_decision.html", decision_id=decision_id, answer=answer, stored_hash=opened.stored_hash,
        receipt=json.dumps(json.loads(opened.data), indent=1, ensure_ascii=False), replayed=replayed,
        explanation=await _explained(visit, decision_id), inclusion=await _place(visit, decision_id),
    )  # fmt: skip


async def _explained(visit: Visit, decision_id: UUID) -> Any:
    try:
        return await visit.services.reader.explanation(
            visit.authority(Permission.READ_DECISIONS), decision_id
        )
    except DecidedByPerson:
        return None


async def _place(visit: Visit, decision_id: UUID) -> Any:
    """Where the log has it; nothing while it waits to be sealed."""
    try:
        return await visit.services.log.inclusion(visit.authority(Permission.READ_LOG), decision_id)
    except (NotSealed, NothingSealed):
        return None


async def _log(visit: Visit, verified: Any) -> Response:
    try:
        newest = await visit.services.log.checkpoint(visit.authority(Permission.READ_LOG))
    except NothingSealed:
        newest = None
    return visit.page("audit_log.html", newest=newest, verified=verified)


def _silent(_: str, __: int, ___: int) -> None:
    """Nobody watches the progress of a page."""
