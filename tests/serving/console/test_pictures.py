"""Pictures are drawn once by what they show, and the oldest go first."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.access.model import Permission
from serving.console.pictures import Pictures

MAY = Permission.READ_LOANS


class Pen:
    """Draws what it is told and counts."""

    __name__ = "pen"

    def __init__(self) -> None:
        self.drawn: list[str] = []

    def __call__(self, text: str) -> str:
        self.drawn.append(text)
        return text


def name_of(address: str) -> str:
    return address.rpartition("/")[2].removesuffix(".svg")


def test_the_same_is_drawn_once_also_for_all_who_look_at_once() -> None:
    pen, held = Pen(), Pictures()
    names = {name_of(held.address("city", MAY, pen, "a")) for _ in range(2)}
    (name,) = names

    async def look() -> list[bytes]:
        return await asyncio.gather(*(held.bytes_of(name) for _ in range(5)))

    assert asyncio.run(look()) == [b"a"] * 5
    assert pen.drawn == ["a"]


def test_another_tenant_and_another_permission_have_another_address() -> None:
    held, pen = Pictures(), Pen()
    asked = [
        ("city", MAY, "a"),
        ("other", MAY, "a"),
        ("city", Permission.HANDLE_ALERTS, "a"),
        ("city", MAY, "b"),
    ]
    assert len({held.address(tenant, may, pen, text) for tenant, may, text in asked}) == 4


@given(st.lists(st.sampled_from("abcdef"), max_size=40), st.integers(1, 12))
def test_what_is_kept_stays_within_its_bounds_and_is_right(looks: list[str], most_bytes: int) -> None:
    held, pen = Pictures(most=4, most_bytes=most_bytes), Pen()

    async def look() -> None:
        for text in looks:
            name = name_of(held.address("city", MAY, pen, text * 3))
            assert await held.bytes_of(name) == (text * 3).encode()
            assert sum(map(len, held._drawn.values())) == held._size
            assert held._size <= max(most_bytes, 3)
            assert len(held._asked) <= 4

    asyncio.run(look())


def test_what_no_page_shows_is_not_drawn() -> None:
    held = Pictures()
    assert held.asked("0" * 64) is None
    with pytest.raises(KeyError):
        asyncio.run(held.bytes_of("0" * 64))
