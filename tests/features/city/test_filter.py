"""The exact filter against every hidden life, written down one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from features.city.book import visible_score
from features.city.filter import BookRecords, Filter, default_risk, survival
from features.city.latent import Attributes, Emissions, attributes, emit, live
from features.city.parameters import LAGS, Source, economy
from tests.features.city.observer import Month, Person, enumerate_paths, forward, survives

MONTHS = 6
REGIME = np.array([0, 0, 1, 1, 0, 1])
ECONOMY = replace(
    economy(),
    fraud=0.2, court=np.array([0.2, 0.5, 0.9]), penalty=np.array([0.1, 0.3, 0.6]), metered=0.7, piped=0.6,
    firm=np.array([0.7, 0.5, 0.3]), fund=np.array([0.8, 0.5, 0.4]),
    sources={
        "social_insurance": Source((0.0, 0.72, 0.22, 0.06), 0.1),
        "electricity": Source((0.60, 0.20, 0.15, 0.05), 0.1, (2,)),
        "tax_filing": Source((0.50, 0.25, 0.15, 0.10), 0.1),
        "bureau_repayment": Source((0.70, 0.30, 0.0, 0.0)),
        "court_case": Source((0.40, 0.30, 0.20, 0.10), 0.2, (4,)),
        "provident_fund": Source((0.0, 0.60, 0.30, 0.10), 0.1),
        "water": Source((0.50, 0.30, 0.10, 0.10), 0.1, (0, 2, 4)),
        "administrative_penalty": Source((0.50, 0.30, 0.10, 0.10), 0.1),
    },
)  # fmt: skip
"""As the city's, with everything that is rare made common."""


def books(n: int, fraud: np.ndarray, generator: np.random.Generator) -> BookRecords:
    """Households of four kinds: no loan, one that is paid, one missed later, one never paid."""
    book = BookRecords.blank(fraud, MONTHS)
    for person in range(n):
        kind = person % 4
        if kind in {1, 2}:
            book.fraud[person] = False
            book.paying[person, 1 : 4 if kind == 1 else 3] = True
            book.defaulted[person, 3] = kind == 2
        if kind == 3:
            book.defaulted[person, 1 + person % 2] = book.at_once[person, 1 + person % 2] = True
        if kind == 0:
            book.fraud[person] = False
        book.decision[person, person % 3] = generator.choice([-1, 1])
        book.score[person] = generator.random(MONTHS)
    return book


@pytest.fixture(scope="module")
def world() -> tuple[Attributes, Emissions, BookRecords]:
    generator = np.random.default_rng(4)
    lives = live(ECONOMY, REGIME, 16, generator)
    known = attributes(ECONOMY, lives, generator)
    emitted = emit(ECONOMY, lives, MONTHS, generator)
    return known, emitted, books(16, lives.fraud.copy(), generator)


def seen_by_an_observer(known: Attributes, emitted: Emissions, book: BookRecords, person: int) -> Person:
    """What will be told of a person, month by month, with its lag."""
    has = {name: bool(getattr(known, name)[person]) for name in
           ("employed", "trader", "firm", "home", "vehicle", "bureau", "machine", "fund")}  # fmt: skip
    values = {
        "social_insurance": lambda m: True if emitted.ss_paid[person, m] else None,
        "electricity": lambda m: (float(emitted.load[person, m]), bool(emitted.bill_on_time[person, m])),
        "tax_filing": lambda m: int(emitted.tax_status[person, m]),
        "bureau_repayment": lambda m: int(emitted.bureau_bucket[person, m]),
        "court_case": lambda m: (int(emitted.court[person, m]), int(emitted.court_kind[person, m]))
        if emitted.court[person, m] else None,
        "provident_fund": lambda m: True if emitted.fund_paid[person, m] else None,
        "water": lambda m: bool(emitted.water_on_time[person, m]),
        "administrative_penalty": lambda m: True if emitted.penalty[person, m] else None,
    }  # fmt: skip
    months = []
    for m in range(MONTHS):
        told = {
            source: (int(emitted.lag[source][person, m]), value(m)) for source, value in values.items()
            if emitted.lag[source][person, m] < LAGS and value(m) is not None
        }  # fmt: skip
        decided = int(book.decision[person, m])
        months.append(Month(
            float(emitted.inflow[person, m]), float(emitted.balance[person, m]), bool(emitted.autopay_fail[person, m]),
            int(emitted.enquiries[person, m]), told,
            bool(emitted.late[person, m]) if book.paying[person, m] else None,
            missed=bool(book.defaulted[person, m]), fraud_told=bool(book.fraud[person]),
            invoices=int(emitted.invoices[person, m]),
            decision=(decided > 0, float(book.score[person, m])) if decided else None,
        ))  # fmt: skip
    grade = int(known.tax_grade[person]) if known.firm[person] else None
    return Person(has, bool(known.metered[person]), months, bool(known.piped[person]), grade)


def test_the_world_shows_every_kind_of_record(world) -> None:
    known, emitted, book = world
    assert book.at_once.any()
    assert (book.defaulted & ~book.at_once).any()
    assert set(np.unique(book.decision)) == {-1, 0, 1}
    assert (emitted.court > 1).any()
    assert all((lag == LAGS).any() for name, lag in emitted.lag.items() if name != "bureau_repayment")
    assert all(0 < (getattr(known, name) > 0).sum() < 16 for name in Attributes.__dataclass_fields__)
    assert (known.employed & ~known.fund).any()
    assert emitted.penalty.any()


def test_the_filter_equals_the_sum_over_all_hidden_lives(world) -> None:
    known, emitted, book = world
    hmm = Filter(ECONOMY, REGIME, known, emitted, book)
    for as_of in range(MONTHS):
        belief = hmm.posterior(as_of)
        for person in range(0, 16, 1 if as_of < MONTHS - 1 else 3):
            exact = enumerate_paths(ECONOMY, REGIME.tolist(), seen_by_an_observer(*world, person), as_of)
            by_cell = [
                sum(exact.get((q, i, s, fraud), 0.0) for fraud in (False, True))
                for q in range(3) for i in range(2) for s in range(3)
            ]  # fmt: skip
            assert belief[person] == pytest.approx(by_cell, abs=1e-9), (person, as_of)


def test_the_observer_who_goes_month_by_month_is_the_one_who_adds_up_lives(world) -> None:
    for person in (2, 3, 7):
        seen = seen_by_an_observer(*world, person)
        exact = enumerate_paths(ECONOMY, REGIME.tolist(), seen, 4)
        stepwise = forward(ECONOMY, REGIME.tolist(), seen, 4)
        assert all(
            stepwise.get(cell, 0.0) == pytest.approx(chance, abs=1e-12) for cell, chance in exact.items()
        )


def test_survival_is_the_sum_over_all_futures() -> None:
    plain = economy()
    alive = survival(plain, 5)
    for quality in range(3):
        for state in range(3):
            for regime in range(2):
                exact = [survives(plain, quality, state, regime, k) for k in range(6)]
                cells = [(quality * 2 + income) * 3 + state for income in range(2)]
                for cell in cells:
                    assert alive[:, cell, regime] == pytest.approx(exact, abs=1e-12)


@pytest.mark.parametrize("restructured", [0.0, 0.15, 1.0])
def test_a_last_instalment_of_a_long_loan_is_bad_only_where_it_was_restructured(restructured: float) -> None:
    plain = replace(economy(), restructured=restructured)
    alive = survival(plain, 24)
    belief = np.random.default_rng(1).dirichlet(np.ones(18), 4)
    term = np.array([6, 12, 18, 24])
    risk = default_risk(plain, alive, belief, 1, term)
    for row, months in enumerate(term):
        missed = [alive[k - 1, :, 1] - alive[k, :, 1] for k in range(1, months + 1)]
        counts = [1.0] * (months - 1) + [1.0 if months < 12 else restructured]
        expected = sum(
            weight * float(belief[row] @ chance) for weight, chance in zip(counts, missed, strict=True)
        )
        assert risk[row] == pytest.approx(expected, abs=1e-12)


def test_the_past_policy_saw_only_what_was_published_by_then(world) -> None:
    known, emitted, _ = world
    people = np.arange(16)
    score = visible_score(known, emitted, people, 4)
    for person in people:
        overdue = sum(
            bool(known.bureau[person] and emitted.bureau_bucket[person, m] > 0
                 and m + emitted.lag["bureau_repayment"][person, m] <= 4)
            for m in range(4)
        )  # fmt: skip
        assert score[person] == pytest.approx(0.35 * overdue + 0.12 * emitted.enquiries[person, :4].sum())
