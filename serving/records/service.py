"""Records one by one: checked as a file is, durable before the answer, seen by the next decision.

Calls that come while others are being stored are checked and stored together, in one transaction: what a call costs
beside its rows (locks, look-ups, the commit) is paid once for all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import cached_property
from uuid import UUID

import asyncpg
import numpy as np
from numpy.typing import NDArray

from features.calendar import NULL
from features.contracts.model import Contract
from features.errors import NotFound, Unavailable
from features.identity.held import held_records, texts_of
from features.timeline.events import TAIL
from features.timeline.ingest import events_of, keep_findings
from features.timeline.lake import Batch, first_of_each, row_hash
from features.timeline.life import named_fields
from serving.access.model import Authority, Permission
from serving.access.repository import new_id
from serving.decisions.gathering import Gatherer
from serving.records import repository
from serving.records.keeper import RecordKeeper
from serving.records.lines import read_lines
from serving.records.together import Call, Checked, SendReport, check_calls
from serving.store.audit import record_async
from serving.store.session import StoreUnavailable, tenant_connection
from serving.store.vault import PostgresVault

_TRIES = 3
TOGETHER, AT_ONCE, WAITING = 64, 1, 4_096
"""Calls of a group, groups under way (they wait for one lock: more would only be smaller), and calls that may wait."""
SMALL = 100_000
"""Bytes; a larger call is read in a thread, and stored by itself."""


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


class TooManyCalls(Unavailable):
    """More calls wait than can be stored in time."""

    def __init__(self) -> None:
        super().__init__(
            "more calls of records wait here than can be stored in time; of this one nothing was stored.",
            remedy="Send the same records again, after Retry-After.",
        )


class RecordService(RecordKeeper):
    """The use case of POST /v1/records, for one process."""

    async def send(self, authority: Authority, dataset: str, body: bytes) -> SendReport:
        """Store the lines that keep their contract, whoever they are about; report every line. Those without a valid
        number are held for `yidai identity resolve` where the contract allows that.

        Sending again changes nothing. When this returns, what was accepted outlives a crash and every timeline
        of the tenant that shows it is up to date; other tenants' follow with their next sweep.

        Raises:
            UnknownDataset, TooManyRecords: the call.
            SubjectsMoving, TooManyCalls, StoreUnavailable: nothing was stored; send it again.
        """
        authority.holds(Permission.SEND_RECORDS)
        contract = self._contracts.get(dataset)
        if contract is None:
            raise UnknownDataset(sorted(self._contracts))
        name = f"call-{new_id()}"
        if len(body) <= SMALL:
            return await self._together.ask(Call(authority, contract, name, read_lines(contract, body, name)))
        lines = await asyncio.to_thread(read_lines, contract, body, name)
        (report,) = await self._of_one(authority, [Call(authority, contract, name, lines)], _alone)
        return report

    @cached_property
    def _together(self) -> Gatherer[Call, SendReport]:
        return Gatherer(self._answers, TOGETHER, AT_ONCE, WAITING, TooManyCalls)

    async def _answers(
        self, calls: Sequence[Call], passed: Callable[[], None]
    ) -> list[SendReport | Exception]:
        """What each call is told; those of one actor are stored together, as one after the other would be."""
        actors: dict[tuple[str, UUID], list[int]] = {}
        for place, call in enumerate(calls):
            actors.setdefault((call.authority.tenant, call.authority.actor.actor_id), []).append(place)
        found: dict[int, SendReport | Exception] = {}
        for places in actors.values():
            own = [calls[place] for place in places]
            found |= zip(places, await self._told(own, passed), strict=True)
        return [found[place] for place in range(len(calls))]

    async def _told(
        self, calls: Sequence[Call], passed: Callable[[], None]
    ) -> Sequence[SendReport | Exception]:
        """A call that cannot be stored is no trouble of the others': nothing of the group is stored then."""
        try:
            return await self._of_one(calls[0].authority, calls, passed)
        except Exception as error:  # noqa: BLE001 - whose it is is told
            if len(calls) == 1 or isinstance(error, StoreUnavailable):
                return [error] * len(calls)
        return [each for call in calls for each in await self._told([call], passed)]

    async def _of_one(
        self, authority: Authority, calls: Sequence[Call], passed: Callable[[], None]
    ) -> list[SendReport]:
        """Store what calls of one actor sent."""
        parts = await asyncio.to_thread(check_calls, calls)
        for _ in range(_TRIES):
            batches = await asyncio.to_thread(self._batches, parts)
            passed()
            stored = await self._store(authority, parts, batches)
            if stored is not None:
                await asyncio.to_thread(self._keep, parts)
                return _reports(calls, parts, *stored)
        raise SubjectsMoving

    def _batches(self, parts: Sequence[Checked]) -> list[Batch]:
        """The rows under their subjects, who become known if they are not. A vault of its own each time: one
        that remembers would bring back somebody who was erased by another process.
        """
        vault = PostgresVault(self._database, self._keys)
        found = []
        for part in parts:
            raw = events_of(part.contract, part.feed, vault, TAIL)
            vault.keep(texts_of(part.contract, part.feed, raw.subject))
            found.append(Batch(raw, part.feed.imputed))
        return found

    def _keep(self, parts: Sequence[Checked]) -> None:
        """What is told of lines that were refused; and the rows without a number: one that is held already is held once."""
        for part in parts:
            for call, findings in zip(part.calls, part.findings, strict=True):
                keep_findings(self._lake, part.contract.dataset, call.name, findings, self._clock())
            if part.feed.held is not None and len(part.held):
                PostgresVault(self._database, self._keys).hold(held_records(part.contract, part.feed.held))

    async def _store(
        self, authority: Authority, parts: Sequence[Checked], batches: Sequence[Batch]
    ) -> tuple[list[NDArray[np.bool_]], int] | None:
        """Which rows of each part are new, and the last number; None where somebody was erased meanwhile."""
        now, tenant = self._clock(), authority.tenant
        plan = await self._online.plan_if_any(tenant, now)
        async with tenant_connection(self._pool, tenant) as connection:
            last = await repository.lock_counter(connection)
            pairs = [(part.contract, batch) for part, batch in zip(parts, batches, strict=True)]
            everybody = _everybody(pairs)
            if await repository.any_erased(connection, everybody):
                return None
            fresh = [await self._fresh(connection, contract.dataset, batch) for contract, batch in pairs]
            new = [(c, batch.take(rows)) for (c, batch), rows in zip(pairs, fresh, strict=True) if rows.any()]
            if new:
                last = await self._append(connection, authority, new, everybody, plan, now)
            for part, batch, rows in zip(parts, batches, fresh, strict=True):
                if rows.any():
                    await self._remember(part, batch, last)
                await _log(connection, authority, part, rows, now)
        return fresh, last

    async def _fresh(self, connection: asyncpg.Connection, dataset: str, batch: Batch) -> NDArray[np.bool_]:
        """The tail first: what is flushed in between is found in the lake."""
        hashes = row_hash(batch.raw)
        waiting = await repository.held(connection, dataset, hashes)
        stored = await asyncio.to_thread(self._lake.holds, dataset, batch.raw.subject, hashes)
        return first_of_each(hashes) & ~stored & ~np.isin(hashes, np.array(sorted(waiting), dtype=np.int64))

    async def _remember(self, part: Checked, batch: Batch, last: int) -> None:
        for field, texts in part.feed.names.items():
            codes = batch.raw.columns[field]
            await asyncio.to_thread(
                self._lake.remember, part.contract.dataset, field, TAIL + last, codes, texts
            )


def _alone() -> None:
    """Nobody waits to begin after a call that is stored by itself."""


async def _log(
    connection: asyncpg.Connection, authority: Authority, part: Checked, fresh: NDArray[np.bool_], now: int
) -> None:
    """An entry for each call."""
    tenant, actor = authority.tenant, authority.actor.actor_id
    for place in range(len(part.calls)):
        await record_async(
            connection, tenant, now, actor, "records.sent", part.contract.dataset,
            accepted=part.accepted(place, fresh), quarantined=part.quarantined(place), held=part.held_of(place),
        )  # fmt: skip


def _everybody(pairs: Sequence[tuple[Contract, Batch]]) -> list[int]:
    """Subjects, and those whom their rows name."""
    found: set[int] = set()
    for contract, batch in pairs:
        found.update(batch.raw.subject.tolist())
        for name in named_fields(contract):
            found.update(batch.raw.columns[name].tolist())
    return sorted(found - {NULL})


def _reports(
    calls: Sequence[Call], parts: Sequence[Checked], fresh: Sequence[NDArray[np.bool_]], last: int
) -> list[SendReport]:
    """In the order of the calls."""
    told: dict[str, SendReport] = {}
    before = last - sum(int(rows.sum()) for rows in fresh)
    for part, rows in zip(parts, fresh, strict=True):
        told |= {call.name: part.report(place, rows, before, last) for place, call in enumerate(part.calls)}
        before += int(rows.sum())
    return [told[call.name] for call in calls]
