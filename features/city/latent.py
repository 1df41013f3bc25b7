"""The latent life of each household and the months' emissions that departments will report."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.city.parameters import INCOMES, Economy, Source

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Lives:
    """``kind`` [n], ``state`` and ``trigger`` [n, months and beyond]."""

    kind: Ints
    state: Ints
    trigger: Flags
    fraud: Flags


@dataclass(frozen=True, slots=True)
class Emissions:
    """What happened each month [n, months], and by how many months each source tells it late.

    ``lag`` by source: int64 [n, months], ``LAGS`` where the record is lost for ever.
    """

    ss_paid: Flags
    load: Floats
    bill_on_time: Flags
    court: Ints
    court_kind: Ints
    tax_status: Ints
    bureau_bucket: Ints
    enquiries: Ints
    inflow: Floats
    balance: Floats
    autopay_fail: Flags
    late: Flags
    fund_paid: Flags
    water_on_time: Flags
    penalty: Flags
    invoices: Ints
    lag: dict[str, Ints]


@dataclass(frozen=True, slots=True)
class Attributes:
    """Static attributes [n]: who is in which register; ``tax_grade`` 0 to 4 is that of a firm's owner only."""

    employed: Flags
    trader: Flags
    firm: Flags
    home: Flags
    vehicle: Flags
    bureau: Flags
    metered: Flags
    machine: Flags
    fund: Flags
    tax_grade: Ints
    piped: Flags


def live(economy: Economy, regime: Ints, n: int, generator: np.random.Generator) -> Lives:
    """Draw types, monthly states and default triggers."""
    months = len(regime)
    kind = generator.choice(len(economy.prior()), n, p=economy.prior())
    initial, hazard = economy.initial(), economy.type_hazard()
    chains = [economy.transition(0), economy.transition(1)]
    state = np.zeros((n, months), dtype=np.int64)
    state[:, 0] = _draw(initial[kind], generator)
    for month in range(1, months):
        state[:, month] = _draw(chains[regime[month]][kind, state[:, month - 1]], generator)
    trigger = generator.random((n, months)) < hazard[kind[:, None], state]
    return Lives(kind, state, trigger, generator.random(n) < economy.fraud)


def attributes(economy: Economy, lives: Lives, generator: np.random.Generator) -> Attributes:
    """Draw the static attributes, which depend on the quality of a household."""
    quality = lives.kind // INCOMES
    n = len(quality)

    def has(share: Floats) -> Flags:
        return generator.random(n) < share[quality]

    employed = has(economy.employed)
    return Attributes(
        employed, has(economy.trader), has(economy.firm), has(economy.home), has(economy.vehicle),
        has(economy.bureau), generator.random(n) < economy.metered, has(economy.machine),
        has(economy.fund) & employed, _draw(economy.tax_grade[quality], generator),
        generator.random(n) < economy.piped,
    )  # fmt: skip


def emit(economy: Economy, lives: Lives, months: int, generator: np.random.Generator) -> Emissions:
    """Draw what each month shows, given the state only (and the income, for amounts)."""
    x = lives.state[:, :months]
    income = (lives.kind % INCOMES)[:, None]
    shape = x.shape

    def coin(share: Floats) -> Flags:
        return generator.random(shape) < share[x]

    def normal(mean: Floats, spread: float) -> Floats:
        return mean + spread * generator.standard_normal(shape)

    lag = {name: _lags(source, shape, generator) for name, source in economy.sources.items()}
    return Emissions(
        coin(economy.ss_paid),
        normal(economy.load_mean[x], economy.load_spread),
        coin(economy.bill_on_time),
        generator.poisson(economy.court[x]),
        _draw(economy.court_kind[x], generator),
        _draw(economy.tax_status[x], generator),
        _draw(economy.bureau_bucket[x], generator),
        generator.poisson(economy.enquiries[x]),
        normal(economy.inflow_income[income] + economy.inflow_state[x], economy.inflow_spread),
        normal(economy.balance_income[income] + economy.balance_state[x], economy.balance_spread),
        coin(economy.autopay_fail),
        coin(economy.late_payment),
        coin(economy.fund_paid),
        coin(economy.water_on_time),
        coin(economy.penalty),
        generator.poisson(economy.invoices[x]),
        lag,
    )


def _lags(source: Source, shape: tuple[int, int], generator: np.random.Generator) -> Ints:
    """Months until each record is out [n, months]; as many as the source has where it is lost for ever."""
    generator = generator.spawn(1)[0] if source.own_stream else generator
    lag = np.asarray(generator.choice(len(source.lag), shape, p=np.array(source.lag)), dtype=np.int64)
    lag[generator.random(shape) < source.lost] = len(source.lag)
    lag[:, [month for month in source.silent if month < shape[1]]] = len(source.lag)
    return lag


def _draw(shares: Floats, generator: np.random.Generator) -> Ints:
    """One category for each row of shares [..., categories]."""
    edges = np.cumsum(shares, axis=-1)[..., :-1]
    drawn = generator.random(shares.shape[:-1])[..., None] > edges
    return np.asarray(drawn.sum(axis=-1), dtype=np.int64)
