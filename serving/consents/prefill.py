"""What the departments know of an applicant already, read from the online row under a consent."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from uuid import UUID

import asyncpg
import numpy as np
from pydantic import BaseModel

from features.calendar import iso
from features.consent import Access, Purpose
from features.contracts.model import Contract, FieldType, SubjectKind
from features.matrix import Missing
from features.timeline.events import EventTable
from features.timeline.packed import unpack
from serving.access.model import Authority, Permission
from serving.consents.application import Section, not_read, sections_of
from serving.consents.check import check_consent, person_number
from serving.consents.values import KnownValue, values_of
from serving.decisions import repository
from serving.decisions.case import NotHydrated, is_authorised, unavailable
from serving.decisions.live import Live, LiveCache
from serving.decisions.preparing import consent_of
from serving.settings import Settings
from serving.store.access_log import entry_of, write_async
from serving.store.keys import KeyRing
from serving.store.session import tenant_connection
from serving.store.texts import open_text
from serving.store.vault import UnknownSubject

_ASIDE = bytes(32)
"""No Idempotency-Key has this hash: prefill reads no decision."""


class KnownDataset(BaseModel):
    """The latest event of one dataset: when it is from, and since when it is known."""

    dataset: str
    department: str
    zh: str
    en: str
    valid_from: str
    known_from: str
    values: list[KnownValue]
    disputed: bool = False
    """The person disputes a record of this dataset."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a person: the latest event a dataset, and the application form at a glance.

    ``person`` are names, addresses and phones, where the identity may be read.
    """

    as_of: int
    datasets: list[KnownDataset]
    sections: list[Section]
    person: list[KnownValue]


class PrefillService:
    """The use case of POST /v1/prefill."""

    def __init__(
        self,
        settings: Settings,
        pool: asyncpg.Pool,
        keys: KeyRing,
        lives: LiveCache,
        clock: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._pool = pool
        self._keys = keys
        self._lives = lives
        self._clock = clock

    async def known(self, authority: Authority, number: str, consent_id: UUID) -> Known:
        """What the consented departments know of a person now.

        Raises:
            WrongNumber, UnknownSubject, ConsentRefused, NotHydrated.
        """
        authority.holds(Permission.PREFILL)
        now = self._clock()
        hashed = self._keys.pseudonym(SubjectKind.PERSON, person_number(number, "id_number"))
        as_of = self._settings.seen_at(now)
        wanted = repository.Wanted(authority.tenant, _ASIDE, hashed, consent_id, now, as_of)
        [inputs] = await repository.read_many(self._pool, [wanted])
        down = inputs.down(self._settings.sources_down)
        if inputs.subject_id is None or inputs.wrapped_key is None:
            raise UnknownSubject
        stated = consent_of(consent_id, inputs, authority.tenant)
        consent = check_consent(stated, inputs.subject_id, Purpose.CREDIT_ASSESSMENT, authority.tenant, now)
        if inputs.packed is None:
            raise NotHydrated
        live = await self._lives.get(authority.tenant, inputs.active)
        tables = unpack(inputs.packed)
        readable = [
            (contract, tables[name])
            for name, contract in sorted(live.plan.contracts.items())
            if name in tables and name not in down and is_authorised(contract, consent.categories)
        ]
        access = Access(
            str(authority.actor.actor_id), Purpose.CREDIT_ASSESSMENT, authority.tenant, now, (consent,)
        )
        async with tenant_connection(self._pool, authority.tenant) as connection:
            await write_async(connection, [entry_of(access, consent, [one for one, _ in readable])])
        found = (known_dataset(contract, table, as_of) for contract, table in readable)
        told = [dataset for dataset in found if dataset is not None]
        marked = set(tables.disputed)
        latest = [each.model_copy(update={"disputed": each.dataset in marked}) for each in told]
        masked = unavailable(live, consent.categories, down, tables)
        why = {name: Missing(code) for name, code in masked.items()} | dict.fromkeys(
            not_read(tables, live.plan.contracts, consent.categories), Missing.NOT_AUTHORISED
        )
        sections = sections_of(tables, live.plan.contracts, why, marked, as_of)
        person = await self._person(inputs.subject_id, inputs.wrapped_key, live, consent.categories)
        return Known(as_of, latest, sections, person)

    async def _person(
        self, subject: int, wrapped: bytes, live: Live, categories: Collection[str]
    ) -> list[KnownValue]:
        readable = {
            (name, field.name): field
            for name, contract in live.plan.contracts.items()
            if is_authorised(contract, categories)
            for field in contract.fields
            if field.type is FieldType.PERSONAL
        }
        if not readable:
            return []
        rows = await self._pool.fetch("SELECT dataset, field, sealed FROM personal_texts_of($1)", subject)
        key = self._keys.unwrap(wrapped)
        fields = (
            (readable[dataset, name], sealed) for dataset, name, sealed in rows if (dataset, name) in readable
        )
        return [
            KnownValue(
                field=f.name, zh=f.zh or f.name, en=f.en or f.name, value=open_text(key, sealed), unit=""
            )
            for f, sealed in fields
        ]  # fmt: skip


def known_dataset(contract: Contract, table: EventTable, as_of: int) -> KnownDataset | None:
    """The latest event that was known and true at ``as_of``; None where there is none."""
    seen = (table.known_from <= as_of) & (as_of < table.known_to) & (table.valid_from <= as_of)
    rows = np.flatnonzero(seen)
    if not len(rows):
        return None
    row = int(rows[-1])
    return KnownDataset(
        dataset=contract.dataset,
        department=contract.department,
        zh=contract.title.zh,
        en=contract.title.en,
        valid_from=iso(int(table.valid_from[row])),
        known_from=iso(int(table.known_from[row])),
        values=values_of(contract, table, row),
    )
