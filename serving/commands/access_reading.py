"""What the access log tells an auditor: the reads in the store, and those of commands beside the lake."""

from __future__ import annotations

from dataclasses import dataclass, replace

from features.calendar import NEVER, instant, iso
from features.consent import Purpose
from features.contracts.model import SubjectKind
from features.errors import Invalid
from features.identity.numbers import check_person_number
from features.timeline.door import Entry, FileLog
from serving.access.model import Authority, Permission
from serving.operations import authority
from serving.serve import open_store
from serving.settings import Settings
from serving.store.access_log import Wanted, entries
from serving.store.engine import Database
from serving.store.keys import KeyRing
from serving.store.session import tenant_transaction
from serving.store.vault import UnknownSubject, subject_of


@dataclass(frozen=True, slots=True)
class Asked:
    """An auditor's question; ``number`` of a ``kind`` of subject, both empty for everybody's reads."""

    kind: str
    number: str
    wanted: Wanted


@dataclass(frozen=True, slots=True)
class ReadRow:
    """One read: who, when, what and why, with a person's own ``reason`` where one was asked for. ``whose`` names no number."""

    when: str
    who: str
    datasets: tuple[str, ...]
    categories: tuple[str, ...]
    left_out: tuple[str, ...]
    whose: str
    subjects: int | None
    purpose: str
    why: tuple[str, ...]
    consents: tuple[str, ...]
    reason: str = ""


def asked(
    kind: str, number: str, actor: str, purpose: str, since: str, until: str, most: int
) -> Asked:  # fmt: skip
    """The question as it was typed.

    Raises:
        Invalid: another kind or purpose, or an instant that is none.
    """
    if "\0" in actor:
        raise Invalid("no name holds a NUL.", place="--actor", remedy="Leave it out.")
    if kind and kind not in {SubjectKind.PERSON, SubjectKind.LEGAL_PERSON}:
        raise Invalid(f"there is no kind {kind!r}.", place="--subject", remedy="Say person or legal_person.")
    if purpose and purpose not in set(Purpose):
        known = ", ".join(Purpose)
        raise Invalid(f"there is no purpose {purpose!r}.", place="--purpose", remedy=f"Purposes: {known}.")
    begins = instant(since) if since else 0
    ends = instant(until) if until else NEVER
    return Asked(kind, number, Wanted(None, actor or None, purpose or None, begins, ends, most))


def reads(settings: Settings, question: Asked) -> list[ReadRow]:
    """`yidai access-log` as YIDAI_TOKEN's actor, oldest first.

    Raises:
        NotPermitted: only who audits may ask.
        UnknownSubject, WrongNumber: nobody has this number.
    """
    database = open_store(settings)
    return told(settings, database, authority(settings, database, Permission.READ_ACCESS_LOG), question)


def told(settings: Settings, database: Database, asker: Authority, question: Asked) -> list[ReadRow]:
    """As ``reads``, for whoever is asking."""
    asker.holds(Permission.READ_ACCESS_LOG)
    wanted = question.wanted
    if question.kind:
        wanted = replace(wanted, subject=_subject(settings, database, asker, question))
    with tenant_transaction(database, asker.tenant) as connection:
        found = entries(connection, wanted)
    beside = [one for one in FileLog(settings.lake_root).entries() if _fits(one, wanted)]
    both = sorted([*found, *beside], key=lambda one: one.at, reverse=wanted.newest)
    return [_row(one) for one in both[: wanted.most]]


def _subject(settings: Settings, database: Database, asker: Authority, question: Asked) -> int:
    kind = SubjectKind(question.kind)
    number = check_person_number(question.number) if kind is SubjectKind.PERSON else question.number
    keys = KeyRing.open(settings.key_file)
    with tenant_transaction(database, asker.tenant) as connection:
        subject = subject_of(connection, keys, kind, number)
    if subject is None:
        raise UnknownSubject
    return subject


def _fits(entry: Entry, wanted: Wanted) -> bool:
    return (
        wanted.since <= entry.at < wanted.until
        and wanted.actor in {None, entry.actor}
        and wanted.purpose in {None, entry.purpose}
        and (wanted.subject is None or entry.subjects is None or wanted.subject in entry.subjects)
    )


def _row(entry: Entry) -> ReadRow:
    count = None if entry.subjects is None else len(entry.subjects)
    one = entry.subjects[0] if entry.subjects is not None and count == 1 else None
    whose = "everybody" if count is None else f"subject {one}" if one is not None else f"{count} subjects"
    consents = tuple(str(each) for each in entry.consents)
    return ReadRow(
        iso(entry.at), entry.actor, entry.datasets, entry.categories, entry.left_out, whose, count, entry.purpose,
        tuple(entry.bases), consents, entry.reason,
    )  # fmt: skip
