"""The book of a loan: for every history what is paid and what is owed is what is due, as it was known then."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from features.calendar import DAY
from features.loans.book import position
from features.loans.model import Event, Kind, Parts, State
from tests.features.loans.histories import GRANTED, HOUR, LOAN, SPAN, histories
from tests.features.loans.oracle import PlainBook

AS_OF = st.integers(-24, (SPAN + 30) * 24).map(lambda hour: GRANTED + hour * HOUR)


def parts(one: Parts) -> list[int]:
    return [one.fee_fen, one.interest_fen, one.principal_fen]


def figures(found) -> dict[str, object]:
    return {
        "due": parts(found.due), "paid": parts(found.paid), "owed": parts(found.owed),
        "overdue": parts(found.overdue), "surplus": found.surplus_fen, "balance": found.balance_fen,
        "charged_off": found.charged_off_fen, "recovered": found.recovered_fen, "dpd": found.dpd,
        "times_late": found.times_late, "first_payment_default": found.first_payment_default,
        "refused": sorted((error.event.id, error.code) for error in found.refused),
    }  # fmt: skip


def plain(found) -> object:
    """A position without the identity of its errors."""
    return replace(found, refused=tuple(sorted(map(str, found.refused))))


@settings(max_examples=50, deadline=None)
@given(histories(), AS_OF)
def test_as_of_equals_a_life_lived_day_by_day_with_what_was_known_then(events, as_of) -> None:
    assert figures(position(LOAN, events, as_of)) == PlainBook(LOAN, events, as_of).figures()


@settings(max_examples=35, deadline=None)
@given(histories(), AS_OF)
def test_paid_and_owed_is_due_and_no_fen_of_a_payment_is_lost(events, as_of) -> None:
    found = position(LOAN, events, as_of)
    for due, paid, owed, overdue in zip(
        parts(found.due), parts(found.paid), parts(found.owed), parts(found.overdue), strict=True
    ):
        assert due == paid + owed
        assert 0 <= overdue <= owed
    refused = [error.event for error in found.refused]
    taken = [
        event.amount_fen for event in events
        if event.kind in {Kind.PAYMENT, Kind.RECOVERY} and event.visible(as_of) and event not in refused
    ]  # fmt: skip
    assert sum(taken) == found.paid.total_fen + found.surplus_fen
    drawn = [
        e.amount_fen for e in events if e.kind is Kind.DRAWDOWN and e.visible(as_of) and e not in refused
    ]
    assert sum(drawn) == found.due.principal_fen


@settings(max_examples=25, deadline=None)
@given(histories(), AS_OF, st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(events, as_of, random) -> None:
    shuffled = list(events)
    random.shuffle(shuffled)
    assert plain(position(LOAN, shuffled, as_of)) == plain(position(LOAN, events, as_of))


@settings(max_examples=25, deadline=None)
@given(histories(), histories(), AS_OF, st.integers(1, 20))
def test_what_became_known_later_is_not_seen_before(events, others, as_of, days) -> None:
    later = [
        type(one)(f"later {number}", one.kind, one.at, as_of + days * DAY, amount_fen=one.amount_fen,
                  schedule=one.schedule, days=one.days)
        for number, one in enumerate(others)
    ]  # fmt: skip
    assert plain(position(LOAN, [*events, *later], as_of)) == plain(position(LOAN, events, as_of))


@settings(max_examples=25, deadline=None)
@given(histories(), AS_OF)
def test_what_is_refused_changes_nothing_else(events, as_of) -> None:
    found = position(LOAN, events, as_of)
    refused = [id(error.event) for error in found.refused]
    without = position(LOAN, [event for event in events if id(event) not in refused], as_of)
    assert not without.refused
    assert replace(found, refused=()) == without


@settings(max_examples=35, deadline=None)
@given(histories(), AS_OF)
def test_a_settled_loan_owes_nothing_and_an_active_one_something(events, as_of) -> None:
    found = position(LOAN, events, as_of)
    assert (found.owed.total_fen == 0) or found.state is not State.SETTLED
    assert (found.owed.total_fen > 0) or found.state is not State.ACTIVE


@settings(max_examples=25, deadline=None)
@given(histories(), AS_OF, st.integers(0, 9))
def test_money_is_surplus_only_where_nothing_is_owed(events, as_of, more) -> None:
    before = position(LOAN, events, as_of)
    assume(before.state is State.ACTIVE)
    kept = [event for event in events if event.visible(as_of)]
    whole = Event("z", Kind.PAYMENT, as_of, as_of, amount_fen=before.owed.total_fen + more)
    # the last of its instant, as the replay takes them
    assume(all(event.at < as_of for event in kept))
    paid = position(LOAN, [*kept, whole], as_of)
    assert paid.state is State.SETTLED
    assert paid.owed == Parts()
    # interest that prepayment saved is left over
    saved = before.due.total_fen - paid.due.total_fen
    assert saved >= 0
    assert paid.surplus_fen == before.surplus_fen + more + saved
