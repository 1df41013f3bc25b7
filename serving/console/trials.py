"""Back-tests of drafts: run one at a time in a thread of this process, kept for a while with the text that was tried."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from features.errors import Conflict, YidaiError
from features.terminal import Step
from serving.registry.model import Kind

MOST = 40
log = logging.getLogger("yidai")


class TrialWaits(Conflict):
    """A back-test more of somebody's whose last one has not begun."""

    def __init__(self) -> None:
        super().__init__(
            "a back-test of yours waits to begin.", remedy="Send the text again when it has begun."
        )


class TrialState(StrEnum):
    """How far a back-test is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(slots=True)
class Trial:
    """One back-test: what was tried, by whom, and what was found or what went wrong."""

    tenant: str
    by: str
    kind: Kind
    text: str
    begun_at: int
    name: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    state: TrialState = TrialState.WAITING
    step: str = ""
    found: Any = None
    problem: str = ""
    remedy: str = ""

    @property
    def over(self) -> bool:
        """Whether nothing more happens."""
        return self.state in {TrialState.DONE, TrialState.FAILED}

    def waits_for(self, tenant: str, by: str) -> bool:
        """Whether it has not begun, and is a person's."""
        return self.state is TrialState.WAITING and (self.tenant, self.by) == (tenant, by)

    def tell(self, step: str, *_: int) -> None:
        """What it does now."""
        self.step = step


@dataclass(slots=True)
class Trials:
    """A process's back-tests; the oldest that are over go first, and of each person's only one waits."""

    _held: OrderedDict[str, Trial] = field(default_factory=OrderedDict)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def begin(self, trial: Trial, run: Callable[[Step], Any]) -> Trial:
        """Run it as soon as the one before is over; returns at once.

        Raises:
            TrialWaits: one of the same person has not begun.
        """
        if any(one.waits_for(trial.tenant, trial.by) for one in self._held.values()):
            raise TrialWaits
        for name in [name for name, one in self._held.items() if one.over][: len(self._held) - MOST + 1]:
            del self._held[name]
        self._held[trial.name] = trial
        task = asyncio.create_task(self._run(trial, run))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return trial

    def of(self, tenant: str, name: str) -> Trial | None:
        """A back-test of a tenant."""
        found = self._held.get(name)
        return found if found is not None and found.tenant == tenant else None

    async def rest(self) -> None:
        """Wait until none runs or waits."""
        await asyncio.gather(*self._tasks)

    async def _run(self, trial: Trial, run: Callable[[Step], Any]) -> None:
        async with self._turn:
            trial.state = TrialState.RUNNING
            try:
                trial.found = await asyncio.to_thread(run, trial.tell)
                trial.state = TrialState.DONE
            except YidaiError as broken:
                trial.problem, trial.remedy, trial.state = (
                    broken.message,
                    broken.remedy or "",
                    TrialState.FAILED,
                )
            except Exception:
                log.exception("a back-test failed")
                trial.state = TrialState.FAILED
