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


class Grouped(msgspec.Struct, frozen=True):
    """Contributions of one score by reason in order of its code, 1e-9 logits, and their ``total``.

    ``raised`` is the sum of those that raise risk, ``ranked`` the codes of the ``MOST`` largest of them.
    """

    groups: dict[str, int]
    total: int
    raised: int
    ranked: tuple[str, ...]


def explain(base: int, grouped: Grouped, texts: Mapping[str, Text], most: int = MOST) -> Explanation:
    """Why a score is what it is; the ``most`` (up to ``MOST``) largest groups that raise risk are the reasons.

    ``texts`` are what a reason says.
    """
    groups, raised = grouped.groups, grouped.raised
    reasons, told = [], 0
    for code in grouped.ranked[: max(most, 0)]:
        value, text = groups[code], texts[code]
        told += value
        reasons.append(ScoreReason(code, text.zh, text.en, value, round(value / raised, 4)))
    return Explanation(base, base + grouped.total, groups, tuple(reasons), grouped.total - told)


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

    def groups(self, contributions: NDArray[np.int64]) -> list[Grouped]:
        """The sums of contributions [rows, columns] by reason, of each row."""
        if not self.codes:
            return [Grouped({}, 0, 0, ()) for _ in contributions]
        sums = np.add.reduceat(contributions[:, self.order], self.starts, axis=1)
        adverse = sums > 0
        ranks = np.argsort(-sums, axis=1, kind="stable")[:, :MOST].tolist()
        counts = np.minimum(adverse.sum(axis=1), MOST).tolist()
        raised = np.where(adverse, sums, 0).sum(axis=1).tolist()
        told = zip(sums.tolist(), sums.sum(axis=1).tolist(), raised, ranks, counts, strict=True)
        codes = self.codes
        return [
            Grouped(dict(zip(codes, row, strict=True)), total, up, tuple([codes[at] for at in rank[:count]]))
            for row, total, up, rank, count in told
        ]
