"""What `yidai identity` does: settings in, values out; the online rows follow what was linked or undone."""

from __future__ import annotations

import msgspec

from features.calendar import iso
from features.contracts.load import BUILTIN, load_contracts
from features.timeline.lake import Lake
from serving.access.model import Authority, Permission
from serving.clock import wall_clock
from serving.identity.service import Resolver, ResolveReport
from serving.operations import authority
from serving.serve import open_store
from serving.services import with_services
from serving.settings import Settings
from serving.store.engine import Database
from serving.store.keys import KeyRing


class ReviewRow(msgspec.Struct, frozen=True):
    """A pair to decide: ``agreement`` says how the parts agree, by part."""

    record: str
    subject: int
    probability: float
    agreement: dict[str, str]


class LinkedRow(msgspec.Struct, frozen=True):
    """A record that is linked: how likely, when (ISO 8601) and by whom, a person or the engine."""

    record: str
    dataset: str
    subject: int
    probability: float
    at: str
    said_by: str
    reason: str


def resolve(settings: Settings, database: Database | None = None) -> ResolveReport:
    """Link what is sure, propose what is doubtful; a worker calls it with the database that it holds."""
    resolver, asker = _open(settings, database)
    report = resolver.resolve(asker, wall_clock())
    if report.linked:
        with_services(settings, resolver.database, lambda held: held.consents.rehydrate(settings.tenant))
    return report


def review(settings: Settings) -> list[ReviewRow]:
    """The doubtful pairs, likeliest first."""
    resolver, asker = _open(settings)
    return [
        ReviewRow(w.record_id.hex(), w.subject, w.probability, w.agreement) for w in resolver.review(asker)
    ]


def linked(settings: Settings, subject: int | None) -> list[LinkedRow]:
    """The records that are linked, latest first; each can be undone."""
    resolver, asker = _open(settings)
    return [
        LinkedRow(w.record_id.hex(), link.dataset, w.subject, w.probability, iso(w.at), w.said_by, w.reason)
        for link in resolver.linked(asker, subject)
        for w in [link.word]
    ]


def accept(settings: Settings, record: str, subject: int, reason: str) -> None:
    """Link a doubtful record."""
    resolver, asker = _open(settings)
    resolver.accept(asker, record, subject, wall_clock(), reason)
    with_services(settings, resolver.database, lambda held: held.consents.rehydrate(settings.tenant))


def refuse(settings: Settings, record: str, subject: int, reason: str) -> None:
    """Refuse a doubtful pair."""
    resolver, asker = _open(settings)
    resolver.refuse(asker, record, subject, wall_clock(), reason)


def undo(settings: Settings, record: str, reason: str) -> int:
    """Take a link back; returns from whom."""
    resolver, asker = _open(settings)
    subject = resolver.undo(asker, record, wall_clock(), reason)
    with_services(settings, resolver.database, lambda held: held.consents.rehydrate(settings.tenant))
    return subject


def _open(settings: Settings, database: Database | None = None) -> tuple[Resolver, Authority]:
    opened = database or open_store(settings)
    asker = authority(settings, opened, Permission.RESOLVE)
    keys, lake = KeyRing.open(settings.key_file), Lake(settings.lake_root)
    return Resolver(opened, keys, lake, load_contracts([BUILTIN])), asker
