"""POST, GET and DELETE /v1/consents, and POST /v1/prefill."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from features.calendar import iso
from features.consent import Consent
from serving.access.bearer import asking
from serving.access.model import Authority, Permission
from serving.consents.application import Section
from serving.consents.prefill import Known, KnownDataset
from serving.consents.values import KnownValue
from serving.services import Services, services

router = APIRouter(prefix="/v1", tags=["consents"])
Name = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Number = Annotated[str, StringConstraints(min_length=15, max_length=18)]
Manager = Annotated[Authority, Depends(asking(Permission.MANAGE_CONSENTS))]
Reader = Annotated[Authority, Depends(asking(Permission.PREFILL))]
Held = Annotated[Services, Depends(services)]


class Body(BaseModel):
    """Bodies refuse what they do not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ConsentBody(Body):
    """A consent as the applicant gave it."""

    id_number: Number
    categories: Annotated[list[Name], Field(min_length=1, max_length=50)]
    purpose: Name
    recipient: Name
    form: Name
    valid_from: Annotated[Name, Field(examples=["2024-06-01"])]
    valid_to: Annotated[Name, Field(examples=["2025-06-01"])]


class ConsentAnswer(BaseModel):
    """A consent as it is recorded; the number is not repeated."""

    consent_id: UUID
    categories: list[str]
    purpose: str
    valid_from: str
    valid_to: str
    withdrawn_at: str | None
    live: bool


class PrefillBody(Body):
    """Whose values to fill in, under which consent."""

    id_number: Number
    consent_id: UUID


class PrefillAnswer(BaseModel):
    """What the departments know already, with source and date: the form at a glance, and the latest of each source.

    ``person`` are the texts that the register keeps under the person's own key; a section's ``missing`` says of each
    source without a record why.
    """

    as_of: str
    person: list[KnownValue]
    sections: list[Section]
    datasets: list[KnownDataset]


@router.post("/consents", status_code=201, summary="Record a consent and bring its subject online")
async def create(body: ConsentBody, authority: Manager, held: Held) -> ConsentAnswer:
    """The online row is filled from the lake before this answers, or when the consent begins."""
    made = await held.consents.create(
        authority, body.id_number, body.categories, body.purpose, body.recipient, body.form, body.valid_from,
        body.valid_to,
    )  # fmt: skip
    return _answer(made, held.clock())


@router.get("/consents/{consent_id}", summary="One consent")
async def read(consent_id: UUID, authority: Manager, held: Held) -> ConsentAnswer:
    """Also ended ones."""
    return _answer(await held.consents.get(authority, consent_id), held.clock())


@router.delete("/consents/{consent_id}", summary="Withdraw a consent")
async def withdraw(consent_id: UUID, authority: Manager, held: Held) -> ConsentAnswer:
    """What no other consent allows goes offline now; what was decided stays."""
    return _answer(await held.consents.withdraw(authority, consent_id), held.clock())


@router.post("/prefill", summary="Values that departments know already")
async def prefill(body: PrefillBody, authority: Reader, held: Held) -> PrefillAnswer:
    """So that an applicant does not type what the city knows."""
    return answer_of(await held.prefill.known(authority, body.id_number, body.consent_id))


def answer_of(known: Known) -> PrefillAnswer:
    """What is known, as it is answered."""
    return PrefillAnswer(
        as_of=iso(known.as_of), person=known.person, sections=known.sections, datasets=known.datasets
    )


def _answer(consent: Consent, now: int) -> ConsentAnswer:
    return ConsentAnswer(
        consent_id=consent.consent_id,
        categories=list(consent.categories),
        purpose=consent.purpose,
        valid_from=iso(consent.valid_from),
        valid_to=iso(consent.valid_to),
        withdrawn_at=None if consent.withdrawn_at is None else iso(consent.withdrawn_at),
        live=consent.is_live(now),
    )
