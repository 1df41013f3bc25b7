"""Small samples of known making, for tests of the learners."""

from __future__ import annotations

import numpy as np

from features.matrix import Column, ColumnKind, FeatureMatrix, Missing
from training.sample import Sample

SPECIAL = 96.0


def matrix_of(columns: dict[str, np.ndarray], **more: object) -> FeatureMatrix:
    """A matrix of plain numeric columns; NaN becomes NO_RECORD."""
    values = np.column_stack(list(columns.values())).astype(float)
    missing = np.where(np.isnan(values), Missing.NO_RECORD, Missing.PRESENT).astype(np.uint8)
    heads = tuple(Column(name, "made", zh=name, en=name, reason=name.upper(), **more) for name in columns)
    return FeatureMatrix(heads, np.where(np.isnan(values), 0.0, values), missing)


def made_sample(
    rows: int = 600, seed: int = 0, *, groups: int | None = None, strength: float = 1.0
) -> Sample:
    """Six columns: rising and falling risk, one with a special code, one with gaps, a category, noise."""
    g = np.random.default_rng(seed)
    up, down, noise, gaps = g.normal(size=(4, rows))
    special = np.where(g.random(rows) < 0.1, SPECIAL, np.floor(g.exponential(2.0, rows)))
    category = g.integers(0, 4, rows).astype(float)
    odds = strength * (1.2 * up - 0.9 * down + 1.5 * (special == SPECIAL) + 0.7 * (category == 2)) - 1.6
    missing = np.zeros((rows, 6), dtype=np.uint8)
    missing[:, 3] = np.where(g.random(rows) < 0.3, Missing.NO_RECORD, Missing.PRESENT)
    odds += 0.8 * (missing[:, 3] == Missing.NO_RECORD)
    values = np.column_stack([up, down, special, np.where(missing[:, 3], 0.0, gaps), category, noise])
    columns = (
        Column("up", "one", sign=1, zh="升", en="up", reason="UP"),
        Column("down", "one", sign=-1, zh="降", en="down", reason="DOWN"),
        Column("special", "two", special_codes=(SPECIAL,), zh="码", en="special", reason="SPECIAL"),
        Column("gaps", "two", zh="缺", en="gaps", reason="GAPS"),
        Column("kind", "three", ColumnKind.CATEGORY, zh="类", en="kind", reason="KIND"),
        Column("noise", "three", zh="噪", en="noise", reason="NOISE"),
    )
    target = (g.random(rows) < 1 / (1 + np.exp(-odds))).astype(np.int8)
    group = np.arange(rows) if groups is None else g.integers(0, groups, rows)
    return Sample(
        FeatureMatrix(columns, values, missing), target, group.astype(np.int64), np.arange(rows) * 1_000_000
    )


def brute_auc(target: np.ndarray, score: np.ndarray) -> float:
    """Share of pairs of a bad and a good that are in the right order; ties count half."""
    bad, good = score[target == 1], score[target == 0]
    return float(np.mean((bad[:, None] > good) + 0.5 * (bad[:, None] == good)))
