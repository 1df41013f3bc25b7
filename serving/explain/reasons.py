"""Why a score is what it is: contributions by reason against a stated base, and they add up exactly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

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


def explain(
    base: int, contributions: Sequence[int], columns: Iterable[str], reason_of: Mapping[str, str],
    texts: Mapping[str, Text], most: int = MOST,
) -> Explanation:  # fmt: skip
    """Group contributions by the reason of their column; the ``most`` largest that raise risk are the reasons.

    ``contributions`` are int, 1e-9 logits, in the order of ``columns``; ``reason_of`` maps a column to its
    reason and ``texts`` a reason to what it says.
    """
    groups: dict[str, int] = {}
    for column, value in zip(columns, contributions, strict=True):
        code = reason_of[column]
        groups[code] = groups.get(code, 0) + int(value)
    adverse = sorted(((code, v) for code, v in groups.items() if v > 0), key=lambda pair: (-pair[1], pair[0]))
    whole = sum(value for _, value in adverse)
    reasons = tuple(
        ScoreReason(code, texts[code].zh, texts[code].en, value, round(value / whole, 4))
        for code, value in adverse[:most]
    )
    total = base + sum(groups.values())
    other = total - base - sum(reason.log_odds for reason in reasons)
    return Explanation(base, total, dict(sorted(groups.items())), reasons, other)
