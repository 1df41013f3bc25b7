"""Bands, rolls, cures, vintages and concentration are what counting loan by loan gives."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.calendar import month_index, month_start
from features.loans import analytics
from features.loans.analytics import TO
from features.loans.model import State, bucket_of
from features.loans.whole import BUCKETS, STATES, WholeBook

FIRST = int(month_index(np.array([month_start(650)]))[0])
LATE = st.sampled_from([0, 0, 0, 1, 30, 31, 60, 61, 90, 91, 400])


@st.composite
def lives(draw: st.DrawFn) -> list[WholeBook]:
    """A book from month to month; loans are drawn, late, settled, written off, taken back."""
    months = draw(st.integers(1, 7))
    views: list[list[tuple[int, ...]]] = [[] for _ in range(months)]
    for loan in range(draw(st.integers(0, 8))):
        born = draw(st.integers(-3, months - 1))
        alive, state = True, State.ACTIVE
        for month in range(max(born, 0), months):
            if draw(st.integers(0, 19)) == 0:
                continue  # its records are not there
            state = (
                draw(st.sampled_from([State.ACTIVE] * 8 + [State.SETTLED, State.CHARGED_OFF]))
                if alive
                else state
            )
            alive = state is State.ACTIVE
            dpd = draw(LATE) if alive else 0
            balance = draw(st.integers(0, 900)) if state is State.ACTIVE else 0
            views[month].append((loan * 7, loan // 2, STATES.index(state), dpd, balance, month - born))
    return [view(650 + month, rows) for month, rows in enumerate(views)]


def view(month: int, rows: list[tuple[int, ...]]) -> WholeBook:
    loan, subject, state, dpd, balance, mob = (
        np.array(column, dtype=np.int64) for column in (zip(*rows, strict=True) if rows else [()] * 6)
    )
    bucket = np.array([BUCKETS.index(bucket_of(int(days))) for days in dpd], dtype=np.int64)
    nothing = np.zeros(len(loan), dtype=np.int64)
    return WholeBook(
        int(month_start(month)), loan, subject, state, dpd, bucket, np.where(dpd > 0, balance // 2, 0), balance, balance,
        mob, nothing.astype(bool), nothing, nothing, nothing.astype(bool),
    )  # fmt: skip


def loans_of(book: WholeBook) -> dict[int, dict[str, int]]:
    names = ("subject", "state", "dpd", "bucket", "balance", "mob")
    return {
        int(loan): {name: int(getattr(book, name)[place]) for name in names}
        for place, loan in enumerate(book.loan)
    }


def is_open(one: dict[str, int]) -> bool:
    return STATES[one["state"]] is State.ACTIVE


def where(one: dict[str, int] | None) -> str:
    if one is None:
        return "gone"
    return BUCKETS[one["bucket"]].value if is_open(one) else STATES[one["state"]].value


@settings(max_examples=40)
@given(lives())
def test_a_month_is_its_open_loans_by_band(books: list[WholeBook]) -> None:
    for book in books:
        month, held = analytics.month_of(book), [one for one in loans_of(book).values() if is_open(one)]
        for place, _ in enumerate(BUCKETS):
            own = [one["balance"] for one in held if one["bucket"] == place]
            assert (month.loans[place], month.balance[place]) == (len(own), sum(own))
        whole = sum(one["balance"] for one in held)
        bad = sum(one["balance"] for one in held if one["dpd"] > 90)
        assert month.total == len(held)
        assert month.npl == (bad / whole if whole else None)


@settings(max_examples=40)
@given(lives())
def test_every_loan_that_was_open_rolls_somewhere_and_rates_add_up(books: list[WholeBook]) -> None:
    for before, after in pairwise(books):
        roll, old, new = analytics.roll_of(before, after), loans_of(before), loans_of(after)
        moves = Counter((one["bucket"], where(new.get(loan))) for loan, one in old.items() if is_open(one))
        assert {(a, TO[b]): int(n) for (a, b), n in np.ndenumerate(roll.loans) if n} == dict(moves)
        assert roll.balance.sum() == analytics.month_of(before).balance.sum()
        rates = roll.rates.sum(axis=1)
        assert np.allclose(rates[~np.isnan(rates)], 1.0)
        late = [loan for loan, one in old.items() if is_open(one) and one["dpd"] > 0]
        cured = [loan for loan in late if where(new.get(loan)) in {"0", "settled"}]
        assert roll.cured == (len(cured), len(late))


@settings(max_examples=40)
@given(lives(), st.sampled_from([0, 30, 90]))
def test_a_vintage_counts_each_loan_once_from_the_month_in_which_it_was_first_seen_late(
    books: list[WholeBook], over: int
) -> None:
    found, seen = analytics.vintages(books, over), [loans_of(book) for book in books]
    last = 650 + len(books) - 1
    born = {loan: 650 + month - one["mob"] for month, view in enumerate(seen) for loan, one in view.items()}
    born = {loan: month for loan, month in born.items() if month >= 650}
    assert dict(zip(found.month.tolist(), found.loans.tolist(), strict=True)) == dict(Counter(born.values()))
    for place, month in enumerate(found.month.tolist()):
        own = [loan for loan, of in born.items() if of == month]
        for mob in range(found.share.shape[1]):
            if month + mob > last:
                assert np.isnan(found.share[place, mob])
                continue
            bad = [
                loan
                for loan in own
                if any(late(view.get(loan), over) for view in seen[: month + mob - 650 + 1])
            ]
            assert found.share[place, mob] == pytest.approx(len(bad) / len(own))


def late(one: dict[str, int] | None, over: int) -> bool:
    return one is not None and (one["dpd"] > over or STATES[one["state"]] is State.CHARGED_OFF)


@settings(max_examples=40)
@given(lives(), st.integers(1, 3))
def test_shares_are_of_the_whole_and_the_largest_borrowers_owe_theirs(
    books: list[WholeBook], most: int
) -> None:
    book = books[-1]
    held = [one for one in loans_of(book).values() if is_open(one)]
    parts = analytics.shares(book, [f"v{loan % 3}" for loan in book.loan.tolist()])
    assert sum(part.balance for part in parts) == sum(one["balance"] for one in held)
    assert sum(part.loans for part in parts) == len(held)
    owed = Counter[int]()
    for one in held:
        owed[one["subject"]] += one["balance"]
    whole = sum(owed.values())
    top = sum(sorted(owed.values(), reverse=True)[:most])
    assert analytics.largest(book, most) == (top / whole if whole else None)


def test_the_flow_to_bad_is_the_product_of_the_ways_there() -> None:
    loans = np.zeros((len(BUCKETS), len(TO)), dtype=np.int64)
    loans[0, :2] = 90, 10  # a tenth of the current becomes late
    loans[1, [0, 2]] = 5, 5
    loans[2, [0, 3, TO.index("charged_off")]] = 6, 3, 1
    loans[3, [3, 4]] = 1, 1
    roll = analytics.Roll(0, 1, loans, loans)
    assert analytics.flow_to_bad([roll]) == pytest.approx(0.1 * 0.5 * 0.4 * 0.5)
    assert analytics.flow_to_bad([]) is None
    assert analytics.flow_to_bad([analytics.Roll(0, 1, loans * 0, loans)]) is None


@pytest.mark.parametrize(("parts", "index"), [([10], 1.0), ([5, 5], 0.5), ([0, 0], None), ([], None)])
def test_concentration_is_one_where_one_holds_all(parts: list[int], index: float | None) -> None:
    assert analytics.herfindahl(parts) == index
