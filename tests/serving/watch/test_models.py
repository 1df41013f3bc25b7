"""The warning and risk models in the watch, end to end on the small city: what they say, of what they read, and why."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from features.calendar import iso, months_before
from features.contracts.documents import read_yaml
from features.timeline.events import EventTable, sort_events
from serving.watch.book import open_book
from serving.watch.document import EARLY_PD, SignalsDocument
from serving.watch.evaluate import evaluate
from serving.watch.models import Models, NoYear
from serving.watch.months import month_of
from serving.watch.signals import SHIPPED
from serving.watch.trying import Version, over_past, past
from serving.watch.values import Reading, Sources, values_of
from tests.features.conftest import Loaded, loaded, small_city
from training.bundle import Scorer, dump_bundle, load_bundle
from training.curve import Window, with_curve, with_tenths
from training.models import ModelName, train
from training.panel import book_rows
from training.portfolio import Portfolio, find_portfolio, load_portfolio
from training.run import lake_door, origin_of
from training.telling import horizon_pd, tenth_of
from training.warning import make_stage

__all__ = ["loaded", "small_city"]
DOCUMENT = read_yaml(SHIPPED, SignalsDocument)
SOURCES_OF_MODELS = ("pd_now", "pd_grant", "grade_now", "grade_grant", "warning_pd_12m", "warning_decile")


@pytest.fixture(scope="module")
def portfolio() -> Portfolio:
    return load_portfolio(find_portfolio("city"))


@pytest.fixture(scope="module")
def taught(portfolio, loaded: Loaded):
    """A scorecard of the panel with its curve, and the rows that it learned from."""
    rows, panel = book_rows(portfolio, lake_door(portfolio, loaded.lake.root, 0))
    stage = make_stage("warning", portfolio, rows, panel, [])
    sample = stage.prepared.sample
    bundle = train(ModelName.RATING, sample, origin_of(stage.prepared))
    known = panel.take(rows.labelled())
    windows = [Window(m, known.within(m), np.ones(len(sample), dtype=bool)) for m in (3, 6, 12)]
    bundle = with_tenths(with_curve(bundle, "warning", sample, windows, 12), sample, 12)
    return dump_bundle(bundle), rows, panel


@pytest.fixture(scope="module")
def models(portfolio, taught) -> Models:
    """Both slots by the same scorecard."""
    return Models.of({"bundle.warning": taught[0], "bundle.risk": taught[0]}, portfolio.plan.reasons)


@pytest.fixture(scope="module")
def reading(portfolio, models) -> Reading:
    return Reading.of(portfolio.plan, DOCUMENT, models)


@pytest.fixture(scope="module")
def sources(portfolio, reading, loaded: Loaded) -> Sources:
    return past(portfolio.plan, reading, lake_door(portfolio, loaded.lake.root, 0))


@pytest.fixture(scope="module")
def now(sources: Sources) -> int:
    """A month's end with a full book and a year after it."""
    last = max(int(table.known_from.max()) for table in sources.book.values() if len(table))
    return month_of(months_before(last, 13))


def test_the_watch_says_what_the_panel_learned_from_says(sources, reading, models, taught, now) -> None:
    """A row has the same PD in training and in the watch, which reads no relatives' records."""
    _, rows, panel = taught
    book = open_book(sources.book, now)
    values = values_of(reading, sources, book, now)
    at = panel.as_of == now
    place = {
        subject: row for row, subject in zip(np.flatnonzero(at), panel.subject[at].tolist(), strict=True)
    }
    both = [(row, place[s]) for row, s in enumerate(book.subject.tolist()) if s in place]
    assert len(both) > 40
    scorer: Scorer = models.warning
    matrix = rows.matrix.select(scorer.columns)
    here, there = (np.array(side) for side in zip(*both, strict=True))
    pd = horizon_pd(scorer.bundle, scorer.log_odds(matrix.values[there], matrix.missing[there]))[:, -1]
    same = np.abs(values.values["warning_pd_12m"][here] - pd) < 1e-9
    assert same.mean() > 0.95
    assert set(SOURCES_OF_MODELS) <= set(values.values)
    assert values.known["warning_pd_12m"].all()


def test_the_future_shuffled_changes_nothing(sources, reading, now) -> None:
    book = open_book(sources.book, now)
    told = values_of(reading, sources, book, now)
    other = replace(
        sources,
        book={name: _shuffled(table, now) for name, table in sources.book.items()},
        tables={name: _shuffled(table, now) for name, table in sources.tables.items()},
    )
    again = values_of(reading, other, open_book(other.book, now), now)
    for name in (*SOURCES_OF_MODELS, "warning_decile@1m"):
        assert told.known[name].any()
        np.testing.assert_array_equal(told.values[name], again.values[name], err_msg=name)
        np.testing.assert_array_equal(told.known[name], again.known[name], err_msg=name)
    assert [told.texts["warning_reasons"][k] for k in range(9)] == [
        again.texts["warning_reasons"][k] for k in range(9)
    ]


def _shuffled(table: EventTable, now: int) -> EventTable:
    """Whatever became known later gets other values, and half of it is dropped."""
    g, later = np.random.default_rng(8), table.known_from > now
    columns = {name: column.copy() for name, column in table.columns.items()}
    for name, column in columns.items():
        if name not in {"loan_id", "application_id"}:
            column[later] = g.permutation(column[later])
    return sort_events(replace(table, columns=columns).take(~later | (g.random(len(later)) < 0.5)))


def test_a_pd_is_of_a_tenth_and_a_grade_and_who_was_not_there_a_month_ago_has_none(
    sources, reading, models, now
) -> None:
    book = open_book(sources.book, now)
    values = values_of(reading, sources, book, now)
    pd = values.values["warning_pd_12m"]
    np.testing.assert_array_equal(values.values["warning_decile"], tenth_of(models.warning.bundle, pd))
    assert len(set(values.values["warning_decile"].tolist())) > 3
    fresh = book.standing.mob == 0
    assert not values.known["warning_decile@1m"][fresh].any()
    assert values.known["warning_decile@1m"][book.standing.mob > 1].all()
    np.testing.assert_array_equal(
        values.values["grade_now"], models.risk.bundle.scale.grade(values.values["pd_now"])
    )


def test_an_alert_tells_pd_reasons_and_what_stands_and_weak_signals_stay_yellow(
    sources, reading, now
) -> None:
    values = values_of(reading, sources, open_book(sources.book, now), now)
    outcome = evaluate(DOCUMENT, values)
    early = [hit for hit in outcome.hits if hit.signal == "early_warning"]
    assert early
    assert all("{" not in hit.evidence_en and "reasons: " in hit.evidence_en for hit in early)
    assert any("、" in hit.evidence_zh.split("主要原因：")[1].split("；")[0] for hit in early)
    kept = {*DOCUMENT.combination.facts, "early_warning"}
    weak = [hit for hit in outcome.hits if hit.group == "early" and hit.signal not in kept]
    assert weak
    assert {hit.level.value for hit in weak} == {"yellow"}
    assert outcome.skipped["score_drop"] < values.rows


def test_without_models_what_reads_them_is_skipped_and_the_list_keeps_its_levels(
    portfolio, loaded, now
) -> None:
    bare = Reading.of(portfolio.plan, DOCUMENT)
    sources = past(portfolio.plan, bare, lake_door(portfolio, loaded.lake.root, 0))
    values = values_of(bare, sources, open_book(sources.book, now), now)
    outcome = evaluate(DOCUMENT, values)
    assert outcome.skipped["early_warning"] + 0 >= int((values.values["dpd"] == 0).sum())
    assert outcome.skipped["score_drop"] == values.rows
    assert EARLY_PD not in values.values
    assert {hit.level.value for hit in outcome.hits if hit.signal == "balance_drop"} == {"orange"}


def test_a_few_loans_are_told_what_they_are_told_in_the_whole_book(sources, reading, now) -> None:
    book = open_book(sources.book, now)
    whole = values_of(reading, sources, book, now)
    rows = np.flatnonzero(book.subject % 7 == 0)
    few = replace(
        book, loan=book.loan[rows], subject=book.subject[rows], dpd=book.dpd[rows], overdue=book.overdue[rows],
        standing=book.standing.take(rows),
    )  # fmt: skip
    part = values_of(reading, sources, few, now)
    for name in SOURCES_OF_MODELS:
        np.testing.assert_array_equal(part.values[name], whole.values[name][rows])


def test_a_back_test_asks_the_models_as_they_were_at_each_months_end(portfolio, models, loaded, now) -> None:
    door = lake_door(portfolio, loaded.lake.root, 0)
    first, last = iso(months_before(now, 3))[:10], iso(months_before(now, 0) - 1)[:10]
    found = over_past(portfolio.plan, Version("0" * 64, DOCUMENT), door, first, last, models=models)
    lines = {line.code: line for line in found.lines}
    assert lines["early_warning"].skipped_share < 0.1
    assert lines["early_warning"].yellow + lines["early_warning"].orange > 0
    assert lines["balance_drop"].orange == 0


def test_a_warning_model_of_other_horizons_is_refused(taught, portfolio) -> None:
    bundle = load_bundle(taught[0]).bundle
    short = msgspec.structs.replace(bundle, notes=bundle.notes | {"horizon_months": 9}, curve=(), seal="")
    with pytest.raises(NoYear, match="9 months, not of 12"):
        Models.of({"bundle.warning": dump_bundle(short)}, portfolio.plan.reasons)
