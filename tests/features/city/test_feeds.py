"""The feeds hold what the filter holds: nothing that it does not know, and all that it uses, by then."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.city.book import Applications
from features.city.feeds import Writer
from features.city.filter import default_risk, survival
from features.city.latent import Attributes, Emissions, Lives
from features.city.parameters import LAGS, economy, regimes
from tests.features.city.engineer import Files, at, month_of
from tests.features.city.lives import Town, town
from tests.features.city.observer import FRAUD_TOLD_AFTER, forward

REGISTER = {"social_insurance": "employed", "electricity": "metered", "tax_filing": "trader",
            "bureau_repayment": "bureau", "provident_fund": "fund", "water": "piped"}  # fmt: skip
CONTENT = {"social_insurance": ("ss_paid",), "electricity": ("load", "bill_on_time"), "tax_filing": ("tax_status",),
           "bureau_repayment": ("bureau_bucket",), "court_case": ("court", "court_kind"),
           "provident_fund": ("fund_paid",), "water": ("water_on_time",), "administrative_penalty": ("penalty",)}  # fmt: skip
FOR_FAIRNESS_ALONE = "fairness_attributes"
"""It follows the hidden income, and nobody may read it for credit; the filter leaves it out."""


def text_of(made: Town, lives: Lives, emitted: Emissions, applications: Applications) -> dict[str, pa.Table]:
    writer = Writer(lives, made.known, emitted, made.months, np.random.default_rng(5))
    return {
        dataset: pa.table({name: pa.array(column) for name, column in table.items()})
        for dataset, table in writer.feeds(applications).items()
    }


def untold(made: Town, source: str) -> np.ndarray:
    """Months of which a source will tell nothing, [n, months]."""
    lag = made.emitted.lag[source]
    out = (lag >= LAGS) | (np.arange(made.months)[None, :] + lag >= made.months)
    if source in REGISTER:
        out = out | ~getattr(made.known, REGISTER[source])[:, None]
    return out


def other_hidden_facts(made: Town, generator: np.random.Generator) -> tuple[Lives, Emissions, Applications]:
    """Another town behind the same records: whatever the filter does not hold is drawn anew."""
    lives = replace(
        made.lives, kind=generator.permutation(made.lives.kind), state=generator.permutation(made.lives.state),
        trigger=generator.random(made.lives.trigger.shape) < 0.5,
    )  # fmt: skip
    emitted = made.emitted
    for source, names in CONTENT.items():
        where = untold(made, source)
        for name in names:
            values = getattr(emitted, name)
            drawn = np.where(where, generator.permutation(values.ravel()).reshape(values.shape), values)
            if name == "court":
                drawn = np.where(where & (values > 0), values, np.where(where, 0, values))
            emitted = replace(emitted, **{name: drawn})
    late = np.where(made.book.paying, emitted.late, generator.random(emitted.late.shape) < 0.5)
    invoices = np.where(made.known.firm[:, None], emitted.invoices, generator.poisson(5.0, late.shape))
    emitted = replace(emitted, late=late, invoices=invoices)
    a = made.applications
    n = len(a.person)
    granted = a.approved & a.drawn
    applications = replace(
        a, bad=generator.random(n) < 0.5, traced=generator.random(n) < 0.5,
        filter_risk=generator.random(n), true_risk=generator.random(n),
        paid=np.where(granted, a.paid, generator.integers(0, 6, n)),
        drawn=np.where(a.approved, a.drawn, generator.random(n) < 0.5),
        restructured=np.where(granted & (a.paid < a.term), a.restructured, generator.random(n) < 0.5),
    )  # fmt: skip
    return lives, emitted, applications


def test_a_feed_tells_nothing_but_what_the_filter_holds_and_noise() -> None:
    """Types, states, triggers, outcomes and every record that is never told change: no byte of a feed does."""
    made = town(120, 36, seed=8)
    lives, emitted, applications = other_hidden_facts(made, np.random.default_rng(1))
    assert (emitted.load != made.emitted.load).any()
    assert (emitted.late != made.emitted.late).any()
    assert (lives.state != made.lives.state).any()
    before = text_of(made, made.lives, made.emitted, made.applications)
    after = text_of(made, lives, emitted, applications)
    for dataset in before:
        assert before[dataset].equals(after[dataset]) == (dataset != FOR_FAIRNESS_ALONE), dataset


def test_every_emission_that_the_filter_uses_is_told() -> None:
    """The converse: change one told record, and the feeds change."""
    made = town(25, 36, seed=8)
    before = text_of(made, made.lives, made.emitted, made.applications)
    for name in (
        "load",
        "bill_on_time",
        "tax_status",
        "bureau_bucket",
        "inflow",
        "balance",
        "autopay_fail",
        "late",
        "fund_paid",
        "water_on_time",
        "penalty",
        "invoices",
    ):
        values = getattr(made.emitted, name)
        changed = replace(made.emitted, **{name: 1 - values if values.dtype != bool else ~values})
        if name in {"tax_status", "bureau_bucket", "invoices"}:
            changed = replace(made.emitted, **{name: (values + 1) % (3 if name != "invoices" else 9)})
        after = text_of(made, made.lives, changed, made.applications)
        assert not all(table.equals(after[dataset]) for dataset, table in before.items()), name


@pytest.fixture(scope="module")
def files(small_city) -> Files:
    return Files(small_city)


def interesting(truth: dict[str, list], files: Files) -> list[int]:
    """Applications of many kinds: by people who repaid, were refused, were sued, and of nobody special."""
    numbers = truth["id_number"]
    again = [row for row, number in enumerate(numbers) if number in numbers[:row]]
    sued = [row for row, number in enumerate(numbers) if files.by["court_case"].get(number)]
    return sorted({*again[::12], *sued[::8], *range(0, len(numbers), 40)})


def test_the_truth_s_risk_can_be_computed_from_the_feeds_known_at_the_application(small_city, files) -> None:
    plain = economy()
    truth = pq.read_table(small_city / "truth" / "applications.parquet").to_pydict()
    regime = regimes(18 + 36 + 26)
    alive = survival(plain, 24)
    chosen = interesting(truth, files)
    for row in chosen:
        mine = [r for r in files.by["application"][truth["id_number"][row]]
                if r["application_id"] == truth["application_id"][row]]  # fmt: skip
        applied = at(mine[0]["applied_at"])
        person = files.person(truth["id_number"][row], applied)
        month = truth["month"][row]
        risk = 0.0
        for (quality, income, state, fraud), weight in forward(plain, regime.tolist(), person, month).items():
            sure = np.eye(18)[[(quality * 2 + income) * 3 + state]]
            term = np.array([truth["term"][row]])
            risk += weight * (1.0 if fraud else default_risk(plain, alive, sure, int(regime[month]), term)[0])
        assert truth["filter_risk"][row] == pytest.approx(risk, abs=2e-5), truth["application_id"][row]
    assert len(chosen) > 50


def test_no_record_of_the_day_of_the_application_or_later_is_older_than_the_filter_thinks(files) -> None:
    """Publications, payments and bookings end before day 26; applications come on day 26 or 27."""
    for dataset, known in (("social_insurance", "published_at"), ("tax_filing", "published_at"),
                           ("electricity", "published_at"), ("court_case", "published_at"),
                           ("bureau_repayment", "published_at"), ("bureau_enquiry", "published_at"),
                           ("provident_fund", "published_at"), ("water", "published_at"),
                           ("administrative_penalty", "published_at"), ("vat_invoice", "published_at"),
                           ("bank_transaction", "booked_at"), ("loan_payment", "paid_at")):  # fmt: skip
        days = {at(row[known]).day for rows in files.by[dataset].values() for row in rows}
        if dataset == "provident_fund":
            days -= {31}  # of the month before the city, told before it begins
        corrections = dataset == "tax_filing"
        assert corrections or max(days) <= 25, dataset
    applied = {at(row["applied_at"]).day for rows in files.by["application"].values() for row in rows}
    assert applied == {26, 27}


def test_a_fraud_is_told_when_the_filter_is_told(small_city, files) -> None:
    truth = pq.read_table(small_city / "truth" / "applications.parquet").to_pylist()
    told = {
        row["application_id"]: row["confirmed_at"]
        for rows in files.by["fraud_confirmed"].values()
        for row in rows
    }
    assert told
    for row in truth:
        month = row["month"] + 1 + FRAUD_TOLD_AFTER
        expected = row["fraud"] and row["approved"] and row["drawn"] and month < 54
        assert (row["application_id"] in told) == expected
        if expected:
            assert month_of(told[row["application_id"]]) == month


def test_names_of_the_world_cover_the_city() -> None:
    """A new emission or attribute must be taken into the observer and into these tests."""
    assert {f.name for f in fields(Emissions)} == {
        "ss_paid", "load", "bill_on_time", "court", "court_kind", "tax_status", "bureau_bucket", "enquiries",
        "inflow", "balance", "autopay_fail", "late", "fund_paid", "water_on_time", "penalty", "invoices", "lag",
    }  # fmt: skip
    assert {f.name for f in fields(Attributes)} == {
        "employed", "trader", "firm", "home", "vehicle", "bureau", "metered", "machine", "fund", "tax_grade", "piped",
    }  # fmt: skip
