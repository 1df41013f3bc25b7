"""How two policies differ, told by rule, row and field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from serving.policy.policy import Policy

NOTHING = "-"
"""Stands where one of the two has nothing."""


class Difference(msgspec.Struct, frozen=True):
    """One place that differs: a path of names, with ids in place of positions."""

    place: str
    before: str
    after: str

    def __str__(self) -> str:
        """One line."""
        if NOTHING in (self.before, self.after):
            word, what = ("added", self.after) if self.before == NOTHING else ("removed", self.before)
            return f"{self.place}: {word} {what}"
        return f"{self.place}: {self.before} -> {self.after}"


def differences(before: Policy, after: Policy) -> list[Difference]:
    """Where two policies differ, in the order of their documents; an old schema is compared as it is read."""
    return changes(*(msgspec.to_builtins(one.document) for one in (before, after)))


def changes(before: Any, after: Any, names: Sequence[str] = ("id",)) -> list[Difference]:
    """Where two plain values differ, in their order; things of a list are told apart by the first of ``names`` that all of
    them have, each its own, and else the lists are compared as they are.
    """
    return list(_walk("", _plain(before, names), _plain(after, names)))


def _walk(place: str, left: Any, right: Any) -> Iterator[Difference]:
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        for name in [*left, *(name for name in right if name not in left)]:
            inner = f"{place} {name}".strip()
            yield from _walk(inner, left.get(name, _Absent), right.get(name, _Absent))
        shared = [[name for name in side if name in other] for side, other in ((left, right), (right, left))]
        if shared[0] != shared[1]:
            yield Difference(f"{place} order".strip(), _told(shared[0]), _told(shared[1]))
    elif left != right:
        yield Difference(place, _told(left), _told(right))


class _Absent:
    """Nothing is there, which is not the same as null."""


def _plain(value: Any, names: Sequence[str]) -> Any:
    """Lists of things with a name as mappings by name, so that a thing is compared with itself."""
    if isinstance(value, Mapping):
        return {name: _plain(each, names) for name, each in value.items()}
    if not isinstance(value, list | tuple):
        return value
    own = next((name for name in names if _tells_apart(value, name)), "")
    if own:
        return {str(each[own]): _plain({k: v for k, v in each.items() if k != own}, names) for each in value}
    return [_plain(each, names) for each in value]


def _tells_apart(value: Sequence[Any], name: str) -> bool:
    if not value or not all(isinstance(each, Mapping) and name in each for each in value):
        return False
    return len({str(each[name]) for each in value}) == len(value)


def _told(value: Any) -> str:
    if value is _Absent:
        return NOTHING
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()
