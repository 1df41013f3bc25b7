"""The approved versions, compiled: what one decision is made with."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import asyncpg
import numpy as np
from numpy.typing import NDArray

from features.contracts.model import Contract, Text
from features.definitions.plan import FeaturePlan
from features.errors import Unavailable
from features.matrix import FeatureMatrix
from serving.policy.load import Policy, check_against, load_policy
from serving.registry.repository import artifacts_async
from serving.store.session import tenant_connection
from training.bundle import Scorer, load_bundle

BUNDLE = "bundle."


class NothingActive(Unavailable):
    """A slot that a decision needs is empty."""

    def __init__(self, slot: str) -> None:
        super().__init__(
            f"nothing is active in the slot {slot}.",
            place=slot,
            remedy="Submit, approve and activate a version: `yidai models promote`, `yidai doctor`.",
        )


@dataclass(frozen=True, slots=True)
class Live:
    """Policy, definitions and models of one set of digests; ``slots`` holds those that were used."""

    slots: Mapping[str, str]
    policy: Policy
    plan: FeaturePlan
    scorers: Mapping[str, Scorer]
    places: Mapping[str, NDArray[np.intp]]
    reason_of: Mapping[str, str]
    texts: Mapping[str, Text]

    @property
    def model(self) -> str:
        """Name of the model whose PD decides."""
        return self.policy.document.pd_model

    def contract_of(self, dataset: str) -> Contract:
        """The contract of a dataset or of a view of it (``firm@owner``)."""
        return self.plan.contracts[dataset.partition("@")[0]]

    def inputs(self, name: str, row: FeatureMatrix) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
        """What a model reads of a matrix, in its own order."""
        places = self.places[name]
        return np.ascontiguousarray(row.values[:, places]), np.ascontiguousarray(row.missing[:, places])


def needed(slots: Mapping[str, str], policy: Policy) -> dict[str, str]:
    """The slots of a decision under this policy. A challenger that is not active is left out.

    Raises:
        NothingActive: definitions or the model that decides are missing.
    """
    must = ["policy", "definitions", BUNDLE + policy.document.pd_model]
    may = [BUNDLE + name for name in policy.document.challengers]
    for slot in must:
        if slot not in slots:
            raise NothingActive(slot)
    return {slot: slots[slot] for slot in sorted({*must, *(slot for slot in may if slot in slots)})}


def compile_live(slots: Mapping[str, str], data: Mapping[str, bytes]) -> Live:
    """Compile the versions in ``slots``; ``data`` holds their bytes by digest.

    Raises:
        NothingActive: a slot is empty.
        Invalid, Integrity: they do not fit together.
    """
    if "policy" not in slots:
        raise NothingActive("policy")
    policy = load_policy(data[slots["policy"]])
    used = needed(slots, policy)
    plan = _plan(data[used["definitions"]])
    check_against(policy, [column.name for column in plan.columns])
    scorers = {s.removeprefix(BUNDLE): _scorer(data[d]) for s, d in used.items() if s.startswith(BUNDLE)}
    at = {column.name: place for place, column in enumerate(plan.columns)}
    places = {
        name: np.array([at[column] for column in scorer.columns], dtype=np.intp)
        for name, scorer in scorers.items()
    }
    reason_of = {column.name: column.reason for column in plan.columns}
    return Live(used, policy, plan, scorers, places, reason_of, plan.reasons)


@lru_cache(maxsize=16)
def _plan(data: bytes) -> FeaturePlan:
    return FeaturePlan.load(data)


@lru_cache(maxsize=32)
def _scorer(data: bytes) -> Scorer:
    return load_bundle(data)


class LiveCache:
    """Compiled versions by tenant; an activation is seen by the next decision that reads its digests."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._found: dict[str, tuple[Mapping[str, str], Live]] = {}
        self._lock = asyncio.Lock()

    async def get(self, tenant: str, slots: Mapping[str, str]) -> Live:
        """What these digests compile to.

        Raises:
            NothingActive: a slot that a decision needs is empty.
        """
        known = self._found.get(tenant)
        if known is not None and known[0] == slots:
            return known[1]
        async with self._lock:
            known = self._found.get(tenant)
            if known is not None and known[0] == slots:  # while this one waited
                return known[1]
            live = await self._compile(tenant, slots)
            self._found[tenant] = (dict(slots), live)
        return live

    async def _compile(self, tenant: str, slots: Mapping[str, str]) -> Live:
        wanted = sorted(
            {d for s, d in slots.items() if s in {"policy", "definitions"} or s.startswith(BUNDLE)}
        )
        async with tenant_connection(self._pool, tenant) as connection:
            data = await artifacts_async(connection, wanted)
        return await asyncio.to_thread(compile_live, slots, data)
