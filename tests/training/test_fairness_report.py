"""The city's model held against its people's attributes, which open for this purpose alone."""

from __future__ import annotations

import csv
import re

import msgspec
import numpy as np
import pytest

from features.consent import Access, Purpose
from features.timeline.door import Door, MemoryLog
from tests.features.conftest import Loaded, loaded, small_city
from tests.training.conftest import write_flat
from training.bundle import Scorer, dump_bundle
from training.evaluation import make_split
from training.fairness import Attribute
from training.fairness_page import fairness_page
from training.fairness_report import FairnessReport, build_fairness, figures
from training.groups import BANDS, NoGroups, read_attributes
from training.models import ModelName, Origin, train
from training.portfolio import Portfolio, find_portfolio, load_portfolio
from training.run import Prepared, prepare

__all__ = ["loaded", "small_city"]
RATES = [42_000.0, 54_000.0, 78_000.0]


def door(loaded: Loaded, purpose: Purpose, log: MemoryLog | None = None) -> Door:
    return Door(loaded.lake, Access("test", purpose, "", 0), log or MemoryLog())


@pytest.fixture(scope="module")
def city() -> Portfolio:
    return load_portfolio(find_portfolio("city"))


@pytest.fixture(scope="module")
def prepared(city: Portfolio, loaded: Loaded) -> Prepared:
    return prepare(city, door=door(loaded, Purpose.MODEL_DEVELOPMENT))


@pytest.fixture(scope="module")
def attributes(city: Portfolio, loaded: Loaded, prepared: Prepared) -> tuple[Attribute, ...]:
    rows = prepared.rows
    return read_attributes(
        city.contracts, door(loaded, Purpose.FAIRNESS_TEST), rows.subject, rows.as_of, "city"
    )


@pytest.fixture(scope="module")
def scorer(prepared: Prepared) -> Scorer:
    split = make_split(prepared.sample, prepared.portfolio.file.split)
    origin = Origin("city", "credit_approval", prepared.portfolio.plan.digest, 0)
    bundle = train(ModelName.RATING, prepared.sample.take(split.parts[0][0]), origin)
    return Scorer(bundle, "e" * 64)


@pytest.fixture(scope="module")
def report(scorer: Scorer, prepared: Prepared, attributes: tuple[Attribute, ...]) -> FairnessReport:
    return build_fairness(scorer, prepared, attributes, 7, RATES)


def test_attributes_are_what_the_feed_says_of_each_applicant(attributes, prepared, loaded, city) -> None:
    with next(loaded.folder.rglob("fairness_attributes.csv")).open(encoding="utf-8") as file:
        told = list(csv.DictReader(file))
    kind = city.contracts["fairness_attributes"].subject
    subjects = loaded.vault.assign(kind, [one["id_number"] for one in told])
    of = {int(subject): one for subject, one in zip(np.asarray(subjects).tolist(), told, strict=True)}
    held = {one.name: one for one in attributes}
    assert set(held) == {
        "sex", "ethnicity", "disability_allowance", "low_income", "rural_registration", "migrant", "age band"
    }  # fmt: skip
    known = 0
    for row, subject in enumerate(prepared.rows.subject.tolist()):
        for name in ("sex", "ethnicity", "low_income", "migrant"):
            place = int(held[name].place[row])
            if subject not in of:
                assert place == -1
                continue
            told_of = of[subject][name]
            expected = {"0": "no", "1": "yes"}.get(told_of, told_of)
            assert held[name].groups[place] == expected
            known += 1
    assert known > 400


def test_age_bands_are_those_of_the_birth_dates(attributes) -> None:
    ages = next(one for one in attributes if one.name == "age band")
    assert ages.groups == BANDS
    assert (ages.place >= 0).mean() > 0.95
    assert len(np.unique(ages.place)) >= 3


@pytest.mark.parametrize("purpose", [Purpose.MODEL_DEVELOPMENT, Purpose.CREDIT_ASSESSMENT])
def test_for_any_other_purpose_the_door_gives_no_attribute(purpose, city, prepared, loaded) -> None:
    log, rows = MemoryLog(), prepared.rows
    found = read_attributes(city.contracts, door(loaded, purpose, log), rows.subject, rows.as_of, "city")
    assert {one.name for one in found} <= {"age band"}
    assert "fairness_attributes" in log.entries[0].left_out


def test_a_portfolio_without_groups_says_what_is_lacking(tmp_path, prepared, loaded) -> None:
    flat = load_portfolio(write_flat(tmp_path))
    rows = prepared.rows
    with pytest.raises(NoGroups, match="only_purpose: fairness_test"):
        read_attributes(flat.contracts, door(loaded, Purpose.FAIRNESS_TEST), rows.subject, rows.as_of, "flat")


def test_the_report_looks_at_the_held_period_alone(report, prepared) -> None:
    split = make_split(prepared.sample, prepared.portfolio.file.split)
    assert split.start is not None
    held = prepared.rows.as_of >= split.start
    assert report.rows == held.sum()
    assert report.labelled == (held & prepared.rows.labelled()).sum()
    assert {one.attribute for one in report.groups} == set(report.attributes)
    assert all(
        sum(g.rows for g in report.groups if g.attribute == name) < report.rows for name in report.attributes
    )


def test_at_least_twenty_candidates_were_judged_and_one_was_chosen_with_a_reason(report) -> None:
    assert len(report.choice.candidates) > 20
    assert len({one.name for one in report.choice.candidates}) == len(report.choice.candidates)
    assert report.choice.chosen in {one.name for one in report.choice.candidates}
    assert len(report.choice.reason) > 40


def test_no_feature_of_the_shipped_definitions_lacks_a_written_reason(report) -> None:
    assert not [one.feature for one in report.proxies if not one.rationale]


def test_the_page_tells_what_its_twin_holds_and_fetches_nothing(report) -> None:
    page = fairness_page(report)
    assert not re.search(r"<script|src=|href=|@import|url\(", page)
    assert "<svg" in page
    assert "nan" not in re.sub(r"<svg.*?</svg>", "", page, flags=re.DOTALL).lower().replace("finance", "")
    for one in report.groups:
        assert f"{one.attribute}: {one.group}" in page
    assert report.choice.chosen in page
    again = msgspec.json.decode(msgspec.json.encode(report), type=FairnessReport)
    assert again.choice == report.choice
    assert set(figures(report)) == {"impact_ratio", "smd", "opportunity_gap"}


def test_the_same_rows_give_the_same_report(scorer, prepared, attributes, report) -> None:
    again = build_fairness(scorer, prepared, attributes, 7, RATES)
    assert msgspec.json.encode(again) == msgspec.json.encode(report)


def test_attributes_never_reach_the_model(scorer, report) -> None:
    assert not {column.dataset for column in scorer.bundle.columns} & {"fairness_attributes"}
    assert b"fairness_attributes" not in dump_bundle(scorer.bundle)
    assert not set(report.attributes) & set(scorer.columns)
