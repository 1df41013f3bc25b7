"""What applications that are asked for together share: one pass of their versions. A failure is only whose it is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

from serving.decisions.live import Live


class Versioned(Protocol):
    """Something on its way to a decision, with the versions that decide it."""

    @property
    def live(self) -> Live: ...


_Part = TypeVar("_Part", bound=Versioned)
_Result = TypeVar("_Result")


def by_versions(found: Sequence[object], kind: type[_Part]) -> Iterator[tuple[list[int], list[_Part]]]:
    """Those of one kind with their places, the ones under the same versions together."""
    groups: defaultdict[int, tuple[list[int], list[_Part]]] = defaultdict(lambda: ([], []))
    for at, each in enumerate(found):
        if isinstance(each, kind):
            places, parts = groups[id(each.live)]
            places.append(at)
            parts.append(each)
    yield from groups.values()


def told_apart(
    work: Callable[[list[_Part]], Sequence[_Result]], parts: list[_Part]
) -> list[_Result | Exception]:
    """What ``work`` makes of all of them; where it fails, of each by itself, so that only whose fault it is is told."""
    try:
        return [*work(parts)]
    except Exception as error:  # noqa: BLE001 - it is told to the one whose it is
        if len(parts) == 1:
            return [error]
    return [one for part in parts for one in told_apart(work, [part])]
