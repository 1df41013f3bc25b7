"""The one kernel: every feature of every door is computed here.

Training sets, the nightly book, a single request and a cluster's executors call ``aggregate`` with the
same arrays, so they cannot differ. One generic loop serves all definitions, because generated code was
1.6 times as fast and would have been a second path. Everything that it calls is in this file: a cached
caller in another file would go on using an old helper. Longer than 300 lines because of that.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numba import njit
from numba.types import Array, float64, int64, uint8, uint64, void

DAY = 86_400_000_000
CHINA_OFFSET = 28_800_000_000
NULL = np.iinfo(np.int64).min
LARGEST = np.iinfo(np.int64).max
MONTH_DAYS = 30.4375
YEAR_DAYS = 365.25
"""Mean lengths of a month and a year; durations are told in them."""


NEEDS_MEMBERS = 1
NEEDS_SUM = 2
NEEDS_EXTREMES = 4
NEEDS_ENDS = 8
"""What a slot keeps beside its counts: each event, sums, smallest and largest value, first and last event."""


class Aggregate(IntEnum):
    """What a definition does with the events of a window."""

    COUNT = 0
    SUM = 1
    MEAN = 2
    MIN = 3
    MAX = 4
    LAST = 5
    DISTINCT = 6
    MONTHS_SINCE_LAST = 7
    MONTHS_SINCE_FIRST = 8
    ACTIVE_MONTHS = 9
    STREAK = 10
    TREND = 11
    VARIATION = 12
    SHARE = 13
    SHARE_SUM = 14
    ANY = 15
    CONCENTRATION = 16
    YEAR_ON_YEAR = 17
    NEGATIVE_MONTHS = 18
    MONTHS_SINCE_VALUE = 19
    LONGEST_STREAK = 20
    TOP_SHARE = 21
    MONTHLY_MEAN = 22
    MONTHS_UNTIL_VALUE = 23
    SEASONAL_VARIATION = 24
    WORKING_AGE_SHARE = 25
    NONE = 26
    YEARS_SINCE_FIRST = 27
    YEARS_UNTIL_VALUE = 28


class Grid(IntEnum):
    """How a slot's events fall into buckets: by month edges, by day edges, or those valid now."""

    MONTHS = 0
    DAYS = 1
    NOW = 2


_I1 = Array(int64, 1, "C", readonly=True)
_I2 = Array(int64, 2, "C", readonly=True)
_U1 = Array(uint64, 1, "C", readonly=True)
_F1 = Array(float64, 1, "C", readonly=True)


class Test(IntEnum):
    """How a condition compares a field with what is wanted; an absent value meets none."""

    EQ = 0
    NE = 1
    LT = 2
    LE = 3
    GT = 4
    GE = 5
    IN = 6


_SIGNATURE = void(
    _I1,
    _I1,
    _I1,
    _I1,
    _I1,
    _I1,
    _I1,
    _U1,
    _I2,
    _I1,
    int64,
    _I1,
    _I2,
    _I2,
    _F1,
    float64[:, ::1],
    uint8[:, ::1],
)


@njit(cache=True)
def months_before(moment, months):
    """``features.calendar.months_before`` for compiled code (Hinnant's civil-day algorithms)."""
    local = moment + CHINA_OFFSET
    days = local // DAY
    z = days + 719468
    era = z // 146097
    doe = z - era * 146097
    yoe = (doe - doe // 1460 + doe // 36524 - doe // 146096) // 365
    doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
    mp = (5 * doy + 2) // 153
    d = doy - (153 * mp + 2) // 5 + 1
    m = mp + 3 if mp < 10 else mp - 9
    y = yoe + era * 400 + (1 if m <= 2 else 0)
    index = y * 12 + (m - 1) - months
    year, month = index // 12, index % 12 + 1
    first = _days(year, month)
    last = _days(year + (1 if month == 12 else 0), month % 12 + 1) - first
    return (first + min(d, last) - 1) * DAY + (local - days * DAY) - CHINA_OFFSET


@njit(cache=True)
def _days(year, month):
    y = year - (1 if month <= 2 else 0)
    era = y // 400
    yoe = y - era * 400
    mp = month - 3 if month > 2 else month + 9
    doe = yoe * 365 + yoe // 4 - yoe // 100 + (153 * mp + 2) // 5
    return era * 146097 + doe - 719468


@njit(cache=True)
def _first_not_before(valid_from, lo, hi, moment):
    while lo < hi:
        middle = (lo + hi) // 2
        if valid_from[middle] < moment:
            lo = middle + 1
        else:
            hi = middle
    return lo


@njit(cache=True)
def _newest_month(counts, slot, last):
    for bucket in range(last):
        if counts[slot, bucket] > 0:
            return bucket
    return -1


@njit(cache=True)
def _streak(counts, slot, last):
    start = _newest_month(counts, slot, last)
    if start < 0:
        return 0
    length = 0
    for bucket in range(start, last):
        if counts[slot, bucket] == 0:
            break
        length += 1
    return length


@njit(cache=True)
def _longest_streak(counts, slot, last):
    longest = 0
    length = 0
    for bucket in range(last):
        length = length + 1 if counts[slot, bucket] > 0 else 0
        longest = max(longest, length)
    return longest


@njit(cache=True)
def _trend(counts, sums, slot, last):
    """Least-squares slope a month of the monthly sums over their mean, from the newest month with a record."""
    start = _newest_month(counts, slot, last)
    n = last - start
    if start < 0 or n < 3:
        return np.nan
    mean_x = (n - 1) / 2.0
    total = 0.0
    cross = 0.0
    square = 0.0
    for k in range(n):
        value = float(sums[slot, start + k])
        x = (n - 1 - k) - mean_x
        total += value
        cross += x * value
        square += x * x
    if total == 0.0:
        return np.nan
    return (cross / square) / abs(total / n)


@njit(cache=True)
def _variation(counts, sums, slot, last):
    """Standard deviation of the monthly sums over their mean (Welford), from the newest month with a record."""
    start = _newest_month(counts, slot, last)
    n = last - start
    if start < 0 or n < 3:
        return np.nan
    total = np.int64(0)
    mean = 0.0
    spread = 0.0
    for k in range(n):
        total += sums[slot, start + k]
        value = float(sums[slot, start + k])
        delta = value - mean
        mean += delta / (k + 1)
        spread += delta * (value - mean)
    if total == 0:  # the running mean may miss its zero by a rounding
        return np.nan
    return np.sqrt(spread / n) / abs(mean)


@njit(cache=True)
def _seasonal_variation(sums, slot, last):
    """Standard deviation over mean (Welford) of each month's sum over that of the same month a year before."""
    n = 0
    mean = 0.0
    spread = 0.0
    for bucket in range(last):
        before = sums[slot, bucket + 12]
        if before > 0:
            value = float(sums[slot, bucket]) / float(before)
            n += 1
            delta = value - mean
            mean += delta / n
            spread += delta * (value - mean)
    if n < 3 or mean == 0.0:
        return np.nan
    return np.sqrt(spread / n) / abs(mean)


@njit(cache=True)
def _working_age_share(columns, column, chosen, moment):
    """Share of the dates of birth that make their bearer 16 or more and under 60 at the moment."""
    grown = months_before(moment, 16 * 12)
    retired = months_before(moment, 60 * 12)
    found = 0
    for k in range(len(chosen)):
        birth = columns[column, chosen[k]]
        if retired < birth <= grown:
            found += 1
    return found / len(chosen)


@njit(cache=True)
def _gather(members, buckets, count, last):
    chosen = np.empty(count, np.int64)
    n = 0
    for k in range(count):
        if buckets[k] < last:
            chosen[n] = members[k]
            n += 1
    return chosen[:n]


@njit(cache=True)
def _distinct(columns, column, chosen):
    values = np.empty(len(chosen), np.int64)
    for k in range(len(chosen)):
        values[k] = columns[column, chosen[k]]
    values.sort()
    found = 0
    for k in range(len(values)):
        if k == 0 or values[k] != values[k - 1]:
            found += 1
    return found


@njit(cache=True)
def _concentration(columns, column, weight, chosen):
    """Herfindahl index of the weights (or counts) by value."""
    values = np.empty(len(chosen), np.int64)
    for k in range(len(chosen)):
        values[k] = columns[column, chosen[k]]
    order = np.argsort(values, kind="mergesort")
    total = 0.0
    squares = 0.0
    part = 0.0
    for k in range(len(order)):
        at = order[k]
        share = 1.0
        if weight >= 0:
            amount = columns[weight, chosen[at]]
            share = 0.0 if amount == NULL else abs(float(amount))
        if k > 0 and values[at] != values[order[k - 1]]:
            squares += part * part
            part = 0.0
        part += share
        total += share
    squares += part * part
    if total == 0.0:
        return np.nan
    return squares / (total * total)


@njit(cache=True)
def _top_share(columns, column, weight, chosen):
    """Share of the five largest values by weight (or count) in all of the weight."""
    values = np.empty(len(chosen), np.int64)
    for k in range(len(chosen)):
        values[k] = columns[column, chosen[k]]
    order = np.argsort(values, kind="mergesort")
    top = np.zeros(5)
    total = 0.0
    part = 0.0
    for k in range(len(order) + 1):
        if k == len(order) or (k > 0 and values[order[k]] != values[order[k - 1]]):
            least = np.argmin(top)
            top[least] = max(top[least], part)
            part = 0.0
        if k < len(order):
            share = 1.0
            if weight >= 0:
                amount = columns[weight, chosen[order[k]]]
                share = 0.0 if amount == NULL else abs(float(amount))
            part += share
            total += share
    if total == 0.0:
        return np.nan
    top.sort()
    largest = 0.0
    for k in range(5):
        largest += top[k]
    return largest / total


@njit(cache=True)
def _negative_months(counts, sums, slot, other, last):
    found = 0
    for bucket in range(last):
        if counts[slot, bucket] + counts[other, bucket] > 0 and sums[slot, bucket] < sums[other, bucket]:
            found += 1
    return found


@njit(cache=True)
def _ratio(top, bottom):
    return np.nan if bottom == 0 else float(top) / float(bottom)


@njit(cache=True)
def _bounds(test, limit):
    """Smallest and largest value that an ordered test lets pass; no value where the second is the smaller."""
    if test == 0:
        return limit, limit
    if test == 2:
        return NULL + 1, limit - 1 if limit > NULL else NULL
    if test == 3:
        return NULL + 1, limit
    if test == 4:
        return (limit + 1, LARGEST) if limit < LARGEST else (LARGEST, NULL)
    return limit, LARGEST


@njit(cache=True)
def _among(value, test, wanted, first, count):
    """Whether a value that is there is one of those wanted or, for NE, is not the last of them."""
    if value == NULL:
        return False
    if test == 1:
        return value != wanted[first + count - 1]
    for k in range(first, first + count):
        if value == wanted[k]:
            return True
    return False


@njit(void(_I2, _I1, _I2, _I1, uint64[::1]), cache=True, nogil=True)
def fill_mask(columns, filters, conditions, wanted, mask):
    """Set in ``mask`` [events], which is 0, the bit of each filter whose conditions all hold.

    ``filters`` [n + 1]: where each filter's conditions begin. ``conditions`` [n, 4]: row of ``columns``,
    ``Test``, first and number of its values in ``wanted``. An absent value meets none. Condition by
    condition, because such loops need no branch.
    """
    kept = np.empty(len(mask), np.uint64)
    for number in range(len(filters) - 1):
        kept[:] = np.uint64(1)
        for at in range(filters[number], filters[number + 1]):
            values = columns[conditions[at, 0]]
            test, first, count = conditions[at, 1], conditions[at, 2], conditions[at, 3]
            if test == 1 or test == 6:
                for event in range(len(mask)):
                    kept[event] &= np.uint64(_among(values[event], test, wanted, first, count))
            else:
                low, high = _bounds(test, wanted[first])
                for event in range(len(mask)):
                    kept[event] &= np.uint64(low <= values[event]) & np.uint64(values[event] <= high)
        for event in range(len(mask)):
            mask[event] |= kept[event] << np.uint64(number)


@njit(_SIGNATURE, cache=True, nogil=True)
def aggregate(
    lo, hi, as_of, valid_from, valid_to, known_from, known_to, mask, columns, months, open_end, days, slots, ops,
    divisors, out, missing,
):  # fmt: skip
    """Fill ``out`` and ``missing`` [as-of rows, columns] from one dataset's sorted events.

    A row's events are ``lo:hi``. ``mask`` has a bit a filter. ``months`` and ``days`` are ascending
    window edges; ``open_end`` adds a bucket for all that is older. ``slots`` [n, 4]: filter, column or
    -1, grid, what it needs (``NEEDS_*``). ``ops`` [n, 5]: aggregate, slot, second slot or column or -1,
    last bucket, output column. An event counts where ``valid_from`` lies in [edge, as_of) and
    ``known_from <= as_of < known_to``; a result that is not a number is ``NO_RECORD``.
    """
    n_slots = slots.shape[0]
    n_months = len(months)
    n_days = len(days)
    width = max(n_months + 1, n_days, 1)
    counts = np.zeros((n_slots, width), np.int64)
    sums = np.zeros((n_slots, width), np.int64)
    lows = np.empty((n_slots, width), np.int64)
    highs = np.empty((n_slots, width), np.int64)
    whole_counts = np.zeros((n_slots, width), np.int64)
    whole_sums = np.zeros((n_slots, width), np.int64)
    newest = np.empty(n_slots, np.int64)
    oldest = np.empty(n_slots, np.int64)
    month_edges = np.empty(n_months, np.int64)
    day_edges = np.empty(n_days, np.int64)
    longest = 0
    for row in range(len(lo)):
        longest = max(longest, hi[row] - lo[row])
    n_sets = 0
    has_now = False
    has_extremes = False
    for slot in range(n_slots):
        n_sets += slots[slot, 3] & NEEDS_MEMBERS
        has_extremes = has_extremes or slots[slot, 3] & NEEDS_EXTREMES != 0
        has_now = has_now or slots[slot, 2] == 2
    members = np.empty((n_slots if n_sets else 0, longest), np.int64)
    member_buckets = np.empty((n_slots if n_sets else 0, longest), np.int64)
    member_counts = np.zeros(n_slots, np.int64)

    starts = np.zeros(66, np.int64)
    order = np.empty(n_slots, np.int64)
    placed = 0
    for bit in range(64):
        for slot in range(n_slots):
            if slots[slot, 0] == bit:
                order[placed] = slot
                placed += 1
        starts[bit + 1] = placed

    for row in range(len(lo)):
        moment = as_of[row]
        end = _first_not_before(valid_from, lo[row], hi[row], moment)
        if end == lo[row]:  # nothing was true yet: the same for everybody
            for op in range(ops.shape[0]):
                kind = ops[op, 0]
                is_zero = kind == 0 or kind == 1 or kind == 9 or kind == 10 or kind == 15 or kind == 20
                out[row, ops[op, 4]] = 1.0 if kind == 26 else 0.0
                missing[row, ops[op, 4]] = 0 if is_zero or kind == 26 else 1
            continue
        counts[:] = 0
        sums[:] = 0
        if has_extremes:
            lows[:] = LARGEST
            highs[:] = NULL
        newest[:] = -1
        oldest[:] = -1
        member_counts[:] = 0
        floor = moment
        for k in range(n_months):
            month_edges[k] = months_before(moment, months[k])
            floor = min(floor, month_edges[k])
        for k in range(n_days):
            day_edges[k] = moment - days[k] * DAY
            floor = min(floor, day_edges[k])
        if open_end == 1 or has_now:
            floor = NULL
        month = 0
        day = 0
        for event in range(end - 1, lo[row] - 1, -1):
            start = valid_from[event]
            if start < floor:
                break
            while month < n_months and start < month_edges[month]:
                month += 1
            while day < n_days and start < day_edges[day]:
                day += 1
            bits = mask[event]
            if bits == 0 or known_from[event] > moment or known_to[event] <= moment:
                continue
            at = 0
            while bits != 0:
                if bits & np.uint64(1) == 0:
                    bits >>= np.uint64(1)
                    at += 1
                    continue
                bits >>= np.uint64(1)
                at += 1
                for place in range(starts[at - 1], starts[at]):
                    slot = order[place]
                    grid = slots[slot, 2]
                    bucket = month
                    if grid == 0:
                        if month == n_months and open_end == 0:
                            continue
                    elif grid == 1:
                        if day == n_days:
                            continue
                        bucket = day
                    else:
                        if valid_to[event] <= moment:
                            continue
                        bucket = 0
                    needs = slots[slot, 3]
                    value = np.int64(0)
                    if slots[slot, 1] >= 0:
                        value = columns[slots[slot, 1], event]
                        if value == NULL:
                            continue
                    counts[slot, bucket] += 1
                    if needs == 0:
                        continue
                    sums[slot, bucket] += value
                    if needs & NEEDS_EXTREMES:
                        lows[slot, bucket] = min(lows[slot, bucket], value)
                        highs[slot, bucket] = max(highs[slot, bucket], value)
                    if needs & NEEDS_ENDS:
                        if newest[slot] < 0:
                            newest[slot] = event
                        oldest[slot] = event
                    if needs & NEEDS_MEMBERS:
                        members[slot, member_counts[slot]] = event
                        member_buckets[slot, member_counts[slot]] = bucket
                        member_counts[slot] += 1

        for slot in range(n_slots):  # totals and extremes up to each bucket: a window then is one look-up
            number = np.int64(0)
            total = np.int64(0)
            extremes = slots[slot, 3] & NEEDS_EXTREMES
            for bucket in range(width):
                if extremes and bucket > 0:
                    lows[slot, bucket] = min(lows[slot, bucket], lows[slot, bucket - 1])
                    highs[slot, bucket] = max(highs[slot, bucket], highs[slot, bucket - 1])
                number += counts[slot, bucket]
                total += sums[slot, bucket]
                whole_counts[slot, bucket] = number
                whole_sums[slot, bucket] = total
        for op in range(ops.shape[0]):
            kind = ops[op, 0]
            slot = ops[op, 1]
            other = ops[op, 2]
            last = ops[op, 3]
            number = whole_counts[slot, last - 1]
            total = whole_sums[slot, last - 1]
            result = np.nan
            if kind == 0:
                result = float(number)
            elif kind == 1:
                result = total / divisors[op]
            elif kind == 15:
                result = 1.0 if number > 0 else 0.0
            elif kind == 26:
                result = 0.0 if number > 0 else 1.0
            elif kind == 9:
                result = 0.0
                for bucket in range(last):
                    result += 1.0 if counts[slot, bucket] > 0 else 0.0
            elif kind == 10:
                result = float(_streak(counts, slot, last))
            elif kind == 20:
                result = float(_longest_streak(counts, slot, last))
            elif kind == 13:
                result = _ratio(number, whole_counts[other, last - 1])
            elif kind == 14:
                result = _ratio(total, whole_sums[other, last - 1])
            elif kind == 17:
                before = whole_sums[slot, 11 + last] - whole_sums[slot, 11]
                result = _ratio(total - before, before)
            elif kind == 18:
                if number + whole_counts[other, last - 1] > 0:
                    result = float(_negative_months(counts, sums, slot, other, last))
            elif number > 0:
                if kind == 2:
                    result = total / float(number) / divisors[op]
                elif kind == 3:
                    result = lows[slot, last - 1] / divisors[op]
                elif kind == 4:
                    result = highs[slot, last - 1] / divisors[op]
                elif kind == 5:
                    result = columns[slots[slot, 1], newest[slot]] / divisors[op]
                elif kind == 7:
                    result = (moment - valid_from[newest[slot]]) / float(DAY) / MONTH_DAYS
                elif kind == 8:
                    result = (moment - valid_from[oldest[slot]]) / float(DAY) / MONTH_DAYS
                elif kind == 11:
                    result = _trend(counts, sums, slot, last)
                elif kind == 12:
                    result = _variation(counts, sums, slot, last)
                elif kind == 19:
                    result = (moment - columns[slots[slot, 1], newest[slot]]) / float(DAY) / MONTH_DAYS
                elif kind == 22:
                    result = total / divisors[op]
                elif kind == 23:
                    result = (columns[slots[slot, 1], newest[slot]] - moment) / float(DAY) / MONTH_DAYS
                elif kind == 27:
                    result = (moment - valid_from[oldest[slot]]) / float(DAY) / YEAR_DAYS
                elif kind == 28:
                    result = (columns[slots[slot, 1], newest[slot]] - moment) / float(DAY) / YEAR_DAYS
                elif kind == 24:
                    result = _seasonal_variation(sums, slot, last)
                else:
                    chosen = _gather(members[slot], member_buckets[slot], member_counts[slot], last)
                    if kind == 6:
                        result = float(_distinct(columns, slots[slot, 1], chosen))
                    elif kind == 16:
                        result = _concentration(columns, slots[slot, 1], other, chosen)
                    elif kind == 21:
                        result = _top_share(columns, slots[slot, 1], other, chosen)
                    elif kind == 25:
                        result = _working_age_share(columns, slots[slot, 1], chosen, moment)
            if np.isnan(result):
                out[row, ops[op, 4]] = 0.0
                missing[row, ops[op, 4]] = 1
            else:
                out[row, ops[op, 4]] = result
                missing[row, ops[op, 4]] = 0


_TIMES = 6


@njit(
    void(
        _I1, _I2, int64, _I2, _I1, _I1, _I1, _I2, _I1, _I2, _I2, _F1, float64[:, ::1], uint8[:, ::1]
    ),
    cache=True,
    nogil=True,
)  # fmt: skip
def aggregate_packed(
    data, layout, moment, bounds, months, days, filters, conditions, wanted, slots, ops, divisors, out, missing
):  # fmt: skip
    """Fill the only row of ``out`` and ``missing`` from one subject's packed timeline, all datasets at once.

    ``data`` holds for each dataset a block int64 [6 times + fields, rows]. ``layout`` [datasets, 3]: where
    it begins (-1: leave its columns alone), rows, fields. ``bounds`` [datasets, 13] are the ranges of each
    dataset's part of the arrays that ``aggregate`` and ``fill_mask`` take, and whether all is looked at.
    """
    zero = np.zeros(1, np.int64)
    as_of = np.full(1, moment, np.int64)
    for d in range(layout.shape[0]):
        start, rows, fields = layout[d, 0], layout[d, 1], layout[d, 2]
        if start < 0:
            continue
        b = bounds[d]
        columns = data[start + _TIMES * rows : start + (_TIMES + fields) * rows].reshape((fields, rows))
        mask = np.zeros(rows, np.uint64)
        fill_mask(columns, filters[b[4] : b[5]], conditions[b[6] : b[7]], wanted, mask)
        aggregate(
            zero, np.full(1, rows, np.int64), as_of, data[start + rows : start + 2 * rows],
            data[start + 2 * rows : start + 3 * rows], data[start + 3 * rows : start + 4 * rows],
            data[start + 4 * rows : start + 5 * rows], mask, columns, months[b[0] : b[1]], b[12],
            days[b[2] : b[3]], slots[b[8] : b[9]], ops[b[10] : b[11]], divisors[b[10] : b[11]], out, missing,
        )  # fmt: skip


@njit(void(_I1, _I2, int64, uint8[::1]), cache=True)
def known_packed(data, layout, moment, known):
    """Set in ``known`` [datasets] whether any record of a packed dataset is known at the moment."""
    for d in range(layout.shape[0]):
        known[d] = 0
        start, rows = layout[d, 0], layout[d, 1]
        for event in range(rows if start >= 0 else 0):
            if data[start + 3 * rows + event] <= moment < data[start + 4 * rows + event]:
                known[d] = 1
                break
