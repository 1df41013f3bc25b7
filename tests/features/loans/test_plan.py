"""Schedules of the four kinds repay the principal to the fen, on days that exist."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.calendar import instant, local_date
from features.errors import Invalid
from features.loans.instalments import schedule
from features.loans.model import day_of, start_of
from features.loans.plan import Repayment, Terms, fault_of, plan

DRAWN = instant("2024-01-31")


def half_up(exact: Fraction) -> int:
    return int(exact + Fraction(1, 2))


@given(
    st.sampled_from(Repayment), st.integers(1, 10**10), st.integers(0, 360_000), st.integers(1, 60),
    st.integers(0, 5000), st.integers(0, 40_000),
)  # fmt: skip
def test_every_schedule_adds_up_to_the_fen(kind, amount, rate, months, fee, days) -> None:
    terms = Terms(kind, rate, months, fee, frozenset(range(1, 13)) if months < 12 else frozenset({6, 11}))
    drawn = start_of(days)
    lines = plan(terms, amount, drawn)
    assert not fault_of(lines, amount, days)
    assert sum(line.fee_fen for line in lines) == fee
    balance = amount
    for line in lines:
        month = half_up(Fraction(balance * rate, 12_000_000))
        assert line.interest_fen == (
            half_up(Fraction(amount * rate * months, 12_000_000)) if kind is Repayment.BULLET else month
        )
        balance -= line.principal_fen


def test_equal_instalments_are_those_of_an_offer() -> None:
    lines = plan(Terms(Repayment.EQUAL, 72_000, 12, 300), 1_000_001, DRAWN)
    offered = schedule(1_000_001, 72_000, 12, 300)
    assert [(x.principal_fen, x.interest_fen, x.fee_fen) for x in lines] == [
        (x.principal_fen, x.interest_fen, x.fee_fen) for x in offered
    ]


def test_due_days_are_the_drawdowns_day_or_the_months_last() -> None:
    lines = plan(Terms(Repayment.EQUAL, 72_000, 4), 100_000, DRAWN)
    assert [local_date(start_of(line.due_day)) for line in lines] == [
        date(2024, 2, 29), date(2024, 3, 31), date(2024, 4, 30), date(2024, 5, 31),
    ]  # fmt: skip


def test_interest_first_bullet_and_seasonal_by_hand() -> None:
    first = plan(Terms(Repayment.INTEREST_FIRST, 60_000, 3), 100_000, DRAWN)
    assert [(x.principal_fen, x.interest_fen) for x in first] == [(0, 500), (0, 500), (100_000, 500)]
    bullet = plan(Terms(Repayment.BULLET, 60_000, 3), 100_000, DRAWN)
    assert [(x.principal_fen, x.interest_fen) for x in bullet] == [(100_000, 1_500)]
    season = plan(Terms(Repayment.SEASONAL, 60_000, 4, 0, frozenset({3, 5})), 100_001, DRAWN)
    assert [(x.principal_fen, x.interest_fen) for x in season] == [
        (0, 500), (50_000, 500), (0, 250), (50_001, 250),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("terms", "amount", "place"),
    [
        (Terms(Repayment.EQUAL, 60_000, 0), 100, "terms"),
        (Terms(Repayment.EQUAL, -1, 3), 100, "terms"),
        (Terms(Repayment.BULLET, 60_000, 3), 0, "terms"),
        (Terms(Repayment.SEASONAL, 60_000, 3, 0, frozenset({10})), 100, "terms.principal_months"),
    ],
)
def test_terms_of_no_loan_are_refused_with_their_place(terms, amount, place) -> None:
    with pytest.raises(Invalid) as refused:
        plan(terms, amount, DRAWN)
    assert refused.value.place == place
    assert refused.value.remedy


def test_a_drawdown_of_china_s_evening_is_of_china_s_day() -> None:
    late = instant("2024-01-31T23:59:00+08:00")
    assert day_of(late) == day_of(DRAWN)
    assert plan(Terms(Repayment.BULLET, 0, 1), 5, late)[0].due_day == day_of(instant("2024-02-29"))
