"""What decides: what is in force, every version and who said what of it, a version's figures beside the champion's."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Response
from starlette.exceptions import HTTPException

from serving.access.model import Permission
from serving.console.asking import Sent, Visit, WrongField, go, opening, sending
from serving.console.commands import command
from serving.console.forms import choice
from serving.console.pages import ROOT
from serving.console.weights import blocks, compared, pictures_of
from serving.governance import dossier, inventory, promotion
from serving.governance.standing import BUNDLE
from serving.governance.weighing import weigh
from serving.registry import governance
from serving.registry import service as registry
from serving.registry.governance import ModelEntry
from serving.registry.model import Kind, Verdict
from serving.registry.overview import VersionState, overview, periods, state_of

router = APIRouter(prefix=f"{ROOT}/models")
Reader = Annotated[Visit, Depends(opening(Permission.READ_REGISTRY))]
Digest = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]
Slot = Annotated[str, Path(pattern=r"^[a-z_]+(\.[a-z][a-z0-9_]*)?$", max_length=80)]
A_PAGE = 50
MOST_REASON = 2_000
SHOWN_AS_FILE = {
    "report.html": "text/html; charset=utf-8",
    "fairness.html": "text/html; charset=utf-8",
    "model_card.md": "text/markdown; charset=utf-8",
}
OF_A_REPORT = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'none'; sandbox",
}
"""A report holds its style and pictures itself; it runs nothing, fetches nothing, and is no part of the console's site."""


@router.get("")
async def models(
    visit: Reader,
    kind: Kind | Literal[""] = "",
    state: VersionState | Literal[""] = "",
    skip: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> Response:
    """What is in force by slot and since when, the models of the inventory, and every version, the newest first."""
    may, now = Permission.READ_REGISTRY, visit.services.clock()
    versions = await command(visit, may, overview, now)
    held = await command(visit, may, periods)
    known = {one.slot: one for one in await command(visit, may, inventory.models_of, now)}
    told = [(row, state_of(row, held, now)) for row in reversed(versions)]
    found = [(row, s) for row, s in told if kind in {"", row.kind} and state in {"", s}]
    return visit.page(
        "models.html", in_force=[one for one in held if one.holds(now)], coming=[one for one in held if one.since > now],
        models=known, versions=found[skip : skip + A_PAGE], count=len(found), kind=kind, state=state, kinds=tuple(Kind),
        states=tuple(VersionState), after=skip + A_PAGE if skip + A_PAGE < len(found) else 0, pages=visit.request.app.state.pages,
    )  # fmt: skip


@router.get("/slots/{slot}")
async def slot_page(slot: Slot, visit: Reader) -> Response:
    """A slot's history, and of a model what the inventory says of it."""
    may, now = Permission.READ_REGISTRY, visit.services.clock()
    held = [one for one in await command(visit, may, periods) if one.slot == slot]
    found = await command(visit, may, inventory.models_of, now)
    model = next((one for one in found if one.slot == slot), None)
    if not held and model is None:
        raise HTTPException(404)
    return visit.page(
        "slot.html", slot=slot, periods=held[::-1], model=model, of_model=slot.startswith(BUNDLE),
        tiers=governance.TIERS, current=next((one for one in held if one.holds(now)), None),
        coming=next((one for one in held if one.since > now), None),
    )  # fmt: skip


@router.post("/slots/{slot}/register")
async def register(slot: Slot, sent: Annotated[Sent, Depends(sending(Permission.SUBMIT))]) -> Response:
    """Write what the inventory says of a model."""
    tier = sent.text("tier", 1)
    if not tier.isdecimal():
        raise WrongField("tier", "1, 2 or 3.")
    owner, purpose, limits = (sent.text(name, 500) for name in ("owner", "purpose", "limits"))
    entry = ModelEntry(slot, int(tier), owner, purpose, limits)
    now = sent.visit.services.clock()
    await command(sent.visit, Permission.SUBMIT, governance.register, entry, now)
    return go(f"{ROOT}/models/slots/{slot}")


@router.post("/slots/{slot}/rollback")
async def roll_back(slot: Slot, sent: Annotated[Sent, Depends(sending(Permission.ACTIVATE))]) -> Response:
    """What was in force before is again, or what is to begin is called off."""
    now = sent.visit.services.clock()
    await command(sent.visit, Permission.ACTIVATE, promotion.rollback, slot, now)
    return go(f"{ROOT}/models/slots/{slot}")


@router.get("/slots/{slot}/retire")
async def hanging(slot: Slot, visit: Annotated[Visit, Depends(opening(Permission.ACTIVATE))]) -> Response:
    """What hangs on a model: looked at before it is ended, and the look at the loans is logged."""
    found = await _retiring(visit, inventory.touched_by, slot)
    return visit.page("retire.html", slot=slot, found=found)


@router.post("/slots/{slot}/retire")
async def retire(slot: Slot, sent: Annotated[Sent, Depends(sending(Permission.ACTIVATE))]) -> Response:
    """End a model; what it decided stays and replays."""
    await _retiring(sent.visit, inventory.retire_by, slot, sent.text("reason", MOST_REASON))
    return go(f"{ROOT}/models/slots/{slot}")


async def _retiring(visit: Visit, what: Any, *values: Any) -> Any:
    settings, now = visit.services.settings, visit.services.clock()

    def done(database: Any, authority: Any) -> Any:
        return what(settings, database, authority, *values, now)

    return await command(visit, Permission.ACTIVATE, done)


@router.get("/{digest}")
async def version(digest: Digest, visit: Reader) -> Response:
    """A version with all that a second person weighs; one that is no model has its page under the policy's."""
    may, now = Permission.READ_REGISTRY, visit.services.clock()
    row = next((one for one in await command(visit, may, overview, now) if one.digest == digest), None)
    if row is not None and row.kind is not Kind.BUNDLE:
        return go(f"{ROOT}/policy/versions/{digest}")
    found = await command(visit, may, weigh, digest, now)
    assert row is not None, "weigh tells of what is unknown"
    held = await command(visit, may, periods)
    files = await _files(visit, digest)
    return visit.page(
        "model.html", row=row, found=found, state=state_of(row, held, now), compared=compared(found), files=sorted(files),
        card=blocks(files["model_card.md"].decode()), mine=row.author == visit.session.actor.name,
        pictures=pictures_of(visit, found), most_reason=MOST_REASON,
    )  # fmt: skip


@router.post("/{digest}/approve")
async def approve(digest: Digest, sent: Annotated[Sent, Depends(sending(Permission.APPROVE))]) -> Response:
    """Yes or no to somebody else's version; the server refuses its author, whatever the page offered."""
    await say_verdict(digest, sent)
    return go(f"{ROOT}/models/{digest}")


async def say_verdict(digest: str, sent: Sent) -> None:
    """The yes or no of a form to a version; a no needs its reason."""
    verdict = choice(Verdict, sent.text("verdict", 10), "verdict")
    reason = sent.text("reason", MOST_REASON, needed=verdict is Verdict.REFUSED)
    now = sent.visit.services.clock()
    await command(
        sent.visit, Permission.APPROVE, registry.approve, digest, now, verdict=verdict, reason=reason
    )


@router.post("/{digest}/promote")
async def promote(digest: Digest, sent: Annotated[Sent, Depends(sending(Permission.ACTIVATE))]) -> Response:
    """Put an approved model in force from now on, if it meets the gates or they are waived with a reason."""
    wanted = {sent.text("slot", 80): digest}
    beside = sent.text("definitions", 64, needed=False)
    if beside:
        wanted["definitions"] = beside
    now, reason = sent.visit.services.clock(), sent.text("reason", MOST_REASON, needed=False)
    await command(
        sent.visit, Permission.ACTIVATE, promotion.promote, wanted, now, waived=sent.texts("waive"), reason=reason
    )  # fmt: skip
    return go(f"{ROOT}/models/{digest}")


@router.get("/{digest}/files/{name}")
async def file(digest: Digest, name: str, visit: Reader) -> Response:
    """The report, the test of fairness or the model card as it is in the dossier."""
    found = await _files(visit, digest)
    if name not in SHOWN_AS_FILE or name not in found:
        raise HTTPException(404)
    return Response(found[name], media_type=SHOWN_AS_FILE[name], headers=OF_A_REPORT)


@router.get("/{digest}/dossier.zip")
async def whole_dossier(digest: Digest, visit: Reader) -> Response:
    """All that was known of a version when it was approved and promoted, in one archive."""
    data = dossier.archive(await _files(visit, digest))
    named = {"Content-Disposition": f'attachment; filename="dossier-{digest[:12]}.zip"'}
    return Response(data, media_type="application/zip", headers=named)


async def _files(visit: Visit, digest: str) -> dict[str, bytes]:
    settings = visit.services.settings

    def read(database: Any, authority: Any) -> dict[str, bytes]:
        return dossier.contents_for(settings, database, authority, digest)

    return await command(visit, Permission.READ_REGISTRY, read)
