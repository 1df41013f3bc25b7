"""What joins show of the money around loans, against a plain reading of every pair of records."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from features.calendar import DAY, NULL, instant
from features.canonical import code_of
from features.contracts.load import BUILTIN, load_contracts
from features.derived.conduct import DATASET, conduct_events
from features.timeline.events import EventTable, RawEvents, mix

CONTRACT = load_contracts([BUILTIN])[DATASET]
START, LATE = instant("2026-01-01"), 3 * DAY
LENT = 10_000


class Tx(NamedTuple):
    """A transaction on the account of a borrower, so many days after the start; known ``LATE`` later."""

    who: int
    day: int
    inward: bool
    amount: int
    other: int
    kind: str = "transfer"


class Pay(NamedTuple):
    """A payment of a borrower's loan, whose code is the borrower's number."""

    who: int
    day: int
    amount: int


def table(subject: list[int], at: list[int], lag: int, columns: dict[str, list[int]]) -> EventTable:
    """Events as the lake gives them, each of its own key."""

    def array(values: list[int]) -> np.ndarray:
        return np.array(values, dtype=np.int64)

    known = array(at) + lag
    keys = mix([array(list(range(len(subject))))])
    raw = RawEvents(array(subject), array(at), np.full(len(at), 2**62), known, array([1] * len(at)), keys,
                    {name: array(values) for name, values in columns.items()})  # fmt: skip
    return raw.resolve()


def world(drawn: dict[int, int], txs: list[Tx], pays: list[Pay]) -> dict[str, EventTable]:
    """Borrowers by the day of their drawdown, with their transactions and payments."""
    who, begun = list(drawn), [START + day * DAY for day in drawn.values()]
    loan = {
        "loan_id": who, "granted_at": begun, "drawn_at": begun, "due_on": [b + 400 * DAY for b in begun],
        "ended_at": [NULL] * len(who), "principal": [LENT] * len(who), "state": [code_of("active")] * len(who),
    }  # fmt: skip
    tx = {
        "direction": [code_of("in" if t.inward else "out") for t in txs], "amount": [t.amount for t in txs],
        "counterparty": [t.other for t in txs], "kind": [code_of(t.kind) for t in txs], "failed": [0] * len(txs),
    }  # fmt: skip
    paid_at = [START + p.day * DAY for p in pays]
    paid = {
        "loan_id": [p.who for p in pays], "number": list(range(1, len(pays) + 1)), "paid_at": paid_at,
        "amount": [p.amount for p in pays],
    }  # fmt: skip
    return {
        "loan": table(who, begun, 0, loan),
        "bank_transaction": table([t.who for t in txs], [START + t.day * DAY for t in txs], LATE, tx),
        "loan_payment": table([p.who for p in pays], paid_at, 0, paid),
    }


def found(tables: dict[str, EventTable], day: int = 400) -> dict[tuple[int, str, int], tuple[int, int, int]]:
    """By loan, kind and day: amount, parties and the day on which it was known."""
    raw = conduct_events(tables, START + day * DAY, 7)
    assert tuple(raw.columns) == CONTRACT.names
    names = {code_of(code): code for code in CONTRACT.field("kind").codes}
    c = {name: column.tolist() for name, column in raw.columns.items()}
    return {
        (loan, names[kind], (at - START) // DAY): (amount, parties, (known - START) // DAY)
        for loan, kind, at, amount, parties, known in zip(
            c["loan_id"], c["kind"], c["happened_at"], c["amount"], c["parties"], raw.known_from.tolist(), strict=True
        )
    }  # fmt: skip


TXS = st.lists(
    st.builds(Tx, st.integers(1, 3), st.integers(0, 40), st.booleans(), st.sampled_from([100, 4000, 6000]), st.integers(81, 83), st.sampled_from(["transfer", "transfer", "bill"])),
    max_size=8,
)  # fmt: skip


@given(TXS, st.dictionaries(st.integers(1, 3), st.integers(0, 9), min_size=1))
def test_what_left_what_came_back_and_who_was_paid_are_those_of_a_plain_reading(txs, drawn) -> None:
    said = found(world(drawn, txs, []))
    expected: dict[tuple[int, str, int], tuple[int, int, int]] = {}
    uses = {}
    for who, day in drawn.items():
        own = [t for t in txs if t.who == who and t.kind == "transfer"]
        out = [t for t in own if not t.inward and day < t.day <= day + 30]
        back, parties, known = 0, 0, 0
        for other in {t.other for t in out}:
            gone = [t for t in out if t.other == other]
            came = [
                t
                for t in own
                if t.inward and t.other == other and min(g.day for g in gone) < t.day <= day + 30
            ]
            if came:
                back += min(sum(t.amount for t in gone), sum(t.amount for t in came))
                parties, known = parties + 1, max(known, *(t.day + 3 for t in (*gone, *came)))
        if parties:
            expected[who, "backflow", day] = (back, parties, known)
        soon = [t for t in out if t.day <= day + 3]
        if len({t.other for t in soon}) > 1:
            told = max(t.day + 3 for t in soon)
            expected[who, "split", day] = (sum(t.amount for t in soon), len({t.other for t in soon}), told)
        for other in {t.other for t in soon}:
            amount = sum(t.amount for t in soon if t.other == other)
            if 2 * amount >= LENT:
                uses[who, other] = (day, amount, max(t.day + 3 for t in soon if t.other == other))
    for who, day in drawn.items():
        mine = {other for one, other in uses if one == who}
        alike = {(one, other) for one, other in uses if other in mine}
        if len({one for one, _ in alike}) > 1:
            expected[who, "shared_payee", day] = (
                max(uses[who, other][1] for other in mine), len({one for one, _ in alike}), max(uses[each][2] for each in alike),
            )  # fmt: skip
    assert said == expected


def test_one_payer_of_several_loans_is_seen_and_an_employer_is_not() -> None:
    pays = [Pay(1, 20, 900), Pay(2, 25, 900), Pay(3, 60, 900)]
    txs = [Tx(who, day, True, 1000, 99) for who, day, _ in pays]
    assert found(world({1: 0, 2: 0, 3: 0}, txs, pays)) == {
        (1, "shared_payer", 20): (900, 2, 28), (2, "shared_payer", 25): (900, 2, 28),
    }  # fmt: skip
    wages = [t._replace(kind="salary") for t in txs]
    assert found(world({1: 0, 2: 0, 3: 0}, wages, pays)) == {}
    small = [t._replace(amount=800) for t in txs]
    assert found(world({1: 0, 2: 0, 3: 0}, small, pays)) == {}


def test_a_loan_repaid_at_once_beside_another_drawdown_is_refinanced() -> None:
    tables = world({1: 0, 2: 50}, [], [Pay(1, 57, 6000), Pay(1, 20, 6000)])
    both = tables["loan"]
    same = EventTable(np.array([1, 1]), both.valid_from, both.valid_to, both.known_from, both.known_to, both.version, both.columns)  # fmt: skip
    assert found({**tables, "loan": same}) == {(1, "refinanced", 57): (6000, 1, 57)}
    assert found(tables) == {}, "another's drawdown repays nothing of mine"


def test_nothing_is_known_before_the_last_record_that_proves_it() -> None:
    txs = [Tx(1, 1, False, 5000, 81), Tx(1, 2, False, 5000, 82)]
    tables = world({1: 0}, txs, [])
    assert found(tables, day=4) == {}
    assert found(tables, day=5) == {(1, "split", 0): (10_000, 2, 5)}
