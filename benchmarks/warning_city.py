"""A sample city for the warning benchmark: its book at every month's end, what each warner says, and the exact filter.

The filter is run again beside the city's own making, because a loan that ends soon can only default soon: its belief at
a month's end is asked for a missed payment between 30 and 365 days later and before the loan's end.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.calendar import DAY, instant, month_index
from features.canonical import code_of
from features.city.book import Applications, draw_book
from features.city.filter import BookRecords, Filter, survival
from features.city.latent import attributes, emit, live
from features.city.lending import _loan_id
from features.city.make import make_city
from features.city.parameters import BEYOND, START, WARM_UP, economy, regimes
from features.contracts.load import BUILTIN, load_contracts
from features.identity.vault import MemoryVault
from features.timeline.ingest import ingest_folder
from features.timeline.lake import Lake
from serving.watch.book import Book, open_book
from serving.watch.combining import told
from serving.watch.document import EARLY_PD, SignalsDocument
from serving.watch.models import Models
from serving.watch.months import codes, month_ends, onsets
from serving.watch.trying import past
from serving.watch.values import Reading, values_of
from training.portfolio import Portfolio
from training.run import lake_door

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
MONTHS = 48
FIRST = instant("2022-07-01")
"""The first month's end after the first applications."""


@dataclass(frozen=True)
class City:
    """A folder with a city and its lake, made of these numbers."""

    folder: Path
    households: int
    seed: int
    shifted: bool = False

    def make(self) -> City:
        """Write and ingest it."""
        print(
            make_city(
                self.folder / "city",
                households=self.households,
                months=MONTHS,
                seed=self.seed,
                shifted=self.shifted,
            )
        )
        ingest_folder(
            self.folder / "city", load_contracts([BUILTIN]), MemoryVault(), Lake(self.folder / "lake")
        )
        return self


@dataclass(frozen=True)
class Past:
    """Loans and months [rows], in the order of time; ``rank`` [signals, rows]; ``ends`` µs.

    ``missed`` and ``since`` are the first due date that the loan misses and when that is a default (0: never), ``early_pd``
    what the rule says and ``filter`` the exact chance.
    """

    codes: tuple[str, ...]
    ends: Ints
    month: Ints
    loan: Ints
    dpd: Ints
    rank: NDArray[np.int8]
    early_pd: Floats
    warning_pd: Floats
    filter: Floats
    missed: Ints
    since: Ints
    defaults: dict[int, tuple[int, int]]


class ExactFilter:
    """The filter's beliefs of every month, kept while the city's book is drawn again."""

    def __init__(self, city: City) -> None:
        """Draw the same city."""
        total = WARM_UP + MONTHS
        plain, self._regime = economy(shifted=city.shifted), regimes(total + BEYOND, shifted=city.shifted)
        seeds = [np.random.default_rng(one) for one in np.random.SeedSequence(city.seed).spawn(5)]
        lives = live(plain, self._regime, city.households, seeds[0])
        known = attributes(plain, lives, seeds[1])
        emitted = emit(plain, lives, total, seeds[2])
        book = BookRecords.blank(lives.fraud, total)
        self._hmm = Filter(plain, self._regime, known, emitted, book)
        self._beliefs: dict[int, Floats] = {}
        self._loans, _ = draw_book(
            plain, self._regime, lives, known, emitted, self, book, total, seeds[3], None  # type: ignore[arg-type]
        )  # fmt: skip
        self._alive = survival(plain, 12)
        codes_ = np.array(
            [code_of(text) for text in _loan_id(np.arange(len(self._loans.person))).to_pylist()]
        )
        self._order = np.argsort(codes_)
        self._codes = codes_[self._order]

    @property
    def loans(self) -> Applications:
        """The applications as they were drawn."""
        return self._loans

    def posterior(self, month: int) -> Floats:
        """As ``Filter.posterior``, kept."""
        self._beliefs[month] = self._hmm.posterior(month)
        return self._beliefs[month]

    def risk(self, book: Book, end: int) -> Floats:
        """P(a first due date missed 30 to 365 days after ``end``) [loans], by all that was known."""
        row = self._order[np.searchsorted(self._codes, book.loan)]
        months = month_index(np.array([end, instant(f"{START}-01")]))
        ahead = int(months[0] - months[1])
        left = np.clip(self._loans.month[row] + self._loans.term[row] - ahead + 1, 1, 12)
        regime = self._regime[ahead - 1]
        fate = self._alive[1][:, regime][None, :] - self._alive[left][:, :, regime]
        return np.asarray((self._beliefs[ahead - 1][self._loans.person[row]] * fate).sum(axis=1))


def looked_at(city: City, portfolio: Portfolio, document: SignalsDocument, models: Models) -> Past:
    """Every month's end of a city, as the watch would have seen it, beside the filter."""
    reading = Reading.of(portfolio.plan, document, models)
    sources = past(portfolio.plan, reading, lake_door(portfolio, city.folder / "lake", 0))
    last = max(int(table.known_from.max()) for table in sources.book.values() if len(table))
    ends, exact = month_ends(FIRST, last), ExactFilter(city)
    bad = {
        one.loan: (one.missed, one.since) for one in onsets(sources.book, month_ends(FIRST, last + 32 * DAY))
    }
    parts: list[tuple[NDArray, ...]] = []
    for place, end in enumerate(ends):
        book = open_book(sources.book, end)
        found, values = told(document, values_of(reading, sources, book, end), end - 1)
        parts.append((
            np.full(len(book.loan), place), book.loan, book.dpd, np.array([one.rank for one in found]),
            *(values.values.get(name, np.zeros(len(book.loan))) for name in (EARLY_PD, "warning_pd_12m")),
            exact.risk(book, end),
        ))  # fmt: skip
    month, loan, dpd, rank, early, pd, chance = (
        np.concatenate(each, axis=-1) for each in zip(*parts, strict=True)
    )
    fate = np.array([bad.get(one, (0, 0)) for one in loan.tolist()], dtype=np.int64)
    return Past(
        tuple(codes(document)),
        np.array(ends),
        month,
        loan,
        dpd,
        rank,
        early,
        pd,
        chance,
        fate[:, 0],
        fate[:, 1],
        bad,
    )
