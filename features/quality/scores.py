"""Five scores of each source and period of arrival, each in [0, 1] and with the number of rows it is from.

A period is the day or month in China on which a row became known, also one that was refused: by its own word where
it can be read, else with its delivery. Rows that take others back are no rows here. Accuracy and validity are also
told over all deliveries, with refused lines that no date could be found for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.calendar import CHINA_OFFSET, DAY, NEVER, NULL, month_index
from features.contracts.model import Contract, FieldType
from features.quality.lateness import Lateness, limits
from features.timeline.events import RETRACTED, Int64, RawEvents
from features.timeline.feed import period_end
from features.timeline.life import linked_fields

Flags = NDArray[np.bool_]
_TIMES = {FieldType.MONTH, FieldType.DATE, FieldType.INSTANT}


class Period(StrEnum):
    """What scores are told of."""

    DAY = "day"
    MONTH = "month"

    def of(self, moments: Int64) -> Int64:
        """Periods since 1970 in China of each instant."""
        return month_index(moments) if self is Period.MONTH else (moments + CHINA_OFFSET) // DAY

    def label(self, number: int) -> str:
        """A period as ISO text."""
        return str(np.datetime64(number, "M" if self is Period.MONTH else "D"))


class Score(msgspec.Struct, frozen=True):
    """A share of what is as it should be; None where no row tells of it."""

    value: float | None
    rows: int


@dataclass(frozen=True, slots=True)
class Refused:
    """What is in quarantine of a source: when each line, and each value outside the contract's codes and limits,
    became known, int64 µs; ``NULL`` where that cannot be told.
    """

    lines: Int64
    values: Int64

    @property
    def count(self) -> int:
        """Lines."""
        return len(self.lines)


class PeriodScores(msgspec.Struct, frozen=True):
    """The five scores of a period; ``rows`` are the accepted ones, ``late_50`` and ``late_95`` days after the usual
    lag, below 0 before it.
    """

    period: str
    rows: int
    accuracy: Score
    completeness: Score
    consistency: Score
    timeliness: Score
    validity: Score
    late_50: float | None
    late_95: float | None

    def five(self) -> dict[str, Score]:
        """The scores by name."""
        return {
            "accuracy": self.accuracy,
            "completeness": self.completeness,
            "consistency": self.consistency,
            "timeliness": self.timeliness,
            "validity": self.validity,
        }

    def worst(self) -> tuple[str, float]:
        """Name and value of the lowest of the five."""
        told = {n: each.value for n, each in self.five().items() if each.value is not None}
        return min(told.items(), key=lambda item: item[1])


class SourceScores(msgspec.Struct, frozen=True):
    """All scores of a source; ``periods`` ascend, and those in which nothing came are not there. ``accuracy`` and
    ``validity`` are over all deliveries.
    """

    dataset: str
    accuracy: Score
    validity: Score
    periods: tuple[PeriodScores, ...]


def scores_of(
    contract: Contract, raw: RawEvents, refused: Refused, by: Period, limit: Lateness | None = None
) -> SourceScores:
    """The scores of a source from all its stored rows and from what was refused of it."""
    order = raw.by_key()
    told = raw.valid_to != RETRACTED
    lines, values = (by.of(each[each != NULL]) for each in (refused.lines, refused.values))
    arrived = by.of(raw.known_from[told])
    periods = np.unique(np.concatenate([arrived, lines]))
    place, count = np.searchsorted(periods, arrived), len(periods)
    rows = np.bincount(place, minlength=count)
    fit = _means(place, completeness(contract, raw)[told], count)
    steady = _means(place, ~contradicted(contract, raw, order)[told], count)
    first, late = lateness(contract, raw, order)
    on_time = _timeliness(place[first[told]], late[told & first], count, limit or limits())
    good = good_values(contract, raw.columns)[told]
    bad, outside = (np.bincount(np.searchsorted(periods, each), minlength=count) for each in (lines, values))
    within = np.bincount(place, good, minlength=count)
    exact = [accuracy(int(n), int(b)) for n, b in zip(rows, bad, strict=True)]
    valid = [validity(int(g), int(v), int(n)) for g, v, n in zip(within, outside, rows + bad, strict=True)]
    found = zip(periods.tolist(), rows.tolist(), exact, fit, steady, on_time, valid, strict=True)
    dated = tuple(PeriodScores(by.label(p), n, a, b, c, d[0], v, *d[1:]) for p, n, a, b, c, d, v in found)
    return SourceScores(
        contract.dataset,
        accuracy(len(arrived), refused.count),
        validity(int(good.sum()), len(refused.values), len(arrived) + refused.count),
        dated,
    )


def accuracy(accepted: int, refused: int) -> Score:
    """Accepted rows / (accepted rows + lines in quarantine).

    A row that was sent again counts once if it was accepted, and once a delivery if it was refused.
    """
    rows = accepted + refused
    return Score(accepted / rows if rows else None, rows)


def validity(good: int, refused: int, rows: int) -> Score:
    """Good values / (good values + refused values) of the fields with codes or limits, from so many rows.

    Refused are the values in quarantine as an unknown code, below the minimum or above the maximum.
    """
    values = good + refused
    return Score(good / values if values else None, rows if values else 0)


def good_values(contract: Contract, columns: Mapping[str, Int64]) -> Int64:
    """How many values of fields with codes or limits each stored row holds, int64 [rows]: what is stored was
    within them.
    """
    names = [name for name in contract.limited if name in columns]
    rows = len(next(iter(columns.values()))) if columns else 0
    good = np.zeros(rows, dtype=np.int64)
    for name in names:
        good += columns[name] != NULL
    return good


def completeness(contract: Contract, raw: RawEvents) -> NDArray[np.float64]:
    """Values that are there / fields that could hold one, float64 [rows]; NaN of a contract without such a field.

    The fields are those that are neither times (the ends of validity among them) nor links.
    """
    names = filled_fields(contract)
    if not names:
        return np.full(len(raw.subject), np.nan)
    there = np.zeros(len(raw.subject))
    for name in names:
        there += raw.columns[name] != NULL
    return there / len(names)


def contradicted(contract: Contract, raw: RawEvents, order: NDArray[np.intp]) -> Flags:
    """The rows of which a later row under the same key changed a stated value, or which were taken back; bool [rows].

    Emptying a value changes it; filling an empty one does not, and neither do the categories (the state of a loan)
    that change as an empty end of validity is filled. When a row became known is no value.
    """
    gone = raw.valid_to[order] == RETRACTED
    out = np.zeros(len(order), dtype=bool)
    taken_back = same_key(raw, order) & gone[1:]
    out[order[:-1][taken_back]] = True
    kept = order[~gone]
    if not len(kept):
        return out
    same = same_key(raw, kept)
    last = _ends(same)
    open_end = raw.valid_to[kept] == NEVER
    goes_on = same & ~(open_end[:-1] & ~open_end[1:])
    for name in compared_fields(contract):
        values = raw.columns[name][kept]
        judged = goes_on if contract.field(name).type is FieldType.CATEGORY else same
        changes = np.append(0, np.cumsum(judged & (values[1:] != values[:-1])))
        out[kept] |= (values != NULL) & (changes[last] > changes)
    return out


def lateness(contract: Contract, raw: RawEvents, order: NDArray[np.intp]) -> tuple[Flags, Int64]:
    """Which rows are the first under their key and brought a known time of their own, and how late all are.

    late = known time - (end of the month, or moment, of which the row tells + the contract's usual lag), µs.
    """
    kept = order[raw.valid_to[order] != RETRACTED]
    first = np.zeros(len(order), dtype=bool)
    first[kept] = np.append(True, ~same_key(raw, kept))[: len(kept)]
    times = contract.times
    known = times.known_from.field
    if known is None or times.valid_from.constant is not None:
        return np.zeros(len(order), dtype=bool), np.zeros(len(order), dtype=np.int64)
    first &= (raw.columns[known] != NULL) & (raw.valid_from != NEVER)
    end = np.where(first, period_end(contract, raw.valid_from), 0)
    lag = round(times.known_from.usual_lag_days * DAY)
    return first, np.where(first, raw.known_from - end - lag, 0)


def filled_fields(contract: Contract) -> list[str]:
    """The fields that completeness looks at."""
    links = set(linked_fields(contract))
    fields = (contract.field(name) for name in contract.names)
    return [field.name for field in fields if field.type not in _TIMES and field.name not in links]


def compared_fields(contract: Contract) -> list[str]:
    """The fields in which rows under one key may contradict each other."""
    apart = {*contract.key, contract.times.known_from.field}
    return [name for name in contract.names if name not in apart]


def same_key(raw: RawEvents, order: NDArray[np.intp]) -> Flags:
    """Whether each row of this order and the next are of one subject and key, bool [n - 1]."""
    before, after = order[:-1], order[1:]
    same: Flags = (raw.subject[before] == raw.subject[after]) & (raw.key[before] == raw.key[after])
    return same


def _ends(same: Flags) -> NDArray[np.intp]:
    """The place of the last row of each row's key, [n]."""
    last = np.flatnonzero(np.append(~same, True))
    return np.repeat(last, np.diff(np.append(-1, last)))


def _means(place: Int64, shares: NDArray[np.float64] | Flags, periods: int) -> list[Score]:
    rows = np.bincount(place, minlength=periods)
    sums = np.bincount(place, shares.astype(np.float64), minlength=periods)
    pairs = zip(sums.tolist(), rows.tolist(), strict=True)
    return [Score(None, 0) if np.isnan(s) or not n else Score(s / n, n) for s, n in pairs]


def _timeliness(
    place: Int64, late: Int64, periods: int, limit: Lateness
) -> list[tuple[Score, float | None, float | None]]:
    """On time = at most the tolerance of ``lateness.yaml`` after the usual lag; a score and two percentiles each."""
    scores = _means(place, late <= limit.tolerance_days * DAY, periods)
    half, most = (_percentiles(place, late, periods, share) for share in (50, 95))
    return list(zip(scores, half, most, strict=True))


def _percentiles(place: Int64, late: Int64, periods: int, percent: int) -> list[float | None]:
    """The least days that so many of a hundred rows of each period do not exceed; None without rows."""
    ordered = late[np.lexsort((late, place))]
    rows = np.bincount(place, minlength=periods)
    at = np.cumsum(rows) - rows + np.maximum(-(-rows * percent // 100), 1) - 1
    days = [float(ordered[i]) / DAY if n else None for i, n in zip(at.tolist(), rows.tolist(), strict=True)]
    return [None if day is None else round(day, 2) for day in days]
