"""Whether a feed changes: its volume and the codes in it, each month against the six months before.

Only months that have ended are judged, and none before it has six others of its source before it.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.calendar import NULL, month_index
from features.canonical import code_of
from features.contracts.model import Contract, Field, FieldType
from features.quality.scores import Period
from features.timeline.events import RETRACTED, Int64, RawEvents

TRAILING = 6
"""Months before that a month is compared with."""
PSI_WATCH, PSI_ACT = 0.10, 0.25
VOLUME_WATCH, VOLUME_ACT = (3.0, 1.5), (6.0, 2.0)
"""The robust z, and the factor up or down, that volume must both reach."""
FEWEST_ROWS = 30
"""Rows that a month and the months before it need, or their codes are not compared."""
_HALF = 0.5
"""Added to the rows of each code, so that one that is new or gone has a finite part in a PSI."""
_EXPECTED = 5.0
"""Rows that a code would have had by its share: of fewer, none is no news (p < 0.7 % from here on)."""
_MAD_TO_SIGMA = 1.4826
_Z99 = 2.3263478740408408


class Level(StrEnum):
    """How much a change matters."""

    WATCH = "watch"
    ACT = "act"


class Change(StrEnum):
    """What has changed."""

    VOLUME = "volume"
    CODES = "codes"
    NEW_CODE = "new code"
    VANISHED_CODE = "vanished code"


class Drift(msgspec.Struct, frozen=True):
    """One change of one month.

    ``value`` is the robust z of a volume, the PSI of codes, and the rows of a code: its own in the month if it is
    new, those of the trailing months if it vanished. ``ratio`` is the volume over the trailing median.
    """

    dataset: str
    month: str
    change: Change
    level: Level
    value: float
    field: str = ""
    code: str = ""
    ratio: float | None = None


class SourceDrift(msgspec.Struct, frozen=True):
    """Rows of each whole month of a source, without a gap from the first on, and what changed; months ascend."""

    dataset: str
    months: tuple[str, ...]
    rows: tuple[int, ...]
    findings: tuple[Drift, ...]


def drift_of(contract: Contract, raw: RawEvents, now: int) -> SourceDrift:
    """The drift of a source over all whole months before ``now``."""
    month = month_index(raw.known_from)
    end = int(month_index(np.array([now]))[0])
    kept = (raw.valid_to != RETRACTED) & (month < end)
    if not kept.any():
        return SourceDrift(contract.dataset, (), (), ())
    begin = int(month[kept].min())
    place = month[kept] - begin
    labels = tuple(Period.MONTH.label(number) for number in range(begin, end))
    rows = np.bincount(place, minlength=len(labels))
    found = _volume(contract.dataset, labels, rows)
    for field in contract.fields:
        if field.type is FieldType.CATEGORY:
            codes, counts = code_counts(place, raw.columns[field.name][kept], len(labels))
            found += _codes(contract.dataset, field, labels, codes, counts)
    ordered = sorted(found, key=lambda each: (each.month, each.change, each.field, each.code))
    return SourceDrift(contract.dataset, labels, tuple(rows.tolist()), tuple(ordered))


def robust_z(rows: int, before: Int64) -> float:
    """(rows - median) / spread of the months before.

    The spread is 1.4826 times their median absolute deviation, but at least the square root of their median: so much
    do counts scatter by chance.
    """
    middle = float(np.median(before))
    spread = _MAD_TO_SIGMA * float(np.median(np.abs(before - middle)))
    return float((rows - middle) / max(spread, middle**0.5, 1.0))


def psi(expected: NDArray[np.int64], actual: NDArray[np.int64]) -> float:
    """Sum of (actual share - expected share) x ln(actual share / expected share) over codes, from rows of each.

    Share = (rows + 0.5) / (all rows + 0.5 x codes).
    """
    a, b = ((rows + _HALF) / (rows.sum() + _HALF * len(rows)) for rows in (expected, actual))
    return float(((b - a) * np.log(b / a)).sum())


def psi_by_chance(expected_rows: int, rows: int, cells: int) -> float:
    """PSI that so few rows of an unchanged source exceed once in a hundred months (chi-squared, Wilson-Hilferty)."""
    free = max(cells - 1, 1)
    limit: float = free * (1 - 2 / (9 * free) + _Z99 * (2 / (9 * free)) ** 0.5) ** 3
    return limit * (1 / expected_rows + 1 / rows)


def code_counts(place: Int64, values: Int64, months: int) -> tuple[Int64, Int64]:
    """The codes of a field and how often each stands in each month, int64 [months, codes]."""
    there = values != NULL
    codes, which = np.unique(values[there], return_inverse=True)
    flat = np.bincount(place[there] * len(codes) + which, minlength=months * len(codes))
    return codes, flat.reshape(months, len(codes))


def _volume(dataset: str, labels: tuple[str, ...], rows: Int64) -> list[Drift]:
    found = []
    for at in range(TRAILING, len(labels)):
        before = rows[at - TRAILING : at]
        middle = float(np.median(before))
        if middle:
            z, ratio = robust_z(int(rows[at]), before), float(rows[at]) / middle
            level = _volume_level(z, ratio)
            if level:
                found.append(Drift(dataset, labels[at], Change.VOLUME, level, round(z, 2), ratio=ratio))
    return found


def _volume_level(z: float, ratio: float) -> Level | None:
    for level, (most, factor) in ((Level.ACT, VOLUME_ACT), (Level.WATCH, VOLUME_WATCH)):
        if abs(z) >= most and (ratio >= factor or ratio <= 1 / factor):
            return level
    return None


def _codes(dataset: str, field: Field, labels: tuple[str, ...], codes: Int64, counts: Int64) -> list[Drift]:
    names = {code_of(text): text for text in field.codes}
    texts = [names.get(code, f"{code:012x}") for code in codes.tolist()]
    found = []
    for at in range(TRAILING, len(labels)):
        before, own = counts[at - TRAILING : at].sum(axis=0), counts[at]
        if min(before.sum(), own.sum()) < FEWEST_ROWS:
            continue
        level = _psi_level(before, own)
        if level:
            value = round(psi(before, own), 4)
            found.append(Drift(dataset, labels[at], Change.CODES, level, value, field.name))
        new = (own > 0) & (counts[:at].sum(axis=0) == 0)
        gone = (own == 0) & (before * own.sum() >= _EXPECTED * before.sum())
        for change, which, rows in ((Change.NEW_CODE, new, own), (Change.VANISHED_CODE, gone, before)):
            found += [
                Drift(dataset, labels[at], change, Level.WATCH, float(rows[i]), field.name, texts[i])
                for i in np.flatnonzero(which).tolist()
            ]
    return found


def _psi_level(before: Int64, own: Int64) -> Level | None:
    """The level of a PSI that so few rows do not reach by chance."""
    value = psi(before, own)
    if value <= psi_by_chance(int(before.sum()), int(own.sum()), len(own)):
        return None
    if value >= PSI_ACT:
        return Level.ACT
    return Level.WATCH if value >= PSI_WATCH else None
