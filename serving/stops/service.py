"""Stop approvals and let them go on: who, when and why, in the audit log."""

from __future__ import annotations

from collections.abc import Callable

import asyncpg

from serving.access.model import Authority, Permission
from serving.access.repository import new_id
from serving.decisions.live import BUNDLE, is_policy
from serving.policy.load import read_policy
from serving.registry.repository import active_async, artifacts_async
from serving.stops import repository
from serving.stops.model import AlreadyStopped, NothingToStop, NotStopped, Scope, Stop, StopKind, reason_of
from serving.store.audit import record_async
from serving.store.session import tenant_connection


class StopService:
    """The use cases of the stop switch. ``clock`` gives µs of UTC."""

    def __init__(self, pool: asyncpg.Pool, clock: Callable[[], int]) -> None:
        self._pool = pool
        self._clock = clock

    async def stop(self, authority: Authority, scope: Scope, reason: str) -> list[Stop]:
        """Stop approvals from the next decision on; returns what holds.

        Raises:
            NoReason, NothingToStop, AlreadyStopped: nothing changed.
        """
        authority.holds(Permission.STOP_APPROVALS)
        reason = reason_of(reason)
        actor, now = authority.actor.actor_id, self._clock()
        async with tenant_connection(self._pool, authority.tenant) as connection:
            await _check(connection, scope, now)
            if not await repository.begin(connection, authority.tenant, new_id(), scope, reason, now, actor):
                raise AlreadyStopped(scope)
            await record_async(
                connection, authority.tenant, now, actor, "approvals.stopped", str(scope), reason=reason
            )
            return await repository.some(connection, ended=False)

    async def resume(self, authority: Authority, scope: Scope, reason: str) -> list[Stop]:
        """End a stop; returns those that still hold. Who was referred meanwhile stays with a person.

        Raises:
            NoReason, NotStopped: nothing changed.
        """
        authority.holds(Permission.STOP_APPROVALS)
        reason = reason_of(reason)
        actor, now = authority.actor.actor_id, self._clock()
        async with tenant_connection(self._pool, authority.tenant) as connection:
            if not await repository.end(connection, scope, reason, now, actor):
                raise NotStopped(scope)
            await record_async(
                connection, authority.tenant, now, actor, "approvals.resumed", str(scope), reason=reason
            )
            return await repository.some(connection, ended=False)

    async def some(self, authority: Authority, *, ended: bool = False) -> list[Stop]:
        """The stops that hold, or all that ever did; the latest first."""
        authority.holds(Permission.READ_REGISTRY)
        async with tenant_connection(self._pool, authority.tenant) as connection:
            return await repository.some(connection, ended=ended)


async def _check(connection: asyncpg.Connection, scope: Scope, now: int) -> None:
    """A product, model or experiment is one that a policy in force has."""
    slots = await active_async(connection, now)
    wanted = sorted({digest for slot, digest in slots.items() if is_policy(slot)})
    documents = [read_policy(data).document for data in (await artifacts_async(connection, wanted)).values()]
    if scope.kind is StopKind.PRODUCT:
        known = {name for document in documents for name in document.products}
    elif scope.kind is StopKind.MODEL:
        named = {name for one in documents for name in (one.pd_model, *one.challengers)}
        known = {name for name in named if BUNDLE + name in slots}
    elif scope.kind is StopKind.ARM:
        known = {one.id for document in documents for one in document.experiments}
    else:
        return
    if scope.name not in known:
        raise NothingToStop(scope, sorted(known))
