"""The definitions that Yidai ships: complete, told in two languages, and blind to the future of a city."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

from features.calendar import DAY, instant
from features.contracts.load import BUILTIN as CONTRACTS
from features.definitions.plan import BUILTIN as DEFINITIONS
from features.definitions.plan import FeaturePlan, load_plan
from features.matrix import Missing
from features.timeline.events import EventTable, sort_events
from serving.policy.load import _VAGUE

PLAN = load_plan([CONTRACTS], [DEFINITIONS])
AS_OF = instant("2024-06-26")
HAN = re.compile(r"[\u4e00-\u9fff]")
FORBIDDEN = re.compile(
    r"sex|gender|ethnic|religio|health|politic|marital|birth|age_of|性别|民族|宗教|健康|婚姻|年龄"
)


def test_there_are_at_least_a_hundred_columns_of_every_department() -> None:
    assert len(PLAN.columns) >= 100
    shipped = set(PLAN.contracts) - {"application", "fraud_confirmed", "loan_instalment"}
    assert {name.split("@")[0] for name in PLAN.datasets} == shipped


@pytest.mark.parametrize("column", PLAN.columns, ids=lambda column: column.name)
def test_a_column_says_what_it_is_why_it_is_used_and_what_an_applicant_is_told(column) -> None:
    assert HAN.search(column.zh)
    assert re.match(r"[a-zA-Z]", column.en)
    assert not HAN.search(column.en)
    assert column.sign in {-1, 0, 1}
    assert column.rationale.endswith(".")
    reason = PLAN.reasons[column.reason]
    assert HAN.search(reason.zh)
    assert re.search(r"[A-Za-z]{3}", reason.en)
    assert not _VAGUE.search(reason.zh)
    assert not _VAGUE.search(reason.en)
    assert not FORBIDDEN.search(column.name + column.en + column.zh)


def test_the_plan_is_its_bytes() -> None:
    again = FeaturePlan.load(PLAN.document)
    assert again.digest == PLAN.digest == load_plan([CONTRACTS], [DEFINITIONS]).digest
    assert again.columns == PLAN.columns
    assert again.reasons == PLAN.reasons


@pytest.fixture(scope="module")
def tables(loaded) -> dict[str, EventTable]:
    return loaded.lake.tables(PLAN.contracts, PLAN.datasets)


def matrix_of(tables, subjects, as_of=AS_OF):
    return PLAN.build(tables, subjects, np.full(len(subjects), as_of, dtype=np.int64))


def heads(tables) -> np.ndarray:
    return np.unique(tables["bank_transaction"].subject)


def same(one, other) -> bool:
    return one.values.tobytes() == other.values.tobytes() and one.missing.tobytes() == other.missing.tobytes()


def shuffled(table: EventTable, generator: np.random.Generator) -> EventTable:
    """The rows that are known after ``AS_OF``, with their contents dealt out anew and one of three lost."""
    later = np.flatnonzero(table.known_from > AS_OF)
    dealt = generator.permutation(later)
    columns = {}
    for name, values in table.columns.items():
        new = values.copy()
        new[later] = values[dealt]
        columns[name] = new
    kept = np.ones(len(table), dtype=bool)
    kept[later[generator.random(len(later)) < 0.33]] = False
    return sort_events(dataclasses.replace(table, columns=columns).take(kept))


def test_shuffling_the_future_of_a_whole_city_changes_not_one_feature(tables) -> None:
    generator = np.random.default_rng(1)
    other = {name: shuffled(table, generator) for name, table in tables.items()}
    subjects = heads(tables)
    before, after = matrix_of(tables, subjects), matrix_of(other, subjects)
    assert same(before, after)
    filled = (before.missing == Missing.PRESENT).mean(axis=0)
    assert (filled > 0).mean() > 0.95  # the test looks at something in nearly every column
    year_later = AS_OF + 365 * DAY
    assert not same(matrix_of(tables, subjects, year_later), matrix_of(other, subjects, year_later))


def test_a_correction_of_everything_known_a_day_later_changes_nothing_today(tables) -> None:
    generator = np.random.default_rng(2)
    other = {}
    for name, table in tables.items():
        seen = (table.known_from <= AS_OF) & (table.known_to > AS_OF)
        old = dataclasses.replace(table, known_to=np.where(seen, AS_OF + DAY, table.known_to))
        new = dataclasses.replace(
            table.take(seen), known_from=np.full(seen.sum(), AS_OF + DAY),
            columns={k: v[seen][generator.permutation(int(seen.sum()))] for k, v in table.columns.items()},
        )  # fmt: skip
        joined = {k: np.concatenate([getattr(old, k), getattr(new, k)]) for k in
                  ("subject", "valid_from", "valid_to", "known_from", "known_to", "version")}  # fmt: skip
        columns = {k: np.concatenate([old.columns[k], new.columns[k]]) for k in table.columns}
        other[name] = sort_events(EventTable(**joined, columns=columns))
    subjects = heads(tables)
    assert same(matrix_of(tables, subjects), matrix_of(other, subjects))
    assert not same(matrix_of(tables, subjects, AS_OF + DAY), matrix_of(other, subjects, AS_OF + DAY))


def test_one_subject_alone_is_computed_as_in_the_whole_city(loaded, tables) -> None:
    subjects = heads(tables)
    whole = matrix_of(tables, subjects)
    for place in range(0, len(subjects), 40):
        alone = matrix_of(
            loaded.lake.subject_tables(PLAN.contracts, int(subjects[place]), names=PLAN.datasets),
            subjects[place : place + 1],
        )
        assert same(alone, whole.take(np.array([place])))


def test_a_department_that_is_not_asked_leaves_every_other_column_alone(tables) -> None:
    subjects = heads(tables)
    whole = matrix_of(tables, subjects)
    for kind in (Missing.SOURCE_DOWN, Missing.NOT_AUTHORISED):
        masked = PLAN.build(
            {k: v for k, v in tables.items() if k != "bank_transaction"}, subjects,
            np.full(len(subjects), AS_OF), {"bank_transaction": kind},
        )  # fmt: skip
        for place, column in enumerate(PLAN.columns):
            if "bank_transaction" in column.dataset.split("+"):
                assert (masked.missing[:, place] >= kind).all()
            else:
                assert masked.values[:, place].tobytes() == whole.values[:, place].tobytes(), column.name
