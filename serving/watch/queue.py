"""Statements of who waits to be looked at; all but ``tenants_waiting`` in a tenant's transaction."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from features.timeline.events import Int64
from serving.store.session import Connection

_TENANTS = "SELECT DISTINCT tenant_id FROM watch_queue WHERE due_at <= %s ORDER BY tenant_id"
_TAKE = """
SELECT place, subject_id, of_book, attempts FROM watch_queue WHERE tenant_id = current_setting('yidai.tenant') AND due_at <= %s
ORDER BY due_at, place LIMIT %s FOR UPDATE SKIP LOCKED"""
_DROP = "DELETE FROM watch_queue WHERE place = ANY (%s)"
_POSTPONE = "UPDATE watch_queue SET due_at = %s, attempts = attempts + 1 WHERE place = ANY (%s)"
_WATCH = """
INSERT INTO watched (tenant_id, subject_id, told_at)
SELECT current_setting('yidai.tenant'), u.s, %s FROM unnest(%s::bigint[]) AS u (s) ON CONFLICT DO NOTHING"""
_UNWATCH = """
DELETE FROM watched WHERE tenant_id = current_setting('yidai.tenant') AND subject_id IN (
    SELECT subject_id FROM watched WHERE tenant_id = current_setting('yidai.tenant') AND told_at < %s
    AND NOT EXISTS (SELECT 1 FROM unnest(%s::bigint[]) AS u (s) WHERE u.s = subject_id) FOR UPDATE SKIP LOCKED)"""
"""Whoever is being told of just now stays, and nobody waits."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A row that this transaction holds. ``of_book``: what came was of the loan book; ``attempts`` failed before."""

    place: int
    subject: int
    of_book: bool
    attempts: int


def tenants_waiting(owner: Connection, now: int) -> list[str]:
    """Whose subjects are due, on the owner's connection."""
    return [str(row[0]) for row in owner.execute(_TENANTS, (now,)).fetchall()]


def take(connection: Connection, now: int, most: int) -> list[Waiting]:
    """Hold so many that are due and that nobody else holds, those first that wait longest."""
    return [Waiting(*row) for row in connection.execute(_TAKE, (now, most)).fetchall()]


def drop(connection: Connection, taken: Collection[Waiting]) -> None:
    """They were looked at."""
    connection.execute(_DROP, ([each.place for each in taken],))


def postpone(connection: Connection, taken: Collection[Waiting], due: int) -> None:
    """They could not be looked at, and wait until then."""
    connection.execute(_POSTPONE, (due, [each.place for each in taken]))


def watch(connection: Connection, subjects: Int64, now: int) -> None:
    """Watch these from now on, too."""
    connection.execute(_WATCH, (now, subjects.tolist()))


def watch_only(connection: Connection, subjects: Int64, begun: int) -> None:
    """Watch these and, of the others, whom somebody told of since a look at the book began."""
    watch(connection, subjects, begun)
    connection.execute(_UNWATCH, (begun, subjects.tolist()))
