"""Policy, signals and the other texts that two people approve: read, edited with analysis at every save, tried, put in force."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response
from starlette.exceptions import HTTPException

from features.calendar import instant
from features.errors import YidaiError
from serving.access.model import Permission
from serving.console.asking import Sent, Visit, WrongField, go, opening, sending
from serving.console.commands import command
from serving.console.forms import choice
from serving.console.models import MOST_REASON, Digest, Reader, say_verdict
from serving.console.pages import ROOT
from serving.console.tries import TRIED, begin_trial, shown_trial, trials_of
from serving.governance import committee, documents, drafts
from serving.governance.drafts import WRITTEN, Draft
from serving.policy.findings import Severity
from serving.registry import repository
from serving.registry import service as registry
from serving.registry.model import Kind
from serving.registry.overview import VersionState, overview, periods, state_of
from serving.store.session import tenant_transaction

router = APIRouter(prefix=f"{ROOT}/policy")
Writer = Annotated[Sent, Depends(sending(Permission.SUBMIT))]
MOST_TEXT = 900_000
MOST_NOTE = 2_000
MOST_DIFFERENCES = 300


@router.get("")
async def policy(visit: Reader) -> Response:
    """What is in force of each kind and since when, what is to begin, and what waits for a second person."""
    may, now = Permission.READ_REGISTRY, visit.services.clock()
    held = [one for one in await command(visit, may, periods) if one.until is None or one.until > now]
    rows = [row for row in await command(visit, may, overview, now) if row.kind in WRITTEN]
    states = [(row, state_of(row, held, now)) for row in reversed(rows)]
    waiting = [(row, its) for row, its in states if its in {VersionState.SUBMITTED, VersionState.APPROVED}]
    of = {kind: [one for one in held if one.slot.partition(".")[0] == kind.value] for kind in WRITTEN}
    return visit.page("policy.html", kinds=of, waiting=waiting, now_at=now)


@router.get("/edit/{kind}")
async def edit(
    kind: Kind, visit: Reader, of: Annotated[str, Query(pattern="^[0-9a-f]{64}$|^$")] = ""
) -> Response:
    """A text to change: that of a version, of what is in force, or of what is shipped."""
    _written(kind)
    data = await command(visit, Permission.READ_REGISTRY, _data, kind, of, visit.services.clock())
    text = drafts.shipped_text(kind) if data is None else drafts.text_of(kind, data)
    return await _editor(visit, kind, text, of)


@router.post("/edit/{kind}")
async def save(kind: Kind, sent: Writer) -> Response:
    """Look at the text, and where it is right try or submit it; what is wrong leaves the text on the page."""
    _written(kind)
    visit, text, of = (
        sent.visit,
        sent.text("text", MOST_TEXT, needed=False),
        sent.text("of", 64, needed=False),
    )
    deed = sent.text("deed", 10, needed=False)
    draft = await _read(visit, kind, text)
    if draft.data is not None and deed == "try" and kind in TRIED:
        before = await command(visit, Permission.READ_REGISTRY, _data, kind, "", visit.services.clock())
        trial = begin_trial(visit, draft, before)
        return go(f"{ROOT}/policy/tries/{trial.name}")
    if draft.data is not None and deed == "submit":
        now, note = visit.services.clock(), sent.text("note", MOST_NOTE, needed=False)
        try:
            await command(visit, Permission.SUBMIT, registry.submit, kind, draft.data, now, note=note)
        except YidaiError as broken:
            return await _editor(visit, kind, text, of, draft, broken)
        return go(f"{ROOT}/policy/versions/{draft.digest}")
    return await _editor(visit, kind, text, of, draft)


@router.get("/tries/{name}")
async def tried(
    name: Annotated[str, Path(max_length=40)], visit: Annotated[Visit, Depends(opening(Permission.SUBMIT))]
) -> Response:
    """A back-test: how far it is, and what it found; the page asks again by itself until it is over."""
    trial = trials_of(visit).of(visit.session.actor.tenant, name)
    if trial is None:
        raise HTTPException(404)
    return visit.page("trial.html", trial=trial, **shown_trial(visit, trial))


@router.get("/versions/{digest}")
async def version(digest: Digest, visit: Reader) -> Response:
    """A version: its text, how it differs from what is in force, and who said what of it."""
    may, now = Permission.READ_REGISTRY, visit.services.clock()
    row = next((one for one in await command(visit, may, overview, now) if one.digest == digest), None)
    if row is None:
        raise repository.UnknownArtifact(digest)
    if row.kind is Kind.BUNDLE:
        return go(f"{ROOT}/models/{digest}")
    held = await command(visit, may, periods)
    shown: dict[str, Any] = {"text": "", "differences": [], "before": ""}
    if row.kind in WRITTEN:
        shown = await command(visit, may, _shown, row.kind, digest, now)
    return visit.page(
        "version.html", row=row, state=state_of(row, held, now), mine=row.author == visit.session.actor.name,
        own=[one for one in held if one.digest == digest][::-1], written=row.kind in WRITTEN, most_reason=MOST_REASON,
        most_differences=MOST_DIFFERENCES, **shown,
    )  # fmt: skip


@router.post("/versions/{digest}/approve")
async def approve(digest: Digest, sent: Annotated[Sent, Depends(sending(Permission.APPROVE))]) -> Response:
    """Yes or no to somebody else's version; the server refuses its author."""
    await say_verdict(digest, sent)
    return go(f"{ROOT}/policy/versions/{digest}")


@router.post("/versions/{digest}/activate")
async def activate(digest: Digest, sent: Annotated[Sent, Depends(sending(Permission.ACTIVATE))]) -> Response:
    """Put an approved version in force, now or at the beginning of a later day."""
    visit, kind = sent.visit, choice(Kind, sent.text("kind", 16), "kind")
    day = sent.text("begin", 10, needed=False)
    begin, now = instant(day) if day else None, visit.services.clock()
    may = Permission.ACTIVATE
    if kind is Kind.POLICY:
        slot = sent.text("slot", 80, needed=False)
        await command(visit, may, committee.activate_by, digest, slot, begin, now)
    elif kind in WRITTEN:
        await command(visit, may, documents.activate_by, kind, digest, begin, now)
    else:
        raise WrongField("kind", "it goes into force with a model: `yidai models promote`.")
    return go(f"{ROOT}/policy/versions/{digest}")


def _written(kind: Kind) -> None:
    if kind not in WRITTEN:
        raise HTTPException(404)


async def _read(visit: Visit, kind: Kind, text: str) -> Draft:
    now = visit.services.clock()

    def read(database: Any, authority: Any) -> Draft:
        with tenant_transaction(database, authority.tenant) as connection:
            name = repository.active(connection, now).get("definitions", "")
            plan = drafts.plan_of(registry.artifact(connection, name).data) if name else None
        return drafts.read_draft(kind, text, plan, now)

    return await command(visit, Permission.SUBMIT, read)


def _data(database: Any, authority: Any, kind: Kind, of: str, now: int) -> bytes | None:
    """The bytes of a version of a kind, or of what is in force; None where nothing is.

    Raises:
        WrongKind: the version is of another kind.
    """
    with tenant_transaction(database, authority.tenant) as connection:
        name = of or repository.active(connection, now).get(kind.value, "")
        if not name:
            return None
        found = registry.artifact(connection, name)
    documents.of_kind(found, kind)
    return found.data


def _shown(database: Any, authority: Any, kind: Kind, digest: str, now: int) -> dict[str, Any]:
    data, before = (_data(database, authority, kind, name, now) for name in (digest, ""))
    assert data is not None
    differ = drafts.differences(kind, before, data) if before not in {None, data} else []
    return {"text": drafts.text_of(kind, data), "differences": differ, "before": before}


async def _editor(
    visit: Visit,
    kind: Kind,
    text: str,
    of: str,
    draft: Draft | None = None,
    refused: YidaiError | None = None,
) -> Response:
    before = await command(visit, Permission.READ_REGISTRY, _data, kind, "", visit.services.clock())
    differ = []
    if draft is not None and draft.data is not None and before is not None:
        differ = drafts.differences(kind, before, draft.data)
    errors = 0 if draft is None else sum(one.severity is Severity.ERROR for one in draft.findings)
    return visit.page(
        "editor.html", 422 if errors or refused else 200, kind=kind, text=text, of=of, draft=draft, errors=errors,
        differences=differ, refused=refused, tried=kind in TRIED, lines=text.split("\n"), most_note=MOST_NOTE,
        most_differences=MOST_DIFFERENCES,
    )  # fmt: skip
