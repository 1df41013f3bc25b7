"""Why a score is what it is: contributions by reason against a stated base, and they add up exactly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.contracts.model import Text

MOST = 4
"""REG-AA-03."""


class ScoreReason(msgspec.Struct, frozen=True):
    """A group of features that raised the risk; ``log_odds`` in 1e-9 logits, ``share`` of all that raised it."""

    code: str
    zh: str
    en: str
    log_odds: int
    share: float


class Explanation(msgspec.Struct, frozen=True):
    """``base + sum(groups) == log_odds`` exactly; ``other = log_odds - base - sum(reasons)`` exactly."""

    base: int
    log_odds: int
    groups: dict[str, int]
    reasons: tuple[ScoreReason, ...]
    other: int


def explain(base: int, groups: Mapping[str, int], texts: Mapping[str, Text], most: int = MOST) -> Explanation:
    """Why a score is what it is; the ``most`` largest groups that raise risk are the reasons.

    ``groups`` are the contributions by reason in order of its code, 1e-9 logits; ``texts`` what a reason says.
    """
    adverse = sorted([(-value, code) for code, value in groups.items() if value > 0])
    whole = -sum([value for value, _ in adverse])
    reasons = tuple(
        [
            ScoreReason(code, texts[code].zh, texts[code].en, -value, round(-value / whole, 4))
            for value, code in adverse[:most]
        ]
    )
    total = base + sum(groups.values())
    other = total - base - sum([reason.log_odds for reason in reasons])
    return Explanation(base, total, dict(groups), reasons, other)


@dataclass(frozen=True, slots=True)
class Grouping:
    """The reasons of a model's columns: ``order`` brings columns of one reason together, ``starts`` where each begins."""

    codes: tuple[str, ...]
    order: NDArray[np.intp]
    starts: NDArray[np.intp]

    @staticmethod
    def of(columns: Iterable[str], reason_of: Mapping[str, str]) -> Grouping:
        """The groups of columns, in order of the code of their reason."""
        reasons = [reason_of[column] for column in columns]
        order = sorted(range(len(reasons)), key=reasons.__getitem__)
        codes = tuple(sorted(set(reasons)))
        told = [reasons[place] for place in order]
        return Grouping(
            codes, np.array(order, dtype=np.intp), np.array([told.index(c) for c in codes], dtype=np.intp)
        )

    def groups(self, contributions: NDArray[np.int64]) -> list[dict[str, int]]:
        """The sum of contributions [rows, columns] by reason, of each row."""
        if not self.codes:
            return [{} for _ in contributions]
        sums = np.add.reduceat(contributions[:, self.order], self.starts, axis=1)
        return [dict(zip(self.codes, row, strict=True)) for row in sums.tolist()]
