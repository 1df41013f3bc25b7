"""The monotone booster: candidates chosen by inner log loss, the fold boosters kept and merged.

The recipe was measured on public credit data: small trees, strong subsampling, early stopping on grouped
inner folds. Merging the five fold boosters (each leaf times one fifth) keeps prediction and contributions
additive and needs no refit.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from features.matrix import ColumnKind, FeatureMatrix, Missing
from features.terminal import Step
from training.bundle import FIXED, Encoding, Tree
from training.calibration import sigmoid
from training.candidates import DEEP, Candidate, default_candidates
from training.sample import Sample, folds
from training.validation import clearly_less, log_losses

Floats = NDArray[np.float64]
FOLDS = 5
ENCODING_PRIOR = 30.0
MANY_CELLS = 5_000_000
"""Under this many cells a second thread costs more than it brings, most of all on a busy machine."""


@dataclass(frozen=True, slots=True)
class BoosterSettings:
    """Candidates are built from the sample's size when none are given."""

    candidates: tuple[Candidate, ...] = ()
    patience: int = 30
    seed: int = 11
    infer_signs: bool = True


@dataclass(frozen=True, slots=True)
class Booster:
    """Fold boosters over the encoded columns; ``out_of_fold`` are raw scores of the sample's own rows."""

    boosters: tuple[lgb.Booster, ...]
    encodings: tuple[Encoding, ...]
    signs: tuple[int, ...]
    candidate: Candidate
    rounds: int
    out_of_fold: Floats
    losses: dict[str, float] = field(default_factory=dict)

    def log_odds(self, matrix: FeatureMatrix) -> Floats:
        """Mean raw score of the fold boosters."""
        inputs = encode(matrix, self.encodings, self.signs)
        scores = [booster.predict(inputs, raw_score=True, num_threads=1) for booster in self.boosters]
        return np.asarray(np.mean(scores, axis=0))


def fit_booster(
    sample: Sample, settings: BoosterSettings | None = None, progress: Step | None = None
) -> Booster:
    """Fit every candidate on grouped inner folds and keep the one with the least log loss; deep trees if clearly so.

    Raises:
        Unlearnable: too few rows, one outcome, values that are not finite.
    """
    settings = settings or BoosterSettings()
    sample.check()
    splits = folds(sample, FOLDS, settings.seed)
    signs = _signs(sample, splits) if settings.infer_signs else tuple(c.sign for c in sample.matrix.columns)
    encodings = _encodings(sample.matrix, sample.target)
    inputs = _out_of_fold_inputs(sample, splits, encodings, signs)
    candidates = settings.candidates or default_candidates(
        len(sample), sample.bads, len(np.unique(sample.group))
    )
    fitted = []
    for done, candidate in enumerate(candidates):
        if progress:
            progress(f"candidate {candidate.name}", done, len(candidates))
        fitted.append(_fit_candidate(sample, inputs, splits, signs, candidate, settings))
    rows = {one[0].name: log_losses(sample.target, sigmoid(one[3])) for one in fitted}
    losses = {name: float(own.mean()) for name, own in rows.items()}
    plain = [one for one in fitted if one[0].name != DEEP] or fitted
    best = min(plain, key=lambda one: losses[one[0].name])
    if DEEP in rows and clearly_less(rows[DEEP], rows[best[0].name]):
        best = next(one for one in fitted if one[0].name == DEEP)
    return Booster(best[1], encodings, signs, best[0], best[2], best[3], losses)


def fold_boosters(booster: Booster, sample: Sample, splits: list[tuple[Any, Any]]) -> list[Booster]:
    """Each fold's booster alone, with category numbers of its own train rows: its test rows are new to it."""
    return [
        replace(
            booster, boosters=(one,), encodings=_encodings(sample.matrix.take(train), sample.target[train])
        )
        for one, (train, _) in zip(booster.boosters, splits, strict=True)
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


def encode(matrix: FeatureMatrix, encodings: tuple[Encoding, ...], signs: tuple[int, ...]) -> Floats:
    """Inputs of the trees: NaN where absent, categories as numbers, special codes of signed columns absent."""
    inputs = np.where(matrix.missing == Missing.PRESENT, matrix.values, np.nan)
    for place, (column, sign) in enumerate(zip(matrix.columns, signs, strict=True)):
        if sign and column.special_codes:
            inputs[np.isin(inputs[:, place], column.special_codes), place] = np.nan
    for encoding in encodings:
        inputs[:, encoding.column] = _encoded(encoding, inputs[:, encoding.column])
    return inputs


def _encoded(encoding: Encoding, values: Floats) -> Floats:
    table = dict(zip(encoding.codes, encoding.values, strict=True))
    return np.array([value if np.isnan(value) else table.get(value, encoding.other) for value in values])


def _encodings(matrix: FeatureMatrix, target: NDArray[np.int8]) -> tuple[Encoding, ...]:
    found = []
    rate = float(target.mean())
    for place, column in enumerate(matrix.columns):
        if column.kind is ColumnKind.CATEGORY:
            rows = matrix.missing[:, place] == Missing.PRESENT
            codes, at = np.unique(matrix.values[rows, place], return_inverse=True)
            bads = np.bincount(at, weights=target[rows], minlength=len(codes))
            sizes = np.bincount(at, minlength=len(codes))
            values = (bads + ENCODING_PRIOR * rate) / (sizes + ENCODING_PRIOR)
            found.append(
                Encoding(place, tuple(codes.tolist()), tuple(np.round(values, 9).tolist()), round(rate, 9))
            )
    return tuple(found)


def _out_of_fold_inputs(
    sample: Sample, splits: list[tuple[Any, Any]], encodings: tuple[Encoding, ...], signs: tuple[int, ...]
) -> Floats:
    """Inputs whose category numbers never saw the row's own outcome."""
    inputs = encode(sample.matrix, encodings, signs)
    if encodings:
        for train, test in splits:
            inner = _encodings(sample.matrix.take(train), sample.target[train])
            encoded = encode(sample.matrix.take(test), inner, signs)
            for encoding in encodings:
                inputs[test, encoding.column] = encoded[:, encoding.column]
    return inputs


def _signs(sample: Sample, splits: list[tuple[Any, Any]]) -> tuple[int, ...]:
    """Declared signs, and for free numeric columns the sign that the bad rates keep in every fold."""
    found = []
    for place, column in enumerate(sample.matrix.columns):
        sign = column.sign
        if not sign and column.kind is ColumnKind.NUMERIC and not column.special_codes:
            rows = sample.matrix.missing[:, place] == Missing.PRESENT
            sign = _stable_sign(sample.matrix.values[:, place], rows, sample.target, splits)
        found.append(sign)
    return tuple(found)


def _stable_sign(
    values: Floats, rows: NDArray[np.bool_], target: NDArray[np.int8], splits: list[tuple[Any, Any]]
) -> int:
    signs = set()
    for train, _ in splits:
        chosen = train[rows[train]]
        edges = (
            np.unique(np.quantile(values[chosen], np.linspace(0.1, 0.9, 9))) if len(chosen) else np.empty(0)
        )
        if len(edges) < 4:
            return 0
        bins = np.searchsorted(edges, values[chosen], side="right")
        sizes = np.bincount(bins, minlength=len(edges) + 1)
        rates = np.bincount(bins, weights=target[chosen], minlength=len(edges) + 1) / np.maximum(sizes, 1)
        kept = sizes > 0
        if len(np.unique(rates[kept])) < 2:
            return 0
        rho = float(spearmanr(np.flatnonzero(kept), rates[kept]).statistic)
        signs.add(0 if abs(rho) < 0.95 else int(np.sign(rho)))
    return signs.pop() if len(signs) == 1 else 0


def _fit_candidate(
    sample: Sample, inputs: Floats, splits: list[tuple[Any, Any]], signs: tuple[int, ...], candidate: Candidate,
    settings: BoosterSettings,
) -> tuple[Candidate, tuple[lgb.Booster, ...], int, Floats]:  # fmt: skip
    parameters = candidate.parameters | {
        "monotone_constraints": list(signs),
        "seed": settings.seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1 if inputs.size < MANY_CELLS else 0,
    }
    data = lgb.Dataset(inputs, label=sample.target, free_raw_data=False, params=parameters)
    result = lgb.cv(
        parameters, data, num_boost_round=candidate.rounds, folds=splits, return_cvbooster=True,
        callbacks=[lgb.early_stopping(settings.patience, verbose=False)],
    )  # fmt: skip
    packed = result["cvbooster"]
    rounds = max(int(packed.best_iteration), 1)
    boosters = tuple(
        lgb.Booster(model_str=one.model_to_string(num_iteration=rounds)) for one in packed.boosters
    )
    scores = np.empty(len(sample))
    for booster, (_, test) in zip(boosters, splits, strict=True):
        scores[test] = booster.predict(inputs[test], raw_score=True, num_threads=1)
    return candidate, boosters, rounds, scores


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
