"""What a booster reads: categories as numbers that never saw the row's own outcome, and the sign of each column."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from features.matrix import ColumnKind, FeatureMatrix, Missing
from training.bundle import Encoding
from training.sample import Sample

Floats = NDArray[np.float64]
ENCODING_PRIOR = 30.0


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


def encodings_of(matrix: FeatureMatrix, target: NDArray[np.int8]) -> tuple[Encoding, ...]:
    """The number of each level: its bad rate, drawn to that of all rows."""
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


def out_of_fold_inputs(
    sample: Sample, splits: list[tuple[Any, Any]], encodings: tuple[Encoding, ...], signs: tuple[int, ...]
) -> Floats:
    """Inputs whose category numbers never saw the row's own outcome."""
    inputs = encode(sample.matrix, encodings, signs)
    if encodings:
        for train, test in splits:
            inner = encodings_of(sample.matrix.take(train), sample.target[train])
            encoded = encode(sample.matrix.take(test), inner, signs)
            for encoding in encodings:
                inputs[test, encoding.column] = encoded[:, encoding.column]
    return inputs


def signs_of(sample: Sample, splits: list[tuple[Any, Any]]) -> tuple[int, ...]:
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
