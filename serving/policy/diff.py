"""How two policies differ, told by rule, row and field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
    left, right = (_plain(msgspec.to_builtins(one.document)) for one in (before, after))
    return list(_walk("", left, right))


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


def _plain(value: Any) -> Any:
    """Lists of things with an id as mappings by id, so that a thing is compared with itself."""
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple) and value and all(isinstance(v, Mapping) and "id" in v for v in value):
        return {each["id"]: _plain({k: v for k, v in each.items() if k != "id"}) for each in value}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def _told(value: Any) -> str:
    if value is _Absent:
        return NOTHING
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()
