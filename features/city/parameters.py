"""The economy of the sample city: every number of it, frozen before any model was trained.

They were chosen, not estimated; ``docs/city.md`` says of each group why. ``shifted`` is another economy: more
strain, other incomes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

START = "2021-01"
WARM_UP = 18
"""Months of records before the first application."""
BEYOND = 26
"""Months that are simulated after the last record, so that every outcome is known to the truth."""
LAGS = 4
"""A record is published 0 to 3 months after its month (by day 25); applications come on day 26 or 27."""
FRAUD_TOLD = 3
"""A fraud is confirmed on day 20 of the third month after its first instalment was missed."""
QUALITIES, INCOMES, STATES = 3, 2, 3
TYPES = QUALITIES * INCOMES
CELLS = TYPES * STATES


def _a(*values: float) -> Floats:
    return np.array(values)


@dataclass(frozen=True, slots=True)
class Source:
    """Publication of a monthly source: P(lag = k months), P(record lost), months in which it was silent."""

    lag: tuple[float, ...]
    lost: float = 0.0
    silent: tuple[int, ...] = ()
    own_stream: bool = False
    """Whether its delays are drawn apart, so that the records of the other sources stay what they were."""


@dataclass(frozen=True, slots=True)
class Economy:
    """States are 0 in order, 1 strained, 2 distressed; arrays [states] unless said otherwise."""

    quality: Floats = field(default_factory=lambda: _a(0.48, 0.34, 0.18))
    income: Floats = field(default_factory=lambda: _a(0.55, 0.45))
    regime: Floats = field(default_factory=lambda: np.array([[0.93, 0.07], [0.20, 0.80]]))
    enter: Floats = field(default_factory=lambda: _a(0.003, 0.010, 0.028))
    """P(in order -> strained) a month by quality; doubled in the bad regime."""
    worsen: float = 0.12
    recover: float = 0.28
    mend: float = 0.10
    hazard: Floats = field(
        default_factory=lambda: np.array(
            [[0.0006, 0.006, 0.035], [0.0032, 0.014, 0.060], [0.0110, 0.028, 0.090]]
        )
    )
    """P(default trigger) a month by [quality, state]."""
    ss_paid: Floats = field(default_factory=lambda: _a(0.97, 0.80, 0.45))
    load_mean: Floats = field(default_factory=lambda: _a(-1.20, -1.36, -1.62))
    load_spread: float = 0.28
    bill_on_time: Floats = field(default_factory=lambda: _a(0.96, 0.85, 0.62))
    court: Floats = field(default_factory=lambda: _a(0.0015, 0.010, 0.050))
    court_kind: Floats = field(
        default_factory=lambda: np.array(
            [[0.70, 0.20, 0.08, 0.02], [0.45, 0.35, 0.15, 0.05], [0.25, 0.40, 0.22, 0.13]]
        )
    )
    tax_status: Floats = field(
        default_factory=lambda: np.array([[0.95, 0.045, 0.005], [0.80, 0.16, 0.04], [0.55, 0.30, 0.15]])
    )
    bureau_bucket: Floats = field(
        default_factory=lambda: np.array(
            [[0.965, 0.032, 0.002, 0.001], [0.86, 0.11, 0.02, 0.01], [0.60, 0.22, 0.11, 0.07]]
        )
    )
    enquiries: Floats = field(default_factory=lambda: _a(0.08, 0.22, 0.50))
    inflow_income: Floats = field(default_factory=lambda: _a(8.3, 9.1))
    inflow_state: Floats = field(default_factory=lambda: _a(0.0, -0.12, -0.35))
    inflow_spread: float = 0.38
    balance_income: Floats = field(default_factory=lambda: _a(8.0, 9.0))
    balance_state: Floats = field(default_factory=lambda: _a(0.0, -0.45, -1.10))
    balance_spread: float = 0.85
    autopay_fail: Floats = field(default_factory=lambda: _a(0.015, 0.08, 0.28))
    late_payment: Floats = field(default_factory=lambda: _a(0.04, 0.16, 0.40))
    employed: Floats = field(default_factory=lambda: _a(0.80, 0.58, 0.32))
    """Static attributes by quality: in social insurance, sole trader, firm owner, home owner, bureau file."""
    trader: Floats = field(default_factory=lambda: _a(0.30, 0.30, 0.30))
    firm: Floats = field(default_factory=lambda: _a(0.16, 0.12, 0.10))
    home: Floats = field(default_factory=lambda: _a(0.72, 0.45, 0.18))
    vehicle: Floats = field(default_factory=lambda: _a(0.62, 0.40, 0.20))
    bureau: Floats = field(default_factory=lambda: _a(0.78, 0.68, 0.52))
    machine: Floats = field(default_factory=lambda: _a(0.26, 0.19, 0.12))
    fund: Floats = field(default_factory=lambda: _a(0.52, 0.42, 0.30))
    """In the provident fund, by quality, of those in social insurance."""
    tax_grade: Floats = field(
        default_factory=lambda: np.array(
            [[0.28, 0.40, 0.26, 0.05, 0.01], [0.20, 0.40, 0.29, 0.08, 0.03], [0.13, 0.37, 0.31, 0.13, 0.06]]
        )
    )
    """Grades A B M C D of the owner's firm, by quality."""
    metered: float = 0.88
    piped: float = 0.80
    fund_paid: Floats = field(default_factory=lambda: _a(0.985, 0.92, 0.76))
    water_on_time: Floats = field(default_factory=lambda: _a(0.95, 0.89, 0.78))
    penalty: Floats = field(default_factory=lambda: _a(0.0010, 0.003, 0.008))
    """P(a penalty is decided) a month by state."""
    invoices: Floats = field(default_factory=lambda: _a(2.4, 2.0, 1.5))
    """Sales invoices of the owner's firm a month by state."""
    fraud: float = 0.006
    apply: float = 0.14
    terms: tuple[int, ...] = (6, 12, 18, 24)
    term_share: Floats = field(default_factory=lambda: _a(0.35, 0.45, 0.12, 0.08))
    drawn: float = 0.94
    restructured: float = 0.15
    officer_weight: float = 0.30
    officer_noise: float = 1.0
    policy_cut: float = 0.75
    random_share: float = 0.08
    sources: dict[str, Source] = field(
        default_factory=lambda: {
            "social_insurance": Source((0.0, 0.72, 0.22, 0.06), 0.004),
            "electricity": Source((0.90, 0.08, 0.02, 0.0), 0.002, (31,)),
            "tax_filing": Source((0.70, 0.25, 0.05, 0.0), 0.003),
            "bureau_repayment": Source((0.95, 0.05, 0.0, 0.0)),
            "court_case": Source((0.85, 0.12, 0.03, 0.0), 0.003),
            "provident_fund": Source((0.0, 0.80, 0.16, 0.04), 0.003, own_stream=True),
            "water": Source((0.0, 0.90, 0.08, 0.02), 0.002, tuple(range(0, 240, 2)), own_stream=True),
            "administrative_penalty": Source((0.70, 0.22, 0.08, 0.0), 0.003, own_stream=True),
        }
    )

    def transition(self, regime: int) -> Floats:
        """P [types, states, states] of a month under a regime; a type is quality * INCOMES + income."""
        out = np.zeros((TYPES, STATES, STATES))
        for kind in range(TYPES):
            enter = self.enter[kind // INCOMES] * (2.0 if regime else 1.0)
            out[kind, 0] = 1 - enter, enter, 0
            out[kind, 1] = self.recover, 1 - self.recover - self.worsen, self.worsen
            out[kind, 2] = 0, self.mend, 1 - self.mend
        return out

    def type_hazard(self) -> Floats:
        """Hazard [types, states]."""
        return np.repeat(self.hazard, INCOMES, axis=0)

    def prior(self) -> Floats:
        """P [types]."""
        return np.outer(self.quality, self.income).ravel()

    def initial(self) -> Floats:
        """P(state | type) in the first month: the stationary share of the calm regime."""
        calm = self.transition(0)
        out = np.tile(_a(1.0, 0.0, 0.0), (TYPES, 1))
        for _ in range(1_000):
            out = np.einsum("ts,tsu->tu", out, calm)
        return out


def economy(*, shifted: bool = False) -> Economy:
    """The economy, or the shifted one."""
    plain = Economy()
    if not shifted:
        return plain
    return replace(
        plain, quality=_a(0.35, 0.37, 0.28), income=_a(0.70, 0.30), enter=plain.enter * 1.35, recover=0.16,
        regime=np.array([[0.88, 0.12], [0.15, 0.85]]),
    )  # fmt: skip


def regimes(months: int, *, shifted: bool = False) -> NDArray[np.int64]:
    """The shared regime of each month: the same whatever the seed, because the economy is one."""
    generator = np.random.default_rng(20210101 + shifted)
    chain = economy(shifted=shifted).regime
    out = np.zeros(months, dtype=np.int64)
    for month in range(1, months):
        out[month] = generator.random() < chain[out[month - 1], 1]
    return out
