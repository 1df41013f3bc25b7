"""The approved versions, compiled: what one decision is made with."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import asyncpg
import numpy as np
from numpy.typing import NDArray

from features.contracts.model import Contract, Text
from features.definitions.plan import FeaturePlan
from features.errors import Invalid, Unavailable
from features.matrix import FeatureMatrix
from serving.policy.facts import LIST
from serving.policy.lists import SubjectList, read_list
from serving.policy.load import check_against, read_policy
from serving.policy.policy import Policy
from serving.registry.repository import artifacts_async
from serving.store.session import tenant_connection
from training.bundle import Scorer, load_bundle

BUNDLE = "bundle."
POLICY = "policy"
"""The slot of the policy of a tenant that has one; others are in ``policy.<name>``."""


class NothingActive(Unavailable):
    """A slot that a decision needs is empty."""

    def __init__(self, slot: str) -> None:
        super().__init__(
            f"nothing is active in the slot {slot}.",
            place=slot,
            remedy="Submit, approve and activate a version: `yidai models promote`, `yidai doctor`.",
        )


class UnknownProduct(Invalid):
    """A product that no policy in force names."""

    def __init__(self, product: str, known: list[str]) -> None:
        super().__init__(
            f"the policy has no product {product!r}.",
            place="product",
            remedy=f"Products: {', '.join(known)}.",
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
    lists: Mapping[str, SubjectList]
    made: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    """What others make of these versions once, by their own names."""

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


def is_policy(slot: str) -> bool:
    """Whether a slot holds a policy."""
    return slot == POLICY or slot.startswith(f"{POLICY}.")


def needed(slots: Mapping[str, str], policy: Policy, own: str = POLICY) -> dict[str, str]:
    """The slots of a decision under the policy in the slot ``own``.

    A challenger or a list that is not active is left out.

    Raises:
        NothingActive: definitions or the model that decides are missing.
    """
    must = [own, "definitions"]
    if policy.grades:
        must.append(BUNDLE + policy.document.pd_model)
    may = [BUNDLE + name for name in policy.document.challengers] + [LIST + name for name in policy.lists]
    for slot in must:
        if slot not in slots:
            raise NothingActive(slot)
    return {slot: slots[slot] for slot in sorted({*must, *(slot for slot in may if slot in slots)})}


def compile_live(slots: Mapping[str, str], data: Mapping[str, bytes], own: str = "") -> Live:
    """Compile the versions in ``slots``; ``data`` holds their bytes by digest.

    ``own`` is the slot of the policy; without it that of the only one, or the one in ``policy``.

    Raises:
        NothingActive: a slot is empty.
        Invalid, Integrity: they do not fit together.
    """
    own = own or _own(slots)
    policy = read_policy(data[slots[own]])
    used = needed(slots, policy, own)
    plan = _plan(data[used["definitions"]])
    check_against(policy, [column.name for column in plan.columns])
    scorers = {s.removeprefix(BUNDLE): _scorer(data[d]) for s, d in used.items() if s.startswith(BUNDLE)}
    lists = {s.removeprefix(LIST): _list(data[d]) for s, d in used.items() if s.startswith(LIST)}
    at = {column.name: place for place, column in enumerate(plan.columns)}
    places = {
        name: np.array([at[column] for column in scorer.columns], dtype=np.intp)
        for name, scorer in scorers.items()
    }
    reason_of = {column.name: column.reason for column in plan.columns}
    return Live(used, policy, plan, scorers, places, reason_of, plan.reasons, lists)


def _own(slots: Mapping[str, str]) -> str:
    found = sorted(slot for slot in slots if is_policy(slot))
    if not found:
        raise NothingActive(POLICY)
    return found[0]


@lru_cache(maxsize=16)
def _plan(data: bytes) -> FeaturePlan:
    return FeaturePlan.load(data)


@lru_cache(maxsize=32)
def _scorer(data: bytes) -> Scorer:
    return load_bundle(data)


@lru_cache(maxsize=16)
def _list(data: bytes) -> SubjectList:
    return read_list(data)


@dataclass(frozen=True, slots=True)
class _Known:
    """What is in force for a tenant: the slot of each product's policy, and what was compiled of them so far."""

    slots: Mapping[str, str]
    data: Mapping[str, bytes]
    products: Mapping[str, str]
    lives: dict[str, Live]


class LiveCache:
    """Compiled versions by tenant; an activation is seen by the next decision that reads its digests."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._found: dict[str, _Known] = {}
        self._lock = asyncio.Lock()

    async def get(self, tenant: str, slots: Mapping[str, str], product: str = "") -> Live:
        """What these digests compile to, for a product or for the tenant's first policy.

        Raises:
            NothingActive: a slot that a decision needs is empty.
            UnknownProduct: no policy in force names it.
        """
        known = self._found.get(tenant)
        if known is None or known.slots != slots:
            known = await self._read(tenant, slots)
        own = known.products.get(product) if product else _own(slots)
        if own is None:
            _own(slots)
            raise UnknownProduct(product, sorted(known.products))
        if own not in known.lives:
            async with self._lock:
                if own not in known.lives:  # while this one waited
                    known.lives[own] = await asyncio.to_thread(compile_live, slots, known.data, own)
        return known.lives[own]

    async def _read(self, tenant: str, slots: Mapping[str, str]) -> _Known:
        async with self._lock:
            known = self._found.get(tenant)
            if known is not None and known.slots == slots:  # while this one waited
                return known
            wanted = sorted({digest for slot, digest in slots.items() if _read_by_decisions(slot)})
            async with tenant_connection(self._pool, tenant) as connection:
                data = await artifacts_async(connection, wanted)
            products: dict[str, str] = {}
            for slot in sorted(filter(is_policy, slots), reverse=True):
                products |= dict.fromkeys(read_policy(data[slots[slot]]).document.products, slot)
            known = self._found[tenant] = _Known(dict(slots), data, products, {})
        return known


def _read_by_decisions(slot: str) -> bool:
    return slot == "definitions" or is_policy(slot) or slot.startswith((BUNDLE, LIST))
