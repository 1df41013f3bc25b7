"""Decide again from the lake and the receipt, and compare bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

import msgspec

from features.canonical import digest
from features.consent import Access, Purpose
from features.errors import Integrity, YidaiError
from features.timeline.compaction import lost_since
from features.timeline.door import Door
from features.timeline.events import EventTable
from features.timeline.lake import Lake
from serving.access.model import Authority, Permission
from serving.cases.receipt import verify
from serving.decisions import repository
from serving.decisions.arms import ARM_KEY, arm_of
from serving.decisions.case import Case, features_of, sources_with_record
from serving.decisions.decider import decide
from serving.decisions.linking import LinkKind
from serving.decisions.live import Live, compile_live
from serving.decisions.receipt import (
    Receipt,
    differences,
    named,
    open_receipt,
    read_receipt,
    write_receipt,
)
from serving.decisions.repository import StoredDecision
from serving.decisions.service import RANDOM_KEY
from serving.policy.days import day_of
from serving.records.tail import CommandTail
from serving.registry.repository import artifact_row
from serving.settings import Settings
from serving.store.access_log import CommandLog
from serving.store.engine import Database
from serving.store.keys import KeyRing
from serving.store.session import Connection, tenant_transaction

_NOW = "SELECT (extract(epoch FROM clock_timestamp()) * 1e6)::bigint"


class ChangedAnswer(Integrity):
    """A stored answer that is not the one that the receipt was written for."""

    def __init__(self) -> None:
        super().__init__("its bytes were changed.", place="answer", remedy="Restore the database.")


class ReplayStatus(StrEnum):
    """What came of a replay."""

    SAME = "same"
    DIFFERENT = "different"
    ERASED = "erased"
    """The subject's key is gone: the receipt still verifies, but nobody can read it."""
    AGED = "aged"
    """Records that it was made from were dropped since, past their retention: its receipt still verifies."""
    BROKEN = "broken"
    """The stored bytes are not what was stored."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """One decision, decided again; ``differences`` are ``path: stored -> computed``."""

    decision_id: UUID
    status: ReplayStatus
    differences: tuple[str, ...] = ()


def replay(
    settings: Settings, database: Database, authority: Authority, decision_id: UUID | None = None
) -> Iterator[Replayed]:
    """Replay one decision, or all of the tenant where none is named.

    Raises:
        UnknownDecision: no such decision.
    """
    authority.holds(Permission.REPLAY)
    keys = KeyRing.open(settings.key_file)
    with tenant_transaction(database, authority.tenant) as connection:
        lake = Lake(settings.lake_root, CommandTail(connection))
        now = int(connection.execute(_NOW).fetchall()[0][0])
        access = Access(str(authority.actor.actor_id), Purpose.AUDIT, authority.tenant, now)
        door = Door(lake, access, CommandLog(connection, authority.tenant))
        engine = _Replay(connection, keys, lake, door)
        if decision_id is not None:
            yield engine.run(repository.get_sync(connection, decision_id))
            return
        for stored in repository.each(connection):
            yield engine.run(stored)


class ChangedRow(Integrity):
    """A row that says something else than its sealed receipt."""

    def __init__(self, columns: list[str]) -> None:
        super().__init__(f"the row was changed beside its receipt: {', '.join(columns)}.")


def _changed_columns(stored: StoredDecision, receipt: Receipt) -> list[str]:
    case = receipt.case
    pairs = {
        "subject_id": (stored.subject_id, case.subject.subject_id),
        "decided_at": (stored.decided_at, case.decided_at),
        "outcome": (stored.outcome, receipt.answer["outcome"]),
        "consent_id": (str(stored.consent_id), case.consent.consent_id),
        "actor_id": (str(stored.actor_id), case.actor_id),
    }
    return [name for name, (kept, sealed) in pairs.items() if kept != sealed]


class _Replay:
    def __init__(self, connection: Connection, keys: KeyRing, lake: Lake, door: Door) -> None:
        self._connection = connection
        self._keys = keys
        self._lake = lake
        self._door = door
        self._lives: dict[tuple[tuple[str, str], ...], Live] = {}

    def run(self, stored: StoredDecision) -> Replayed:
        if hashlib.sha256(stored.receipt).digest() != stored.receipt_hash:
            problem = "receipt: its bytes were changed"
            return Replayed(stored.decision_id, ReplayStatus.BROKEN, (problem,))
        if stored.wrapped_key is None:
            return Replayed(stored.decision_id, ReplayStatus.ERASED)
        try:
            return self._compare(stored, stored.wrapped_key)
        except Integrity as error:
            return Replayed(stored.decision_id, ReplayStatus.BROKEN, (str(error),))
        except YidaiError as error:
            return Replayed(stored.decision_id, ReplayStatus.DIFFERENT, (str(error),))

    def _compare(self, stored: StoredDecision, wrapped_key: bytes) -> Replayed:
        data = open_receipt(stored.receipt, self._keys.unwrap(wrapped_key), str(stored.decision_id))
        if stored.kind == LinkKind.PERSON and stored.parent_id is not None:
            return self._of_person(stored, data, stored.parent_id)
        receipt = read_receipt(data)
        if digest(stored.answer) != receipt.answer_digest:
            raise ChangedAnswer
        changed = _changed_columns(stored, receipt)
        if changed:
            raise ChangedRow(changed)
        live = self._live(receipt.digests)
        case = self._drawn(receipt.case, live)
        tables = self._tables(case, live)
        row = features_of(case, tables, live)
        sources = sources_with_record(case, tables, live.plan.sources_of_subject)
        again = decide(case, row, sources, live, self._keys.derived(RANDOM_KEY))
        computed = write_receipt(again, receipt.schema)
        if computed == data and again.answer_bytes == stored.answer:
            return Replayed(stored.decision_id, ReplayStatus.SAME)
        found = differences(named(data), named(computed)) + differences(stored.answer, again.answer_bytes)
        aged = lost_since(self._lake, live.plan.contracts, case.subject.subject_id, case.as_of)
        return Replayed(
            stored.decision_id, ReplayStatus.AGED if aged else ReplayStatus.DIFFERENT, tuple(found)
        )

    def _drawn(self, case: Case, live: Live) -> Case:
        """The case with the arm that the keys give its subject, so that a receipt cannot state another."""
        day, key = day_of(case.decided_at), self._keys.derived(ARM_KEY)
        arm = arm_of(live, key, case.subject.subject_id, day, case.stops)
        return msgspec.structs.replace(case, arm=arm)

    def _of_person(self, stored: StoredDecision, data: bytes, parent_id: UUID) -> Replayed:
        """A person is not computed again: what they saw and decided is verified, and the decision that they reviewed
        is replayed.
        """
        parent = repository.get_sync(self._connection, parent_id)
        verify(stored, data, parent)
        found = self.run(parent)
        told = tuple(f"reviewed decision: {each}" for each in found.differences)
        return Replayed(stored.decision_id, found.status, told)

    def _tables(self, case: Case, live: Live) -> Mapping[str, EventTable]:
        subject, pin = case.subject.subject_id, case.subject.pin
        names = [name for name in live.plan.datasets if name not in case.unavailable]
        return self._door.subject(live.plan.contracts, subject, pin=pin, names=names).tables

    def _live(self, digests: Mapping[str, str]) -> Live:
        key = tuple(sorted(digests.items()))
        if key not in self._lives:
            data = {name: artifact_row(self._connection, name)[1] for name in digests.values()}
            self._lives[key] = compile_live(digests, data)
        return self._lives[key]
