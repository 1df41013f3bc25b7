"""The exact filter: P(default | every record known at as_of), the best that any model could do.

Hidden Markov forward recursion over (type, state). A month's record that is not known yet is not read as
absent: with p the chance of any event in the month, F(a) the chance that its record is out after a months
and is not lost, silence has likelihood 1 - p F(a). The last months are run again for every as-of, because
what is known of them still grows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.city.latent import Attributes, Emissions
from features.city.parameters import CELLS, FRAUD_TOLD, INCOMES, LAGS, STATES, TYPES, Economy

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
_STATE = np.tile(np.arange(STATES), TYPES)
_INCOME = np.repeat(np.arange(TYPES) % INCOMES, STATES)
_TYPE = np.repeat(np.arange(TYPES), STATES)


@dataclass(slots=True)
class BookRecords:
    """What the bank's own book shows, filled in as the past unfolds, arrays [n, months].

    ``paying``: a loan was due and paid; ``defaulted``: its payment was the first one missed for good, and
    ``at_once`` where it was also the first one due; ``decision`` 1 approved, -1 refused, 0 none, with the
    policy's visible score. ``fraud`` [n] is confirmed ``FRAUD_TOLD`` months after the missed payment.
    """

    paying: Flags
    defaulted: Flags
    at_once: Flags
    decision: Ints
    score: Floats
    fraud: Flags

    @staticmethod
    def blank(fraud: Flags, months: int) -> BookRecords:
        """The book before its first loan."""
        shape = (len(fraud), months)
        paying, defaulted, at_once = np.zeros((3, *shape), dtype=bool)
        return BookRecords(
            paying, defaulted, at_once, np.zeros(shape, dtype=np.int64), np.zeros(shape), fraud
        )


class Filter:
    """Runs month by month with the simulation of the book; see the module."""

    def __init__(
        self, economy: Economy, regime: Ints, known: Attributes, emitted: Emissions, book: BookRecords
    ) -> None:
        self._economy = economy
        self._regime = regime
        self._known = known
        self._emitted = emitted
        self._book = book
        self._chains = [economy.transition(0), economy.transition(1)]
        self._settled: Floats | None = None
        self._settled_month = -1
        self._start = np.log(economy.prior())[None, :] + _static(economy, known)

    def posterior(self, month: int) -> Floats:
        """P(type, state in ``month`` | all known on its day 26) [n, CELLS]; months must ascend."""
        while self._settled_month < month - LAGS:
            self._settled_month += 1
            self._settled = self._step(self._settled, self._settled_month, LAGS)
        belief = self._settled
        for earlier in range(self._settled_month + 1, month + 1):
            belief = self._step(belief, earlier, month - earlier)
        assert belief is not None
        return belief

    def _step(self, belief: Floats | None, month: int, age: int) -> Floats:
        if belief is None:
            first = np.exp(self._start - self._start.max(axis=1, keepdims=True))
            ahead = np.repeat(first, STATES, axis=1) * self._economy.initial().ravel()[None, :]
        else:
            ahead = _move(belief, self._chains[self._regime[month]])
        seen = self.likelihood(month, age)
        seen = np.exp(seen - seen.max(axis=1, keepdims=True))
        ahead = ahead * seen
        return np.asarray(ahead / ahead.sum(axis=1, keepdims=True))

    def likelihood(self, month: int, age: int) -> Floats:
        """Log likelihood [n, CELLS] of what is known of ``month`` after ``age`` further months."""
        e, m = self._economy, self._emitted
        by_state = self._told(month, age) + _poisson(m.enquiries[:, month], e.enquiries)
        by_state += _yes_no(m.autopay_fail[:, month], e.autopay_fail)
        by_state += _poisson(m.invoices[:, month], e.invoices) * self._known.firm[:, None]
        inflow = (e.inflow_income[:, None] + e.inflow_state).ravel()
        balance = (e.balance_income[:, None] + e.balance_state).ravel()
        by_income = _normal(m.inflow[:, month], inflow, e.inflow_spread)
        by_income += _normal(m.balance[:, month], balance, e.balance_spread)
        return by_state[:, _STATE] + by_income[:, _INCOME * STATES + _STATE] + self._own(month, age)

    def _told(self, month: int, age: int) -> Floats:
        """Log likelihood [n, states] of what the departments have told of a month."""
        e, m, known = self._economy, self._emitted, self._known
        total = self._single("social_insurance", m.ss_paid, e.ss_paid, known.employed, month, age)
        total += self._single("provident_fund", m.fund_paid, e.fund_paid, known.fund, month, age)
        everybody = np.ones_like(known.fund)
        total += self._single("administrative_penalty", m.penalty, e.penalty, everybody, month, age)
        out = _out(m, "water", month, age) & known.piped
        total += _yes_no(m.water_on_time[:, month], e.water_on_time) * out[:, None]
        out = _out(m, "electricity", month, age) & known.metered
        load = _normal(m.load[:, month], e.load_mean, e.load_spread)
        total += (load + _yes_no(m.bill_on_time[:, month], e.bill_on_time)) * out[:, None]
        out = _out(m, "tax_filing", month, age) & known.trader
        total += _categorical(m.tax_status[:, month], e.tax_status) * out[:, None]
        out = _out(m, "bureau_repayment", month, age) & known.bureau
        total += _categorical(m.bureau_bucket[:, month], e.bureau_bucket) * out[:, None]
        return np.asarray(total + self._court(month, age))

    def _single(
        self, source: str, happened: Flags, share: Floats, members: Flags, month: int, age: int
    ) -> Floats:
        """Of a source that tells only of what happened: its record, or its silence so far."""
        silent = np.log1p(-share * _share_out(self._economy, source, month, age))
        seen = happened[:, month] & _out(self._emitted, source, month, age)
        return np.where(seen[:, None], np.log(share), silent) * members[:, None]

    def _court(self, month: int, age: int) -> Floats:
        e, m = self._economy, self._emitted
        rate = e.court
        seen = _out(m, "court_case", month, age) & (m.court[:, month] > 0)
        told = _poisson(m.court[:, month], rate) + _categorical(m.court_kind[:, month], e.court_kind)
        silent = np.log1p(np.expm1(-rate) * _share_out(e, "court_case", month, age))
        return np.where(seen[:, None], told, silent[None, :])

    def _own(self, month: int, age: int) -> Floats:
        e, book = self._economy, self._book
        hazard = e.type_hazard().ravel()
        paid = np.log1p(-hazard)[None, :] + _yes_no(self._emitted.late[:, month], e.late_payment)[:, _STATE]
        total = np.where(book.paying[:, month][:, None], paid, 0.0)
        total = np.where(book.defaulted[:, month][:, None], np.log(hazard)[None, :], total)
        perhaps = np.log(e.fraud + (1 - e.fraud) * hazard)[None, :]
        fraud = perhaps if age < FRAUD_TOLD else np.where(book.fraud[:, None], 0.0, np.log(hazard)[None, :])
        total = np.where(book.at_once[:, month][:, None], fraud, total)
        if age >= 1:
            approved = approval(e, book.score[:, month][:, None], np.arange(STATES)[None, :])
            decided = book.decision[:, month][:, None]
            seen = np.where(decided > 0, np.log(approved), np.where(decided < 0, np.log1p(-approved), 0.0))
            total += seen[:, _STATE]
        return total


def approval(economy: Economy, score: Floats, state: NDArray[np.int64]) -> Floats:
    """P(approved | visible score, state): the officer sees the state through noise (logistic)."""
    margin = (economy.policy_cut - score - economy.officer_weight * state) / (0.35 * economy.officer_noise)
    return np.clip(1.0 / (1.0 + np.exp(-margin)), 1e-12, 1 - 1e-12)


def survival(economy: Economy, months: int) -> Floats:
    """P(no trigger in the next k months | type, state, regime now) [months + 1, CELLS, regimes]."""
    hazard = economy.type_hazard().ravel()
    chains = [economy.transition(0), economy.transition(1)]
    out = np.zeros((months + 1, CELLS, 2))
    out[0] = 1.0
    for k in range(1, months + 1):
        for now in range(2):
            for then in range(2):
                safe = ((1 - hazard) * out[k - 1, :, then]).reshape(TYPES, STATES)
                ahead = np.einsum("kst,kt->ks", chains[then], safe).ravel()
                out[k, :, now] += economy.regime[now, then] * ahead
    return out


def default_risk(economy: Economy, alive: Floats, belief: Floats, regime: int, term: Ints) -> Floats:
    """P(bad by the label's definition) [n] of a loan of ``term`` months drawn now, under beliefs [n, CELLS].

    A trigger at the last instalment of a loan of a year or more crosses 90 days after its window's end, so
    that it is bad only where it was restructured at once.
    """
    out = np.empty(len(term))
    for months in np.unique(term):
        rows = term == months
        whole, before = alive[months, :, regime], alive[months - 1, :, regime]
        bad = 1 - whole if months < 12 else (1 - before) + economy.restructured * (before - whole)
        out[rows] = (belief[rows] * bad).sum(axis=1)
    return out


def _move(belief: Floats, chain: Floats) -> Floats:
    """A month ahead; written out, because a matrix product's last bits depend on the machine's BLAS."""
    by_type = belief.reshape(-1, TYPES, STATES)
    return np.asarray(np.einsum("nks,kst->nkt", by_type, chain).reshape(belief.shape))


def _static(economy: Economy, known: Attributes) -> Floats:
    quality = np.arange(TYPES) // INCOMES
    total = np.zeros((len(known.employed), TYPES))
    pairs = (
        (known.employed, economy.employed), (known.trader, economy.trader), (known.firm, economy.firm),
        (known.home, economy.home), (known.vehicle, economy.vehicle), (known.bureau, economy.bureau),
        (known.machine, economy.machine),
    )  # fmt: skip
    for has, share in pairs:
        p = share[quality][None, :]
        total += np.where(has[:, None], np.log(p), np.log1p(-p))
    fund = _yes_no(known.fund, economy.fund) * known.employed[:, None]
    grade = _categorical(known.tax_grade, economy.tax_grade) * known.firm[:, None]
    return np.asarray(total + (fund + grade)[:, quality])


def _out(emitted: Emissions, source: str, month: int, age: int) -> Flags:
    return np.asarray(emitted.lag[source][:, month] <= min(age, LAGS - 1))


def _share_out(economy: Economy, source: str, month: int, age: int) -> float:
    told = economy.sources[source]
    if month in told.silent:
        return 0.0
    return float(sum(told.lag[: min(age, LAGS - 1) + 1]) * (1 - told.lost))


def _yes_no(drawn: Flags, share: Floats) -> Floats:
    return np.where(drawn[:, None], np.log(share), np.log1p(-share))


def _categorical(drawn: Ints, shares: Floats) -> Floats:
    return np.asarray(np.log(shares).T[drawn])


def _poisson(count: Ints, rate: Floats) -> Floats:
    return np.asarray(count[:, None] * np.log(np.maximum(rate, 1e-300))[None, :] - rate[None, :])


def _normal(value: Floats, mean: Floats, spread: float) -> Floats:
    return np.asarray(-0.5 * ((value[:, None] - mean[None, :]) / spread) ** 2)
