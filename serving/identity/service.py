"""Records without a number find their subject, a person decides the doubtful ones, and a link can be undone.

A link brings the record into the lake as a new version with the feed's own ``known_from``; an undo appends a
retraction. Receipts pin versions, so neither changes what was decided before. Links hold for every tenant,
because the records are the departments'; who linked or undid is in the audit log of the tenant that did it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from features.consent import Access, Purpose
from features.contracts.model import Contract
from features.errors import Conflict
from features.identity.held import HeldRecord, Verdict, events_of
from features.identity.people import registered, written
from features.identity.resolution import Identity, Match, resolve, say
from features.timeline.door import Door
from features.timeline.events import RETRACTED
from features.timeline.lake import Lake
from serving.access.model import Authority, Permission
from serving.identity import repository
from serving.identity.repository import Held, Said
from serving.store.access_log import CommandLog
from serving.store.audit import record
from serving.store.engine import Database
from serving.store.keys import KeyRing
from serving.store.session import owner_transaction, tenant_transaction
from serving.store.texts import texts

ENGINE = "resolution"
"""Who links what is sure."""


class NotProposed(Conflict):
    """A record and a subject of whom there is nothing to decide."""

    def __init__(self, verdict: str) -> None:
        super().__init__(
            f"this record and subject are not in review: {verdict}.",
            remedy="`yidai identity review` lists what is; a link that was undone is never made again.",
        )


class NotLinked(Conflict):
    """A record that is linked with nobody."""

    def __init__(self) -> None:
        super().__init__(
            "the record is linked with nobody.", remedy="`yidai identity linked` lists what can be undone."
        )


@dataclass(frozen=True, slots=True)
class Link:
    """A record that is linked, and the word that linked it; ``said_by`` is ``ENGINE`` or a person."""

    dataset: str
    word: Said


@dataclass(frozen=True, slots=True)
class ResolveReport:
    """What a run did with the records that waited."""

    waiting: int
    linked: int
    review: int
    unresolved: int


@dataclass(frozen=True, slots=True)
class Resolver:
    """The use cases of `yidai identity`; ``now`` is µs of UTC and always given."""

    database: Database
    keys: KeyRing
    lake: Lake
    contracts: Mapping[str, Contract]

    def resolve(self, authority: Authority, now: int) -> ResolveReport:
        """Link what is sure, propose what is doubtful, leave the rest; running it again changes nothing."""
        authority.holds(Permission.RESOLVE)
        with owner_transaction(self.database) as connection:
            people, subjects = self._people(authority, now)
            held = repository.waiting(connection, self.keys)
            words = repository.last_words(connection)
        matches = resolve(
            [written(self.contracts[h.record.dataset], h.record) for h in held],
            people,
            _refused(words, held, subjects),
        )
        sure = [m for m in matches if m.sure]
        done = {m.record for m in sure}
        doubtful = [m for m in matches if m.record not in done]
        linked = [self._said(m, held, subjects, Verdict.LINKED, now) for m in sure]
        self._link([held[m.record] for m in sure], linked)
        known = {(w.record_id, w.subject) for w in words}
        proposed = [self._said(m, held, subjects, Verdict.PROPOSED, now) for m in doubtful]
        with owner_transaction(self.database) as connection:
            repository.say(connection, [p for p in proposed if (p.record_id, p.subject) not in known])
        review = len({m.record for m in doubtful})
        report = ResolveReport(len(held), len(sure), review, len(held) - len(sure) - review)
        self._log(authority, now, "identity.resolved", "held records", linked=len(sure), review=review)
        return report

    def review(self, authority: Authority) -> list[Said]:
        """The doubtful pairs, likeliest first; they tell how the parts agree, never what they say."""
        authority.holds(Permission.RESOLVE)
        with owner_transaction(self.database) as connection:
            free = {held.record_id for held in repository.waiting(connection, self.keys)}
            words = repository.last_words(connection)
        open_ = [w for w in words if w.verdict is Verdict.PROPOSED and w.record_id in free]
        return sorted(open_, key=lambda w: (-w.probability, w.record_id, w.subject))

    def linked(self, authority: Authority, subject: int | None = None) -> list[Link]:
        """The records that are linked with a subject or with anybody, latest first."""
        authority.holds(Permission.RESOLVE)
        with owner_transaction(self.database) as connection:
            held = repository.linked(connection, self.keys, subject)
            words = {(w.record_id, w.subject): w for w in repository.last_words(connection)}
        found = [Link(h.record.dataset, words[h.record_id, h.subject]) for h in held if h.subject is not None]
        return sorted(found, key=lambda link: (-link.word.at, link.word.record_id))

    def accept(self, authority: Authority, name: str, subject: int, now: int, reason: str) -> None:
        """Link a record of the review list with one of its subjects.

        Raises:
            UnknownRecord, NotProposed: there is nothing to decide.
        """
        authority.holds(Permission.RESOLVE)
        held, word = self._open(name, subject)
        mine = replace(word, verdict=Verdict.LINKED, at=now, said_by=authority.actor.name, reason=reason)
        self._link([held], [mine])
        self._log(authority, now, "identity.accepted", held.record_id.hex(), subject=subject)

    def refuse(self, authority: Authority, name: str, subject: int, now: int, reason: str) -> None:
        """Say that a record of the review list is not about a subject; it is not proposed again.

        Raises:
            UnknownRecord, NotProposed: there is nothing to decide.
        """
        authority.holds(Permission.RESOLVE)
        held, word = self._open(name, subject)
        with owner_transaction(self.database) as connection:
            mine = replace(word, verdict=Verdict.REFUSED, at=now, said_by=authority.actor.name, reason=reason)
            repository.say(connection, [mine])
        self._log(authority, now, "identity.refused", held.record_id.hex(), subject=subject)

    def undo(self, authority: Authority, name: str, now: int, reason: str) -> int:
        """Take a link back: the record leaves its subject and is not linked with it again; returns whom.

        Raises:
            UnknownRecord, NotLinked: there is nothing to undo.
            LakeBusy: an ingest is writing.
        """
        authority.holds(Permission.RESOLVE)
        with owner_transaction(self.database) as connection:
            held = repository.one(connection, self.keys, name)
            words = [w for w in repository.last_words(connection) if w.record_id == held.record_id]
        if held.subject is None:
            raise NotLinked
        self._write([replace(held, record=_retraction(held.record))], [held.subject])
        word = next(w for w in words if w.subject == held.subject)
        with owner_transaction(self.database) as connection:
            mine = replace(word, verdict=Verdict.UNDONE, at=now, said_by=authority.actor.name, reason=reason)
            repository.say(connection, [mine])
            repository.take_back(connection, self.keys, held)
        self._log(authority, now, "identity.undone", held.record_id.hex(), subject=held.subject)
        return held.subject

    def _people(self, authority: Authority, now: int) -> tuple[list[Identity], list[int]]:
        access = Access(str(authority.actor.actor_id), Purpose.UPKEEP, authority.tenant, now)
        with owner_transaction(self.database) as connection:
            door = Door(self.lake, access, CommandLog(connection, authority.tenant))
            return registered(self.contracts, door, texts(connection, self.keys))

    def _said(
        self, match: Match, held: Sequence[Held], subjects: Sequence[int], verdict: Verdict, now: int
    ) -> Said:
        record_id, subject = held[match.record].record_id, subjects[match.person]
        probability = round(match.probability, 9)
        return Said(record_id, subject, verdict, probability, say(match.agreement), now, ENGINE, "")

    def _open(self, name: str, subject: int) -> tuple[Held, Said]:
        with owner_transaction(self.database) as connection:
            held = repository.one(connection, self.keys, name)
            words = repository.last_words(connection)
        word = next((w for w in words if (w.record_id, w.subject) == (held.record_id, subject)), None)
        if word is None or word.verdict is not Verdict.PROPOSED or held.subject is not None:
            raise NotProposed("never proposed" if word is None else word.verdict.value)
        return held, word

    def _link(self, held: Sequence[Held], words: Sequence[Said]) -> None:
        """First the lake, then the store: a run that was stopped between finds the rows stored already."""
        subjects = [word.subject for word in words]
        if not words:
            return
        self._write(held, subjects)
        with owner_transaction(self.database) as connection:
            repository.give(connection, self.keys, held, subjects)
            repository.say(connection, words)

    def _write(self, held: Sequence[Held], subjects: Sequence[int]) -> None:
        of: dict[str, list[int]] = defaultdict(list)
        for place, each in enumerate(held):
            of[each.record.dataset].append(place)
        with self.lake.writing():
            for dataset, places in sorted(of.items()):
                chosen, who = [held[k].record for k in places], [subjects[k] for k in places]
                raw = events_of(self.contracts[dataset], chosen, who, self.lake.next_version())
                self.lake.append(dataset, raw, np.zeros(len(places), dtype=bool))

    def _log(self, authority: Authority, now: int, action: str, thing: str, **detail: int) -> None:
        with tenant_transaction(self.database, authority.tenant) as connection:
            record(connection, authority.tenant, now, authority.actor.actor_id, action, thing, **detail)


def _retraction(record_: HeldRecord) -> HeldRecord:
    """The same key, moment and knowledge, and the mark that takes the record back."""
    return HeldRecord(
        record_.dataset, record_.columns, record_.valid_from, RETRACTED, record_.known_from, record_.texts
    )


def _refused(words: Sequence[Said], held: Sequence[Held], subjects: Sequence[int]) -> list[tuple[int, int]]:
    """Pairs that a person said no to, as places."""
    at = {each.record_id: place for place, each in enumerate(held)}
    who = {subject: place for place, subject in enumerate(subjects)}
    no = {Verdict.REFUSED, Verdict.UNDONE}
    return [
        (at[w.record_id], who[w.subject])
        for w in words
        if w.verdict in no and w.record_id in at and w.subject in who
    ]
