"""The search for a less discriminatory alternative: other models of the same rows, beside what they cost.

Two families, none of which reads a group while it learns. *Refits* are scorecards without the features that
tell most of a group, or with another penalty. *Silences* are the model itself with those features treated as
not authorised, which needs no training. Each approves the same share of the held rows as the model does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from features.matrix import FeatureMatrix, Missing
from training.bundle import Scorer
from training.fairness import FEWEST, Attribute, bins_of, entropy_share
from training.sample import Sample
from training.scorecard import Scorecard, ScorecardSettings, fit_scorecard
from training.validation import auc

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
DROPS = (1, 2, 3, 5, 8, 12, 20, 30)
STRENGTHS = (0.001, 0.003, 0.01, 0.1, 0.3, 1.0)
OWN_DROP = 5
TOLERANCE = 0.005
"""AUC that an alternative may cost."""
WORTH = 0.01
"""Gain of the worst impact ratio from which another model is worth its cost."""


class Alternative(msgspec.Struct, frozen=True):
    """One candidate: AUC on held rows, and the worst impact ratio of any group at the same approvals."""

    name: str
    auc: float
    impact: float
    on_front: bool = False


class Choice(msgspec.Struct, frozen=True):
    """All candidates, the model first, which was chosen and why."""

    candidates: tuple[Alternative, ...]
    chosen: str
    reason: str


@dataclass(frozen=True, slots=True)
class Held:
    """Rows that nothing learned from: all applicants of a period, ``target`` -1 where the outcome is unknown."""

    matrix: FeatureMatrix
    target: NDArray[np.int8]
    attributes: tuple[Attribute, ...]
    approved: float
    """The share to approve."""


def search(scorer: Scorer, learned: Sample, held: Held) -> Choice:
    """Twenty or more candidates and the choice among them."""
    names = _most_telling(held)
    found = [_judged("the model itself", scorer.log_odds(*_read(scorer, held)), held)]
    for name, score in _candidates(scorer, learned, held, names):
        found.append(_judged(name, score, held))
    marked = tuple(msgspec.structs.replace(one, on_front=_undominated(one, found)) for one in found)
    return Choice(marked, *_choose(marked))


def worst_impact(score: NDArray[np.float64], attributes: Sequence[Attribute], share: float) -> float:
    """The least approval rate of a group over the greatest of its attribute, at ``share`` of rows approved.

    Groups of few rows are passed over.
    """
    approved = np.zeros(len(score), dtype=bool)
    approved[np.argsort(score, kind="stable")[: round(share * len(score))]] = True
    ratios = [1.0]
    for attribute in attributes:
        members = [attribute.place == place for place in range(len(attribute.groups))]
        rates = [approved[rows].mean() for rows in members if rows.sum() >= FEWEST]
        if rates and max(rates) > 0:
            ratios.append(min(rates) / max(rates))
    return float(min(ratios))


def _candidates(
    scorer: Scorer, learned: Sample, held: Held, names: list[str]
) -> Iterator[tuple[str, Floats]]:
    values, missing = _read(scorer, held)
    own = [name for name in names if name in scorer.columns]
    for count in DROPS:
        if count <= len(own):
            silent = np.isin(scorer.columns, own[:count])
            masked = np.where(silent, Missing.NOT_AUTHORISED, missing).astype(np.uint8)
            yield (
                f"without {count}, silenced",
                scorer.log_odds(np.where(silent, 0.0, values), masked).astype(float),
            )
    card = fit_scorecard(learned)
    told = _Refits(card, learned, held)
    used = [name for name in names if name in told.names]
    for count in DROPS:
        if count < len(told.names) and count <= len(used):
            yield f"card without {count}", told.score(set(used[:count]))
    for strength in STRENGTHS:
        yield f"card, penalty {1 / strength:g}", told.score(set(), strength)
    for attribute in held.attributes:
        first = set(_most_telling(held, [attribute])[:OWN_DROP])
        if first < set(told.names):
            yield f"card without what tells {attribute.name}", told.score(first)


class _Refits:
    """Scorecards over the same bins: the weights are fitted anew without some columns."""

    def __init__(self, card: Scorecard, learned: Sample, held: Held) -> None:
        self.names = [column.name for column in card.columns]
        self._target = learned.target
        self._own, self._held = (_woe(card, matrix) for matrix in (learned.matrix, held.matrix))

    def score(self, without: set[str], strength: float = ScorecardSettings().strength) -> Floats:
        """Log-odds of the held rows [rows]."""
        kept = [place for place, name in enumerate(self.names) if name not in without]
        with threadpool_limits(1):
            model = LogisticRegression(C=strength, max_iter=1000).fit(self._own[:, kept], self._target)
        return np.asarray(model.decision_function(self._held[:, kept]))


def _woe(card: Scorecard, matrix: FeatureMatrix) -> Floats:
    chosen = matrix.select(tuple(column.name for column in card.columns))
    columns = zip(card.binned, chosen.values.T, chosen.missing.T, strict=True)
    return np.column_stack([binned.transform(values, missing) for binned, values, missing in columns])


def _read(scorer: Scorer, held: Held) -> tuple[Floats, NDArray[np.uint8]]:
    chosen = held.matrix.select(scorer.columns)
    return chosen.values, chosen.missing


def _most_telling(held: Held, attributes: Sequence[Attribute] | None = None) -> list[str]:
    """Features by how much they tell of any of the attributes, the most telling first."""
    shares = {}
    for place, column in enumerate(held.matrix.columns):
        binned = bins_of(held.matrix.values[:, place], held.matrix.missing[:, place])
        shares[column.name] = max(
            (entropy_share(binned, one) for one in attributes or held.attributes), default=0.0
        )
    return sorted(shares, key=lambda name: (-shares[name], name))


def _judged(name: str, score: NDArray[np.generic], held: Held) -> Alternative:
    known = held.target >= 0
    values = np.asarray(score, dtype=np.float64)
    ranking = auc(held.target[known], values[known]).value
    return Alternative(
        name, round(ranking, 5), round(worst_impact(values, held.attributes, held.approved), 4)
    )


def _undominated(one: Alternative, others: Sequence[Alternative]) -> bool:
    return not any(
        other.auc >= one.auc
        and other.impact >= one.impact
        and (other.auc, other.impact) != (one.auc, one.impact)
        for other in others
    )


def _choose(candidates: Sequence[Alternative]) -> tuple[str, str]:
    """The greatest impact ratio among those that cost little AUC; the model itself where that brings little."""
    model = candidates[0]
    near = [one for one in candidates if one.auc >= model.auc - TOLERANCE]
    best = max(near, key=lambda one: (one.impact, one.auc))
    if best.impact < model.impact + WORTH:
        reason = (
            f"of {len(candidates) - 1} alternatives, {len(near) - 1} within {TOLERANCE} AUC of the model, none raises "
            f"its worst impact ratio of {model.impact:.3f} by {WORTH}: the model is kept"
        )
        return model.name, reason
    reason = (
        f"it raises the worst impact ratio from {model.impact:.3f} to {best.impact:.3f} for {model.auc - best.auc:+.4f} "
        f"AUC, within the {TOLERANCE} that an alternative may cost; held rows chose it, so that new rows must confirm it"
    )
    return best.name, reason
