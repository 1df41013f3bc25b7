"""What the use cases of records and of subjects both hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property

import asyncpg

from features.contracts.load import BUILTIN, load_contracts
from features.contracts.model import Contract
from features.timeline.lake import Lake
from serving.consents.online import WorkingSet
from serving.store.engine import Database
from serving.store.keys import KeyRing


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

    @cached_property
    def _contracts(self) -> Mapping[str, Contract]:
        return load_contracts([BUILTIN])
