"""What the departments know of an applicant already, read from the online row under a consent."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import asyncpg
import numpy as np
from pydantic import BaseModel

from features.calendar import NULL, iso, local_date
from features.canonical import code_of
from features.consent import Access, Purpose
from features.contracts.model import Contract, Field, FieldType, SubjectKind
from features.timeline.events import EventTable
from features.timeline.packed import unpack
from serving.access.model import Authority, Permission
from serving.consents.check import check_consent, person_number
from serving.decisions import repository
from serving.decisions.case import NotHydrated, is_authorised
from serving.decisions.live import LiveCache
from serving.decisions.service import consent_of
from serving.settings import Settings
from serving.store.access_log import entry_of, write_async
from serving.store.keys import KeyRing
from serving.store.session import tenant_connection
from serving.store.vault import UnknownSubject

_HIDDEN = {FieldType.ID, FieldType.ID_NUMBER, FieldType.USCC}
_ASIDE = bytes(32)
"""No Idempotency-Key has this hash: prefill reads no decision."""
_SHOWN: dict[FieldType, Callable[[int], str]] = {
    FieldType.MONTH: lambda value: local_date(value).isoformat()[:7],
    FieldType.DATE: lambda value: local_date(value).isoformat(),
    FieldType.INSTANT: iso,
    FieldType.BOOLEAN: lambda value: "true" if value else "false",
}


class KnownValue(BaseModel):
    """One value with its title."""

    field: str
    zh: str
    en: str
    value: str
    unit: str


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

    async def known(
        self, authority: Authority, number: str, consent_id: UUID
    ) -> tuple[int, list[KnownDataset]]:
        """The moment, and the latest known event of each consented dataset.

        Raises:
            WrongNumber, UnknownSubject, ConsentRefused, NotHydrated.
        """
        authority.holds(Permission.PREFILL)
        now = self._clock()
        hashed = self._keys.pseudonym(SubjectKind.PERSON, person_number(number, "id_number"))
        kind = SubjectKind.PERSON.value
        inputs = await repository.read(
            self._pool, authority.tenant, _ASIDE, kind, hashed, consent_id, now, self._settings.as_of
        )
        down = inputs.down(self._settings.sources_down)
        if inputs.subject_id is None:
            raise UnknownSubject
        stated = consent_of(consent_id, inputs, authority.tenant)
        consent = check_consent(stated, inputs.subject_id, Purpose.CREDIT_ASSESSMENT, authority.tenant, now)
        if inputs.packed is None:
            raise NotHydrated
        live = await self._lives.get(authority.tenant, inputs.active)
        as_of = now if self._settings.as_of is None else self._settings.as_of
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
        return as_of, [each.model_copy(update={"disputed": each.dataset in marked}) for each in told]


def known_dataset(contract: Contract, table: EventTable, as_of: int) -> KnownDataset | None:
    """The latest event that was known and true at ``as_of``; None where there is none."""
    seen = (table.known_from <= as_of) & (as_of < table.known_to) & (table.valid_from <= as_of)
    rows = np.flatnonzero(seen)
    if not len(rows):
        return None
    row = int(rows[-1])
    values = [
        KnownValue(
            field=field.name,
            zh=field.zh or field.name,
            en=field.en or field.name,
            value=text,
            unit=field.unit,
        )
        for field in contract.fields
        if field.type not in _HIDDEN and (text := shown(field, int(table.columns[field.name][row])))
    ]
    return KnownDataset(
        dataset=contract.dataset,
        department=contract.department,
        zh=contract.title.zh,
        en=contract.title.en,
        valid_from=iso(int(table.valid_from[row])),
        known_from=iso(int(table.known_from[row])),
        values=values,
    )


def shown(field: Field, value: int) -> str:
    """A stored value as a person writes it; empty where it is null."""
    if value == NULL:
        return ""
    if field.type in _SHOWN:
        return _SHOWN[field.type](value)
    if field.type is FieldType.CATEGORY:
        return next((text for text in field.codes if code_of(text) == value), "")
    places = len(str(field.divisor)) - 1
    return f"{value / field.divisor:.{places}f}"
