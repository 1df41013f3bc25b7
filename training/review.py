"""What a validator asks beside the main figures: drift of features, segments, thin files, reasons, intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from features.calendar import iso, month_index, month_text
from features.contracts.model import Text
from features.matrix import FeatureMatrix, Missing
from training.bundle import Bundle, Scorer
from training.evaluation import Judged
from training.regimes import RegimeLine, load_regimes, regime_lines
from training.sample import Sample
from training.scale import rate_interval
from training.validation import Interval, auc, ece, log_loss, psi, psi_by_chance

Floats = NDArray[np.float64]
Int64 = NDArray[np.int64]
Flags = NDArray[np.bool_]

DRAWS, SEED = 100, 37
CELLS = 10
FEWEST = 30
"""A segment of fewer rows is not judged."""
MOST_REASONS = 4
"""As an answer tells (REG-AA-03)."""
CSI_LARGE = 0.25
MOST_NAMED = 5
"""Features in one warning; the table has them all."""


class Drift(msgspec.Struct, frozen=True):
    """CSI of one feature by month against the rows before the split, on edges frozen there; ``worst`` with its
    interval. ``large`` where it is over the usual limit and over what chance gives.
    """

    name: str
    zh: str
    en: str
    months: tuple[float, ...]
    worst_month: str
    worst: Interval
    large: bool


class Segment(msgspec.Struct, frozen=True):
    """A part of the rows judged; ``calibration`` is mean PD over bad rate. None where rows or bads are too few."""

    by: str
    name: str
    rows: int
    bads: int
    mean_pd: float
    bad_rate: Interval
    calibration: Interval | None
    auc: Interval | None
    off: bool = False
    """PD is surely not the bad rate: at 5 % over all segments together."""


class ReasonLine(msgspec.Struct, frozen=True):
    """How often a reason was among the four told, and how often the first, of the rows judged."""

    reason: str
    told: float
    first: float


class Review(msgspec.Struct, frozen=True):
    """The second half of a report. ``months`` are those of ``drift``; ``intervals`` those of figures without one."""

    intervals: dict[str, Interval]
    months: tuple[str, ...]
    drift: tuple[Drift, ...]
    segments: tuple[Segment, ...]
    reasons: tuple[ReasonLine, ...]
    regimes: tuple[RegimeLine, ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What somebody must look at."""
        moved = [f"{d.name} ({d.worst.value:.2f} in {d.worst_month})" for d in self.drift if d.large]
        found = (
            [f"Features moved (CSI over {CSI_LARGE} and over chance): {', '.join(moved)}."] if moved else []
        )
        off = [f"{s.by} {s.name}" for s in self.segments if s.off]  # fmt: skip
        if off:
            found.append(f"PD is surely off in segments: {', '.join(off)}.")
        return (*found, *(f"{one.id}: {one.flag}" for one in self.regimes if one.flag))


def build_review(bundle: Bundle, sample: Sample, judged: Judged) -> Review:
    """The review of a trained bundle, over the rows held out (of the first repeat)."""
    held = np.asarray(~np.isnan(judged.pd[0]))
    rows, pd = sample.take(held), judged.pd[0][held]
    months, drift = _drift(bundle, sample, judged.split.start)
    return Review(
        _intervals(rows, pd), months, drift, _segments(rows, pd), _reasons(bundle, rows.matrix),
        regime_lines(bundle, rows.target, pd, rows.time, load_regimes()),
    )  # fmt: skip


def _intervals(rows: Sample, pd: Floats) -> dict[str, Interval]:
    """Figures whose intervals only a bootstrap of groups gives."""
    figures: dict[str, Callable[[NDArray[np.int8], Floats], float]] = {
        "log_loss": log_loss, "ece": ece,
        "predicted_over_actual": lambda target, chance: float(chance.mean() / max(target.mean(), 1e-12)),
    }  # fmt: skip
    generator = np.random.default_rng(SEED)
    _, at = np.unique(rows.group, return_inverse=True)
    drawn: dict[str, list[float]] = {name: [] for name in figures}
    for _ in range(DRAWS):
        chosen = np.repeat(np.arange(len(at)), generator.poisson(1.0, at.max() + 1)[at])
        if not rows.target[chosen].any():
            continue
        for name, figure in figures.items():
            drawn[name].append(figure(rows.target[chosen], pd[chosen]))
    return {
        name: _with_ends(figure(rows.target, pd), np.array(drawn[name])) for name, figure in figures.items()
    }


def _with_ends(value: float, drawn: Floats) -> Interval:
    low, high = np.quantile(drawn, [0.025, 0.975]) if len(drawn) else (value, value)
    return Interval(round(value, 9), round(float(min(low, value)), 9), round(float(max(high, value)), 9))


def _drift(bundle: Bundle, sample: Sample, start: int | None) -> tuple[tuple[str, ...], tuple[Drift, ...]]:
    """Every feature of the model, the one that moved most first; nothing where there is no time."""
    if start is None:
        return (), ()
    matrix = sample.matrix.select(tuple(column.name for column in bundle.columns))
    before = sample.time < start
    month = np.where(before, -1, month_index(sample.time))
    numbers = np.unique(month[month >= 0])
    texts = tuple(month_text(int(m)) for m in numbers)
    generator = np.random.default_rng(SEED)
    found, tests = [], len(bundle.columns) * len(numbers)
    for place, column in enumerate(bundle.columns):
        cells, count = _cells(matrix.values[:, place], matrix.missing[:, place], before)
        counts = [np.bincount(cells[month == m], minlength=count).astype(np.float64) for m in (-1, *numbers)]
        text = Text(column.zh, column.en)
        found.append(_one_drift(column.name, text, texts, counts, tests, generator))
    return texts, tuple(sorted(found, key=lambda one: (-one.worst.value, one.name)))


def _one_drift(
    name: str,
    text: Text,
    months: Sequence[str],
    counts: Sequence[Floats],
    tests: int,
    generator: np.random.Generator,
) -> Drift:
    expected = counts[0] + 0.5
    values = [psi(expected, one + 0.5) for one in counts[1:]]
    level = 1 - 0.01 / tests
    chances = [
        psi_by_chance(int(counts[0].sum()), int(one.sum()), len(expected), level) for one in counts[1:]
    ]
    worst = int(
        np.argmax([value - max(CSI_LARGE, chance) for value, chance in zip(values, chances, strict=True)])
    )
    own = counts[1 + worst]
    drawn = generator.multinomial(int(own.sum()), own / own.sum(), DRAWS)
    interval = _with_ends(
        values[worst], np.array([psi(expected, np.asarray(one, dtype=np.float64) + 0.5) for one in drawn])
    )
    large = values[worst] > max(CSI_LARGE, chances[worst])
    return Drift(
        name, text.zh, text.en, tuple(round(v, 6) for v in values), months[worst], interval, bool(large)
    )


def _cells(values: Floats, missing: NDArray[np.uint8], before: Flags) -> tuple[Int64, int]:
    """Cell of each row and their number: tenths of the values before the split, a cell for each kind of absence."""
    known = values[before & (missing == Missing.PRESENT)]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, CELLS + 1)[1:-1])) if len(known) else np.empty(0)
    kinds = len(Missing)
    cells = np.where(
        missing == Missing.PRESENT, kinds + np.searchsorted(edges, values, side="right"), missing
    )
    _, dense = np.unique(np.append(cells, kinds), return_inverse=True)
    return dense[:-1].astype(np.int64), int(dense.max()) + 1


def _segments(rows: Sample, pd: Floats) -> tuple[Segment, ...]:
    """Thin and thick files, the time, and the amount asked for."""
    names = sorted({column.dataset for column in rows.matrix.columns if column.dataset != "request"})
    present = rows.matrix.missing == Missing.PRESENT
    of = np.array([column.dataset for column in rows.matrix.columns])
    sources = (
        np.sum([present[:, of == name].any(axis=1) for name in names], axis=0)
        if names
        else np.zeros(len(rows))
    )
    found = _thirds("sources with a record", np.asarray(sources, dtype=np.float64), rows, pd, thin=True)
    found += _times(rows, pd)
    for place, column in enumerate(rows.matrix.columns):
        if (
            column.dataset == "request"
            and present[:, place].all()
            and len(np.unique(rows.matrix.values[:, place])) > 2
        ):
            found += _thirds(column.en, rows.matrix.values[:, place], rows, pd)
    return tuple(msgspec.structs.replace(one, off=_is_off(one, len(found))) for one in found)


def _is_off(one: Segment, tests: int) -> bool:
    below = float(beta.cdf(one.mean_pd, one.bads + 0.5, one.rows - one.bads + 0.5))
    return one.rows >= FEWEST and min(below, 1 - below) < 0.025 / tests


def _thirds(by: str, values: Floats, rows: Sample, pd: Floats, *, thin: bool = False) -> list[Segment]:
    edges = np.unique(np.quantile(values, [0.25, 0.75] if thin else [1 / 3, 2 / 3]))
    place = np.searchsorted(edges, values, side="left")
    found = []
    for one in np.unique(place):
        own = place == one
        text = f"{values[own].min():.6g} to {values[own].max():.6g}"
        text += " (thin files)" if thin and one == 0 else ""
        found.append(_segment(by, text, rows.target[own], pd[own]))
    return found


def _times(rows: Sample, pd: Floats) -> list[Segment]:
    halves = month_index(rows.time) // 6
    if len(np.unique(halves)) < 2:
        return []
    found = []
    for one in np.unique(halves):
        own = halves == one
        text = f"{iso(int(rows.time[own].min()))[:7]} to {iso(int(rows.time[own].max()))[:7]}"
        found.append(_segment("half-year", text, rows.target[own], pd[own]))
    return found


def _segment(by: str, name: str, target: NDArray[np.int8], pd: Floats) -> Segment:
    n, bads, mean = len(target), int(target.sum()), float(pd.mean())
    low, high = rate_interval(bads, n)
    enough = n >= FEWEST and 0 < bads < n
    calibration = Interval(mean * n / bads, mean / high, mean / low) if enough else None
    return Segment(
        by,
        name,
        n,
        bads,
        mean,
        Interval(bads / n, low, high),
        calibration,
        auc(target, pd) if enough else None,
    )


def _reasons(bundle: Bundle, matrix: FeatureMatrix) -> tuple[ReasonLine, ...]:
    """Which reasons raise the risk of the rows, as often as they would be told; the most frequent first."""
    scorer = Scorer(bundle, "")
    chosen = matrix.select(scorer.columns)
    shares = scorer.score(chosen.values, chosen.missing).contributions
    names = sorted(set(scorer.reasons))
    of = np.array([names.index(one) for one in scorer.reasons])
    groups = np.stack([shares[:, of == k].sum(axis=1) for k in range(len(names))], axis=1)
    order = np.argsort(-groups, axis=1, kind="stable")[:, :MOST_REASONS]
    adverse = np.take_along_axis(groups, order, axis=1) > 0
    found = [
        ReasonLine(name, round(float(((order == k) & adverse).any(axis=1).mean()), 6),
                   round(float(((order[:, 0] == k) & adverse[:, 0]).mean()), 6))
        for k, name in enumerate(names)
    ]  # fmt: skip
    return tuple(sorted((one for one in found if one.told), key=lambda one: (-one.told, one.reason)))
