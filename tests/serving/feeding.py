"""More records for a bank that is open, and a look at what of its subjects is online."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from features.contracts.model import SubjectKind
from features.timeline.events import EventTable
from features.timeline.ingest import IngestReport, ingest_folder
from features.timeline.lake import Lake
from features.timeline.packed import unpack
from serving.consents.service import ConsentService
from serving.services import close_services, open_services
from serving.store.keys import KeyRing
from serving.store.session import tenant_transaction
from serving.store.vault import PostgresVault
from tests.serving.world import PLAN, Bank

_Result = TypeVar("_Result")
COURT = "id_number case_id filed_on closed_on amount kind published_at"


def vault_of(bank: Bank) -> PostgresVault:
    """The bank's vault."""
    return PostgresVault(bank.database, KeyRing.open(bank.settings.key_file))


def subject_of(bank: Bank, number: str) -> int:
    """Who a number is."""
    found = vault_of(bank).find(SubjectKind.PERSON, number)
    assert found is not None
    return found


def ingest(bank: Bank, folder: Path, dataset: str, fields: str, rows: list[list[Any]]) -> IngestReport:
    """One more feed into the lake; who is online stays as it is."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{dataset}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(fields.split())
        writer.writerows(rows)
    report = ingest_folder(folder, PLAN.contracts, vault_of(bank), Lake(bank.settings.lake_root))
    assert report.quarantined == 0
    return report


def consents(bank: Bank, use: Callable[[ConsentService], Awaitable[_Result]]) -> _Result:
    """Use the consent service of a process of its own."""

    async def run() -> _Result:
        held = await open_services(bank.settings, bank.database, bank.clock)
        try:
            return await use(held.consents)
        finally:
            await close_services(held)

    return asyncio.run(run())


def sweep(bank: Bank) -> int:
    """What every API process does each minute."""
    return consents(bank, lambda service: service.sweep("city"))


def rehydrate(bank: Bank) -> int:
    """What `yidai ingest` does at its end."""
    return consents(bank, lambda service: service.rehydrate("city"))


def online(bank: Bank, number: str, tenant: str = "city") -> tuple[int, dict[str, EventTable]] | None:
    """Version and tables of somebody's online row; None where there is no row."""
    with tenant_transaction(bank.database, tenant) as connection:
        row = connection.execute(
            "SELECT version, packed FROM subject_timeline WHERE subject_id = %s", (subject_of(bank, number),)
        ).fetchone()
    return None if row is None else (int(row[0]), dict(unpack(row[1])))
