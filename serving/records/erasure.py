"""A person is forgotten: the key and the vault's row destroyed, nothing online, and nothing left to drop but by
the next compaction. What was decided stays and verifies, though nobody can read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec
import numpy as np

from features.calendar import instant, iso, months_before
from features.canonical import code_of
from features.consent import Access, Purpose
from features.contracts.documents import read_yaml
from features.contracts.model import Contract, SubjectKind
from features.errors import Conflict, Invalid
from features.loans.rows import BOOK
from features.loans.whole import whole_book
from features.timeline.door import Door
from features.timeline.events import EventTable
from features.timeline.lake import Lake
from serving.access.model import Authority, Permission
from serving.consents.repository import LOCK_SUBJECT
from serving.records.tail import CommandTail
from serving.store.access_log import CommandLog
from serving.store.audit import record
from serving.store.engine import Database
from serving.store.keys import KeyRing
from serving.store.session import Connection, owner_transaction
from serving.store.vault import UnknownSubject, subject_of

STATUTORY = Path(__file__).with_name("statutory.yaml")
_OPEN = "active"
_REASON = 200
_LOCK_COUNTER = "SELECT last FROM record_counter FOR UPDATE"
_TENANTS = "SELECT tenant_id FROM tenant ORDER BY tenant_id"
_INSERT = """
INSERT INTO erasure (tenant_id, subject_id, reason, erased_by, erased_at) VALUES (%s, %s, %s, %s, %s)"""
_GONE = (
    "DELETE FROM subject_timeline WHERE subject_id = %s",
    "DELETE FROM record_tail WHERE subject_id = %s",
    "DELETE FROM watched WHERE subject_id = %s",
    "DELETE FROM watch_queue WHERE subject_id = %s",
    "DELETE FROM subject WHERE subject_id = %s",
)
_ALL = "SELECT subject_id FROM erasure"


class StatutoryRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """So many years after the last business, from a day on."""

    from_: str = msgspec.field(name="from")
    years: int
    basis: str
    en: str


class StatutoryRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Schema 1."""

    schema: int
    rules: tuple[StatutoryRule, ...]


class LoanOpen(Conflict):
    """Somebody who owes cannot be forgotten."""

    def __init__(self) -> None:
        super().__init__("a loan of this person is open.", remedy="Ask again when it has ended.")


class StatutoryRetention(Conflict):
    """A law wants it kept for some time."""

    def __init__(self, rule: StatutoryRule, until: int) -> None:
        super().__init__(
            f"the records of the last loan are kept until {iso(until)[:10]} ({rule.en}; {rule.basis}).",
            remedy="Ask again after that day.",
        )


class NoReason(Invalid):
    """An erasure without a word why."""

    def __init__(self) -> None:
        super().__init__(
            f"the reason is missing or longer than {_REASON} characters.",
            place="reason",
            remedy="Say who asked and on what ground; it is kept in the log.",
        )


@dataclass(frozen=True, slots=True)
class Erased:
    """Who was erased, by a pseudonym that leads to nobody any more."""

    subject_id: int


@cache
def statutory_rules() -> tuple[StatutoryRule, ...]:
    """The rules in the order of their days."""
    return read_yaml(STATUTORY, StatutoryRules).rules


def kept_until(ended: int, rules: tuple[StatutoryRule, ...]) -> tuple[StatutoryRule, int] | None:
    """Until when a business that ended at an instant is kept, and by which rule; a stricter rule that came while
    the period ran extends it.
    """
    found: tuple[StatutoryRule, int] | None = None
    for rule in rules:
        until = months_before(ended, -12 * rule.years)
        begins = instant(rule.from_)
        if begins <= ended or (found is not None and begins < found[1] < until):
            found = (rule, until)
    return found


def erase(
    database: Database,
    keys: KeyRing,
    lake: Lake,
    contracts: Mapping[str, Contract],
    authority: Authority,
    kind: SubjectKind,
    number: str,
    reason: str,
    now: int,
) -> Erased:
    """Forget the subject of a number in one transaction; then the lake is told, which a later run makes good.

    Raises:
        NoReason, UnknownSubject: what was asked.
        LoanOpen, StatutoryRetention: not yet.
    """
    authority.holds(Permission.ERASE)
    if not 0 < len(reason.strip()) <= _REASON or number in reason:
        raise NoReason
    with owner_transaction(database) as connection:
        connection.execute(_LOCK_COUNTER)
        subject = subject_of(connection, keys, kind, number)
        if subject is None:
            raise UnknownSubject
        _lock_everywhere(connection, subject)
        access = Access(str(authority.actor.actor_id), Purpose.SUBJECT_RIGHTS, authority.tenant, now)
        log = CommandLog(connection, authority.tenant)
        door = Door(Lake(lake.root, CommandTail(connection)), access, log)
        tables = door.subject({name: contracts[name] for name in BOOK}, subject, needed=BOOK).tables
        check_loans(tables["loan"], now)
        check_told(tables, now)
        for statement in _GONE:
            connection.execute(statement, (subject,))
        _note(connection, authority, subject, reason, now)
    forget_erased(database, lake)
    return Erased(subject)


def check_loans(loans: EventTable, now: int) -> None:
    """Whether the loans of a subject, as they are known now, let it be forgotten.

    Raises:
        LoanOpen, StatutoryRetention.
    """
    known = loans.take((loans.known_from <= now) & (now < loans.known_to))
    if (known.columns["state"] == code_of(_OPEN)).any() or (known.valid_to > now).any():
        raise LoanOpen
    if len(known):
        found = kept_until(int(np.max(known.valid_to)), statutory_rules())
        if found is not None and now < found[1]:
            raise StatutoryRetention(*found)


def check_told(tables: Mapping[str, EventTable], now: int) -> None:
    """The same of loans that are told event by event: what is owed is open, the last event is the last business.

    Raises:
        LoanOpen, StatutoryRetention.
    """
    if whole_book(tables, now).open.any():
        raise LoanOpen
    told = [tables[name].visible(now) for name in ("loan_grant", "loan_event")]
    last = max((int(table.valid_from.max()) for table in told if len(table)), default=None)
    found = None if last is None else kept_until(last, statutory_rules())
    if found is not None and now < found[1]:
        raise StatutoryRetention(*found)


def forget_erased(database: Database, lake: Lake) -> int:
    """Tell the lake of everybody who was erased; before each compaction, in case a process died in between."""
    with owner_transaction(database) as connection:
        subjects = [int(row[0]) for row in connection.execute(_ALL).fetchall()]
    if subjects:
        lake.erase(subjects)
    return len(subjects)


def _lock_everywhere(connection: Connection, subject: int) -> None:
    """No tenant brings the subject online while it is forgotten."""
    for (tenant,) in connection.execute(_TENANTS).fetchall():
        connection.execute("SELECT set_config('yidai.tenant', %s, true)", (tenant,))
        connection.execute(LOCK_SUBJECT.replace("$1", "%s"), (str(subject),))


def _note(connection: Connection, authority: Authority, subject: int, reason: str, now: int) -> None:
    tenant, actor = authority.tenant, authority.actor.actor_id
    connection.execute("SELECT set_config('yidai.tenant', %s, true)", (tenant,))
    connection.execute(_INSERT, (tenant, subject, reason.strip(), actor, now))
    record(connection, tenant, now, actor, "subject.erased", str(subject), reason=reason.strip())
