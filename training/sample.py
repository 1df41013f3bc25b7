"""What a learner is given: rows, outcomes, groups, times; and how they are cut into folds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from features.canonical import digest
from features.errors import Invalid
from features.matrix import FeatureMatrix

Flags = NDArray[np.bool_]
Rows = NDArray[np.intp]
MIN_ROWS = 50
MIN_EACH = 10


class Unlearnable(Invalid):
    """Rows from which no model can be fitted."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem, place="training sample", remedy=remedy)


@dataclass(frozen=True, slots=True)
class Sample:
    """``target`` int8 [n] (1 bad); rows of one ``group`` int64 [n] never stand on both sides of a split;
    ``time`` int64 [n] is the as-of instant. ``optional`` are the sources that an applicant may withhold.
    In a ``panel``, a row a subject and period, folds are blocks of time and groups may stand on both sides:
    what all subjects of a period share (the economy) is what a model must not learn by heart.
    """

    matrix: FeatureMatrix
    target: NDArray[np.int8]
    group: NDArray[np.int64]
    time: NDArray[np.int64]
    optional: tuple[str, ...] = ()
    panel: bool = False

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.target)

    def take(self, rows: Rows | Flags) -> Sample:
        """The chosen rows."""
        return replace(
            self, matrix=self.matrix.take(rows), target=self.target[rows], group=self.group[rows],
            time=self.time[rows],
        )  # fmt: skip

    @property
    def bads(self) -> int:
        """Number of bads."""
        return int(self.target.sum())

    def digest(self) -> str:
        """SHA-256 over values, missing kinds and outcomes: which data a model was made of."""
        parts = (self.matrix.values, self.matrix.missing, self.target)
        return digest(b"".join(np.ascontiguousarray(part).tobytes() for part in parts))

    def check(self) -> None:
        """Refuse what cannot teach.

        Raises:
            Unlearnable: too few rows, one outcome, a value that is not finite.
        """
        if len(self) < MIN_ROWS:
            raise Unlearnable(f"{len(self)} rows are too few.", f"A model needs at least {MIN_ROWS}.")
        if min(self.bads, len(self) - self.bads) < MIN_EACH:
            problem = f"{self.bads} bads among {len(self)} rows."
            raise Unlearnable(problem, f"A model needs at least {MIN_EACH} of each outcome: check the label.")
        bad = ~np.isfinite(self.matrix.values)
        if bad.any():
            names = ", ".join(np.array(self.matrix.names)[bad.any(axis=0)])
            raise Unlearnable(f"values that are not finite in {names}.", "Mend the feature or its source.")


def folds(sample: Sample, count: int, seed: int) -> list[tuple[Rows, Rows]]:
    """Pairs of (train, test) rows, stratified by outcome, groups kept whole.

    Groups in random order, those with most bads first, are dealt out like cards. A panel is cut into blocks of
    time with about as many bads each, where there are times enough.
    """
    count = max(2, min(count, sample.bads, len(sample) - sample.bads))
    fold = _blocks(sample, count) if sample.panel else None
    if fold is None:
        fold = _dealt(sample, count, seed)
    return [(np.flatnonzero(fold != one), np.flatnonzero(fold == one)) for one in range(count)]


def _blocks(sample: Sample, count: int) -> Rows | None:
    """The block of each row, rows of one instant together; None where a block would lack an outcome."""
    times, of_row = np.unique(sample.time, return_inverse=True)
    bads = np.bincount(of_row, weights=sample.target, minlength=len(times))
    middle = (np.cumsum(bads) - bads / 2) / bads.sum()
    block = np.minimum((middle * count).astype(np.intp), count - 1)[of_row]
    seen = np.bincount(2 * block + sample.target, minlength=2 * count)
    return block if seen.all() else None


def _dealt(sample: Sample, count: int, seed: int) -> Rows:
    groups, of_row = np.unique(sample.group, return_inverse=True)
    bads = np.bincount(of_row, weights=sample.target, minlength=len(groups))
    sizes = np.bincount(of_row, minlength=len(groups))
    shuffled = np.random.default_rng(seed).permutation(len(groups))
    order = shuffled[np.lexsort((-sizes[shuffled], -bads[shuffled]))]
    place = np.empty(len(groups), dtype=np.intp)
    place[order] = np.arange(len(groups)) % count
    return place[of_row]


def out_of_time(sample: Sample, start: int | None, share: float, embargo: int = 0) -> tuple[Rows, Rows, int]:
    """(train, test, start): test is from ``start`` on, train ``embargo`` (µs) before it and, but for a panel,
    without the groups of the test.

    Without ``start`` it is the instant after which ``share`` of the rows come.
    """
    moment = int(np.quantile(sample.time, 1 - share)) if start is None else start
    test = sample.time >= moment
    train = sample.time < moment - embargo
    if not sample.panel:
        train &= ~np.isin(sample.group, np.unique(sample.group[test]))
    for name, side in (("before", train), ("after", test)):
        bads = int(sample.target[side].sum())
        if min(bads, int(side.sum()) - bads) < 1:
            raise Unlearnable(
                f"{int(side.sum())} rows with {bads} bads {name} the split.", "Move `split.start`."
            )
    return np.flatnonzero(train), np.flatnonzero(test), moment


def cross_predict(
    sample: Sample, predict: Callable[[Sample, Sample], NDArray[np.float64]], count: int, seed: int
) -> NDArray[np.float64]:
    """Out-of-fold predictions: ``predict(train, test)`` for each fold."""
    out = np.empty(len(sample))
    for train, test in folds(sample, count, seed):
        out[test] = predict(sample.take(train), sample.take(test))
    return out
