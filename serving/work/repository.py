"""Statements of jobs."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from serving.store.session import Connection
from serving.work.model import JobState, QueuedJob, UnknownJob

CHANNEL = "yidai_job"
_PERIODIC = """
INSERT INTO job (kind, key, due_at, created_at) SELECT %(kind)s, %(key)s, %(now)s, %(now)s
WHERE NOT EXISTS (SELECT 1 FROM job WHERE kind = %(kind)s AND state = 'waiting') ON CONFLICT (kind, key) DO NOTHING"""
_TAKE = """
SELECT job_id, kind, key, payload, (SELECT count(*) FROM job_attempt a WHERE a.job_id = j.job_id)
FROM job j WHERE state = 'waiting' AND due_at <= %s AND kind = ANY(%s)
ORDER BY due_at, job_id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED"""
_BEGIN = "INSERT INTO job_attempt (job_id, begun_at) VALUES (%s, %s)"
_DONE = "UPDATE job SET state = 'done', ended_at = %s, result = %s, error = '' WHERE job_id = %s"
_LATER = "UPDATE job SET due_at = %s, error = %s WHERE job_id = %s"
_DEAD = "UPDATE job SET state = 'dead', ended_at = %s, error = %s WHERE job_id = %s"
_FORGET = "DELETE FROM job_attempt WHERE job_id = %s"
_FORGET_LAST = """
DELETE FROM job_attempt WHERE ctid IN
    (SELECT ctid FROM job_attempt WHERE job_id = %s ORDER BY begun_at DESC LIMIT 1)"""
_AGAIN = """
UPDATE job SET state = 'waiting', ended_at = NULL, due_at = %s, error = '' WHERE job_id = %s AND state = 'dead'"""
_NEXT = "SELECT min(due_at) FROM job WHERE state = 'waiting' AND kind = ANY(%s)"
_LIST = """
SELECT job_id, kind, key, state, due_at, (SELECT count(*) FROM job_attempt a WHERE a.job_id = j.job_id), ended_at,
       result, error
FROM job j WHERE state = ANY(%s) ORDER BY coalesce(ended_at, due_at) DESC, job_id DESC LIMIT %s"""
_LAST = """
SELECT result FROM job WHERE kind = %s AND state = 'done' ORDER BY ended_at DESC, job_id DESC LIMIT 1"""
_TIDY = "DELETE FROM job WHERE state = 'done' AND ended_at < %s"

Taken = tuple[int, str, str, dict[str, Any], int]
"""Id, kind, key, payload, and how often it was begun before."""


def enqueue(connection: Connection, kind: str, key: str, now: int, **payload: Any) -> None:
    """Put a job there, once for its kind and key; it is done after the commit."""
    connection.execute("SELECT enqueue_job(%s, %s, %s, %s)", (kind, key, json.dumps(payload), now))


def enqueue_period(connection: Connection, kind: str, key: str, now: int) -> None:
    """Put the job of a period there, unless it was there or one of its kind waits still."""
    connection.execute(_PERIODIC, {"kind": kind, "key": key, "now": now})


def take(connection: Connection, now: int, kinds: Collection[str]) -> Taken | None:
    """Lock one job that is due and that nobody does."""
    row = connection.execute(_TAKE, (now, list(kinds))).fetchone()
    return None if row is None else (row[0], row[1], row[2], row[3], row[4])


def begin(connection: Connection, job_id: int, now: int) -> None:
    """Note an attempt, on a connection other than the one that holds the job."""
    connection.execute(_BEGIN, (job_id, now))


def done(connection: Connection, job_id: int, now: int, result: dict[str, Any]) -> None:
    """It is done."""
    connection.execute(_DONE, (now, json.dumps(result), job_id))


def later(connection: Connection, job_id: int, due_at: int, error: str, *, counts: bool) -> None:
    """Try again then; ``counts``: as a failed attempt."""
    connection.execute(_LATER, (due_at, error, job_id))
    if not counts:
        connection.execute(_FORGET_LAST, (job_id,))


def die(connection: Connection, job_id: int, now: int, error: str) -> None:
    """It is tried no more."""
    connection.execute(_DEAD, (now, error, job_id))


def retry(connection: Connection, job_id: int, now: int) -> None:
    """Let a dead job be done after all.

    Raises:
        UnknownJob: none that is dead.
    """
    if connection.execute(_AGAIN, (now, job_id)).rowcount == 0:
        raise UnknownJob(job_id)
    connection.execute(_FORGET, (job_id,))
    connection.execute("SELECT pg_notify(%s, '')", (CHANNEL,))


def next_due(connection: Connection, kinds: Collection[str]) -> int | None:
    """When the next job of these kinds is due, also one that somebody does just now."""
    row = connection.execute(_NEXT, (list(kinds),)).fetchone()
    return None if row is None else row[0]


def jobs(connection: Connection, states: Collection[JobState], most: int) -> list[QueuedJob]:
    """The latest jobs in these states."""
    rows = connection.execute(_LIST, ([state.value for state in states], most)).fetchall()
    return [QueuedJob(row[0], row[1], row[2], JobState(row[3]), *row[4:]) for row in rows]


def last_result(connection: Connection, kind: str) -> dict[str, Any]:
    """What the latest job of a kind remembered."""
    row = connection.execute(_LAST, (kind,)).fetchone()
    return {} if row is None or row[0] is None else dict(row[0])


def tidy(connection: Connection, before: int) -> int:
    """Drop what was done before a moment, µs; returns how many."""
    return connection.execute(_TIDY, (before,)).rowcount
