"""The filter's twin: an observer in plain Python, who writes down every chance of what he sees.

He shares the economy's numbers with the city and no code: his chances are those of the city's page.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from features.city.parameters import Economy

LAGGED = (
    "social_insurance", "electricity", "tax_filing", "bureau_repayment", "court_case",
    "provident_fund", "water", "administrative_penalty",
)  # fmt: skip
FRAUD_TOLD_AFTER = 3
SINGLE = {"social_insurance": "ss_paid", "provident_fund": "fund_paid", "administrative_penalty": "penalty"}
"""Sources that tell only of what happened, by the chance that it does."""


@dataclass
class Month:
    """What an observer holds of one month. A lagged record is (lag, value), None where none has come."""

    inflow: float
    balance: float
    autopay_fail: bool
    enquiries: int
    told: dict[str, tuple[int, object]] = field(default_factory=dict)
    paid_late: bool | None = None
    missed: bool = False
    fraud_told: bool = False
    invoices: int = 0
    decision: tuple[bool, float] | None = None
    """Approved by policy or not, and the score that the officer saw."""


@dataclass
class Person:
    """What an observer knows of one household: its registers and its months."""

    has: dict[str, bool]
    metered: bool
    months: list[Month]
    piped: bool = False
    tax_grade: int | None = None


def hidden_types(economy: Economy) -> Iterator[tuple[int, int, float]]:
    for quality, income in product(range(3), range(2)):
        yield quality, income, float(economy.quality[quality] * economy.income[income])


def step(economy: Economy, quality: int, regime: int) -> list[list[float]]:
    """P(state -> state) of a month."""
    enter = float(economy.enter[quality]) * (2 if regime else 1)
    recover, worsen, mend = economy.recover, economy.worsen, economy.mend
    return [[1 - enter, enter, 0.0], [recover, 1 - recover - worsen, worsen], [0.0, mend, 1 - mend]]


def first_state(economy: Economy, quality: int) -> np.ndarray:
    """The stationary share of the calm regime, as the left eigenvector."""
    values, vectors = np.linalg.eig(np.array(step(economy, quality, 0)).T)
    share = np.real(vectors[:, np.argmax(np.real(values))])
    return np.asarray(share / share.sum())


def registers(economy: Economy, quality: int, person: Person) -> float:
    """P(who is in which register, and the grade of the firm | quality)."""
    out, has = 1.0, person.has
    if has["firm"]:
        assert person.tax_grade is not None
        out *= float(economy.tax_grade[quality][person.tax_grade])
    for name, yes in has.items():
        share = float(getattr(economy, name)[quality])
        if name == "fund" and not has["employed"]:
            share = 0.0
        out *= share if yes else 1 - share
    return out


def bell(value: float, mean: float, spread: float) -> float:
    return math.exp(-(((value - mean) / spread) ** 2) / 2) / (spread * math.sqrt(2 * math.pi))


def poisson(count: int, rate: float) -> float:
    return math.exp(-rate) * rate**count / math.factorial(count)


def out_by(economy: Economy, source: str, month: int, age: int) -> float:
    """P(a record of that month is out after so many months)."""
    told = economy.sources[source]
    return 0.0 if month in told.silent else sum(told.lag[: age + 1]) * (1 - told.lost)


def record_chance(economy: Economy, source: str, value: object, state: int) -> float:
    """P(the record's content | state)."""
    e = economy
    if source in SINGLE:
        return float(getattr(e, SINGLE[source])[state])
    if source == "water":
        on_time = float(e.water_on_time[state])
        return on_time if value else 1 - on_time
    if source == "electricity":
        load, on_time = value  # type: ignore[misc]
        on = float(e.bill_on_time[state])
        return bell(load, float(e.load_mean[state]), e.load_spread) * (on if on_time else 1 - on)
    if source == "tax_filing":
        return float(e.tax_status[state][value])
    if source == "bureau_repayment":
        return float(e.bureau_bucket[state][value])
    count, kind = value  # type: ignore[misc]
    return poisson(count, float(e.court[state])) * float(e.court_kind[state][kind])


def any_chance(economy: Economy, source: str, state: int) -> float:
    """P(the source has something to tell of a month | state)."""
    if source in SINGLE:
        return float(getattr(economy, SINGLE[source])[state])
    return 1 - math.exp(-float(economy.court[state])) if source == "court_case" else 1.0


def asked(person: Person, source: str) -> bool:
    """Whether the source knows of the person at all."""
    register = {"social_insurance": "employed", "tax_filing": "trader", "bureau_repayment": "bureau",
                "provident_fund": "fund"}  # fmt: skip
    if source in {"electricity", "water"}:
        return person.metered if source == "electricity" else person.piped
    return source in {"court_case", "administrative_penalty"} or person.has[register[source]]


def month_chance(
    economy: Economy,
    person: Person,
    at: int,
    as_of: int,
    quality: int,
    income: int,
    state: int,
    *,
    fraud: bool,
) -> float:
    """P(what is known at ``as_of`` of month ``at`` | type, state, fraud)."""
    e, seen, age = economy, person.months[at], as_of - at
    out = bell(seen.inflow, float(e.inflow_income[income] + e.inflow_state[state]), e.inflow_spread)
    out *= bell(seen.balance, float(e.balance_income[income] + e.balance_state[state]), e.balance_spread)
    fails = float(e.autopay_fail[state])
    out *= fails if seen.autopay_fail else 1 - fails
    out *= poisson(seen.enquiries, float(e.enquiries[state]))
    if person.has["firm"]:
        out *= poisson(seen.invoices, float(e.invoices[state]))
    for source in LAGGED:
        if not asked(person, source):
            continue
        told = seen.told.get(source)
        if told is None or told[0] > age:
            out *= 1 - any_chance(e, source, state) * out_by(e, source, at, age)
        else:
            lag = e.sources[source].lag[told[0]] * (1 - e.sources[source].lost)
            out *= lag * record_chance(e, source, told[1], state)
    return out * loan_chance(economy, seen, age, quality, state, fraud=fraud)


def loan_chance(economy: Economy, seen: Month, age: int, quality: int, state: int, *, fraud: bool) -> float:
    hazard, late = float(economy.hazard[quality, state]), float(economy.late_payment[state])
    out = 1.0
    if seen.paid_late is not None:
        out *= 0.0 if fraud else (1 - hazard) * (late if seen.paid_late else 1 - late)
    if seen.missed:
        out *= 1.0 if fraud else hazard
        if age >= FRAUD_TOLD_AFTER:
            out *= float(seen.fraud_told == fraud)
    if seen.decision is not None and age >= 1:
        approved, score = seen.decision
        margin = economy.policy_cut - score - economy.officer_weight * state
        chance = 1 / (1 + math.exp(-margin / (0.35 * economy.officer_noise)))
        out *= chance if approved else 1 - chance
    return out


def enumerate_paths(
    economy: Economy, regime: Sequence[int], person: Person, as_of: int
) -> dict[tuple[int, int, int, bool], float]:
    """P(quality, income, state now, fraud | all known at ``as_of``), by adding up every hidden life."""
    total: dict[tuple[int, int, int, bool], float] = {}
    for quality, income, prior in hidden_types(economy):
        start = first_state(economy, quality)
        moves = [step(economy, quality, int(r)) for r in regime]
        for fraud in (False, True):
            base = prior * registers(economy, quality, person)
            base *= economy.fraud if fraud else 1 - economy.fraud
            seen = [
                [month_chance(economy, person, m, as_of, quality, income, s, fraud=fraud) for s in range(3)]
                for m in range(as_of + 1)
            ]
            for path in product(range(3), repeat=as_of + 1):
                chance = base * start[path[0]] * seen[0][path[0]]
                for m in range(1, as_of + 1):
                    chance *= moves[m][path[m - 1]][path[m]] * seen[m][path[m]]
                cell = (quality, income, path[-1], fraud)
                total[cell] = total.get(cell, 0.0) + chance
    whole = sum(total.values())
    return {cell: chance / whole for cell, chance in total.items()}


def forward(
    economy: Economy, regime: Sequence[int], person: Person, as_of: int
) -> dict[tuple[int, int, int, bool], float]:
    """The same as ``enumerate_paths`` for long histories, month by month."""
    total: dict[tuple[int, int, int, bool], float] = {}
    for quality, income, prior in hidden_types(economy):
        for fraud in (False, True):
            log = math.log(prior * registers(economy, quality, person))
            log += math.log(economy.fraud if fraud else 1 - economy.fraud)
            share = first_state(economy, quality)
            for m in range(as_of + 1):
                if m:
                    share = share @ np.array(step(economy, quality, int(regime[m])))
                seen = [
                    month_chance(economy, person, m, as_of, quality, income, s, fraud=fraud) for s in range(3)
                ]
                share = share * np.array(seen)
                scale = float(share.sum())
                if scale == 0:
                    break
                log += math.log(scale)
                share = share / scale
            else:
                for state in range(3):
                    total[quality, income, state, fraud] = log + math.log(max(float(share[state]), 1e-300))
    top = max(total.values())
    weights = {cell: math.exp(value - top) for cell, value in total.items()}
    whole = sum(weights.values())
    return {cell: weight / whole for cell, weight in weights.items()}


def survives(economy: Economy, quality: int, state: int, regime: int, months: int) -> float:
    """P(no payment missed for good in the next months), over every future of state and regime."""
    if months == 0:
        return 1.0
    out = 0.0
    for then in range(2):
        for ahead, chance in enumerate(step(economy, quality, then)[state]):
            if chance:
                safe = 1 - float(economy.hazard[quality, ahead])
                rest = survives(economy, quality, ahead, then, months - 1)
                out += float(economy.regime[regime, then]) * chance * safe * rest
    return out
