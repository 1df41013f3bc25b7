"""Signals: thresholds to the letter, the gravest level, and no reading of what is not known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from features.contracts.load import BUILTIN as CONTRACTS
from features.definitions.plan import BUILTIN as DEFINITIONS
from features.definitions.plan import load_plan
from serving.watch.signals import SHIPPED, BrokenSignal, Level, Values, evaluate, load_signals

ONE = """
schema: 1
signals:
  - code: dpd_open
    zh: 逾期
    en: overdue
    source: bank
    levels:
      - {level: red, all: [{feature: dpd, op: ge, value: 30}]}
      - {level: yellow, all: [{feature: dpd, op: ge, value: 1}]}
    evidence: {zh: "逾期 {dpd} 天", en: "{dpd} days past due"}
    action: {zh: 致电, en: Call}
"""


@pytest.fixture
def signals(tmp_path: Path):
    path = tmp_path / "signals.yaml"
    path.write_text(ONE, encoding="utf-8")
    return load_signals(path, ["dpd"])


def values(dpd: list[float], known: list[bool] | None = None) -> Values:
    return Values({"dpd": np.array(dpd)}, {"dpd": np.array(known or [True] * len(dpd))})


@pytest.mark.parametrize(
    ("dpd", "level"), [(0, None), (1, Level.YELLOW), (29, Level.YELLOW), (30, Level.RED)]
)
def test_a_threshold_holds_from_its_own_value_on(signals, dpd, level) -> None:
    assert [hit.level for hit in evaluate(signals, values([dpd])).hits] == ([level] if level else [])


def test_only_the_gravest_level_is_raised(signals) -> None:
    assert len(evaluate(signals, values([45.0])).hits) == 1


def test_a_missing_variable_skips_the_signal_and_is_counted(signals) -> None:
    outcome = evaluate(signals, values([45.0, 45.0], [True, False]))
    assert [hit.row for hit in outcome.hits] == [0]
    assert outcome.skipped == {"dpd_open": 1}


def test_what_may_not_be_read_is_counted_as_such_and_not_as_unknown(signals) -> None:
    known, refused = np.array([True, False, False]), np.array([False, True, False])
    outcome = evaluate(signals, Values({"dpd": np.full(3, 45.0)}, {"dpd": known}, {"dpd": refused}))
    assert [hit.row for hit in outcome.hits] == [0]
    assert outcome.skipped == {"dpd_open": 1}
    assert outcome.not_authorised == {"dpd_open": 1}


def test_evidence_says_of_a_figure_why_it_is_not_there(tmp_path) -> None:
    path = tmp_path / "signals.yaml"
    path.write_text(ONE.replace("{dpd} days past due", "{dpd} days, {a}, {b}"), encoding="utf-8")
    told = {name: np.array([31.0]) for name in ("dpd", "a", "b")}
    known = {"dpd": np.array([True]), "a": np.array([False]), "b": np.array([False])}
    refused = {"a": np.array([True])}
    (hit,) = evaluate(load_signals(path, ["dpd", "a", "b"]), Values(told, known, refused)).hits
    assert hit.evidence_en == "31 days, NOT_AUTHORISED, –"


def test_evidence_is_a_sentence_with_the_figure(signals) -> None:
    hit = evaluate(signals, values([31.0])).hits[0]
    assert hit.evidence_en == "31 days past due"
    assert "31" in hit.evidence_zh


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("feature: dpd, op: ge, value: 30", "feature: dpt, op: ge, value: 30", "dpt"),
        ('"{dpd} days', '"{dpf} days', "dpf"),
        ("all: [{feature: dpd, op: ge, value: 30}]", "all: []", "everyone"),
    ],
)
def test_a_broken_signal_is_refused_with_its_name(tmp_path, old, new, word) -> None:
    path = tmp_path / "signals.yaml"
    path.write_text(ONE.replace(old, new), encoding="utf-8")
    with pytest.raises(BrokenSignal, match=word) as refusal:
        load_signals(path, ["dpd"])
    assert "dpd_open" in refusal.value.place


def test_the_shipped_signals_read_only_features_that_there_are() -> None:
    plan = load_plan([CONTRACTS], [DEFINITIONS])
    names = [column.name for column in plan.columns]
    document = load_signals(SHIPPED, [*names, "dpd", "overdue_yuan"])
    assert len(document.signals) >= 3
