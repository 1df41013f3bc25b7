"""The kernel's twin: slow, plain and obviously right. It shares no code with the kernel."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from features.calendar import DAY, NULL, months_before

Event = Mapping[str, Any]
"""valid_from, valid_to, known_from, known_to and the fields by name; ``NULL`` where absent."""

MONTH = 30.4375


def holds(event: Event, conditions: Mapping[str, Any]) -> bool:
    """Whether an event meets conditions whose values are as stored."""
    for name, wanted in conditions.items():
        value = event[name]
        if value == NULL:
            return False
        if isinstance(wanted, list):
            ok = value in wanted
        elif isinstance(wanted, dict):
            signs = {
                "ne": value.__ne__,
                "lt": value.__lt__,
                "le": value.__le__,
                "gt": value.__gt__,
                "ge": value.__ge__,
            }
            ok = all(signs[sign](limit) for sign, limit in wanted.items())
        else:
            ok = value == wanted
        if not ok:
            return False
    return True


def in_window(event: Event, as_of: int, window: str) -> bool:
    """Whether a known event lies in a window before ``as_of``."""
    if not (event["known_from"] <= as_of < event["known_to"]) or event["valid_from"] >= as_of:
        return False
    if window == "now":
        return bool(event["valid_to"] > as_of)
    if window == "all":
        return True
    length = int(window[:-1])
    edge = months_before(as_of, length) if window[-1] == "m" else as_of - length * DAY
    return bool(event["valid_from"] >= edge)


def feature(
    events: Sequence[Event],
    as_of: int,
    aggregate: str,
    window: str,
    *,
    column: str = "",
    where: Mapping[str, Any] | None = None,
    against: Mapping[str, Any] | None = None,
    weight: str = "",
) -> float | None:
    """One feature of one subject's events (in timeline order), or None for ``NO_RECORD``."""
    inside = [e for e in events if in_window(e, as_of, window)]
    with_value = [e for e in inside if not column or e[column] != NULL]
    chosen = [e for e in with_value if holds(e, where or {})]
    others = [e for e in with_value if against is not None and holds(e, against)]
    values = [e[column] for e in chosen] if column else []
    months = int(window[:-1]) if window[-1] == "m" else 0
    if aggregate == "count":
        return float(len(chosen))
    if aggregate == "any":
        return float(bool(chosen))
    if aggregate == "none":
        return float(not chosen)
    if aggregate == "sum":
        return float(sum(values))
    if aggregate == "active_months":
        return float(sum(bool(month) for month in by_month(chosen, as_of, months)))
    if aggregate == "streak":
        return float(streak(by_month(chosen, as_of, months)))
    if aggregate == "longest_streak":
        return float(longest_streak(by_month(chosen, as_of, months)))
    if aggregate == "share":
        return len(chosen) / len(others) if others else None
    if aggregate == "share_sum":
        bottom = sum(e[column] for e in others)
        return sum(values) / bottom if bottom else None
    if aggregate == "year_on_year":
        return year_on_year(events, as_of, months, column, where or {})
    if aggregate == "negative_months":
        return negative_months(chosen, others, as_of, months, column)
    if not chosen:
        return None
    if aggregate == "mean":
        return sum(values) / len(values)
    if aggregate in {"min", "max"}:
        return float(min(values) if aggregate == "min" else max(values))
    if aggregate == "last":
        return float(chosen[-1][column])
    if aggregate == "distinct":
        return float(len(set(values)))
    if aggregate == "months_since_last":
        return (as_of - chosen[-1]["valid_from"]) / DAY / MONTH
    if aggregate == "months_since_first":
        return (as_of - chosen[0]["valid_from"]) / DAY / MONTH
    if aggregate == "months_since_value":
        return (as_of - chosen[-1][column]) / DAY / MONTH
    if aggregate == "months_until_value":
        return (chosen[-1][column] - as_of) / DAY / MONTH
    if aggregate == "years_since_first":
        return (as_of - chosen[0]["valid_from"]) / DAY / 365.25
    if aggregate == "years_until_value":
        return (chosen[-1][column] - as_of) / DAY / 365.25
    if aggregate == "monthly_mean":
        return sum(values) / months
    if aggregate == "top_share":
        return top_share(chosen, column, weight)
    if aggregate == "seasonal_variation":
        return seasonal_variation(events, as_of, months, column, where or {})
    if aggregate == "working_age_share":
        ages = [age(birth, as_of) for birth in values]
        return sum(16 <= years < 60 for years in ages) / len(ages)
    if aggregate == "concentration":
        return concentration(chosen, column, weight)
    sums = [sum(e[column] for e in month) for month in by_month(chosen, as_of, months)]
    started = next(k for k, month in enumerate(by_month(chosen, as_of, months)) if month)
    return (trend if aggregate == "trend" else variation)(sums[started:])


def by_month(events: Sequence[Event], as_of: int, months: int) -> list[list[Event]]:
    """Events by month before ``as_of``, the newest month first."""
    edges = [as_of, *(months_before(as_of, k) for k in range(1, months + 1))]
    return [[e for e in events if edges[k + 1] <= e["valid_from"] < edges[k]] for k in range(months)]


def streak(months: Sequence[Sequence[Event]]) -> int:
    """Months with an event in a row, from the newest that has one."""
    length = 0
    for month in months:
        if month:
            length += 1
        elif length:
            break
    return length


def longest_streak(months: Sequence[Sequence[Event]]) -> int:
    """The longest run of months with an event."""
    text = "".join("x" if month else " " for month in months)
    return max((len(run) for run in text.split()), default=0)


def age(birth: int, as_of: int) -> int:
    """Whole years at a moment; who was born on a leap day is a year older on 28 February's end."""
    return next(years for years in range(200) if months_before(as_of, 12 * (years + 1)) < birth)


def seasonal_variation(
    events: Sequence[Event], as_of: int, months: int, column: str, where: Mapping[str, Any]
) -> float | None:
    known = [e for e in events if e["known_from"] <= as_of < e["known_to"] and e["valid_from"] < as_of]
    chosen = [e for e in known if e[column] != NULL and holds(e, where)]
    by = [sum(e[column] for e in month) for month in by_month(chosen, as_of, 12 + months)]
    ratios = [by[k] / by[k + 12] for k in range(months) if by[k + 12] > 0]
    if len(ratios) < 3 or sum(ratios) == 0:
        return None
    mean = sum(ratios) / len(ratios)
    return math.sqrt(sum((r - mean) ** 2 for r in ratios) / len(ratios)) / abs(mean)


def year_on_year(
    events: Sequence[Event], as_of: int, months: int, column: str, where: Mapping[str, Any]
) -> float | None:
    known = [e for e in events if e["known_from"] <= as_of < e["known_to"] and e["valid_from"] < as_of]
    chosen = [e for e in known if e[column] != NULL and holds(e, where)]
    by = [sum(e[column] for e in month) for month in by_month(chosen, as_of, 12 + months)]
    now, then = sum(by[:months]), sum(by[12 : 12 + months])
    return (now - then) / then if then else None


def negative_months(
    into: Sequence[Event], out: Sequence[Event], as_of: int, months: int, column: str
) -> float | None:
    pairs = list(zip(by_month(into, as_of, months), by_month(out, as_of, months), strict=True))
    if not any(a or b for a, b in pairs):
        return None
    return float(
        sum(bool(a or b) and sum(e[column] for e in a) < sum(e[column] for e in b) for a, b in pairs)
    )


def concentration(events: Sequence[Event], column: str, weight: str) -> float | None:
    parts: dict[int, float] = {}
    for e in events:
        amount = 1.0 if not weight else 0.0 if e[weight] == NULL else abs(float(e[weight]))
        parts[e[column]] = parts.get(e[column], 0.0) + amount
    total = sum(parts.values())
    return sum((part / total) ** 2 for part in parts.values()) if total else None


def top_share(events: Sequence[Event], column: str, weight: str) -> float | None:
    parts: dict[int, float] = {}
    for e in events:
        amount = 1.0 if not weight else 0.0 if e[weight] == NULL else abs(float(e[weight]))
        parts[e[column]] = parts.get(e[column], 0.0) + amount
    total = sum(parts.values())
    return sum(sorted(parts.values())[-5:]) / total if total else None


def trend(sums: Sequence[int]) -> float | None:
    """Slope over mean, oldest month first on the time axis."""
    n = len(sums)
    if n < 3 or sum(sums) == 0:
        return None
    series = list(reversed(sums))
    mean_x, mean_y = (n - 1) / 2, sum(series) / n
    cross = sum((x - mean_x) * y for x, y in enumerate(series))
    return cross / sum((x - mean_x) ** 2 for x in range(n)) / abs(mean_y)


def variation(sums: Sequence[int]) -> float | None:
    """Population standard deviation over mean."""
    n = len(sums)
    if n < 3 or sum(sums) == 0:
        return None
    mean = sum(sums) / n
    return math.sqrt(sum((s - mean) ** 2 for s in sums) / n) / abs(mean)
