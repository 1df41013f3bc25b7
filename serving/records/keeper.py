"""What the use cases of records and of subjects both hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import asyncpg

from features.contracts.load import BUILTIN, load_contracts
from features.contracts.model import Contract
from features.definitions.plan import FeaturePlan
from features.timeline.lake import Batch, Lake
from serving.access.model import Authority
from serving.consents.online import WorkingSet
from serving.consents.repository import lock_subjects
from serving.quality.sources import heard
from serving.records import repository
from serving.store.engine import Database
from serving.store.keys import KeyRing
from serving.watch.asking import ask


class RecordKeeper:
    """Store, keys, working set and lake of one process. ``clock`` gives µs of UTC."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        database: Database,
        keys: KeyRing,
        online: WorkingSet,
        lake: Lake,
        clock: Callable[[], int],
    ) -> None:
        self._pool = pool
        self._database = database
        self._keys = keys
        self._online = online
        self._lake = lake
        self._clock = clock

    async def _append(
        self,
        connection: asyncpg.Connection,
        authority: Authority,
        parts: Sequence[tuple[Contract, Batch]],
        subjects: list[int],
        plan: FeaturePlan | None,
        now: int,
    ) -> int:
        """Store new rows under the next numbers and bring every timeline up to date that shows one of ``subjects``;
        whom they concern waits to be watched.

        In a transaction that holds the counter (``repository.lock_counter``), so that all of it is there or nothing.
        ``plan`` is asked for before it: it takes a connection of its own. Returns the last number.
        """  # fmt: skip
        last = 0
        for contract, batch in parts:
            last = await repository.insert(connection, contract, batch, authority.actor.actor_id, now)
            await heard(connection, contract.dataset, min(int(batch.raw.known_from.max()), now))
        if plan is not None:
            shown = await self._online.shown_by(
                connection, plan, subjects, {contract.dataset for contract, _ in parts}
            )
            await lock_subjects(connection, shown)
            for subject in shown:
                await self._online.refresh(connection, authority.tenant, subject, plan, now)
        await ask(connection, parts, now)
        return last

    @cached_property
    def _contracts(self) -> Mapping[str, Contract]:
        return load_contracts([BUILTIN])
