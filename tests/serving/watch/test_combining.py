"""The rule that makes one early level of the model and the signals: against a plain reading, at its limits, and what it refuses."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.canonical import canonical_bytes
from features.contracts.documents import read_yaml
from serving.watch.combining import combined
from serving.watch.document import EARLY_PD, STANDING, Combination, Factor, Level, SignalsDocument
from serving.watch.evaluate import evaluate
from serving.watch.rule_analysis import of_rule
from serving.watch.signals import SHIPPED, BrokenSignal, check_shape, read_signals
from tests.serving.watch.rows import Row, columns, level_of

TEXT = {"zh": "数 {x}", "en": "Figure {x}"}
PLAYBOOKS = {"review": {"zh": "核对", "en": "Check"}}
LEVELS = tuple(level.value for level in Level)


def signal(code: str, levels: list[tuple[str, str, float]], group: str = "early") -> dict:
    """A signal of thresholds, the gravest first."""
    told = [
        {"level": level, "all": [{"feature": name, "op": "ge", "value": at}]} for level, name, at in levels
    ]
    return {
        "code": code, "zh": code, "en": code, "source": "bank", "basis": ["P"], "group": group, "levels": told,
        "evidence": TEXT, "playbook": "review", "expects": {"zh": "月", "en": "Soon.", "months": 1},
    }  # fmt: skip


EARLY = signal("early", [("red", EARLY_PD, 0.5), ("orange", EARLY_PD, 0.2), ("yellow", EARLY_PD, 0.1)])
EARLY["evidence"] = {"zh": "{early_pd:pct}：{early_signals}", "en": "{early_pd:pct}: {early_signals}"}
WEAK = signal("weak", [("red", "x", 3), ("orange", "x", 2), ("yellow", "x", 1)])
FACT = signal("fact", [("red", "y", 1)])
CONDUCT = signal("conduct", [("orange", "y", 2)], "conduct")
RULE = {"budget": 0.02, "facts": ["fact"], "factors": [
    {"signal": "weak", "times": 2.0}, {"signal": "weak", "times": 1.5, "at_least": "red"}, {"signal": "fact", "times": 4.0},
]}  # fmt: skip


def document(
    rule: dict | None = None, signals: tuple[dict, ...] = (WEAK, FACT, CONDUCT, EARLY)
) -> SignalsDocument:
    """A document with a rule."""
    told = {"schema": 3, "playbooks": PLAYBOOKS, "signals": list(signals), "combination": rule or RULE}
    return msgspec.convert(told, SignalsDocument)


def plain(doc: SignalsDocument, row: Row) -> dict[str, str]:
    """Levels by signal on one row, read step by step."""
    levels = {one.code: level_of(one, row) for one in doc.signals if one.code != "early"}
    rule, pd = doc.combination, row.get("warning_pd_12m")
    assert rule is not None
    if pd is None:
        return levels | {"early": "skipped"}
    odds = pd / (1 - pd)
    for factor in rule.factors:
        said = levels[factor.signal]
        if said in LEVELS and LEVELS.index(said) >= LEVELS.index(factor.at_least.value):
            odds *= factor.times
    levels["early"] = level_of(doc.signals[-1], {EARLY_PD: round(odds / (1 + odds), 9)})
    for code, said in levels.items():
        if code == "weak" and said in LEVELS:
            levels[code] = "yellow"
    return levels


VALUE = st.one_of(st.none(), st.integers(0, 3).map(float))
ROWS = st.lists(
    st.fixed_dictionaries(
        {"x": VALUE, "y": VALUE, "warning_pd_12m": st.one_of(st.none(), st.floats(0.001, 0.97))}
    ),
    min_size=1,
    max_size=6,
)


@given(ROWS)
def test_columns_say_what_a_plain_reading_of_each_row_says(rows) -> None:
    doc = document()
    outcome = evaluate(doc, columns(rows, ("x", "y", "warning_pd_12m")))
    hits = {(hit.row, hit.signal): hit.level.value for hit in outcome.hits}
    for row, told in enumerate(rows):
        for code, said in plain(doc, told).items():
            assert hits.get((row, code), "none") == (said if said in LEVELS else "none")
            assert outcome.blind[code][row] == (said == "skipped")


@pytest.mark.parametrize(
    ("pd", "level"),
    [(0.5, "red"), (0.499999999, "orange"), (0.2, "orange"), (0.199999999, "yellow"), (0.1, "yellow"), (0.0999, None)],
)  # fmt: skip
def test_a_level_begins_at_its_limit(pd, level) -> None:
    hits = evaluate(
        document(), columns([{"x": 0, "y": 0, "warning_pd_12m": pd}], ("x", "y", "warning_pd_12m"))
    ).hits
    assert [hit.level.value for hit in hits] == ([level] if level else [])


def test_a_factor_multiplies_the_odds_from_its_level_on() -> None:
    rule = Combination(0.02, factors=(Factor("weak", 3.0, Level.ORANGE),))
    pd = combined(rule, {"weak": np.array([0, 1, 2, 3], dtype=np.int8)}, np.full(4, 0.1))
    assert pd.tolist() == [0.1, 0.1, 0.25, 0.25]
    assert combined(rule, {}, np.array([0.1, 1.0])).tolist() == [0.1, pytest.approx(1.0)]


def test_weak_signals_keep_the_levels_of_the_list_where_no_model_speaks() -> None:
    outcome = evaluate(document(), columns([{"x": 2, "y": 0}], ("x", "y")))
    assert [(hit.signal, hit.level.value) for hit in outcome.hits] == [("weak", "orange")]
    assert outcome.skipped["early"] == 1


def test_the_evidence_names_the_signals_that_stand() -> None:
    outcome = evaluate(
        document(), columns([{"x": 1, "y": 1, "warning_pd_12m": 0.2}], ("x", "y", "warning_pd_12m"))
    )
    (hit,) = (one for one in outcome.hits if one.signal == "early")
    assert hit.evidence_en == "67%: weak, fact"
    assert hit.evidence_zh == "67%：weak、fact"


@given(ROWS, st.floats(1, 9))
def test_a_larger_factor_lowers_no_level(rows, times) -> None:
    def rank(by: float) -> list[int]:
        doc = document(RULE | {"factors": [{"signal": "weak", "times": by}]})
        found = evaluate(doc, columns(rows, ("x", "y", "warning_pd_12m"))).hits
        levels = {hit.row: LEVELS.index(hit.level.value) for hit in found if hit.signal == "early"}
        return [levels.get(row, -1) for row in range(len(rows))]

    assert all(one >= other for one, other in zip(rank(times), rank(1.0), strict=True))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"budget": 0}, "a budget of 0"), ({"budget": 1}, "a budget of 1"), ({"facts": ["gone"]}, "no signal 'gone'"),
        ({"facts": ["early"]}, "reads what the rule tells"), ({"facts": ["conduct"]}, "keeps its level anyway"),
        ({"model": "dpd"}, "no PD of a model"), ({"factors": [{"signal": "weak", "times": 40}]}, "multiply the odds by 40"),
        ({"factors": [{"signal": "weak", "times": 2}, {"signal": "weak", "times": 3}]}, "has 2 factors at yellow"),
    ],
)  # fmt: skip
def test_a_rule_that_says_too_much_or_nothing_is_refused(change, problem) -> None:
    (found,) = of_rule(document(RULE | change))
    assert problem in found.problem
    assert found.remedy
    with pytest.raises(BrokenSignal, match="combination"):
        check_shape(document(RULE | change))


def test_a_rule_and_its_signal_need_each_other_and_the_third_schema() -> None:
    assert "no signal reads" in next(iter(of_rule(document(signals=(WEAK, FACT, CONDUCT))))).problem
    alone = msgspec.structs.replace(document(), combination=None)
    assert "it has none" in next(iter(of_rule(alone))).problem
    second = msgspec.structs.replace(document(), schema=2)
    assert "schema 2 knows none" in next(iter(of_rule(second))).problem
    two = EARLY | {"months": 2}
    assert "at one moment" in next(iter(of_rule(document(signals=(WEAK, FACT, CONDUCT, two))))).problem


def test_the_second_schema_has_no_rule_and_keeps_its_bytes() -> None:
    second = SignalsDocument(2, (msgspec.structs.replace(document().signals[0]),), document().playbooks)
    data = canonical_bytes(second)
    assert b"combination" not in data
    assert canonical_bytes(read_signals(data)) == data


def test_the_shipped_rule_is_told_in_words() -> None:
    shipped = read_yaml(SHIPPED, SignalsDocument)
    assert shipped.combination is not None
    assert shipped.combination.budget == 0.02
    early = next(one for one in shipped.signals if one.code == "early_warning")
    assert STANDING in early.evidence.en
    assert not list(of_rule(shipped))
