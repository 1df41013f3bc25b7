"""A feed changes when its volume or its codes are not those of the six months before."""

from __future__ import annotations

from math import log

import msgspec
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from features.calendar import NEVER, NULL, month_start
from features.canonical import code_of
from features.contracts.model import Contract
from features.quality.drift import Change, Drift, Level, drift_of, psi, psi_by_chance, robust_z
from features.timeline.events import RETRACTED, RawEvents
from tests.features.timeline.test_ingest import CONTRACT

STATES = {code: {"zh": code, "en": code} for code in ("paid", "arrears")}
FIELDS = [field | ({"codes": STATES} if field["name"] == "status" else {}) for field in CONTRACT["fields"]]
PAID = msgspec.convert(CONTRACT | {"fields": FIELDS}, Contract)
JANUARY = 54 * 12


def feed(months: list[dict[str | None, int]], retracted: int = 0) -> RawEvents:
    """Rows of each month from January 2024 on, by state (None where it is empty)."""
    rows = [(m, state) for m, counts in enumerate(months) for state, n in counts.items() for _ in range(n)]
    known = month_start(np.array([JANUARY + month for month, _ in rows]))
    status = np.array([NULL if state is None else code_of(state) for _, state in rows], dtype=np.int64)
    nothing = np.full(len(rows), NULL)
    columns = {"period": known, "base": nothing, "status": status, "published_at": known}
    end = np.where(np.arange(len(rows)) < retracted, RETRACTED, NEVER)
    order = np.arange(len(rows))
    return RawEvents(order, known, end, known, order, order, columns)


def drift(months: list[dict[str | None, int]], now: int | None = None) -> list[Drift]:
    return list(drift_of(PAID, feed(months), int(month_start(JANUARY + (now or len(months))))).findings)


def test_a_steady_feed_has_no_finding() -> None:
    assert drift([{"paid": 900, "arrears": 100}] * 9) == []


def test_half_of_the_volume_is_to_act_on_and_two_thirds_to_watch() -> None:
    (half,) = drift([{"paid": 1000}] * 6 + [{"paid": 500}])
    assert (half.month, half.change, half.level, half.ratio) == ("2024-07", Change.VOLUME, Level.ACT, 0.5)
    assert half.value == pytest.approx(-500 / 1000**0.5, abs=0.01)
    (third,) = drift([{"paid": 1000}] * 6 + [{"paid": 650}])
    assert third.level is Level.WATCH


def test_a_month_without_a_row_is_a_month_and_one_that_has_not_ended_is_none() -> None:
    months: list[dict[str | None, int]] = [{"paid": 100}] * 6 + [{}, {"paid": 100}]
    found = drift_of(PAID, feed(months), int(month_start(JANUARY + 8)))
    assert found.rows == (*[100] * 6, 0, 100)
    assert [(each.month, each.level) for each in found.findings] == [("2024-07", Level.ACT)]
    assert drift(months, now=6) == []


def test_few_rows_scatter_and_that_is_no_drift() -> None:
    assert drift([{"paid": 4}, {"paid": 6}] * 3 + [{"paid": 1}]) == []
    assert robust_z(1, np.array([4, 6] * 3)) == pytest.approx(-4 / 5**0.5)


def test_rows_that_take_others_back_are_not_counted() -> None:
    found = drift_of(PAID, feed([{"paid": 10}], retracted=4), int(month_start(JANUARY + 1)))
    assert found.rows == (6,)


def test_codes_that_shift_are_to_watch_from_a_psi_of_a_tenth_and_to_act_on_from_a_quarter() -> None:
    before = [{"paid": 900, "arrears": 100}] * 6
    assert drift([*before, {"paid": 850, "arrears": 150}]) == []
    (watched,) = drift([*before, {"paid": 780, "arrears": 220}])
    assert (watched.change, watched.field, watched.level) == (Change.CODES, "status", Level.WATCH)
    a, b = (5400.5 / 6001, 600.5 / 6001), (780.5 / 1001, 220.5 / 1001)
    assert watched.value == pytest.approx(
        sum((y - x) * log(y / x) for x, y in zip(a, b, strict=True)), abs=1e-4
    )
    (acted,) = drift([*before, {"paid": 650, "arrears": 350}])
    assert acted.level is Level.ACT


def test_a_code_that_is_new_and_one_that_vanished_are_named() -> None:
    new = drift([{"paid": 1000}] * 6 + [{"paid": 999, "arrears": 1}])
    assert [(each.change, each.code, each.value) for each in new] == [(Change.NEW_CODE, "arrears", 1)]
    gone = drift([{"paid": 980, "arrears": 20}] * 6 + [{"paid": 1000}])
    assert [(each.change, each.code, each.value) for each in gone] == [(Change.VANISHED_CODE, "arrears", 120)]
    rare = drift([{"paid": 999, "arrears": 1}] * 6 + [{"paid": 1000}])
    assert rare == [], "of one row a month none is no news"


def test_empty_values_are_no_code() -> None:
    assert drift([{"paid": 900, None: 100}] * 6 + [{"paid": 600, None: 400}]) == []


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=1, max_size=8))
def test_psi_is_the_plain_sum(pairs: list[tuple[int, int]]) -> None:
    before, own = (np.array(column) for column in zip(*pairs, strict=True))
    assume(before.sum() and own.sum())
    expected = 0.0
    for x, y in pairs:
        a = (x + 0.5) / (sum(p for p, _ in pairs) + 0.5 * len(pairs))
        b = (y + 0.5) / (sum(q for _, q in pairs) + 0.5 * len(pairs))
        expected += (b - a) * log(b / a)
    assert psi(before, own) == pytest.approx(expected, abs=1e-12)
    assert psi(before, before) == 0


def test_an_unchanged_source_passes_the_limit_of_chance_once_in_a_hundred_months() -> None:
    rng = np.random.default_rng(7)
    draws = [
        (rng.multinomial(600, [0.7, 0.2, 0.1]), rng.multinomial(100, [0.7, 0.2, 0.1])) for _ in range(4000)
    ]
    passed = np.mean([psi(a, b) > psi_by_chance(600, 100, 3) for a, b in draws])
    assert 0.004 < passed < 0.02
