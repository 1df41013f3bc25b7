"""Many applications at once: read together, decided as one matrix, committed in groups, answered in order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import msgspec

from features.errors import YidaiError
from serving.access.model import Authority, Permission
from serving.batch.lines import Line, Refusal
from serving.decisions.attempts import Found
from serving.decisions.budgets import Full
from serving.decisions.ready import Answer, Application, Asking
from serving.decisions.reserving import MOST_TRIALS, Contended, Trial
from serving.decisions.service import DecisionService
from serving.process.metrics import Metrics
from serving.process.telling import tellable

CHUNK = 64
"""Applications that are decided at a time: as many as one transaction takes."""


class BatchAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of a line. ``status`` is 201 decided, 200 repeated, or that of the refusal, with its place.

    ``answer`` are the very bytes of POST /v1/decisions.
    """

    line: int
    idempotency_key: str
    status: int
    answer: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    code: str = ""
    detail: str = ""
    place: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """An answer, its outcome (empty where it was refused), and whether it repeats one that was given before."""

    line: BatchAnswer
    outcome: str
    repeated: bool


class BatchService:
    """The use case of POST /v1/decisions:batch and `yidai decide`; every line is a decision like any other."""

    def __init__(self, decisions: DecisionService, metrics: Metrics) -> None:
        self._decisions = decisions
        self._metrics = metrics

    async def answers(
        self, authority: Authority, lines: Iterable[Line | Refusal]
    ) -> AsyncIterator[list[Told]]:
        """What becomes of each line, in order, some at a time. What a line lacks is told in its place, the others go on.

        Raises:
            Forbidden: the asker may not decide.
        """
        authority.holds(Permission.DECIDE)
        rest = iter(lines)
        while chunk := list(islice(rest, CHUNK)):
            yield await self._chunk(authority, chunk)

    async def _chunk(self, authority: Authority, lines: Sequence[Line | Refusal]) -> list[Told]:
        found: dict[int, Answer | YidaiError] = {}
        asked: dict[int, Application] = {}
        for at, line in enumerate(lines):
            if isinstance(line, Refusal):
                found[at] = line.error
                continue
            try:
                asked[at] = self._decisions.application(authority, line.key_hash, line.request)
            except YidaiError as error:
                found[at] = error
        found |= await self._decide(authority, asked)
        told = [_told(line, found[at]) for at, line in enumerate(lines)]
        for each in told:
            self._count(each)
        return told

    async def _decide(
        self, authority: Authority, asked: dict[int, Application]
    ) -> dict[int, Answer | YidaiError]:
        """Decide until each is stored, as ``DecisionService.answer`` does with one."""
        found: dict[int, Answer | YidaiError] = {}
        trials = {at: self._decisions.first_trial() for at in asked}
        for _ in range(MOST_TRIALS):
            again: dict[int, Trial] = {}
            for at, result in await self._try(authority, asked, trials):
                if isinstance(result, Full):
                    again[at] = trials[at].after(result)
                else:
                    found[at] = result
            trials = again
            if not trials:
                return found
        return found | {at: Contended() for at in trials}

    async def _try(
        self, authority: Authority, asked: dict[int, Application], trials: dict[int, Trial]
    ) -> Iterable[tuple[int, Answer | Full | YidaiError]]:
        """One attempt at each application."""
        asking = [Asking(authority, asked[at], trial) for at, trial in trials.items()]
        found = await self._decisions.attempt(asking)
        return zip(trials, map(_refusal, found), strict=True)

    def _count(self, told: Told) -> None:
        if told.outcome:
            self._metrics.decisions.labels(told.outcome, str(told.repeated).lower()).inc()
        else:
            self._metrics.refusals.labels(str(told.line.status), told.line.code).inc()


def _refusal(found: Found) -> Answer | Full | YidaiError:
    """What was found; what nobody foresaw is no refusal of a line."""
    if isinstance(found, Exception) and not isinstance(found, YidaiError):
        raise found
    return found


def _told(line: Line | Refusal, found: Answer | YidaiError) -> Told:
    if isinstance(found, Answer):
        status = 200 if found.repeated else 201
        answer = BatchAnswer(line.number, line.key, status, msgspec.Raw(found.body))
        return Told(answer, found.outcome, found.repeated)
    place = f"line {line.number}: {found.place}" if found.place else f"line {line.number}"
    refused = BatchAnswer(
        line.number, line.key, found.status, code=found.code, detail=tellable(found.message), place=tellable(place),
        remedy=tellable(found.remedy),
    )  # fmt: skip
    return Told(refused, "", repeated=False)


def told_bytes(told: Iterable[Told]) -> bytes:
    """One JSON object a line."""
    return b"".join(msgspec.json.encode(each.line) + b"\n" for each in told)
