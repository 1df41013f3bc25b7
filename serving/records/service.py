"""Records one by one: checked as a file is, durable before the answer, seen by the next decision."""

from __future__ import annotations

import asyncio
from uuid import UUID

import asyncpg
import msgspec
import numpy as np
from numpy.typing import NDArray

from features.contracts.model import Contract
from features.errors import NotFound, Unavailable
from features.identity.held import held_records, texts_of
from features.timeline.events import TAIL
from features.timeline.feed import CheckedFeed, Finding, check_feed
from features.timeline.ingest import events_of, keep_findings
from features.timeline.lake import Batch, first_of_each, row_hash
from serving.access.model import Authority, Permission
from serving.access.repository import new_id
from serving.records import repository
from serving.records.keeper import RecordKeeper
from serving.records.lines import read_lines
from serving.records.tail import links_of
from serving.store.audit import record_async
from serving.store.session import tenant_connection
from serving.store.vault import PostgresVault

_TRIES = 3


class UnknownDataset(NotFound):
    """A dataset without a contract."""

    def __init__(self, known: list[str]) -> None:
        super().__init__(
            "no contract has this dataset.", place="dataset", remedy=f"Datasets: {', '.join(known)}."
        )


class SubjectsMoving(Unavailable):
    """Somebody in the call was erased while it was stored, again and again."""

    def __init__(self) -> None:
        super().__init__("nothing was stored.", remedy="Send the same records again.")


class LineReport(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one line: accepted, repeated, held (it has no valid number, and waits until it is known whose it
    is), or quarantined, then with its findings.
    """

    line: int
    status: str
    findings: tuple[dict[str, str], ...] = ()


class SendReport(msgspec.Struct, frozen=True):
    """What became of a call; ``last`` is the number of the latest record that is stored now."""

    dataset: str
    accepted: int
    repeated: int
    quarantined: int
    last: int
    lines: tuple[LineReport, ...]
    held: int = 0


class RecordService(RecordKeeper):
    """The use case of POST /v1/records, for one process."""

    async def send(self, authority: Authority, dataset: str, body: bytes) -> SendReport:
        """Store the lines that keep their contract, whoever they are about; report every line. Those without a valid
        number are held for `yidai identity resolve` where the contract allows that.

        Sending again changes nothing. When this returns, what was accepted outlives a crash and every timeline
        of the tenant that shows it is up to date; other tenants' follow with their next sweep.

        Raises:
            UnknownDataset, TooManyRecords: the call.
            SubjectsMoving, StoreUnavailable: nothing was stored; send it again.
        """
        authority.holds(Permission.SEND_RECORDS)
        contract = self._contracts.get(dataset)
        if contract is None:
            raise UnknownDataset(sorted(self._contracts))
        name = f"call-{new_id()}"
        lines = await asyncio.to_thread(read_lines, contract, body, name)
        feed = await asyncio.to_thread(check_feed, contract, lines.table, name, hold=True)
        findings = [*lines.findings, *feed.findings]
        for _ in range(_TRIES):
            batch = await asyncio.to_thread(self._batch, contract, feed)
            stored = await self._store(authority, contract, batch, feed, len({f.line for f in findings}))
            if stored is not None:
                await asyncio.to_thread(keep_findings, self._lake, dataset, name, findings, self._clock())
                await asyncio.to_thread(self._hold, contract, feed)
                return _report(dataset, feed, stored, findings)
        raise SubjectsMoving

    def _batch(self, contract: Contract, feed: CheckedFeed) -> Batch:
        """The rows under their subjects, who become known if they are not. A vault of its own each time: one
        that remembers would bring back somebody who was erased by another process.
        """
        vault = PostgresVault(self._database, self._keys)
        raw = events_of(contract, feed, vault, TAIL)
        vault.keep(texts_of(contract, feed, raw.subject))
        return Batch(raw, feed.imputed)

    def _hold(self, contract: Contract, feed: CheckedFeed) -> None:
        """Keep the rows without a number; one that is held already is held once."""
        if feed.held is not None and len(feed.held.lines):
            PostgresVault(self._database, self._keys).hold(held_records(contract, feed.held))

    async def _store(
        self, authority: Authority, contract: Contract, batch: Batch, feed: CheckedFeed, bad: int
    ) -> tuple[NDArray[np.bool_], int] | None:
        """Which rows are new, and the last number; None where somebody was erased meanwhile."""
        now, tenant, actor = self._clock(), authority.tenant, authority.actor.actor_id
        plan = await self._online.plan_if_any(tenant, now)
        async with tenant_connection(self._pool, tenant) as connection:
            last = await repository.lock_counter(connection)
            everybody = _everybody(contract, batch)
            if await repository.any_erased(connection, everybody):
                return None
            fresh = await self._fresh(connection, contract.dataset, batch)
            if fresh.any():
                last = await self._append(
                    connection, authority, [(contract, batch.take(fresh))], everybody, plan, now
                )
                await self._remember(contract, batch, feed, last)
            kept = 0 if feed.held is None else len(feed.held.lines)
            await _log(connection, tenant, actor, now, contract.dataset, int(fresh.sum()), bad, kept)
        return fresh, last

    async def _fresh(self, connection: asyncpg.Connection, dataset: str, batch: Batch) -> NDArray[np.bool_]:
        """The tail first: what is flushed in between is found in the lake."""
        hashes = row_hash(batch.raw)
        waiting = await repository.held(connection, dataset, hashes)
        stored = await asyncio.to_thread(self._lake.holds, dataset, batch.raw.subject, hashes)
        return first_of_each(hashes) & ~stored & ~np.isin(hashes, np.array(sorted(waiting), dtype=np.int64))

    async def _remember(self, contract: Contract, batch: Batch, feed: CheckedFeed, last: int) -> None:
        for field, texts in feed.names.items():
            codes = batch.raw.columns[field]
            await asyncio.to_thread(self._lake.remember, contract.dataset, field, TAIL + last, codes, texts)


async def _log(
    connection: asyncpg.Connection,
    tenant: str,
    actor: UUID,
    now: int,
    dataset: str,
    accepted: int,
    bad: int,
    held: int,
) -> None:
    await record_async(
        connection, tenant, now, actor, "records.sent", dataset, accepted=accepted, quarantined=bad, held=held
    )


def _everybody(contract: Contract, batch: Batch) -> list[int]:
    """Subjects, and those whom their rows name."""
    ends = [end for row in links_of(contract, batch.raw) for end in row]
    return sorted({*batch.raw.subject.tolist(), *ends})


def _report(
    dataset: str, feed: CheckedFeed, stored: tuple[NDArray[np.bool_], int], findings: list[Finding]
) -> SendReport:
    fresh, last = stored
    good, held = feed.lines.tolist(), [] if feed.held is None else feed.held.lines.tolist()
    status = {line: "accepted" if new else "repeated" for line, new in zip(good, fresh.tolist(), strict=True)}
    told: dict[int, list[dict[str, str]]] = {}
    for f in findings:
        told.setdefault(f.line, []).append(
            {"field": f.field, "value_class": f.value_class, "remedy": f.remedy}
        )
    lines = [LineReport(line, text) for line, text in (status | dict.fromkeys(held, "held")).items()]
    lines += [LineReport(line, "quarantined", tuple(each)) for line, each in told.items()]
    lines.sort(key=lambda each: each.line)
    accepted = int(fresh.sum())
    return SendReport(dataset, accepted, len(good) - accepted, len(told), last, tuple(lines), len(held))
