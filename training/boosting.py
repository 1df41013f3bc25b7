"""The monotone booster: candidates averaged as long as inner log loss falls, the fold boosters kept and merged.

The recipe was measured on public credit data: small trees, strong subsampling, early stopping on grouped
inner folds. Averaging candidates of different shape ranks better than the best of them (ensemble selection,
Caruana et al. 2004). Merging the fold boosters (each leaf times one fifth) keeps prediction and contributions
additive; where that makes too many trees for a row's latency, each candidate is fitted once on all rows instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from features.matrix import FeatureMatrix
from features.terminal import Step
from training.bundle import FIXED, Encoding, Tree
from training.calibration import sigmoid
from training.candidates import Candidate, default_candidates
from training.inputs import encode, encodings_of, out_of_fold_inputs, signs_of
from training.sample import Sample, folds
from training.validation import log_losses

Floats = NDArray[np.float64]
FOLDS = 5
MOST_TREES = 1500
"""More trees than this take longer than 100 µs a row."""
REFIT_ROUNDS = 1.1
"""Rounds of a booster of all rows, over those of one that lacks a fold."""
MANY_CELLS = 5_000_000
"""Under this many cells a second thread costs more than it brings, most of all on a busy machine."""


@dataclass(frozen=True, slots=True)
class BoosterSettings:
    """Candidates are built from the sample's size when none are given."""

    candidates: tuple[Candidate, ...] = ()
    patience: int = 30
    seed: int = 11
    infer_signs: bool = True
    most_trees: int = MOST_TREES


@dataclass(frozen=True, slots=True)
class Booster:
    """The mean of ``boosters`` over the encoded columns.

    ``by_fold`` are those that have not seen a fold's test rows, a tuple a fold; ``out_of_fold`` what they say of
    these rows, in logits. ``members`` name the candidates that are averaged, ``losses`` tells those of all.
    """

    boosters: tuple[lgb.Booster, ...]
    by_fold: tuple[tuple[lgb.Booster, ...], ...]
    encodings: tuple[Encoding, ...]
    signs: tuple[int, ...]
    members: tuple[str, ...]
    out_of_fold: Floats
    losses: dict[str, float] = field(default_factory=dict)

    def log_odds(self, matrix: FeatureMatrix) -> Floats:
        """Mean raw score of the boosters."""
        inputs = encode(matrix, self.encodings, self.signs)
        scores = [booster.predict(inputs, raw_score=True, num_threads=1) for booster in self.boosters]
        return np.asarray(np.mean(scores, axis=0))

    @property
    def trees(self) -> int:
        """Trees of all boosters."""
        return sum(booster.num_trees() for booster in self.boosters)


@dataclass(frozen=True, slots=True)
class _Fitted:
    """One candidate, fitted a fold: ``out_of_fold`` float64 [rows] in logits."""

    candidate: Candidate
    boosters: tuple[lgb.Booster, ...]
    rounds: int
    out_of_fold: Floats


@dataclass(frozen=True, slots=True)
class _Rows:
    """What boosters are fitted to."""

    inputs: Floats
    target: NDArray[np.int8]
    signs: tuple[int, ...]
    seed: int

    def parameters(self, candidate: Candidate) -> dict[str, Any]:
        """LightGBM's, with what makes a fit repeatable."""
        return candidate.parameters | {
            "monotone_constraints": list(self.signs),
            "seed": self.seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": 1 if self.inputs.size < MANY_CELLS else 0,
        }

    def dataset(self, parameters: dict[str, Any]) -> lgb.Dataset:
        """The rows as LightGBM wants them."""
        return lgb.Dataset(self.inputs, label=self.target, free_raw_data=False, params=parameters)


def fit_booster(
    sample: Sample, settings: BoosterSettings | None = None, progress: Step | None = None
) -> Booster:
    """Fit every candidate on grouped inner folds and average those that lower the inner log loss together.

    Raises:
        Unlearnable: too few rows, one outcome, values that are not finite.
    """
    settings = settings or BoosterSettings()
    sample.check()
    splits = folds(sample, FOLDS, settings.seed)
    signs = signs_of(sample, splits) if settings.infer_signs else tuple(c.sign for c in sample.matrix.columns)
    encodings = encodings_of(sample.matrix, sample.target)
    inputs = out_of_fold_inputs(sample, splits, encodings, signs)
    rows = _Rows(inputs, sample.target, signs, settings.seed)
    candidates = settings.candidates or default_candidates(
        len(sample), sample.bads, len(np.unique(sample.group))
    )
    fitted = []
    for done, candidate in enumerate(candidates):
        if progress:
            progress(f"candidate {candidate.name}", done, len(candidates))
        fitted.append(_fit_candidate(rows, splits, candidate, settings.patience))
    losses = {one.candidate.name: _loss(sample.target, [one]) for one in fitted}
    chosen = _ensemble(sample.target, fitted)
    by_fold = tuple(zip(*(one.boosters for one in chosen), strict=True))
    merged = tuple(booster for own in by_fold for booster in own)
    if sum(booster.num_trees() for booster in merged) > settings.most_trees:
        merged = tuple(_refit(rows, one) for one in chosen)
    members = tuple(one.candidate.name for one in chosen)
    return Booster(merged, by_fold, encodings, signs, members, _mean(chosen), losses)


def fold_boosters(booster: Booster, sample: Sample, splits: list[tuple[Any, Any]]) -> list[Booster]:
    """Each fold's boosters alone, with category numbers of its own train rows: its test rows are new to them."""
    return [
        replace(
            booster, boosters=own, encodings=encodings_of(sample.matrix.take(train), sample.target[train])
        )
        for own, (train, _) in zip(booster.by_fold, splits, strict=True)
    ]


def tree_parts(booster: Booster, scale: float = 1.0) -> tuple[Tree, ...]:
    """Every tree in fixed-point units of ``scale`` times the mean of the fold boosters."""
    share = scale / len(booster.boosters) * FIXED
    trees = []
    for one in booster.boosters:
        for info in one.dump_model()["tree_info"]:
            if "split_feature" in info["tree_structure"]:
                trees.append(_tree(info["tree_structure"], share))
    return tuple(trees)


def constant_part(booster: Booster) -> float:
    """What trees without a split add to every score."""
    total = 0.0
    for one in booster.boosters:
        for info in one.dump_model()["tree_info"]:
            if "split_feature" not in info["tree_structure"]:
                total += info["tree_structure"]["leaf_value"]
    return total / len(booster.boosters)


def _ensemble(target: NDArray[np.int8], fitted: Sequence[_Fitted]) -> list[_Fitted]:
    """The best candidate, and each next one that lowers the log loss of their mean most, as long as one does."""
    left = list(fitted)
    chosen: list[_Fitted] = []
    least = np.inf
    while left:
        loss, best = min(((_loss(target, [*chosen, one]), place) for place, one in enumerate(left)))
        if loss >= least:
            break
        least = loss
        chosen.append(left.pop(best))
    return chosen


def _mean(fitted: Sequence[_Fitted]) -> Floats:
    return np.asarray(np.mean([one.out_of_fold for one in fitted], axis=0))


def _loss(target: NDArray[np.int8], fitted: Sequence[_Fitted]) -> float:
    return float(log_losses(target, sigmoid(_mean(fitted))).mean())


def _fit_candidate(
    rows: _Rows, splits: list[tuple[Any, Any]], candidate: Candidate, patience: int
) -> _Fitted:
    parameters = rows.parameters(candidate)
    result = lgb.cv(
        parameters, rows.dataset(parameters), num_boost_round=candidate.rounds, folds=splits,
        return_cvbooster=True, callbacks=[lgb.early_stopping(patience, verbose=False)],
    )  # fmt: skip
    packed = result["cvbooster"]
    rounds = max(int(packed.best_iteration), 1)
    boosters = tuple(
        lgb.Booster(model_str=one.model_to_string(num_iteration=rounds)) for one in packed.boosters
    )
    scores = np.empty(len(rows.target))
    for booster, (_, test) in zip(boosters, splits, strict=True):
        scores[test] = booster.predict(rows.inputs[test], raw_score=True, num_threads=1)
    return _Fitted(candidate, boosters, rounds, scores)


def _refit(rows: _Rows, fitted: _Fitted) -> lgb.Booster:
    """The candidate on all rows; loaded from its text, so that it holds no data."""
    parameters = rows.parameters(fitted.candidate)
    booster = lgb.train(parameters, rows.dataset(parameters), round(REFIT_ROUNDS * fitted.rounds))
    return lgb.Booster(model_str=booster.model_to_string())


def _tree(root: dict[str, Any], share: float) -> Tree:
    nodes: list[dict[str, Any]] = []
    leaves: list[float] = []

    def visit(node: dict[str, Any]) -> int:
        if "split_feature" not in node:
            leaves.append(node["leaf_value"] * share)
            return -len(leaves)
        place = len(nodes)
        nodes.append({"node": node})
        nodes[place]["left"] = visit(node["left_child"])
        nodes[place]["right"] = visit(node["right_child"])
        return place

    visit(root)
    return Tree(
        tuple(n["node"]["split_feature"] for n in nodes),
        tuple(n["node"]["threshold"] for n in nodes),
        tuple(_missing_left(n["node"]) for n in nodes),
        tuple(n["left"] for n in nodes),
        tuple(n["right"] for n in nodes),
        tuple((_count(n["node"]["left_child"]), _count(n["node"]["right_child"])) for n in nodes),
        tuple(leaves),
    )


def _missing_left(node: dict[str, Any]) -> bool:
    """Where LightGBM sends an absent value; a split that never saw one reads it as 0."""
    if node["missing_type"] == "NaN":
        return bool(node["default_left"])
    return bool(node["threshold"] >= 0.0)


def _count(node: dict[str, Any]) -> int:
    return int(node.get("internal_count", node.get("leaf_count", 0)))
