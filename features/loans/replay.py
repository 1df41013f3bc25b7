"""The replay of loans of the common kind: one drawdown, its schedule, payments. Compiled, the whole book at once.

It repeats ``ledger.Ledger.pay`` for one schedule, to the fen; the engine in ``book`` is its oracle. All that it calls
is in this file: a cached caller in another file would go on using an old helper.
"""

from __future__ import annotations

import numpy as np
from numba import njit

CHINA_OFFSET = 28_800_000_000
DAY = 86_400_000_000
LARGEST = np.iinfo(np.int64).max
FEE, INTEREST, PRINCIPAL = 0, 1, 2
OWED, OVERDUE, BALANCE, DPD, TIMES_LATE, FIRST_LATE, REFUSED, PAID = range(8)
"""Columns of what ``replay`` gives."""
COLUMNS = 8


@njit(cache=True)
def replay(drawn_at, granted_at, first_line, first_payment, day, due, at, amount, since, moment, today):
    """Where loans stand at each moment, ascending: int64 [moments, loans, COLUMNS]; ``today`` are the moments' days.

    ``first_line`` and ``first_payment`` [loans + 1] cut ``day``, ``due`` [lines, 3] and ``at``, ``amount`` [payments].
    ``due`` is worked upon. Only schedules that add up; payments in their order, each there from its ``since`` on, which
    falls within no loan.
    """
    out = np.zeros((len(moment), len(drawn_at), COLUMNS), dtype=np.int64)
    paid = np.zeros_like(due)
    settled = np.full(len(day), LARGEST)
    for loan in range(len(drawn_at)):
        lo, hi = first_line[loan], first_line[loan + 1]
        drawn_day = (drawn_at[loan] + CHINA_OFFSET) // DAY
        left, sum_, refused, turn = np.int64(0), np.int64(0), np.int64(0), 0
        for k in range(lo, hi):
            asked = due[k, FEE] + due[k, INTEREST] + due[k, PRINCIPAL]
            left += asked
            if asked == 0:
                settled[k] = drawn_day
        for p in range(first_payment[loan], first_payment[loan + 1]):
            while turn < len(moment) and moment[turn] < since[p]:
                out[turn, loan, REFUSED], out[turn, loan, PAID] = refused, sum_
                _tell(day, due, paid, settled, lo, hi, today[turn], out[turn, loan])
                turn += 1
            if at[p] < granted_at[loan] or at[p] < drawn_at[loan] or amount[p] <= 0 or left == 0:
                refused += 1
                continue
            left = _pay(day, due, paid, settled, lo, hi, amount[p], (at[p] + CHINA_OFFSET) // DAY)
            sum_ += amount[p]
        while turn < len(moment):
            out[turn, loan, REFUSED], out[turn, loan, PAID] = refused, sum_
            _tell(day, due, paid, settled, lo, hi, today[turn], out[turn, loan])
            turn += 1
    return out


@njit(cache=True)
def _spend(due, paid, lo, hi, part, amount):
    for k in range(lo, hi):
        if amount == 0:
            break
        taken = min(amount, due[k, part] - paid[k, part])
        paid[k, part] += taken
        amount -= taken
    return amount


@njit(cache=True)
def _pay(day, due, paid, settled, lo, hi, amount, today):
    """Spend one payment; returns what is owed after it."""
    current = lo
    while current < hi and day[current] < today:
        current += 1
    after = min(current + 1, hi)
    amount = _spend(due, paid, lo, hi, FEE, amount)
    amount = _spend(due, paid, lo, current, INTEREST, amount)
    amount = _spend(due, paid, lo, current, PRINCIPAL, amount)
    amount = _spend(due, paid, current, after, INTEREST, amount)
    amount = _spend(due, paid, current, after, PRINCIPAL, amount)
    if amount > 0:
        _prepay(due, paid, after, hi, amount)
    left = np.int64(0)
    for k in range(lo, hi):
        open_ = np.int64(0)
        for part in range(3):
            open_ += due[k, part] - paid[k, part]
        left += open_
        if open_ == 0 and settled[k] == LARGEST:
            settled[k] = today
    return left


@njit(cache=True)
def _prepay(due, paid, lo, hi, amount):
    """The last principal first; interest falls as the balance that it is charged on."""
    old = np.int64(0)
    new = np.int64(0)
    for k in range(hi - 1, lo - 1, -1):
        open_ = due[k, PRINCIPAL] - paid[k, PRINCIPAL]
        taken = min(amount, open_)
        paid[k, PRINCIPAL] += taken
        amount -= taken
        old += open_
        new += open_ - taken
        if old > 0 and old != new:
            owed = due[k, INTEREST] - paid[k, INTEREST]
            due[k, INTEREST] = paid[k, INTEREST] + (2 * owed * new + old) // (2 * old)


@njit(cache=True)
def _tell(day, due, paid, settled, lo, hi, today, out):
    for k in range(lo, hi):
        open_ = np.int64(0)
        for part in range(3):
            open_ += due[k, part] - paid[k, part]
        out[OWED] += open_
        out[BALANCE] += due[k, PRINCIPAL] - paid[k, PRINCIPAL]
        if day[k] < today:
            out[OVERDUE] += open_
            if open_ > 0:
                out[DPD] = max(out[DPD], today - day[k])
        if day[k] < min(today, settled[k]):
            out[TIMES_LATE] += 1
            if k == lo:
                out[FIRST_LATE] = 1
