"""The book from month to month as one document: bands, rolls, cures, vintages, concentration, by segment and village."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import msgspec
import numpy as np

from features.calendar import iso, month_index, month_start, month_text
from features.loans import analytics
from features.loans.analytics import TO, Month, Roll
from features.loans.rows import Records
from features.loans.whole import BUCKETS, WholeBook
from features.timeline.events import EventTable

MOST_MONTHS = 60
LARGEST = 10
"""So many borrowers are the largest ones."""
VINTAGE_DAYS = (30, 90)
_YEAR = 12


class BandView(msgspec.Struct, frozen=True):
    """Loans and balance of a band of days past due."""

    band: str
    loans: int
    balance_fen: int


class MonthView(msgspec.Struct, frozen=True):
    """The open book as it was known when ``month`` had ended. ``npl``: share of the balance more than 90 days past due."""

    month: str
    as_of: str
    loans: int
    balance_fen: int
    overdue_fen: int
    npl: float | None
    bands: tuple[BandView, ...]


class RollView(msgspec.Struct, frozen=True):
    """From band to band, settled, charged off or gone within a month: loans [bands][``to``], and who was cured of the late."""

    before: str
    after: str
    to: tuple[str, ...]
    loans: tuple[tuple[int, ...], ...]
    cured: int
    late: int


class VintageView(msgspec.Struct, frozen=True):
    """Loans first drawn in a month, and the share ever later than ``over`` days by each month on book."""

    over: int
    month: str
    loans: int
    share: tuple[float, ...]


class PartView(msgspec.Struct, frozen=True):
    """A part of the open book; ``npl`` as of the book."""

    label: str
    loans: int
    balance_fen: int
    share: float
    npl: float | None


class PortfolioView(msgspec.Struct, frozen=True):
    """A book over months. ``flow_to_bad``: share of current loans that would come to over 90 days at the rates of the last
    year; ``largest``: share of the balance that the ten largest borrowers owe; ``herfindahl`` by what the parts are made of.
    """

    first: str
    last: str
    months: tuple[MonthView, ...]
    rolls: tuple[RollView, ...]
    flow_to_bad: float | None
    vintages: tuple[VintageView, ...]
    largest: float | None
    parts: Mapping[str, tuple[PartView, ...]]
    herfindahl: Mapping[str, float | None]


def portfolio(books: Sequence[WholeBook], labels: Mapping[str, Sequence[str]]) -> PortfolioView:
    """The document of views of a book, one a month's end in order; ``labels`` are of the loans of the last one."""
    rolls = [analytics.roll_of(*pair) for pair in pairwise(books)]
    last = books[-1]
    parts = {name: analytics.shares(last, each) for name, each in labels.items()}
    whole = sum(one.balance for one in next(iter(parts.values()), []))
    return PortfolioView(
        iso(books[0].as_of), iso(last.as_of), tuple(_month(analytics.month_of(book)) for book in books),
        tuple(map(_roll, rolls)), analytics.flow_to_bad(rolls[-_YEAR:]),
        tuple(line for over in VINTAGE_DAYS for line in _vintages(books, over)), analytics.largest(last, LARGEST),
        {name: tuple(_part(one, whole) for one in each) for name, each in parts.items()},
        {name: analytics.herfindahl([one.balance for one in each]) for name, each in parts.items()},
    )  # fmt: skip


def month_ends(at: int, months: int) -> list[int]:
    """The last ``months`` ends of a month at or before an instant, in order."""
    last = int(month_index(np.array([at]))[0])
    return [int(month_start(month)) for month in range(last - months + 1, last + 1)]


def amount_band(fen: int) -> str:
    """The band of a granted amount."""
    for most, label in (
        (1_000_000, "to 10,000"),
        (3_000_000, "to 30,000"),
        (5_000_000, "to 50,000"),
        (10_000_000, "to 100,000"),
    ):
        if fen <= most:
            return label
    return "over 100,000"


def labels(tables: Mapping[str, EventTable], book: WholeBook) -> dict[str, list[str]]:
    """What the records say of each loan of a view: the band of its amount, and the year in which it was granted."""
    told = Records(tables, book.as_of).loans
    place = np.searchsorted(told.loan, book.loan)
    granted = (1970 + month_index(told.granted_at[place]) // 12).tolist()
    return {
        "amount granted": [amount_band(fen) for fen in told.limit[place].tolist()],
        "year granted": [str(year) for year in granted],
    }


def _month(one: Month) -> MonthView:
    bands = tuple(
        BandView(band.value, loans, balance)
        for band, loans, balance in zip(BUCKETS, one.loans.tolist(), one.balance.tolist(), strict=True)
    )
    ended = int(month_index(np.array([one.as_of - 1]))[0])
    return MonthView(
        month_text(ended), iso(one.as_of), one.total, int(one.balance.sum()), one.overdue, one.npl, bands
    )


def _roll(one: Roll) -> RollView:
    cured, late = one.cured
    loans = tuple(tuple(row) for row in one.loans.tolist())
    return RollView(iso(one.before), iso(one.after), TO, loans, cured, late)


def _vintages(books: Sequence[WholeBook], over: int) -> list[VintageView]:
    found = analytics.vintages(books, over)
    return [
        VintageView(over, month_text(month), loans, tuple(share[~np.isnan(share)].tolist()))
        for month, loans, share in zip(found.month.tolist(), found.loans.tolist(), found.share, strict=True)
    ]


def _part(one: analytics.Share, whole: int) -> PartView:
    npl = one.bad_balance / one.balance if one.balance else None
    return PartView(one.label, one.loans, one.balance, one.balance / whole if whole else 0.0, npl)
