"""What the log answers and what a verification finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from features.errors import Invalid, NotFound
from serving.log.checkpoint import Checkpoint


class NothingSealed(NotFound):
    """A log without a checkpoint."""

    def __init__(self) -> None:
        super().__init__(
            "nothing is sealed yet.",
            place="log",
            remedy="`yidai worker` seals what was decided within some seconds.",
        )


class NotSealed(NotFound):
    """A decision whose receipt waits to be sealed, or that a smaller tree does not hold."""

    def __init__(self, size: int, place: int | None) -> None:
        where = (
            "is not sealed yet" if place is None else f"is leaf {place}, which no tree of {size} leaves holds"
        )
        super().__init__(
            f"the receipt {where}.", place="decision", remedy="Ask again in some seconds, or for a larger size."
        )  # fmt: skip


class NoSuchTree(Invalid):
    """Sizes between which there is nothing to prove."""

    def __init__(self, place: str, size: int, most: int) -> None:
        super().__init__(
            f"there is no tree of {size} leaves to prove this in.", place=place, remedy=f"Name a size up to {most}."
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Inclusion:
    """That a decision's receipt is a leaf of a tree. ``checkpoint`` is the signed one of that size, where there is one."""

    decision_id: UUID
    origin: str
    place: int
    size: int
    entry: bytes
    leaf: bytes
    proof: tuple[bytes, ...]
    checkpoint: Checkpoint | None


@dataclass(frozen=True, slots=True)
class Consistency:
    """That a tree begins with all leaves of a smaller one."""

    origin: str
    first: int
    second: int
    proof: tuple[bytes, ...]
    checkpoint: Checkpoint | None


class Part(StrEnum):
    """What a finding is about."""

    DECISION = "decision"
    LEAF = "leaf"
    TILE = "tile"
    CHECKPOINT = "checkpoint"
    KEY = "key"
    KEPT = "kept checkpoint"
    """One that somebody outside kept."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it was sealed; ``place`` names the row."""

    part: Part
    place: str
    problem: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What came of `yidai audit verify`. ``waiting`` receipts are not sealed yet, the oldest since ``oldest_seconds``."""

    origin: str
    size: int
    root: str
    checkpoints: int
    waiting: int
    oldest_seconds: float
    findings: tuple[Finding, ...]
