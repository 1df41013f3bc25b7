"""The open book against a plain reading of its rules, loan by loan."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from features.calendar import DAY, instant
from features.canonical import code_of
from features.timeline.events import EventTable, RawEvents, mix
from serving.watch.book import open_book

START = instant("2024-01-01")
DAYS = st.integers(0, 60)


class Row(NamedTuple):
    """One event: whose, when true, when known, its key and its other values."""

    subject: int
    true: int
    known: int
    key: tuple[int, ...]
    values: dict[str, int]


def table(rows: list[Row], columns: list[str]) -> EventTable:
    """Events as the lake gives them, later rows of a key correcting earlier ones."""

    def column(values: list[int]) -> np.ndarray:
        return np.array(values, dtype=np.int64)

    width = max((len(row.key) for row in rows), default=1)
    keys = mix([column([row.key[k] for row in rows]) for k in range(width)])
    true = column([row.true for row in rows])
    return RawEvents(
        column([row.subject for row in rows]), true, true, column([row.known for row in rows]),
        np.arange(len(rows)), keys, {name: column([row.values[name] for row in rows]) for name in columns},
    ).resolve()  # fmt: skip


@st.composite
def books(draw: st.DrawFn) -> tuple[list[Row], list[Row], list[Row]]:
    """Up to four loans of up to three people, with instalments, payments, late news and corrections."""
    loans, dues, payments = [], [], []
    for loan in range(draw(st.integers(0, 4))):
        subject, drawn = draw(st.integers(0, 2)), START + draw(DAYS) * DAY
        for _ in range(draw(st.integers(1, 2))):
            state = code_of(draw(st.sampled_from(["active", "settled", "charged_off"])))
            known = drawn + draw(DAYS) * DAY
            loans.append(Row(subject, drawn, known, (loan,), {"loan_id": loan, "state": state}))
        for number in range(draw(st.integers(0, 3))):
            due = drawn + draw(DAYS) * DAY
            values = {"loan_id": loan, "number": number, "due_amount": draw(st.integers(0, 3))}
            dues.append(Row(subject, due, drawn, (loan, number), values))
            if draw(st.booleans()):
                paid = drawn + draw(DAYS) * DAY + draw(st.integers(0, 1))
                values = {"loan_id": loan, "number": number, "amount": draw(st.integers(0, 4))}
                payments.append(Row(subject, paid, paid, (loan, number), values))
    return loans, dues, payments


def stands(rows: list[Row], place: int, as_of: int) -> bool:
    """Whether a row is what was known of its key at a moment: no later news of it had come."""
    row = rows[place]
    later = [o for k, o in enumerate(rows) if o.key == row.key and (o.known, k) > (row.known, place)]
    return row.known <= as_of and not any(other.known <= as_of for other in later)


@given(books(), st.integers(0, 130), st.sampled_from([-1, 0, 1]))
def test_each_loan_is_as_late_as_its_oldest_unpaid_instalment(book, day: int, offset: int) -> None:
    loans, dues, payments = book
    as_of = START + day * DAY + offset
    found = open_book(
        {
            "loan": table(loans, ["loan_id", "state"]),
            "loan_instalment": table(dues, ["loan_id", "number", "due_amount"]),
            "loan_payment": table(payments, ["loan_id", "number", "amount"]),
        },
        as_of,
    )
    expected = []
    for place, loan in enumerate(loans):
        if not stands(loans, place, as_of) or loan.true >= as_of or loan.values["state"] != code_of("active"):
            continue
        late, owed = 0, 0
        for due in (d for d in dues if d.key[0] == loan.key[0]):
            paid = sum(p.values["amount"] for p in payments if p.key == due.key and p.true < as_of)
            rest = due.values["due_amount"] - paid
            if rest > 0 and as_of - due.true >= DAY and due.known <= as_of:
                late, owed = max(late, (as_of - due.true) // DAY), owed + rest
        expected.append((loan.subject, loan.key[0], late, owed))
    rows = zip(
        found.subject.tolist(), found.loan.tolist(), found.dpd.tolist(), found.overdue.tolist(), strict=True
    )
    assert sorted(rows) == sorted(expected)


def test_on_its_day_an_instalment_is_not_late_and_on_the_next_it_is() -> None:
    due = instant("2024-03-10")
    tables = {
        "loan": table([Row(1, START, START, (7,), {"loan_id": 7, "state": code_of("active")})], ["loan_id", "state"]),
        "loan_instalment": table(
            [Row(1, due, START, (7, 1), {"loan_id": 7, "number": 1, "due_amount": 500})],
            ["loan_id", "number", "due_amount"],
        ),
        "loan_payment": table([], ["loan_id", "number", "amount"]),
    }  # fmt: skip
    for at, dpd, overdue in ((due + DAY - 1, 0, 0), (due + DAY, 1, 500), (due + 90 * DAY, 90, 500)):
        book = open_book(tables, at)
        assert (book.dpd.tolist(), book.overdue.tolist()) == ([dpd], [overdue])
