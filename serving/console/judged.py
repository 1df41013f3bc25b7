"""The quality of the sources as a process works it out: in a thread, one at a time, kept until it is old."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field

from features.errors import YidaiError
from features.quality.scores import Period
from serving.clock import Clock
from serving.quality.operations import Quality, quality_of, refused
from serving.settings import Settings

OLD = 600_000_000
"""µs after which what is shown is worked out anew, while the old is shown."""
log = logging.getLogger("yidai")


@dataclass(frozen=True, slots=True)
class Judgement:
    """Scores by a period, and how many rows are in quarantine by source, worked out at ``at`` (µs)."""

    quality: Quality
    quarantined: dict[str, int]
    at: int


@dataclass(slots=True)
class Judgements:
    """The newest by period."""

    settings: Settings
    clock: Clock
    held: dict[Period, Judgement] = field(default_factory=dict)
    failed: str = ""
    _work: asyncio.Task[None] | None = None

    def newest(self, by: Period) -> Judgement | None:
        """What is known, None before it was worked out; what is missing or old is begun."""
        found = self.held.get(by)
        if (found is None or found.at + OLD < self.clock()) and (self._work is None or self._work.done()):
            self._work = asyncio.create_task(self._judge(by))
        return found

    async def rest(self) -> None:
        """Wait until what was begun is over."""
        if self._work is not None:
            await self._work

    async def _judge(self, by: Period) -> None:
        try:
            self.held[by] = await asyncio.to_thread(self._read, by)
            self.failed = ""
        except YidaiError as broken:
            self.failed = broken.message
        except Exception:
            log.exception("the sources could not be judged")
            self.failed = "…"

    def _read(self, by: Period) -> Judgement:
        at = self.clock()
        quarantined: dict[str, set[tuple[str, int]]] = {}
        for each in refused(self.settings):
            quarantined.setdefault(each.dataset, set()).add((each.file, each.line))
        counts = {name: len(lines) for name, lines in quarantined.items()}
        return Judgement(quality_of(self.settings, by), counts, at)
