"""What was signed: keys and checkpoints held against each other and against the leaves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from serving.log.checkpoint import Checkpoint, LogKey
from serving.log.model import Finding, Part


class Walked(Protocol):
    """What the walk over the leaves has found out."""

    roots: dict[int, bytes]
    rows_roots: dict[int, bytes]
    ends: dict[int, int]

    @property
    def size(self) -> int: ...


class Signatures:
    """Keys, the checkpoints that the log keeps, and those that somebody outside ``kept``, by name."""

    def __init__(
        self,
        keys: Sequence[tuple[bytes, LogKey, int]],
        checkpoints: Sequence[Checkpoint],
        kept: Sequence[tuple[str, Checkpoint]],
    ) -> None:
        self._keys = keys
        self._known = {key.key_id: key for _, key, _ in keys}
        self._kept = kept
        self.checkpoints = checkpoints
        self._signed = [one for one in checkpoints if self._is_signed(one)]

    @property
    def origin(self) -> str:
        """The log's name; empty where nothing is sealed."""
        return self.checkpoints[-1].origin if self.checkpoints else ""

    @property
    def sizes(self) -> set[int]:
        """Sizes whose roots are asked for."""
        return {one.size for one in self.checkpoints} | {one.size for _, one in self._kept}

    def good(self, walk: Walked) -> tuple[set[int], set[int]]:
        """Sizes whose signed root the stored leaves lead to, and those to which the decisions' rows lead."""
        return self._met(walk.roots), self._met(walk.rows_roots)

    def findings(self, walk: Walked) -> Iterator[Finding]:
        """What is wrong with keys, checkpoints and the tree that they sign."""
        yield from self._of_keys()
        for one in self.checkpoints:
            if one not in self._signed:
                problem = "its signature is not of a key of this log: it was changed or inserted, or its key removed"
                yield Finding(Part.CHECKPOINT, _name(one), problem)
        yield from self._of_moments(walk)
        yield from self._of_tree(walk)
        for name, one in self._kept:
            if problem := self._of_kept(one, walk):
                yield Finding(Part.KEPT, name, problem)

    def _met(self, roots: Mapping[int, bytes]) -> set[int]:
        return {one.size for one in self._signed if roots.get(one.size) == one.root}

    def _is_signed(self, one: Checkpoint) -> bool:
        key = self._known.get(one.key_id)
        return key is not None and key.name == one.origin and key.signed(one.body, one.signature)

    def _of_keys(self) -> Iterator[Finding]:
        for key_id, key, first_at in self._keys:
            moments = [one.sealed_at for one in self.checkpoints if one.key_id == key_id]
            if key_id != key.key_id:
                yield Finding(Part.KEY, key_id.hex(), "changed: its id is not that of its name and bytes")
            elif not moments:
                yield Finding(Part.KEY, key_id.hex(), "it has signed nothing that is kept: it was inserted")
            elif min(moments) != first_at:
                yield Finding(Part.KEY, key_id.hex(), "changed: it signed first at another moment")

    def _of_moments(self, walk: Walked) -> Iterator[Finding]:
        """Each batch of leaves has one moment, and ends with a checkpoint of that moment."""
        moments = {(one.size, one.sealed_at) for one in self.checkpoints}
        for size, moment in walk.ends.items():
            if (size, moment) not in moments:
                problem = "no checkpoint of the moment at which the leaves before it were sealed: it was removed, or moments changed"
                yield Finding(Part.CHECKPOINT, f"size {size}", problem)
        for one in self.checkpoints:
            if one.size <= walk.size and one.size not in walk.ends:
                yield Finding(Part.LEAF, f"{one.size - 1} to {one.size}", "the moments at which they were sealed were changed")  # fmt: skip

    def _of_tree(self, walk: Walked) -> Iterator[Finding]:
        """The first signed tree that the leaves do not lead to: those after it cannot be right either."""
        good = 0
        for one in self._signed:
            if one.size > walk.size:
                problem = f"removed from the end of the log: a checkpoint of {one.size} leaves is signed"
                yield Finding(Part.LEAF, _span(walk.size, one.size), problem)
                return
            if walk.roots[one.size] != one.root:
                problem = "not those that were sealed: changed, removed, inserted or in another order"
                yield Finding(Part.LEAF, _span(good, one.size), problem)
                return
            good = one.size

    def _of_kept(self, one: Checkpoint, walk: Walked) -> str:
        if one.origin != self.origin:
            return f"it is of another log, {one.origin}"
        if not self._is_signed(one):
            return (
                "no key of this log has signed it: it is forged, or the log was rewritten under another key"
            )
        if one.size > walk.size:
            return f"it was given for {one.size} leaves, and the log has {walk.size}: it was cut"
        if one.size and walk.roots[one.size] != one.root:
            return f"the first {one.size} leaves are not those that it was given for: the log was rewritten"
        return ""


def _name(one: Checkpoint) -> str:
    return f"size {one.size}, key {one.key_id.hex()}"


def _span(first: int, end: int) -> str:
    return str(first) if end == first + 1 else f"{first} to {end - 1}"
