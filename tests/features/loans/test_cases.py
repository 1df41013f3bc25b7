"""Days past due at every boundary, what a late record changes, and what the book refuses: by hand."""

from __future__ import annotations

from itertools import permutations

import pytest

from features.calendar import DAY, instant
from features.loans.book import position
from features.loans.model import Bucket, Event, Instalment, Kind, Loan, Parts, State, bucket_of, day_of

GRANTED = instant("2024-01-01")
D = day_of(GRANTED)
LOAN = Loan("L9", GRANTED, 100_000)
SCHEDULE = (
    Instalment(D + 30, 30_000, 500, 200),
    Instalment(D + 60, 30_000, 400),
    Instalment(D + 90, 40_000, 200),
)
DRAWDOWN = Event("d", Kind.DRAWDOWN, GRANTED, GRANTED, amount_fen=100_000, schedule=SCHEDULE)


def on(day: int, hours: int = 12) -> int:
    return GRANTED + day * DAY + hours * DAY // 24


def event(name: str, kind: Kind, day: int, amount: int = 0, known: int | None = None, **more) -> Event:
    return Event(name, kind, on(day), on(day) if known is None else on(known), amount_fen=amount, **more)


def pay(name: str, day: int, amount: int, known: int | None = None, **more) -> Event:
    return event(name, Kind.PAYMENT, day, amount, known, **more)


def at(day: int, *events: Event, hours: int = 12):
    return position(LOAN, [DRAWDOWN, *events], on(day, hours))


def codes(found) -> list[tuple[str, str]]:
    return [(error.event.id, error.code) for error in found.refused]


@pytest.mark.parametrize(
    ("dpd", "bucket"),
    [(0, "0"), (1, "1-30"), (30, "1-30"), (31, "31-60"), (60, "31-60"), (61, "61-90"), (90, "61-90"),
     (91, "90+"), (400, "90+")],
)  # fmt: skip
def test_every_boundary_of_a_bucket(dpd, bucket) -> None:
    found = at(30 + dpd)
    assert (found.dpd, found.bucket) == (dpd, Bucket(bucket))
    assert bucket_of(dpd) is Bucket(bucket)


def test_the_due_day_lasts_until_midnight_in_china() -> None:
    before, after = at(30, hours=24 - 1), at(30, hours=24)
    assert (before.dpd, before.times_late, before.first_payment_default) == (0, 0, False)
    assert (after.dpd, after.times_late, after.first_payment_default) == (1, 1, True)
    kept = at(31, pay("p", 30, 30_700))
    assert (kept.dpd, kept.times_late, kept.first_payment_default) == (0, 0, False)


def test_one_fen_short_is_late() -> None:
    found = at(35, pay("p", 30, 30_699))
    assert (found.dpd, found.overdue) == (5, Parts(0, 0, 1))


def test_a_payment_is_spent_in_the_stated_order() -> None:
    charge = event("f", Kind.FEE, 61, 70)
    spent = [(70 + 200, Parts(270, 0, 0)), (900, Parts(270, 630, 0)), (1_170, Parts(270, 900, 0)),
             (61_170, Parts(270, 900, 60_000)), (61_370, Parts(270, 1_100, 60_000)),
             (101_370, Parts(270, 1_100, 100_000))]  # fmt: skip
    for amount, expected in spent:
        assert at(62, charge, pay("p", 62, amount)).paid == expected


def test_a_prepayment_shortens_the_loan_and_its_interest() -> None:
    found = at(10, pay("p", 10, 30_700 + 35_000))
    assert [line.due for line in found.lines] == [[200, 500, 30_000], [0, 200, 30_000], [0, 25, 40_000]]
    assert found.owed == Parts(0, 225, 35_000)


def test_a_prepayment_lowers_the_interest_of_the_drawdown_that_it_repays_alone() -> None:
    first = (Instalment(D + 10, 0, 10), Instalment(D + 40, 100, 10))
    second = (Instalment(D + 10, 0, 20), Instalment(D + 30, 100, 20))
    drawn = [
        Event(name, Kind.DRAWDOWN, GRANTED, GRANTED, amount_fen=100, schedule=lines)
        for name, lines in (("d1", first), ("d2", second))
    ]
    found = position(LOAN, [*drawn, pay("p", 5, 10 + 20 + 50)], on(6))
    assert [line.due[1] for line in found.lines] == [10, 20, 20, 5]
    assert found.owed == Parts(0, 25, 150)


def test_a_back_dated_payment_changes_what_followed_but_not_what_was_told_before() -> None:
    late, told_late = pay("late", 70, 61_100), pay("old", 29, 30_700, known=80)
    assert at(79, late, told_late) == at(79, late)
    assert (at(79, late).times_late, at(79, late).first_payment_default) == (2, True)
    found = at(80, late, told_late)
    assert (found.times_late, found.first_payment_default) == (1, False)
    assert found.paid.total_fen + found.owed.total_fen == found.due.total_fen
    assert [line.settled_day - D for line in found.lines if line.settled_day] == [29, 70]


def test_a_correction_stands_from_when_it_was_known() -> None:
    wrong = pay("p", 30, 10_000, known_to=on(40))
    right = pay("p", 30, 30_700, known=40)
    assert (at(39, wrong, right).dpd, at(40, wrong, right).dpd) == (9, 0)
    assert not at(40, wrong, right).refused


def test_an_extension_moves_what_is_not_due_yet() -> None:
    found = at(61, pay("p", 30, 30_700), event("x", Kind.EXTENSION, 50, 80, days=15))
    assert [line.due_day - D for line in found.lines] == [30, 75, 105]
    assert (found.dpd, found.lines[1].due) == (0, [0, 480, 30_000])


def test_an_extension_on_the_due_day_still_moves_it() -> None:
    extension = event("x", Kind.EXTENSION, 30, 0, days=15)
    assert at(45, extension).dpd == 0
    assert at(46, extension).dpd == 1


def test_a_restructuring_takes_the_old_schedule_back_and_the_miss_stays() -> None:
    new = event("r", Kind.RESTRUCTURING, 50, schedule=(Instalment(D + 200, 100_000, 3_000),))
    found = at(100, new)
    assert (found.dpd, found.times_late, found.first_payment_default) == (70, 1, True)
    assert found.overdue == Parts(200, 0, 0)  # the fee of the first due date is still owed
    assert at(100, new, pay("p", 51, 200)).dpd == 0


def test_a_charge_off_takes_the_principal_off_the_book_and_recoveries_are_counted() -> None:
    gone = event("c", Kind.CHARGE_OFF, 200)
    found = at(210, gone, event("v", Kind.RECOVERY, 205, 5_000))
    assert (found.state, found.balance_fen, found.charged_off_fen) == (State.CHARGED_OFF, 0, 100_000)
    assert (found.recovered_fen, found.owed.total_fen) == (5_000, 101_300 - 5_000)
    assert found.dpd == 180


def test_months_on_book_are_those_of_the_calendar() -> None:
    assert position(LOAN, [], on(3)).mob is None
    assert [at(day).mob for day in (0, 30, 31, 366)] == [0, 0, 1, 12]


WHOLE = pay("all", 20, 200_000)


@pytest.mark.parametrize(
    ("events", "refused"),
    [
        ([pay("p", -1, 5)], ("p", "before_grant")),
        ([pay("p", 5, -5)], ("p", "no_amount")),
        ([pay("p", 5, 5, currency="USD")], ("p", "other_currency")),
        ([pay("p", 5, 5), pay("p", 6, 5)], ("p", "twice")),
        ([WHOLE, pay("p", 21, 5)], ("p", "closed")),
        ([event("c", Kind.CHARGE_OFF, 10), pay("p", 21, 5)], ("p", "charged_off")),
        ([event("v", Kind.RECOVERY, 10, 5)], ("v", "not_charged_off")),
        ([event("x", Kind.EXTENSION, 91, 0, days=5)], ("x", "nothing_to_extend")),
        ([event("x", Kind.EXTENSION, 9, 0, days=0)], ("x", "no_days")),
        ([event("e", Kind.DRAWDOWN, 9, 1, schedule=(Instalment(D + 9, 1),))], ("e", "over_limit")),
        ([event("r", Kind.RESTRUCTURING, 9, schedule=(Instalment(D + 99, 99_999),))], ("r", "does_not_add_up")),
        ([event("r", Kind.RESTRUCTURING, 9, schedule=(Instalment(D + 8, 100_000),))], ("r", "does_not_add_up")),
        ([event("r", Kind.RESTRUCTURING, 9)], ("r", "does_not_add_up")),
        (
            [event("r", Kind.RESTRUCTURING, 9, schedule=(Instalment(D + 99, 1), Instalment(D + 99, 99_999)))],
            ("r", "does_not_add_up"),
        ),
    ],
)  # fmt: skip
def test_what_is_refused_names_its_place_and_a_remedy_and_the_rest_is_kept(events, refused) -> None:
    good = pay("good", 1, 100)
    found = at(120, good, *events)
    assert codes(found) == [refused]
    error = found.refused[0]
    assert f"loan L9, {error.event.kind} {error.event.id} of 20" in error.place
    assert error.remedy
    assert found.paid.total_fen >= 100


def test_a_drawdown_that_does_not_add_up_leaves_nothing_to_pay() -> None:
    wrong = Event("d", Kind.DRAWDOWN, GRANTED, GRANTED, amount_fen=99_999, schedule=SCHEDULE)
    found = position(LOAN, [wrong, pay("p", 30, 5)], on(40))
    assert codes(found) == [("d", "does_not_add_up"), ("p", "nothing_drawn")]
    assert "100000 fen, not 99999" in str(found.refused[0])


def test_of_two_records_under_one_id_the_earlier_known_stands_in_any_order() -> None:
    records = [pay("p", 5, 7, known=9), pay("p", 5, 8, known=8), pay("p", 5, 9, known=9), DRAWDOWN]
    found = {position(LOAN, order, on(10)).paid.total_fen for order in permutations(records)}
    assert found == {8}
    tie = [pay("p", 5, 7), pay("p", 5, 8), DRAWDOWN]
    assert len({position(LOAN, order, on(10)).paid for order in permutations(tie)}) == 1
