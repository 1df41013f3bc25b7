"""Histories of small loans, sound and unsound, for the property tests."""

from __future__ import annotations

from hypothesis import strategies as st

from features.calendar import DAY, NEVER, instant
from features.loans.model import Event, Instalment, Kind, Loan, day_of

GRANTED = instant("2024-01-01")
SPAN = 40
"""Days in which all happens: few, so that dates meet."""
HOUR = DAY // 24
LOAN = Loan("L1", GRANTED, 120)
MOMENTS = st.integers(-2 * 24, SPAN * 24).map(lambda hour: GRANTED + hour * HOUR)


@st.composite
def schedules(draw, amount: int, start: int):
    """Ascending due days whose principal adds up to the amount, the last one's not nothing."""
    gaps = draw(st.lists(st.integers(1, 12), min_size=1, max_size=4))
    shares = draw(st.lists(st.integers(0, amount - 1), min_size=len(gaps) - 1, max_size=len(gaps) - 1))
    cuts = [0, *sorted(shares), amount]
    lines, day = [], start - 1
    for place, gap in enumerate(gaps):
        day += gap
        interest, fee = draw(st.tuples(st.integers(0, 9), st.sampled_from([0, 0, 2])))
        lines.append(Instalment(day, cuts[place + 1] - cuts[place], interest, fee))
    return tuple(lines)


@st.composite
def events(draw, kind: Kind, number: int):
    at = draw(MOMENTS)
    known = max(at, GRANTED) + draw(st.sampled_from([0, HOUR, 5 * DAY, 20 * DAY])) + number
    until = draw(st.sampled_from([NEVER, NEVER, NEVER, known + 4 * DAY]))
    amount = draw(
        st.sampled_from([-3, 0, 1, 5, 12, 30, 60, 200]) if kind is not Kind.EXTENSION else st.integers(0, 5)
    )
    lines = ()
    if kind in {Kind.DRAWDOWN, Kind.RESTRUCTURING}:
        amount = draw(st.integers(1, 80))
        lines = draw(schedules(amount, day_of(at)))
    if kind is Kind.DRAWDOWN:
        amount += draw(st.sampled_from([0, 0, 0, 0, 1]))
    days = draw(st.integers(0, 9)) if kind in {Kind.EXTENSION, Kind.FEE} else 0
    currency = draw(st.sampled_from(["CNY"] * 9 + ["USD"]))
    name = f"e{draw(st.sampled_from([number, number, number, number, 0]))}"
    return Event(name, kind, at, known, until, amount, currency, lines, days)


@st.composite
def histories(draw):
    """A sound drawdown mostly, payments most of all, and anything else between."""
    amount = draw(st.integers(20, 80))
    at = GRANTED + draw(st.integers(0, 48)) * HOUR
    drawdown = Event("d", Kind.DRAWDOWN, at, at, NEVER, amount, schedule=draw(schedules(amount, day_of(at))))
    kinds = draw(st.lists(st.sampled_from([*Kind, *[Kind.PAYMENT] * 6]), max_size=9))
    rest = [draw(events(kind, number)) for number, kind in enumerate(kinds, start=1)]
    whole = draw(restructured(amount)) if draw(st.integers(0, 3)) == 0 else []
    return [*([drawdown] if draw(st.integers(0, 9)) else []), *rest, *whole]


@st.composite
def restructured(draw, amount: int):
    """A restructuring that adds up as long as nothing of the first drawdown is repaid."""
    at = GRANTED + draw(st.integers(3, SPAN)) * DAY
    return [Event("r", Kind.RESTRUCTURING, at, at, schedule=draw(schedules(amount, day_of(at))))]
