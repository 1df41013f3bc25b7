"""People's work on alerts: read, acted upon one by one or many at once, and what their feedback is worth."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from features.consent import Purpose
from features.errors import YidaiError
from features.timeline.door import Entry
from serving.access.model import Authority, Permission
from serving.alerts import lines, repository
from serving.alerts.acting import Locked, Step, step
from serving.alerts.handling import Playbook, Playbooks
from serving.alerts.model import (
    MOST_AT_ONCE,
    SINGLY,
    Action,
    ActionKind,
    AlertRow,
    EventRow,
    NoLine,
    UnknownAlert,
    UnknownHandler,
    WrongAction,
    check_action,
)
from serving.alerts.repository import Wanted
from serving.decisions.schemas import KeyReused
from serving.decisions.service import hash_of_key
from serving.proportion import wilson
from serving.registry.documents import in_force_async
from serving.registry.model import Kind
from serving.store.access_log import write_async
from serving.store.audit import record_async
from serving.store.session import tenant_connection

_DO = Permission.HANDLE_ALERTS


class AlertView(msgspec.Struct, frozen=True):
    """An alert's whole story: what happened, its points, what to do and say, and the borrower's other alerts."""

    alert: AlertRow
    events: list[EventRow]
    points: list[tuple[int, int, int, int]]
    playbook: Playbook
    others: list[AlertRow]


class Done(msgspec.Struct, frozen=True):
    """What became of one alert of several: its new version, or the code and the text of a refusal."""

    alert_id: UUID
    version: int | None = None
    refused: str | None = None
    detail: str | None = None


class Precision(msgspec.Struct, frozen=True):
    """What people said of the alerts of one signal and level. ``precision`` is true over true and false, with its interval."""

    signal: str
    level: str
    true_warnings: int
    false_alarms: int
    unclear: int
    precision: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Target:
    """An alert, and the version at which the person saw it."""

    alert_id: UUID
    version: int | None


class AlertService:
    """The use cases of people on alerts. ``clock`` gives µs of UTC."""

    def __init__(self, pool: asyncpg.Pool, clock: Callable[[], int]) -> None:
        self._pool = pool
        self._clock = clock

    async def some(self, authority: Authority, wanted: Wanted) -> list[AlertRow]:
        """Alerts, the first due first."""
        authority.holds(_DO)
        async with tenant_connection(self._pool, authority.tenant) as connection:
            return await repository.some(connection, wanted, self._clock())

    async def view(self, authority: Authority, alert_id: UUID) -> AlertView:
        """One alert with its story; the read is logged.

        Raises:
            UnknownAlert: there is nothing to read.
        """
        authority.holds(_DO)
        async with tenant_connection(self._pool, authority.tenant) as connection:
            alert, subject = await repository.get(connection, alert_id)
            await write_async(connection, [_read(authority, subject, self._clock())])
            books = await in_force_async(connection, Kind.PLAYBOOKS, self._clock())
            return AlertView(
                alert, await repository.events(connection, alert_id), await repository.points(connection, alert_id),
                books.of(alert.playbook, alert.signal), await repository.others(connection, alert),
            )  # fmt: skip

    async def act(
        self, authority: Authority, alert_id: UUID, action: Action, version: int | None, key: str | None
    ) -> AlertRow:
        """Do something about an alert; a key does it once.

        Raises:
            UnknownAlert, WrongAction, NumberInText, WrongKey, KeyReused, UnknownHandler: what was asked.
            AlertChanged, AlertReleased, NotQuiet, ProposalWaits, NothingProposed, SameOfficer, NoLine: not now.
        """
        (found,) = await self._do(authority, [Target(alert_id, version)], action, key)
        if isinstance(found, YidaiError):
            raise found
        async with tenant_connection(self._pool, authority.tenant) as connection:
            return (await repository.get(connection, alert_id))[0]

    async def act_on_many(
        self, authority: Authority, targets: Sequence[Target], action: Action, key: str | None
    ) -> list[Done]:
        """Do the same about each; who is refused is told why, and the others are done.

        Raises:
            WrongAction, NumberInText, WrongKey, KeyReused, UnknownHandler: nothing changed.
        """
        if action.kind in SINGLY:
            raise WrongAction(
                "kind", f"{action.kind.value} is done of one alert at a time.", "Use its own route."
            )
        if len({target.alert_id for target in targets}) != len(targets) or len(targets) > MOST_AT_ONCE:
            raise WrongAction("alerts", f"at most {MOST_AT_ONCE} alerts, each once.", "Send fewer.")
        found = await self._do(authority, targets, action, key)
        return [
            Done(target.alert_id, refused=each.code, detail=each.message)
            if isinstance(each, YidaiError)
            else Done(target.alert_id, version=each)
            for target, each in zip(targets, found, strict=True)
        ]

    async def precision(self, authority: Authority) -> list[Precision]:
        """What people's feedback says of each signal and level."""
        authority.holds(_DO)
        async with tenant_connection(self._pool, authority.tenant) as connection:
            rows = await repository.precision(connection)
        return [Precision(*row, *interval(row[2], row[3])) for row in rows]

    async def _do(
        self, authority: Authority, targets: Sequence[Target], action: Action, key: str | None
    ) -> list[int | YidaiError]:
        """New versions, or refusals, of alerts in one transaction."""
        authority.holds(_DO)
        now, key_hash = self._clock(), hash_of_key(key)
        check_action(action, now)
        digest = hashlib.sha256(repr((action, [t.version for t in targets])).encode()).digest()
        async with tenant_connection(self._pool, authority.tenant) as connection:
            who = await _handler(connection, action)
            alerts = await repository.lock(connection, [target.alert_id for target in targets])
            before = await repository.keyed(connection, key_hash, list(alerts))
            if any(each != digest for each in before.values()):
                raise KeyReused
            books = await in_force_async(connection, Kind.PLAYBOOKS, now)
            steps: dict[UUID, Step] = {}
            found: list[int | YidaiError] = []
            for target in targets:
                alert = alerts.get(target.alert_id)
                found.append(
                    alert.version
                    if alert is not None and target.alert_id in before
                    else _tried(alert, action, authority, target, books, now, steps)
                )
            await self._write(connection, authority, action, (key_hash, digest), alerts, steps, who, now)
        return found

    async def _write(
        self, connection: asyncpg.Connection, authority: Authority, action: Action, key: tuple[bytes, bytes],
        alerts: Mapping[UUID, Locked], steps: Mapping[UUID, Step], who: UUID | None, now: int,
    ) -> None:  # fmt: skip
        if not steps:
            return
        actor = authority.actor.actor_id
        details = {name: await _lines(connection, alerts[name], one, action, now) for name, one in steps.items()}  # fmt: skip
        await repository.update(connection, [(alerts[name], one.changes) for name, one in steps.items()], now)
        events = [_event(alerts[name], one, details[name]) for name, one in steps.items()]
        await repository.note(connection, authority.tenant, now, actor, action.reason, events, key)
        cases = sorted({alerts[name].case_id for name in steps})
        if who is not None:
            await repository.assign(connection, cases, who, list(steps))
        if any("released_at" in one.changes for one in steps.values()):
            await repository.close(connection, cases, now)
        names = ",".join(str(name) for name in steps) if len(steps) == 1 else f"{len(steps)} alerts"
        kind = next(iter(steps.values())).kind
        await record_async(
            connection, authority.tenant, now, actor, f"alert.{kind}", names, alerts=len(steps)
        )


def interval(true: int, false: int) -> tuple[float | None, float | None, float | None]:
    """The share of true ones with Wilson's interval of 95 %; nothing where nobody said either."""
    rows = true + false
    if not rows:
        return None, None, None
    rate = true / rows
    low, high = wilson(rate, rows)
    return round(rate, 6), round(max(low, 0.0), 6), round(min(high, 1.0), 6)


def _tried(
    alert: Locked | None,
    action: Action,
    authority: Authority,
    target: Target,
    books: Playbooks,
    now: int,
    steps: dict[UUID, Step],
) -> int | YidaiError:
    if alert is None:
        return UnknownAlert()
    try:
        steps[alert.alert_id] = step(alert, action, authority.actor.actor_id, target.version, books, now)
    except YidaiError as refusal:
        return refusal
    return alert.version + 1


async def _handler(connection: asyncpg.Connection, action: Action) -> UUID | None:
    if action.assignee is None:
        return None
    who = await repository.handler(connection, action.assignee)
    if who is None:
        raise UnknownHandler(action.assignee)
    return who


async def _lines(
    connection: asyncpg.Connection, alert: Locked, one: Step, action: Action, now: int
) -> dict[str, Any]:
    """What an action tells of itself, after it has acted on the borrower's lines.

    Raises:
        NoLine: there is none on which it would.
    """
    values = {name: getattr(action, name) for name in ("limit_fen", "until", "assignee", "verdict", "result")}
    told = {name: value for name, value in values.items() if value not in {None, ""}}
    if one.kind == "thaw_proposed" and not await lines.held(connection, alert.alert_id):
        raise NoLine(ActionKind.THAW)
    if not one.lines:
        return told
    found: list[UUID] = []
    if action.kind is ActionKind.THAW:
        found = await lines.thaw(connection, alert.alert_id)
    elif alert.subject_id is not None and action.kind is ActionKind.FREEZE:
        found = await lines.freeze(connection, alert.subject_id, alert.alert_id, now)
    elif alert.subject_id is not None:
        found = await lines.cut(connection, alert.subject_id, action.limit_fen or 1)
    if not found:
        raise NoLine(action.kind)
    return told | {"lines": [str(name) for name in found]}


def _event(alert: Locked, one: Step, detail: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "alert_id": alert.alert_id, "kind": one.kind, "level": alert.level.value, "from_state": alert.state.value,
        "to_state": one.changes.get("state", alert.state.value), "detail": dict(detail),
    }  # fmt: skip


def _read(authority: Authority, subject: int | None, now: int) -> Entry:
    """The entry of a read of an alert: what the watch had read of a borrower under the loan's contract."""
    actor, subjects = str(authority.actor.actor_id), () if subject is None else (subject,)
    purpose = Purpose.POST_LOAN_MANAGEMENT.value
    return Entry(
        now, actor, authority.tenant, purpose, ("alert",), ("bank",), ("contract",), (), (), subjects
    )
