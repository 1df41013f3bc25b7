"""The whole book at once is each of its loans replayed by the engine."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from features.calendar import DAY, NEVER, NULL
from features.canonical import code_of
from features.loans import whole
from features.loans.book import Position, position
from features.loans.feeds import event_id, positions
from features.loans.model import Bucket, Event, Instalment, Kind, Loan, State, day_of
from features.loans.rows import BOOK
from features.loans.whole import BUCKETS, STATES, WholeBook, whole_book, whole_books
from tests.features.loans.histories import GRANTED, HOUR, LOAN, SPAN, histories, schedules
from tests.features.loans.tables import Tables, renamed

AS_OF = st.integers(-24, (SPAN + 30) * 24).map(lambda hour: GRANTED + hour * HOUR)
MOMENT = st.integers(-24, SPAN * 24).map(lambda hour: GRANTED + hour * HOUR)
FEN = st.sampled_from([-1, 0, 1, 3, 5, 12, 30, 60, 200])


@st.composite
def common(draw: st.DrawFn) -> list[Event]:
    """One drawdown and payments, some of them impossible, known late or corrected."""
    amount, at = draw(st.integers(1, 90)), GRANTED + draw(st.integers(0, 48)) * HOUR
    schedule = draw(schedules(amount, day_of(at)))
    events = [Event("d", Kind.DRAWDOWN, at, at, amount_fen=amount, schedule=schedule)]
    for number in range(draw(st.integers(0, 8))):
        paid = draw(MOMENT)
        known = max(paid, GRANTED) + draw(st.sampled_from([0, HOUR, 9 * DAY]))
        until = draw(st.sampled_from([NEVER, NEVER, NEVER, known + 4 * DAY]))
        currency = draw(st.sampled_from(["CNY"] * 19 + ["USD"]))
        events.append(Event(f"p{number}", Kind.PAYMENT, paid, known, until, draw(FEN), currency))
    return events


def row(book: WholeBook, place: int) -> tuple[object, ...]:
    return (
        STATES[book.state[place]], int(book.dpd[place]), BUCKETS[book.bucket[place]], int(book.overdue[place]),
        int(book.balance[place]), int(book.owed[place]), int(book.mob[place]), bool(book.first_payment_default[place]),
        int(book.times_late[place]), int(book.refused[place]),
    )  # fmt: skip


def told(one: Position) -> tuple[object, ...]:
    return (
        one.state, one.dpd, one.bucket, one.overdue.total_fen, one.balance_fen, one.owed.total_fen,
        -1 if one.mob is None else one.mob, one.first_payment_default, one.times_late, len(one.refused),
    )  # fmt: skip


@settings(max_examples=50, deadline=None)
@given(st.lists(st.one_of(common(), common(), histories()).map(renamed), max_size=4), AS_OF)
def test_each_loan_stands_where_the_engine_puts_it(lives: list[list[Event]], as_of: int) -> None:
    tables = Tables()
    for code, events in enumerate(lives):
        tables.grant(code, LOAN)
        tables.tell(code, events)
    book = whole_book(tables.tables(), as_of)
    expected = {
        code: told(position(LOAN, events, as_of))
        for code, events in enumerate(lives)
        if any(one.kind is Kind.DRAWDOWN and one.visible(as_of) for one in events)
        and as_of >= LOAN.granted_at
    }
    assert {int(code): row(book, place) for place, code in enumerate(book.loan)} == expected
    assert book.subject.tolist() == [code + 1 for code in expected]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.one_of(common(), histories()).map(renamed), max_size=3),
    AS_OF,
    st.randoms(use_true_random=False),
)
def test_the_order_of_arrival_does_not_matter(lives: list[list[Event]], as_of: int, random) -> None:
    books = []
    for shuffled in (False, True):
        tables, pairs = Tables(), [(code, one) for code, events in enumerate(lives) for one in events]
        if shuffled:
            random.shuffle(pairs)
        for code in range(len(lives)):
            tables.grant(code, LOAN)
        for code, one in pairs:
            tables.tell(code, [one])
        books.append(whole_book(tables.tables(), as_of))
    first, second = books
    assert [row(first, k) for k in range(len(first.loan))] == [
        row(second, k) for k in range(len(second.loan))
    ]


@dataclass
class Plain:
    """A loan as a bank's plain feeds tell it: amounts due by number, payments by the number that they name."""

    drawn_at: int
    principal: int
    state: str
    ended_at: int
    due_on: int
    due: list[tuple[int, int]]
    paid: dict[int, tuple[int, int]]

    def write(self, tables: Tables, code: int) -> None:
        tables.add(
            "loan", code, self.drawn_at, granted_at=GRANTED, drawn_at=self.drawn_at, ended_at=self.ended_at,
            due_on=self.due_on or NULL, principal=self.principal, state=code_of(self.state),
        )  # fmt: skip
        for number, (day, amount) in enumerate(self.due, start=1):
            tables.add("loan_instalment", code, self.drawn_at, number=number, due_on=GRANTED + day * DAY, due_amount=amount)  # fmt: skip
        for number, (at, amount) in self.paid.items():
            tables.add("loan_payment", code, at, number=number, paid_at=at, amount=amount)

    def events(self) -> list[Event]:
        covered, seen, lines = sum(amount for _, amount in self.due), 0, []
        share = Fraction(min(self.principal, covered), max(covered, 1))
        for day, amount in self.due:
            part = int((seen + amount) * share) - int(seen * share)
            seen += amount
            lines.append(Instalment(day_of(GRANTED) + day, part, amount - part))
        if self.principal > covered and self.due_on:
            lines.append(Instalment(day_of(self.due_on), self.principal - covered))
        at = self.drawn_at
        found = [Event("drawdown", Kind.DRAWDOWN, at, at, amount_fen=self.principal, schedule=tuple(lines))]
        if self.state == "charged_off":
            found.append(Event("charge_off", Kind.CHARGE_OFF, self.ended_at, at))
        paid = self.paid.items()
        return found + [Event(event_id(k), Kind.PAYMENT, at, at, amount_fen=fen) for k, (at, fen) in paid]


@st.composite
def plain(draw: st.DrawFn) -> Plain:
    days = sorted(draw(st.lists(st.integers(2, SPAN), max_size=5, unique=True)))
    return Plain(
        GRANTED + draw(st.integers(0, 2)) * DAY, draw(st.integers(0, 60)),
        draw(st.sampled_from(["active", "active", "settled", "charged_off"])), GRANTED + draw(st.integers(3, SPAN)) * DAY,
        draw(st.sampled_from([0, GRANTED + 20 * DAY, GRANTED + (SPAN + 5) * DAY])), [(day, draw(st.integers(0, 20))) for day in days],
        {k: (draw(MOMENT), draw(FEN)) for k in range(1, draw(st.integers(0, 6)) + 1)},
    )  # fmt: skip


@settings(max_examples=35, deadline=None)
@given(st.lists(plain(), max_size=4), AS_OF)
def test_the_plain_feeds_tell_the_same_loans(lives: list[Plain], as_of: int) -> None:
    tables = Tables()
    for code, one in enumerate(lives):
        one.write(tables, code)
    loans = [Loan("L", GRANTED, one.principal) for one in lives]
    pairs = enumerate(zip(loans, lives, strict=True))
    expected = {code: told(position(loan, one.events(), as_of)) for code, (loan, one) in pairs if one.drawn_at <= as_of}  # fmt: skip
    book = whole_book(tables.tables(), as_of)
    assert {int(code): row(book, place) for place, code in enumerate(book.loan)} == expected


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.one_of(common(), common(), histories()).map(renamed), max_size=4), st.lists(plain(), max_size=2),
    st.lists(AS_OF, max_size=5),
)  # fmt: skip
def test_the_book_at_several_moments_is_that_at_each(
    lives: list[list[Event]], others: list[Plain], moments: list[int]
) -> None:
    tables = Tables()
    for code, events in enumerate(lives):
        tables.grant(code, LOAN)
        tables.tell(code, events)
    for code, one in enumerate(others, start=len(lives)):
        one.write(tables, code)
    made = tables.tables()
    for moment, book in zip(moments, whole_books(made, moments), strict=True):
        assert alike(book, whole_book(made, moment))


def test_what_came_out_of_order_or_was_corrected_is_told_as_it_was_known_at_each_moment() -> None:
    schedule = (Instalment(day_of(GRANTED) + 2, 40), Instalment(day_of(GRANTED) + 30, 40))
    drawn = Event("d", Kind.DRAWDOWN, GRANTED, GRANTED, amount_fen=80, schedule=schedule)
    first = Event("p0", Kind.PAYMENT, GRANTED + DAY, GRANTED + 10 * DAY, amount_fen=5)
    soon = Event("p1", Kind.PAYMENT, GRANTED + 5 * DAY, GRANTED + 5 * DAY, amount_fen=11)
    until = Event("p2", Kind.PAYMENT, GRANTED + DAY, GRANTED + DAY, GRANTED + 8 * DAY, 7)
    tables = Tables()
    for code, events in enumerate([[drawn, first, soon], [drawn, until], [drawn, soon]]):
        tables.grant(code, LOAN)
        tables.tell(code, renamed(events))
    Plain(GRANTED, 80, "active", GRANTED, 0, [(2, 40), (30, 40)], {}).write(tables, 3)
    tables.add("loan_instalment", 3, GRANTED + 9 * DAY, number=3, due_on=GRANTED + 6 * DAY, due_amount=9)
    made, moments = tables.tables(), [GRANTED + day * DAY for day in (1, 4, 7, 9, 12)]
    books = whole_books(made, moments)
    assert [book.overdue.tolist() for book in books][2] == [29, 33, 29, 40]
    assert all(alike(book, whole_book(made, moment)) for moment, book in zip(moments, books, strict=True))


def alike(one: WholeBook, other: WholeBook) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in WholeBook.__slots__)


def test_the_sample_city_in_one_go_is_its_loans_one_by_one(loaded) -> None:
    tables = {name: loaded.lake.read(loaded.contracts[name]) for name in BOOK}
    months = [GRANTED + 30 * month * DAY for month in range(4, 24)]
    books = zip(months, whole_books(tables, months), strict=True)
    assert all(alike(book, whole_book(tables, month)) for month, book in books)
    for as_of in (GRANTED + 200 * DAY, GRANTED + 500 * DAY):
        book = whole_book(tables, as_of)
        found = {int(code): row(book, place) for place, code in enumerate(book.loan)}
        assert found == {code: told(one) for code, one in positions(tables, as_of) if code in found}
        assert len(found) > 50


def test_loans_of_the_common_kind_are_left_to_compiled_code_and_no_others() -> None:
    tables = Tables()
    schedule = (Instalment(day_of(GRANTED) + 5, 40), Instalment(day_of(GRANTED) + 9, 40))
    drawn = Event("d", Kind.DRAWDOWN, GRANTED, GRANTED, amount_fen=80, schedule=schedule)
    for code, kind in enumerate([Kind.PAYMENT, Kind.FEE]):
        tables.grant(code, LOAN)
        tables.tell(code, renamed([drawn, Event("one", kind, GRANTED, GRANTED, amount_fen=3)]))
    assert whole._drawn(tables.tables(), GRANTED + 7 * DAY).chosen.tolist() == [True, False]
    assert whole_book(tables.tables(), GRANTED + 7 * DAY).overdue.tolist() == [37, 43]


def test_an_ended_loan_is_not_open_whatever_is_owed_and_an_unclear_one_is() -> None:
    tables = Tables()
    for code, state in enumerate(["active", "refinanced", "restructured"]):
        Plain(GRANTED, 30, state, GRANTED, 0, [(5, 40)], {}).write(tables, code)
    Plain(GRANTED, 30, "active", GRANTED, 0, [], {}).write(tables, 3)
    book = whole_book(tables.tables(), GRANTED + 40 * DAY)
    assert book.take(book.open).loan.tolist() == [0, 3]
    assert [STATES[code] for code in book.state.tolist()] == [State.ACTIVE] * 3 + [State.UNDRAWN]
    assert [BUCKETS[code] for code in book.bucket.tolist()] == [Bucket.TO_60] * 3 + [Bucket.CURRENT]
    assert book.refused.tolist() == [0, 0, 0, 1]


def test_lines_by_part_stand_instead_of_the_plain_feeds_amounts() -> None:
    tables, drawn = Tables(), code_of("drawdown")
    Plain(GRANTED, 30, "active", GRANTED, 0, [(5, 20), (9, 20)], {1: (GRANTED + 5 * DAY, 20)}).write(
        tables, 0
    )
    for number, (principal, interest) in enumerate([(0, 10), (30, 10)], start=1):
        tables.add("loan_schedule", 0, GRANTED, event_id=drawn, number=number, due_on=GRANTED + (5 + 4 * (number - 1)) * DAY, principal=principal, interest=interest)  # fmt: skip
    book = whole_book(tables.tables(), GRANTED + 6 * DAY)
    # 10 are the interest that is due, the other 10 prepay principal, and its interest falls from 10 to 7
    assert (book.balance.tolist(), book.owed.tolist()) == ([20], [27])


def test_amounts_beyond_the_compiled_integers_are_told_by_the_engine() -> None:
    tables, large = Tables(), 10**15
    lines = [(day, 2 * large // 4) for day in (5, 9, 13, 17)]
    life = Plain(GRANTED, large, "active", GRANTED, 0, lines, {1: (GRANTED, large)})
    life.write(tables, 0)
    book = whole_book(tables.tables(), GRANTED + 6 * DAY)
    found = position(Loan("L", GRANTED, large), life.events(), GRANTED + 6 * DAY)
    assert row(book, 0) == told(found)
    assert found.due.total_fen == found.paid.total_fen + found.owed.total_fen


def test_an_empty_book_has_no_loan() -> None:
    book = whole_book({}, GRANTED)
    assert len(book.loan) == 0
    assert book.open.dtype == np.bool_
