"""Who is in a portfolio, what they asked for, what became of them, and whom they belong to at the time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.calendar import DAY, NEVER, NULL, instant
from features.errors import Invalid
from features.timeline.events import EventTable, sort_events
from tests.training.conftest import applicants, write_flat
from training.labels import Outcome
from training.population import NothingToLearn, as_of_value, private_rows
from training.portfolio import load_portfolio

DATED = """
schema: 1
dataset: loans
department: lender
title: {zh: 贷款, en: Loans}
subject: opaque
subject_field: who
consent_category: application
legal_basis: [contract]
times: {valid_from: {field: asked}, known_from: {field: asked}}
key: [loan]
source: {files: ["loans.csv"]}
fields:
  - {name: loan, type: id, required: true}
  - {name: asked, type: date}
  - {name: sum, type: money}
  - {name: months, type: integer}
  - {name: house, type: id}
  - {name: stream, type: category, codes: {policy: {zh: 甲, en: p}, random: {zh: 乙, en: r}}}
  - {name: ended, type: category}
"""
REQUEST = """
schema: 1
dataset: request
reasons: {R: {zh: 甲, en: r}}
features:
  - {name: req_amount, aggregate: value, column: amount, zh: 金额, en: amount, rationale: more, reason: R}
  - {name: req_term, aggregate: value, column: term, zh: 期限, en: term, rationale: longer, reason: R}
"""
LOANS = """who,loan,asked,sum,months,house,stream,ended
a,1,2024-03-01,1250.50,12,h1,policy,paid
b,2,2024-01-01,900,6,h1,random,lost
c,3,2024-02-01,100,3,,policy,open
a,4,2024-05-01,70,24,h2,policy,lost
d,5,2024-04-01,70,24,h2,policy,paid
"""


@pytest.fixture
def dated(tmp_path):
    population = {
        "dataset": "loans", "as_of": {"field": "asked"}, "request": {"amount": "sum", "term": "months"},
        "group": "house", "random": {"stream": "random"},
    }  # fmt: skip
    label = {"kind": "column", "field": "ended", "bad": ["lost"], "good": ["paid"]}
    path = write_flat(tmp_path, population=population, label=label, features=["own"])
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "request.yaml").write_text(REQUEST, encoding="utf-8")
    (tmp_path / "contracts" / "applicants.yaml").unlink()
    (tmp_path / "contracts" / "loans.yaml").write_text(DATED, encoding="utf-8")
    (tmp_path / "data" / "loans.csv").write_text(LOANS, encoding="utf-8")
    return path


def rows_of(path):
    found = load_portfolio(path)
    return private_rows(found, found.data_folder())


def test_rows_come_in_the_order_of_their_as_of_instants_with_what_was_asked_for(dated) -> None:
    rows, reports = rows_of(dated)
    assert rows.as_of.tolist() == [instant(f"2024-{m:02}-01") for m in (1, 2, 3, 4, 5)]
    assert rows.matrix.values[:, rows.matrix.names.index("req_amount")].tolist() == [900, 100, 1250.5, 70, 70]
    assert rows.matrix.values[:, rows.matrix.names.index("req_term")].tolist() == [6, 3, 12, 24, 24]
    assert [(report.rows, report.loaded, report.quarantined) for report in reports] == [(5, 5, 0)]


def test_outcomes_in_neither_list_are_left_out(dated) -> None:
    rows, _ = rows_of(dated)
    bad, good, neither = Outcome.BAD, Outcome.GOOD, Outcome.IMMATURE
    assert rows.outcome.tolist() == [bad, neither, good, good, bad]
    assert rows.labelled().tolist() == [True, False, True, True, True]


def test_rows_of_one_house_are_one_group_and_a_row_without_house_is_alone(dated) -> None:
    rows, _ = rows_of(dated)
    assert rows.group[0] == rows.group[2] != rows.group[3] == rows.group[4]
    assert rows.group[1] == rows.subject[1]


def test_rows_approved_at_random_are_marked(dated) -> None:
    rows, _ = rows_of(dated)
    assert rows.random is not None
    assert rows.random.tolist() == [True, False, False, False, False]


def test_a_row_without_an_as_of_date_is_refused_with_what_to_mend(dated) -> None:
    data = dated.parent / "data" / "loans.csv"
    data.write_text(LOANS.replace("c,3,2024-02-01", "c,3,"), encoding="utf-8")
    with pytest.raises(Invalid, match=r"1 rows have no asked. Mark the field as required"):
        rows_of(dated)


def test_a_bad_row_is_quarantined_and_its_neighbours_are_learned_from(tmp_path) -> None:
    lines = applicants(100)
    lines[5] = lines[5].replace(",", ",x", 1)
    rows, (report,) = rows_of(write_flat(tmp_path, lines))
    assert (len(rows.outcome), report.rows, report.quarantined) == (99, 100, 1)


def test_a_population_of_one_outcome_is_refused_with_its_counts(tmp_path) -> None:
    path = write_flat(tmp_path, label={"kind": "column", "field": "bad", "bad": ["7"], "good": ["0", "1"]})
    with pytest.raises(NothingToLearn, match="500 labelled rows, 0 of them bad"):
        rows_of(path)


def test_a_population_of_nobody_is_refused(tmp_path) -> None:
    population = {"dataset": "applicants", "as_of": {"constant": "2026-01-01"}, "where": {"town": "nowhere"}}
    with pytest.raises(NothingToLearn, match="0 labelled rows"):
        rows_of(write_flat(tmp_path, population=population))


def test_a_label_that_is_no_value_of_its_field_is_refused(tmp_path) -> None:
    label = {"kind": "column", "field": "bad", "bad": ["yes"], "good": ["0"]}
    with pytest.raises(Invalid, match="'yes' is no integer value"):
        rows_of(write_flat(tmp_path, label=label))


events = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 6), st.integers(0, 6), st.integers(1, 7), st.sampled_from([NULL, 11, 12])),
    max_size=14,
)  # fmt: skip


def newest_known(rows: list[tuple[int, ...]], subject: int, moment: int) -> int:
    """The rule, row by row: valid before, known by then and not yet corrected; the last in order wins."""
    found = subject
    for own, valid, known, until, value in sorted(rows, key=lambda r: (r[0], r[1], r[2])):
        if own == subject and valid * DAY < moment and known * DAY <= moment < until * DAY and value != NULL:
            found = value
    return found


@given(events)
@settings(max_examples=80, deadline=None)
def test_a_value_as_of_a_moment_is_the_newest_that_was_known_then(rows) -> None:
    columns = [np.array([row[k] for row in rows], dtype=np.int64) for k in range(5)]
    times = (columns[1] * DAY, np.full(len(rows), NEVER), columns[2] * DAY, columns[3] * DAY)
    table = sort_events(EventTable(columns[0], *times, np.zeros(len(rows), np.int64), {"house": columns[4]}))
    subjects, moments = (a.ravel() for a in np.meshgrid(np.arange(5), np.arange(8) * DAY))
    found = as_of_value(table, "house", subjects, moments)
    assert found.tolist() == [
        newest_known(rows, s, m) for s, m in zip(subjects.tolist(), moments.tolist(), strict=True)
    ]
