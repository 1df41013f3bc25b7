"""Expected credit loss: monthly default, share lost, exposure by the schedule, discounted, weighted over scenarios.

Of month t (1, 2, ...) a loan loses ``S(t-1) - S(t)`` (what defaults in it) times LGD times the exposure at the month's
beginning, discounted by t months at the loan's rate. Twelve months of it are stage 1, all of them until the schedule ends (at
least twelve) stage 2; of stage 3 it is LGD times the balance. A scenario multiplies each month's chance and the LGD, neither
beyond 1. The weighted sum is rounded once, half up to the fen, a loan; every sum over loans is one of whole fen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serving.classes.document import WHOLE, Losses, Scenario

Floats = NDArray[np.float64]
Int64 = NDArray[np.int64]
YEAR = 12
LONGEST = 480
"""Months of a schedule beyond which an exposure is taken as it is then."""
_AT_ONCE = 20_000
"""Rows that are worked out together, so that a book of any size fits."""


@dataclass(frozen=True, slots=True)
class Exposures:
    """Arrays [loans]: ``balance`` fen, ``rate`` ppm a year, ``lgd`` ppm, ``stage``; of the schedule, in order of the loans,
    ``first`` [loans + 1] places, ``month`` (0 is the coming one) and ``principal`` fen of each due date to come; ``hazard``
    [curves, months] the chance to default in each month, and which ``curve`` each loan has.
    """

    balance: Int64
    rate: Int64
    lgd: Int64
    stage: NDArray[np.int8]
    first: Int64
    month: Int64
    principal: Int64
    hazard: Floats
    curve: Int64

    def part(self, lo: int, hi: int) -> Exposures:
        """Some of the loans."""
        a, b = int(self.first[lo]), int(self.first[hi])
        used, curve = np.unique(self.curve[lo:hi], return_inverse=True)
        return Exposures(
            self.balance[lo:hi], self.rate[lo:hi], self.lgd[lo:hi], self.stage[lo:hi], self.first[lo : hi + 1] - a,
            self.month[a:b], self.principal[a:b], self.hazard[used], curve.astype(np.int64),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Expected:
    """Fen [loans]: of twelve months, of the whole life, of an impaired loan, and what its stage asks for."""

    year: Int64
    life: Int64
    impaired: Int64
    stage: NDArray[np.int8]

    @property
    def ecl(self) -> Int64:
        """By the stage."""
        return np.select([self.stage == 1, self.stage == 2], [self.year, self.life], self.impaired)


def expected(exposures: Exposures, rules: Losses) -> Expected:
    """What every loan is expected to lose."""
    count = len(exposures.balance)
    parts = [
        _expected(exposures.part(lo, min(lo + _AT_ONCE, count)), rules) for lo in range(0, count, _AT_ONCE)
    ]
    year, life, impaired = (
        np.concatenate([part[k] for part in parts]) if parts else np.zeros(0, np.int64) for k in range(3)
    )
    return Expected(year, life, impaired, exposures.stage)


def hazard_of_horizons(months: tuple[int, ...], pd: Floats, count: int) -> Floats:
    """Monthly chances [rows, count] whose survival meets the PDs [rows, horizons] of these months; the last goes on."""
    found = np.zeros((len(pd), count))
    before, since = np.ones(len(pd)), 0
    for place, until in enumerate(months):
        survive = np.minimum(1.0 - pd[:, place], before)
        ratio = np.divide(survive, before, out=np.zeros_like(before), where=before > 0)
        found[:, since:] = (1.0 - ratio ** (1.0 / (until - since)))[:, None]
        before, since = survive, until
    return found


def exposure(part: Exposures, months: int) -> Floats:
    """Fen owed [loans, months] at the beginning of each month: what is overdue stays, a prepayment came off the end."""
    rows = np.repeat(np.arange(len(part.balance)), np.diff(part.first))
    cells = rows * (months + 1) + np.minimum(part.month, months)
    flat = np.bincount(cells, part.principal.astype(float), len(part.balance) * (months + 1))
    due = flat.reshape(len(part.balance), months + 1)
    planned = due.sum(axis=1)
    balance = part.balance.astype(float)
    later = planned[:, None] - np.concatenate(
        [np.zeros((len(due), 1)), np.cumsum(due[:, : months - 1], axis=1)], axis=1
    )
    overdue, prepaid = np.maximum(balance - planned, 0.0), np.maximum(planned - balance, 0.0)
    return np.asarray(overdue[:, None] + np.maximum(later - prepaid[:, None], 0.0))


def life_of(part: Exposures) -> Int64:
    """Months until the schedule ends, at least twelve."""
    found = np.full(len(part.balance), YEAR, dtype=np.int64)
    rows = np.repeat(np.arange(len(part.balance)), np.diff(part.first))
    np.maximum.at(found, rows, part.month + 1)
    return np.minimum(found, LONGEST)


def _expected(part: Exposures, rules: Losses) -> tuple[Int64, Int64, Int64]:
    life = life_of(part)
    months = int(life.max(initial=YEAR))
    lost = exposure(part, months) * _discount(part, months)
    lost[np.arange(months) >= life[:, None]] = 0.0
    hazard = part.hazard[:, np.minimum(np.arange(months), part.hazard.shape[1] - 1)]
    floor = 1.0 - (1.0 - rules.pd_floor_ppm / WHOLE) ** (1.0 / YEAR)
    sums = np.zeros((3, len(life)))
    for one in rules.scenarios:
        sums += one.weight_ppm / WHOLE * _of_scenario(part, one, np.maximum(hazard, floor), lost)
    year, life_sum, impaired = (_fen(each, part.balance) for each in sums)
    return year, life_sum, impaired


def _of_scenario(part: Exposures, one: Scenario, hazard: Floats, lost: Floats) -> Floats:
    survive = np.cumprod(1.0 - np.minimum(hazard * (one.pd_times_ppm / WHOLE), 1.0), axis=1)
    defaults = np.concatenate([np.ones((len(survive), 1)), survive[:, :-1]], axis=1) - survive
    lgd = np.minimum(part.lgd / WHOLE * (one.lgd_times_ppm / WHOLE), 1.0)
    monthly = defaults[part.curve] * lost
    year = monthly[:, :YEAR].sum(axis=1)
    return np.stack([year, year + monthly[:, YEAR:].sum(axis=1), part.balance.astype(float)]) * lgd


def _discount(part: Exposures, months: int) -> Floats:
    monthly = 1.0 + part.rate / WHOLE / YEAR
    return np.asarray(monthly[:, None] ** -np.arange(1.0, months + 1))


def _fen(amount: Floats, balance: Int64) -> Int64:
    """Half up, never more than there is."""
    return np.minimum(np.floor(amount + 0.5).astype(np.int64), balance)
