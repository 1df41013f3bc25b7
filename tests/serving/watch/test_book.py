"""The open book: what is drawn, owed and not ended; how each loan stands is tested with the engine."""

from __future__ import annotations

from features.calendar import DAY, instant
from features.canonical import code_of
from features.contracts.load import BUILTIN, load_contracts
from features.loans.rows import BOOK, PLAIN
from serving.watch.book import datasets, open_book
from tests.features.loans.tables import Tables

START, DUE = instant("2024-01-01"), instant("2024-03-10")


def told(state: str = "active", paid: int = 0) -> Tables:
    """One loan of 500 fen, due on one day."""
    tables = Tables()
    tables.add("loan", 7, START, granted_at=START, drawn_at=START, ended_at=DUE, principal=500, state=code_of(state))  # fmt: skip
    tables.add("loan_instalment", 7, START, number=1, due_on=DUE, due_amount=500)
    if paid:
        tables.add("loan_payment", 7, DUE, number=1, paid_at=DUE, amount=paid)
    return tables


def test_on_its_day_an_instalment_is_not_late_and_on_the_next_it_is() -> None:
    for at, dpd, overdue in ((DUE + DAY - 1, 0, 0), (DUE + DAY, 1, 500), (DUE + 90 * DAY, 90, 500)):
        book = open_book(told().tables(), at)
        assert (book.subject.tolist(), book.loan.tolist()) == ([8], [7])
        assert (book.dpd.tolist(), book.overdue.tolist()) == ([dpd], [overdue])


def test_what_is_repaid_or_ended_is_not_open() -> None:
    later = DUE + 30 * DAY
    assert len(open_book(told(paid=499).tables(), later).loan) == 1
    assert not len(open_book(told(paid=500).tables(), later).loan)
    for state in ("settled", "charged_off", "restructured", "refinanced"):
        assert not len(open_book(told(state).tables(), later).loan)


def test_not_drawn_yet_is_not_open() -> None:
    assert not len(open_book(told().tables(), START - 1).loan)


def test_part_payments_with_ids_of_their_own_count_beside_those_of_the_plain_feed() -> None:
    tables = told(paid=100)
    for number in range(2):
        tables.add("loan_event", 7, DUE, event_id=code_of(f"part {number}"), kind=code_of("payment"), happened_at=DUE, amount=150)  # fmt: skip
    book = open_book(tables.tables(), DUE + DAY)
    assert (book.overdue.tolist(), book.standing.refused.tolist()) == ([100], [0])


def test_a_plan_from_before_the_datasets_by_part_reads_the_plain_ones() -> None:
    contracts = load_contracts([BUILTIN])
    assert datasets(contracts) == BOOK
    assert datasets({name: contracts[name] for name in PLAIN}) == PLAIN
