"""Cities in memory: the hidden lives, what they emit and the book, without a feed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.city.book import Applications, MonthlyRisk, draw_book
from features.city.filter import BookRecords, Filter
from features.city.latent import Attributes, Emissions, Lives, attributes, emit, live
from features.city.parameters import BEYOND, WARM_UP, Economy, economy, regimes


@dataclass(frozen=True)
class Town:
    economy: Economy
    regime: np.ndarray
    lives: Lives
    known: Attributes
    emitted: Emissions
    book: BookRecords
    applications: Applications
    monthly: MonthlyRisk
    months: int


def town(
    households: int, months: int, seed: int, *, regime: np.ndarray | None = None, shifted: bool = False
) -> Town:
    """A town; ``regime`` replaces the economy's own path."""
    plain, total = economy(shifted=shifted), WARM_UP + months
    path = regimes(total + BEYOND, shifted=shifted) if regime is None else regime
    streams = [np.random.default_rng(one) for one in np.random.SeedSequence(seed).spawn(4)]
    lives = live(plain, path, households, streams[0])
    known = attributes(plain, lives, streams[1])
    emitted = emit(plain, lives, total, streams[2])
    book = BookRecords.blank(lives.fraud, total)
    hmm = Filter(plain, path, known, emitted, book)
    applications, monthly = draw_book(
        plain, path, lives, known, emitted, hmm, book, total, streams[3], progress=None
    )
    return Town(plain, path, lives, known, emitted, book, applications, monthly, total)


def draw_regime(plain: Economy, months: int, generator: np.random.Generator) -> np.ndarray:
    """A path that the economy might have taken."""
    out = np.zeros(months, dtype=np.int64)
    for month in range(1, months):
        out[month] = generator.random() < plain.regime[out[month - 1], 1]
    return out
