"""What is asked while others are answered is answered together; the newest is refused when too many wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.decisions.gathering import Gatherer, Overloaded


class Answering:
    """Doubles numbers, group by group, when it is let; refuses negative ones."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.may = asyncio.Event()
        self.tells = False

    async def answer(self, group: Sequence[int], passed: Callable[[], None]) -> list[int | Exception]:
        """Each doubled; ``passed`` before the last wait where it is to be told."""
        self.groups.append(list(group))
        self.passed = passed
        if self.tells:
            passed()
            passed()
        await self.may.wait()
        if 13 in group:
            raise OSError("the whole group")
        return [ValueError(n) if n < 0 else 2 * n for n in group]


async def asked(gatherer: Gatherer[int, int], numbers: Sequence[int]) -> list[asyncio.Task[int]]:
    """All asked at once, each waiting."""
    tasks = [asyncio.create_task(gatherer.ask(n)) for n in numbers]
    for _ in range(4):
        await asyncio.sleep(0)
    return tasks


def test_one_is_answered_at_once_and_those_that_come_meanwhile_together() -> None:
    async def run() -> None:
        answering = Answering()
        gatherer: Gatherer[int, int] = Gatherer(answering.answer, most=3, at_once=1, waiting=10)
        tasks = await asked(gatherer, [1])
        assert answering.groups == [[1]]
        tasks += await asked(gatherer, [2, 3, 4, 5])
        assert answering.groups == [[1]]
        answering.may.set()
        assert await asyncio.gather(*tasks) == [2, 4, 6, 8, 10]
        assert answering.groups == [[1], [2, 3, 4], [5]]

    asyncio.run(run())


def test_what_one_lacks_is_told_to_it_alone_and_what_fails_as_a_whole_to_its_group() -> None:
    async def run() -> None:
        answering = Answering()
        gatherer: Gatherer[int, int] = Gatherer(answering.answer, most=2, at_once=1, waiting=10)
        tasks = await asked(gatherer, [1]) + await asked(gatherer, [-2, 3, 13, 4, 5])
        answering.may.set()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert answering.groups == [[1], [-2, 3], [13, 4], [5]]
        assert [found[0], found[2], found[5]] == [2, 6, 10]
        assert isinstance(found[1], ValueError)
        assert [type(each) for each in found[3:5]] == [OSError, OSError]

    asyncio.run(run())


def test_the_newest_is_refused_at_once_and_there_is_room_again_afterwards() -> None:
    async def run() -> None:
        answering = Answering()
        gatherer: Gatherer[int, int] = Gatherer(answering.answer, most=2, at_once=1, waiting=2)
        tasks = await asked(gatherer, [1]) + await asked(gatherer, [2, 3])
        with pytest.raises(Overloaded):
            await gatherer.ask(4)
        answering.may.set()
        assert await asyncio.gather(*tasks) == [2, 4, 6]
        assert await gatherer.ask(4) == 8

    asyncio.run(run())


def test_who_has_gone_is_not_asked_for() -> None:
    async def run() -> None:
        answering = Answering()
        gatherer: Gatherer[int, int] = Gatherer(answering.answer, most=2, at_once=1, waiting=10)
        tasks = await asked(gatherer, [1]) + await asked(gatherer, [2, 3])
        tasks[1].cancel()
        await asyncio.sleep(0)
        answering.may.set()
        assert [await tasks[0], await tasks[2]] == [2, 6]
        assert answering.groups == [[1], [3]]

    asyncio.run(run())


def test_what_arrives_together_is_answered_together() -> None:
    async def run() -> None:
        answering = Answering()
        answering.may.set()
        gatherer: Gatherer[int, int] = Gatherer(answering.answer, most=10, at_once=1, waiting=10)
        assert await asyncio.gather(*map(gatherer.ask, [1, 2, 3])) == [2, 4, 6]
        assert answering.groups == [[1, 2, 3]]

    asyncio.run(run())


def test_those_who_wait_begin_as_soon_as_the_group_before_has_passed_though_nobody_else_asks() -> None:
    async def run() -> None:
        answering = Answering()
        gatherer: Gatherer[int, int] = Gatherer(answering.answer, most=9, at_once=2, waiting=10)
        tasks = await asked(gatherer, [1]) + await asked(gatherer, [2, 3])
        assert answering.groups == [[1]]
        answering.passed()
        await asked(gatherer, [])
        assert answering.groups == [[1], [2, 3]]
        answering.may.set()
        assert await asyncio.gather(*tasks) == [2, 4, 6]

    asyncio.run(run())


def test_the_next_group_begins_when_the_one_before_has_only_to_wait_and_never_more_than_so_many() -> None:
    async def run() -> None:
        answering = Answering()
        answering.tells = True
        gatherer: Gatherer[int, int] = Gatherer(answering.answer, most=2, at_once=2, waiting=10)
        tasks = await asked(gatherer, [1])
        tasks += await asked(gatherer, [2, 3])
        tasks += await asked(gatherer, [4, 5])
        assert answering.groups == [[1], [2, 3]]
        answering.may.set()
        assert await asyncio.gather(*tasks) == [2, 4, 6, 8, 10]
        assert answering.groups == [[1], [2, 3], [4, 5]]

    asyncio.run(run())


@given(
    st.booleans(),
    st.lists(st.integers(0, 9).map(lambda n: 2 * n), max_size=40),
    st.integers(1, 7),
    st.integers(1, 4),
)
def test_each_gets_its_own_answer_in_groups_of_at_most_so_many(tells, numbers, most, at_once) -> None:
    async def run() -> None:
        answering = Answering()
        answering.tells = tells
        answering.may.set()
        gatherer: Gatherer[int, int] = Gatherer(answering.answer, most, at_once, waiting=40)
        assert await asyncio.gather(*map(gatherer.ask, numbers)) == [2 * n for n in numbers]
        assert [n for group in answering.groups for n in group] == numbers
        assert max(map(len, answering.groups), default=0) <= most

    asyncio.run(run())
