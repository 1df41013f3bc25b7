"""What is asked while others are being answered is answered together: under load groups form by themselves.

A single question is answered at once; there is no timer that it would wait for. A group says when it has only to wait
for others: the next then begins with all that have come meanwhile, rather than with the first that comes afterwards.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from features.errors import Unavailable

_Asked = TypeVar("_Asked")
_Answer = TypeVar("_Answer")


class Overloaded(Unavailable):
    """More wait than can be answered in time: the newest is refused at once, and those before it are answered."""

    def __init__(self) -> None:
        super().__init__(
            "more applications wait here than can be answered in time; nothing was decided.",
            remedy="Send the same request again with the same Idempotency-Key, after Retry-After.",
        )


class Gatherer(Generic[_Asked, _Answer]):
    """Up to ``at_once`` groups are under way, of up to ``most`` questions; up to ``waiting`` questions wait.

    ``answer`` gives an answer or an error for each question of a group, in order. The next group begins when it calls
    what it is given for that, or has ended.
    """

    def __init__(
        self,
        answer: Callable[[Sequence[_Asked], Callable[[], None]], Awaitable[Sequence[_Answer | Exception]]],
        most: int,
        at_once: int,
        waiting: int,
        refusal: Callable[[], Unavailable] = Overloaded,
    ) -> None:
        self._answer = answer
        self._most = most
        self._free = at_once
        self._room = waiting
        self._refusal = refusal
        self._waiting: deque[tuple[_Asked, asyncio.Future[_Answer]]] = deque()
        self._under_way: set[asyncio.Task[None]] = set()
        self._number = 0
        self._busy: int | None = None
        self._planned = False

    @property
    def waiting(self) -> int:
        """Questions that wait for a group."""
        return len(self._waiting)

    async def ask(self, one: _Asked) -> _Answer:
        """The answer, with those that are asked meanwhile.

        Raises:
            Unavailable: too many wait; ``refusal`` says what of.
            Exception: what ``answer`` found instead, for this question.
        """
        if len(self._waiting) >= self._room:
            raise self._refusal()
        future: asyncio.Future[_Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((one, future))
        self._plan()
        return await future

    def _plan(self) -> None:
        """Begin once all that has arrived together is here."""
        if not self._planned:
            self._planned = True
            asyncio.get_running_loop().call_soon(self._begin)

    def _begin(self) -> None:
        self._planned = False
        while self._free and self._busy is None and self._waiting:
            group = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
            group = [each for each in group if not each[1].done()]
            if group:
                self._free -= 1
                self._number += 1
                self._busy = self._number
                task = asyncio.create_task(self._run(group, self._number))
                self._under_way.add(task)
                task.add_done_callback(self._ended)

    def _passed(self, number: int) -> None:
        """A group has only to wait for others."""
        if self._busy == number:
            self._busy = None
            self._plan()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._free += 1
        self._plan()

    async def _run(self, group: list[tuple[_Asked, asyncio.Future[_Answer]]], number: int) -> None:
        try:
            found = await self._answer([one for one, _ in group], lambda: self._passed(number))
        except Exception as error:  # noqa: BLE001 - whoever waits is told
            found = [error] * len(group)
        self._passed(number)
        for (_, future), each in zip(group, found, strict=True):
            if future.done():
                continue
            if isinstance(each, Exception):
                future.set_exception(each)
            else:
                future.set_result(each)
