"""What a job and a kind of job are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from features.errors import NotFound
from serving.settings import Settings
from serving.store.engine import Database
from serving.store.session import Connection

MOST_ATTEMPTS = 8
"""After so many a job is dead: somebody has to look at it."""
_SECOND = 1_000_000
_LONGEST = 10 * 60 * _SECOND


class JobState(StrEnum):
    """Where a job stands; one that is being done still waits, under its row's lock."""

    WAITING = "waiting"
    DONE = "done"
    DEAD = "dead"


class QueuedJob(msgspec.Struct, frozen=True):
    """One row; instants in µs of UTC. ``attempts`` counts those that were begun, killed ones too."""

    job_id: int
    kind: str
    key: str
    state: JobState
    due_at: int
    attempts: int
    ended_at: int | None = None
    result: dict[str, Any] | None = None
    error: str = ""


class UnknownJob(NotFound):
    """No dead job with this id."""

    def __init__(self, job_id: int) -> None:
        super().__init__(
            "there is no dead job with this id.", place=str(job_id), remedy="`yidai jobs list` names them."
        )


@dataclass(frozen=True, slots=True)
class Work:
    """What a job is done with. ``connection`` is the transaction in which it becomes done: what is written on it
    happens once and only once. Everything else that a job does must bear being done again, because a process may die
    after the effect and before the commit.
    """

    settings: Settings
    database: Database
    connection: Connection
    payload: Mapping[str, Any]
    now: int


def always(_: Settings) -> bool:
    """Whatever the settings are."""
    return True


@dataclass(frozen=True, slots=True)
class JobKind:
    """One entry of the table of kinds. With ``every`` (seconds) it comes by itself, else when somebody asks for it;
    ``wanted`` says whether under these settings at all. ``run`` returns what to remember of it.
    """

    name: str
    run: Callable[[Work], dict[str, Any]]
    every: float | None = None
    wanted: Callable[[Settings], bool] = always

    def period(self, now: int) -> tuple[str, int] | None:
        """The key of the period that ``now`` (µs) lies in, and its end; None if it does not come by itself."""
        if self.every is None:
            return None
        length = round(self.every * _SECOND)
        return str(now // length), (now // length + 1) * length


def back_off(attempts: int) -> int:
    """How long to wait after so many attempts, µs: 2, 4, 8 ... seconds, at most ten minutes."""
    return int(min(_SECOND << attempts, _LONGEST))
