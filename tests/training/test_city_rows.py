"""The city's portfolio over its lake: outcomes are the truth's, and houses stay together."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest

from features.canonical import code_of
from features.consent import Access, Purpose
from features.errors import Invalid
from features.matrix import Missing
from features.timeline.door import Door, MemoryLog, NotAllowed
from features.timeline.lake import Lake
from tests.features.conftest import Loaded, loaded, small_city
from training.labels import Outcome
from training.models import ModelName
from training.population import Rows, population_rows
from training.portfolio import Portfolio, find_portfolio, load_portfolio
from training.run import prepare, train_model

__all__ = ["loaded", "small_city"]


def door(lake: Lake, log: MemoryLog | None = None) -> Door:
    """As training reads."""
    return Door(lake, Access("test", Purpose.MODEL_DEVELOPMENT, "", 0), log or MemoryLog())


@pytest.fixture(scope="module")
def city() -> Portfolio:
    return load_portfolio(find_portfolio("city"))


@pytest.fixture(scope="module")
def rows(city: Portfolio, loaded: Loaded) -> Rows:
    return population_rows(city, door(loaded.lake))


def test_every_application_is_a_row_and_its_outcome_is_the_truths(rows, loaded) -> None:
    truth = pq.read_table(loaded.folder / "truth" / "applications.parquet")
    bad = dict(zip(map(code_of, truth["application_id"].to_pylist()), truth["bad"].to_pylist(), strict=True))
    assert len(rows.outcome) == len(bad)
    known = rows.labelled()
    theirs = np.array([bad[one] for one in rows.identifier[known].tolist()])
    assert known.sum() > 100
    assert (theirs == (rows.outcome[known] == Outcome.BAD)).mean() > 0.99


def test_refused_and_undrawn_applications_have_no_outcome(rows, loaded) -> None:
    truth = pq.read_table(loaded.folder / "truth" / "applications.parquet").to_pylist()
    drawn = {code_of(one["application_id"]) for one in truth if one["approved"] and one["drawn"]}
    labelled = set(rows.identifier[rows.labelled()].tolist())
    assert labelled <= drawn


def test_groups_are_households_not_people(rows) -> None:
    assert len(np.unique(rows.group)) <= len(np.unique(rows.subject))
    assert not np.isin(rows.group, rows.subject).all()


def test_a_small_stream_was_approved_at_random(rows) -> None:
    assert rows.random is not None
    assert 0 < rows.random.mean() < 0.05


def test_what_is_learned_after_a_moment_changes_no_outcome_seen_from_it(city, loaded, rows) -> None:
    early = population_rows(city, door(loaded.lake), observed_to=int(np.quantile(rows.as_of, 0.8)))
    known = early.labelled()
    assert 0 < known.sum() < rows.labelled().sum()
    assert (early.outcome[known] == rows.outcome[known]).mean() > 0.99


def test_the_city_trains_out_of_time_from_its_lake(city, loaded, tmp_path) -> None:
    found = train_model(prepare(city, door=door(loaded.lake)), ModelName.RATING, tmp_path, tracking=False)
    assert found.report.out_of_time
    assert found.report.random is not None
    assert found.bundle.portfolio == "city"
    assert "base_rate_shift" in found.bundle.notes
    assert found.report.rejects is not None
    low, high = found.report.rejects.refused
    assert 0 < low < high < 1
    assert found.report.leaks.future is not None
    page = (found.folder / "report.html").read_text()
    assert f"between {low:.2%} and {high:.2%} bad" in page
    assert "none: 24 rows" in page


def test_an_empty_lake_is_refused(city, tmp_path) -> None:
    with pytest.raises(Invalid):
        population_rows(city, door(Lake(tmp_path)))


def test_what_no_basis_opens_for_learning_is_authorised_in_no_row(rows, city) -> None:
    medical = [
        place
        for place, column in enumerate(city.plan.columns)
        if column.dataset == "medical_insurance_payment"
    ]
    assert medical
    assert (rows.matrix.missing[:, medical] == Missing.NOT_AUTHORISED).all()
    others = [p for p, c in enumerate(city.plan.columns) if "medical_insurance_payment" not in c.dataset]
    assert not (rows.matrix.missing[:, others] == Missing.NOT_AUTHORISED).any()


def test_the_read_is_written_down_and_another_purpose_gets_no_population(city, loaded) -> None:
    log = MemoryLog()
    population_rows(city, door(loaded.lake, log))
    assert {entry.purpose for entry in log.entries} == {"model_development"}
    assert "fairness_attributes" in log.entries[0].left_out
    plain = Door(loaded.lake, Access("test", Purpose.CREDIT_ASSESSMENT, "city", 0), MemoryLog())
    with pytest.raises(NotAllowed, match="population_register"):
        population_rows(city, plain)
