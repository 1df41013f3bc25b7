"""What the refused would have done: five answers side by side, for their spread is what is not known.

A model learns from those who were accepted. The random-approval stream is the first answer: some of the
refused were accepted whatever their score, so that their outcomes are selected by nobody. Beside it stand
what can be done without it, all of which believe what the accepted say: nothing; *parcelling*, which gives
the refused of a score band the bad rate of its accepted; *fuzzy augmentation*, which counts each of the
refused as bad with its PD and as good with the rest; *inverse-probability weights*, by which an accepted
row stands for those like it who were refused. All use one plain booster, so that they differ by the method
alone; the models that ship are another matter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from math import ceil, sqrt

import lightgbm as lgb
import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, norm

from features.matrix import ColumnKind, FeatureMatrix, Missing
from training.population import Rows
from training.sample import MIN_EACH, MIN_ROWS, Sample, Unlearnable
from training.validation import Interval

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Predict = Callable[[FeatureMatrix], Floats]
BANDS = 10
MOST_WEIGHT = 33.0
"""One accepted row never stands for more applicants than this."""
MOST_ROWS = 20_000
"""So many of the refused tell what all of them would."""
ROUNDS = 150
FEWEST_RANDOM = 10
SEED = 29
PRIOR = 30.0
_BOOSTER = {
    "objective": "binary", "num_leaves": 8, "max_depth": 3, "learning_rate": 0.1, "feature_fraction": 0.6,
    "bagging_fraction": 0.8, "bagging_freq": 1, "lambda_l2": 5.0, "min_data_in_leaf": 30, "max_bin": 127,
    "monotone_constraints_method": "basic", "seed": SEED, "deterministic": True, "force_row_wise": True,
    "num_threads": 1, "verbosity": -1,
}  # fmt: skip


class Method(StrEnum):
    """How the refused are thought of."""

    RANDOM = "random_stream"
    PARCELLING = "parcelling"
    FUZZY = "fuzzy_augmentation"
    WEIGHTS = "inverse_probability"
    NONE = "none"


class RejectLine(msgspec.Struct, frozen=True):
    """One answer: mean PD of the refused, and of as many applicants as were accepted, the best by this answer."""

    method: str
    refused: float
    approved: float


class Rejects(msgspec.Struct, frozen=True):
    """The answers with their band, what the random stream saw, and how large it must be.

    ``observed`` is the bad rate of the stream with its 95 % interval (Jeffreys); ``needed`` are outcomes of the
    stream that tell, in four of five cases, a bad rate of the refused of 1.25 times what `none` says.
    """

    rows: int
    lines: tuple[RejectLine, ...]
    refused: tuple[float, float]
    approved: tuple[float, float]
    random_rows: int
    observed: Interval | None
    needed: int


@dataclass(frozen=True, slots=True)
class Applicants:
    """Those accepted by the policy with their outcomes, the refused, and the accepted at random if there are any."""

    accepted: Sample
    refused: FeatureMatrix
    random: Sample | None = None


def applicants_of(rows: Rows, names: tuple[str, ...]) -> Applicants | None:
    """The applicants of a portfolio by the named columns; None where it does not say who was refused.

    The refused are those who came before the last row with an outcome. Without ten of each outcome among the
    accepted there is nothing to ask either.
    """
    if rows.refused is None or not rows.labelled().any():
        return None
    known, matrix = rows.labelled(), rows.matrix.select(names)
    everybody = Sample(matrix, rows.outcome, rows.group, rows.as_of)
    at_random = np.zeros(len(known), dtype=bool) if rows.random is None else known & rows.random
    accepted = everybody.take(known & ~at_random)
    if min(accepted.bads, len(accepted) - accepted.bads) < MIN_EACH or len(accepted) < MIN_ROWS:
        return None
    refused = np.flatnonzero(rows.refused & (rows.as_of <= rows.as_of[known].max()))
    if len(refused) > MOST_ROWS:
        refused = refused[np.linspace(0, len(refused) - 1, MOST_ROWS).astype(int)]
    random = None if rows.random is None else everybody.take(at_random)
    return Applicants(accepted, matrix.take(refused), random)


def answers(applicants: Applicants) -> dict[Method, Predict]:
    """A model of each method; without a random stream there is none of ``Method.RANDOM``.

    Raises:
        Unlearnable: the accepted cannot teach.
    """
    accepted, refused = applicants.accepted, applicants.refused
    accepted.check()
    plain = _fit(accepted.matrix, accepted.target.astype(float), np.ones(len(accepted)))
    found = {Method.NONE: plain}
    if applicants.random is not None and applicants.random.bads:
        both = _joined(accepted.matrix, applicants.random.matrix)
        target = np.concatenate([accepted.target, applicants.random.target]).astype(float)
        found[Method.RANDOM] = _fit(both, target, np.ones(len(target)))
    if len(refused.values):
        found[Method.PARCELLING] = _parcelled(accepted, refused, plain)
        found[Method.FUZZY] = _fuzzy(accepted, refused, plain)
        found[Method.WEIGHTS] = _weighted(accepted, refused)
    return {method: found[method] for method in Method if method in found}


def reject_band(applicants: Applicants) -> Rejects:
    """The answers over all applicants.

    Raises:
        Unlearnable: the accepted cannot teach.
    """
    found = answers(applicants)
    everybody = _joined(applicants.accepted.matrix, applicants.refused)
    count = len(applicants.accepted)
    lines = []
    for method, predict in found.items():
        pd = predict(everybody)
        lines.append(RejectLine(method.value, float(pd[count:].mean()), float(np.sort(pd)[:count].mean())))
    told = next(line.refused for line in lines if line.method == Method.NONE)
    random = applicants.random
    return Rejects(
        len(applicants.refused.values), tuple(lines), _span([line.refused for line in lines]),
        _span([line.approved for line in lines]), 0 if random is None else len(random),
        None if random is None or len(random) < FEWEST_RANDOM else bad_rate(random.bads, len(random)),
        rows_needed(told),
    )  # fmt: skip


def rows_needed(expected: float, factor: float = 1.25, *, level: float = 0.05, power: float = 0.8) -> int:
    """Outcomes that tell a bad rate of ``factor`` times ``expected`` from it (two-sided ``level``, ``power``).

    The usual normal approximation for one proportion (Fleiss, Levin and Paik 2003, section 2.4).
    """
    other = min(expected * factor, 1.0 - 1e-9)
    if not 0 < expected < 1 or other == expected:
        raise Unlearnable(
            f"no size tells {other:.2%} from {expected:.2%}.", "Give a rate between 0 and 1 and a factor."
        )
    spread = float(norm.ppf(1 - level / 2)) * sqrt(expected * (1 - expected))
    spread += float(norm.ppf(power)) * sqrt(other * (1 - other))
    return ceil((spread / (other - expected)) ** 2)


def bad_rate(bads: int, rows: int) -> Interval:
    """A share with its 95 % interval by Jeffreys."""
    low, high = beta.ppf([0.025, 0.975], bads + 0.5, rows - bads + 0.5)
    return Interval(bads / rows, 0.0 if bads == 0 else float(low), 1.0 if bads == rows else float(high))


def _parcelled(accepted: Sample, refused: FeatureMatrix, plain: Predict) -> Predict:
    own, theirs = plain(accepted.matrix), plain(refused)
    edges = np.unique(np.quantile(own, np.linspace(0, 1, BANDS + 1)[1:-1]))
    at = np.searchsorted(edges, own, side="right")
    rows = np.bincount(at, minlength=len(edges) + 1)
    rates = np.bincount(at, weights=accepted.target, minlength=len(edges) + 1) / np.maximum(rows, 1)
    draw = np.random.default_rng(SEED).random(len(theirs))
    drawn = draw < rates[np.searchsorted(edges, theirs, side="right")]
    target = np.concatenate([accepted.target, drawn]).astype(float)
    return _fit(_joined(accepted.matrix, refused), target, np.ones(len(target)))


def _fuzzy(accepted: Sample, refused: FeatureMatrix, plain: Predict) -> Predict:
    pd, count = plain(refused), len(refused.values)
    target = np.concatenate([accepted.target.astype(float), np.ones(count), np.zeros(count)])
    weight = np.concatenate([np.ones(len(accepted)), pd, 1 - pd])
    return _fit(_joined(accepted.matrix, refused, refused), target, weight)


def _weighted(accepted: Sample, refused: FeatureMatrix) -> Predict:
    everybody = _joined(accepted.matrix, refused)
    taken = np.concatenate([np.ones(len(accepted)), np.zeros(len(refused.values))])
    chance = _fit(everybody, taken, np.ones(len(taken)), signs=False)(accepted.matrix)
    weight = 1.0 / np.clip(chance, 1.0 / MOST_WEIGHT, 1.0)
    return _fit(accepted.matrix, accepted.target.astype(float), weight * len(weight) / weight.sum())


def _fit(matrix: FeatureMatrix, target: Floats, weight: Floats, *, signs: bool = True) -> Predict:
    """A weighted booster over the columns, categories as their bad rates, the declared signs kept."""
    tables = _tables(matrix, target, weight)
    parameters = _BOOSTER | {"monotone_constraints": [c.sign if signs else 0 for c in matrix.columns]}
    data = lgb.Dataset(_inputs(matrix, tables), label=target, weight=weight, params=parameters)
    booster = lgb.train(parameters, data, num_boost_round=ROUNDS)

    def predict(other: FeatureMatrix) -> Floats:
        return np.asarray(booster.predict(_inputs(other, tables), num_threads=1))

    return predict


def _tables(matrix: FeatureMatrix, target: Floats, weight: Floats) -> dict[int, tuple[Floats, Floats, float]]:
    """For each category its codes, their bad rates shrunk by ``PRIOR`` rows, and the rate of any other."""
    rate = float(np.average(target, weights=weight))
    found = {}
    for place, column in enumerate(matrix.columns):
        if column.kind is ColumnKind.CATEGORY:
            codes, at = np.unique(matrix.values[:, place], return_inverse=True)
            bads = np.bincount(at, weights=target * weight) + PRIOR * rate
            found[place] = (codes, bads / (np.bincount(at, weights=weight) + PRIOR), rate)
    return found


def _inputs(matrix: FeatureMatrix, tables: dict[int, tuple[Floats, Floats, float]]) -> Floats:
    inputs = matrix.values.copy()
    for place, (codes, rates, other) in tables.items():
        at = np.minimum(np.searchsorted(codes, inputs[:, place]), len(codes) - 1)
        inputs[:, place] = np.where(codes[at] == inputs[:, place], rates[at], other)
    return np.where(matrix.missing == Missing.PRESENT, inputs, np.nan)


def _joined(*parts: FeatureMatrix) -> FeatureMatrix:
    return FeatureMatrix(
        parts[0].columns, np.vstack([p.values for p in parts]), np.vstack([p.missing for p in parts])
    )


def _span(values: list[float]) -> tuple[float, float]:
    return min(values), max(values)
