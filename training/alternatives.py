"""The search for a less discriminatory alternative: other models of the same rows, beside what they cost.

Two families, none of which reads a group while it learns. *Refits* are scorecards without the features that
tell most of a group, or with another penalty. *Silences* are the model itself with those features treated as
not authorised, which needs no training. Each approves the same share of the held rows as the model does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from features.matrix import FeatureMatrix, Missing
from training.bundle import Scorer
from training.fairness import DRAWS, FEWEST, SEED, Attribute, bins_of, entropy_share
from training.sample import Sample
from training.scorecard import Scorecard, ScorecardSettings, fit_scorecard
from training.validation import Interval, auc

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
    cluster: NDArray[np.int64]
    """Rows that stand or fall together when an interval is drawn."""
    approved: float
    """The share to approve."""


def search(scorer: Scorer, learned: Sample, held: Held) -> Choice:
    """Twenty or more candidates and the choice among them."""
    scores = {"the model itself": scorer.log_odds(*_read(scorer, held)).astype(np.float64)}
    scores |= dict(_candidates(scorer, learned, held, _most_telling(held)))
    found = [_judged(name, score, held) for name, score in scores.items()]
    marked = tuple(msgspec.structs.replace(one, on_front=_undominated(one, found)) for one in found)
    return Choice(marked, *_choose(marked, scores, held))


def worst_impact(score: Floats, attributes: Sequence[Attribute], share: float) -> float:
    """The least approval rate of a group over the greatest of its attribute, at ``share`` of rows approved.

    Groups of few rows are passed over.
    """
    rows = np.ones((1, len(score)))
    return float(_worst(_approved(score, share), attributes, lambda members: rows @ members)[0])


def _approved(score: Floats, share: float) -> Flags:
    approved = np.zeros(len(score), dtype=bool)
    approved[np.argsort(score, kind="stable")[: round(share * len(score))]] = True
    return approved


def _worst(approved: Flags, attributes: Sequence[Attribute], summed: Callable[[Floats], Floats]) -> Floats:
    """The worst ratio in each draw; ``summed`` turns flags [rows] into their sums [draws]."""
    worst = np.ones(len(summed(approved.astype(np.float64))))
    for attribute in attributes:
        members = [attribute.place == place for place in range(len(attribute.groups))]
        kept = [rows for rows in members if rows.sum() >= FEWEST]
        if kept:
            counts = [np.maximum(summed(rows.astype(np.float64)), 1.0) for rows in kept]
            rates = np.stack([summed((rows & approved).astype(np.float64)) for rows in kept]) / np.stack(
                counts
            )
            most = rates.max(axis=0)
            worst = np.minimum(worst, rates.min(axis=0) / np.where(most > 0, most, 1.0))
    return worst


def gain(one: Floats, other: Floats, held: Held) -> Interval:
    """How much greater the worst ratio under scores ``one`` is than under ``other``, paired, clusters drawn whole."""
    _, cluster = np.unique(held.cluster, return_inverse=True)
    count = int(cluster.max()) + 1
    drawn = np.random.default_rng(SEED).poisson(1.0, (DRAWS, count)).astype(np.float64)
    weights = np.vstack([np.ones((1, count)), drawn])

    def summed(flags: Floats) -> Floats:
        return np.asarray(weights @ np.bincount(cluster, weights=flags, minlength=count))

    first, second = (
        _worst(_approved(score, held.approved), held.attributes, summed) for score in (one, other)
    )
    low, high = np.quantile((first - second)[1:], [0.025, 0.975])
    return Interval(float(first[0] - second[0]), float(low), float(high))


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


def _judged(name: str, score: Floats, held: Held) -> Alternative:
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


def _choose(candidates: Sequence[Alternative], scores: Mapping[str, Floats], held: Held) -> tuple[str, str]:
    """The greatest impact ratio among those that cost little AUC; the model itself where that brings little."""
    model = candidates[0]
    near = [one for one in candidates if one.auc >= model.auc - TOLERANCE]
    best = max(near, key=lambda one: (one.impact, one.auc))
    looked = f"of {len(candidates) - 1} alternatives, {len(near) - 1} cost at most {TOLERANCE} AUC"
    if best.impact < model.impact + WORTH:
        return (
            model.name,
            f"{looked}, and none raises the worst impact ratio of {model.impact:.3f} by {WORTH}",
        )
    more = gain(scores[best.name], scores[model.name], held)
    told = f"{best.name} raises the worst impact ratio from {model.impact:.3f} to {best.impact:.3f}"
    if more.low <= 0:
        return model.name, f"{looked}; {told}, which chance alone may explain: the gain is {more}"
    cost = f"for {model.auc - best.auc:.4f} AUC; the gain is {more}"
    return best.name, f"{looked}; {told} {cost}; held rows chose it, so that new rows must confirm it"
