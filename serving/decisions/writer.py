"""The group writer: decisions that finish together are committed together, and answered after."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable

import asyncpg

from serving.decisions.budgets import Full
from serving.decisions.repository import NewDecision, Taken, store
from serving.store.session import StoreUnavailable, store_errors

Refused = Taken | Full
"""Why a decision is not stored: its key holds another one, or what it reserves is not there."""
_Waiting = tuple[NewDecision, "asyncio.Future[Refused | None]"]


class GroupWriter:
    """One task takes what is queued, up to ``most``, into one transaction.

    ``on_group`` is told the size of each group.
    """

    def __init__(self, pool: asyncpg.Pool, most: int, on_group: Callable[[int], object]) -> None:
        self._pool = pool
        self._most = most
        self._on_group = on_group
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """Decisions that wait to be written."""
        return self._queue.qsize()

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Write what is queued, then end."""
        await self._queue.join()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def put(self, decision: NewDecision) -> Refused | None:
        """Store a decision with what it reserves; returns after the commit: None, or why it was not stored.

        Raises:
            StoreUnavailable: not stored, or not known to be; the same key asked again tells.
        """
        waiting: asyncio.Future[Refused | None] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait((decision, waiting))
        return await waiting

    async def _run(self) -> None:
        while True:
            group = [await self._queue.get()]
            while len(group) < self._most and not self._queue.empty():
                group.append(self._queue.get_nowait())
            try:
                await self._write(group)
            finally:
                for _ in group:
                    self._queue.task_done()

    async def _write(self, group: list[_Waiting]) -> None:
        self._on_group(len(group))
        try:
            taken = await self._commit([decision for decision, _ in group])
        except asyncio.CancelledError:
            _fail(group, StoreUnavailable())
            raise
        except Exception as error:  # noqa: BLE001 - whose it is is told, and the writer lives on
            if len(group) == 1 or isinstance(error, StoreUnavailable):
                _fail(group, error)
                return
            # nothing of the group is stored: what one cannot have is not the others' trouble
            for one in group:
                await self._write([one])
            return
        for decision, waiting in group:
            if not waiting.done():
                waiting.set_result(
                    taken.get((decision.tenant, decision.key_hash, decision.decision_id.bytes))
                )

    async def _commit(self, decisions: list[NewDecision]) -> dict[tuple[str, bytes, bytes], Refused]:
        by_tenant: defaultdict[str, list[NewDecision]] = defaultdict(list)
        for decision in decisions:
            by_tenant[decision.tenant].append(decision)
        taken: dict[tuple[str, bytes, bytes], Refused] = {}
        async with store_errors(), self._pool.acquire() as connection, connection.transaction():
            for tenant, rows in sorted(by_tenant.items()):
                first = _first_of_key(rows)
                found = await store(connection, tenant, list(first.values()))
                for row in rows:
                    kept = first[row.key_hash]
                    if row.key_hash in found:
                        taken[tenant, row.key_hash, row.decision_id.bytes] = found[row.key_hash]
                    elif kept is not row:
                        same = Taken(kept.request_digest, kept.answer)
                        taken[tenant, row.key_hash, row.decision_id.bytes] = same
        return taken


def _first_of_key(rows: list[NewDecision]) -> dict[bytes, NewDecision]:
    first: dict[bytes, NewDecision] = {}
    for row in rows:
        first.setdefault(row.key_hash, row)
    return first


def _fail(group: list[_Waiting], error: Exception) -> None:
    for _, waiting in group:
        if not waiting.done():
            waiting.set_exception(error)
