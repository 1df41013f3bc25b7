"""Rules as data: what is refused on load, what is unknown, and one meaning for one and for many."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.canonical import canonical_bytes
from features.errors import Integrity
from features.matrix import Missing
from serving.policy.evaluate import FactColumn, evaluate, evaluate_many, worst
from serving.policy.facts import age_years
from serving.policy.load import CITY, BrokenPolicy, Policy, check_against, load_policy, policy_from_yaml
from serving.policy.model import Effect

CITY_POLICY = policy_from_yaml(CITY)
PLAIN = {"no_record": "pass", "source_down": "refer", "not_authorised": "decline"}


def rule(name: str, effect: str, join: str, *conditions: tuple[str, str, Any], **more: Any) -> dict[str, Any]:
    """One rule of a document."""
    stated = [{"fact": fact, "op": op, "value": value} for fact, op, value in conditions]
    base = {
        "id": name,
        "source": "test",
        "code": name,
        "effect": effect,
        "when": {join: stated},
        "missing": PLAIN,
    }
    return {**base, "zh": "测试规则", "en": "a rule of this test", **more}


def policy_of(*rules: dict[str, Any], **changes: Any) -> Policy:
    """The city's policy with other rules or other parts."""
    document = msgspec.to_builtins(CITY_POLICY.document)
    gates = [{"id": "only", "title": {"zh": "门", "en": "gate"}, "rules": list(rules)}]
    return load_policy(canonical_bytes({**document, "gates": gates, **changes}))


def test_shipped_policy_is_valid_and_its_bytes_are_its_identity() -> None:
    assert load_policy(CITY_POLICY.data).digest == CITY_POLICY.digest
    with pytest.raises(Integrity, match="canonical"):
        load_policy(CITY_POLICY.data + b"\n")


@pytest.mark.parametrize(
    ("value", "effect", "truth"),
    [
        (4.0, Effect.DECLINE, True),
        (3.0, Effect.PASS, False),
        (Missing.NO_RECORD, Effect.PASS, None),
        (Missing.SOURCE_DOWN, Effect.REFER, None),
        (Missing.NOT_AUTHORISED, Effect.DECLINE, None),
    ],
)
def test_unknown_is_neither_true_nor_false_and_each_kind_has_its_own_outcome(value, effect, truth) -> None:
    found = evaluate(policy_of(rule("A", "decline", "any", ("x", "ge", 4))), {"x": value})[0]
    assert (found.effect, found.truth, found.actual) == (effect, truth, (value,))


def test_all_is_false_and_any_is_true_despite_an_unknown() -> None:
    policy = policy_of(
        rule("ALL", "decline", "all", ("x", "ge", 4), ("y", "ge", 1)),
        rule("ANY", "decline", "any", ("x", "ge", 4), ("y", "ge", 1)),
    )
    both = evaluate(policy, {"x": Missing.NOT_AUTHORISED, "y": 0.0})
    assert [r.truth for r in both] == [False, None]
    both = evaluate(policy, {"x": Missing.NOT_AUTHORISED, "y": 1.0})
    assert [r.truth for r in both] == [None, True]


VALUES = st.sampled_from([0.0, 1.0, 3.5, 4.0, -2.0, *list(Missing)[1:]])
PURPOSES = st.sampled_from(["stocks", "farming", Missing.NO_RECORD])
CONDITIONS = st.one_of(
    st.tuples(
        st.sampled_from(["x", "y", "z"]), st.sampled_from(["lt", "le", "gt", "ge", "eq", "ne"]), st.sampled_from([0, 1, 3.5])
    ),
    st.tuples(st.sampled_from(["x", "y"]), st.sampled_from(["in", "not_in"]), st.just([0, 4])),
    st.tuples(st.just("purpose"), st.sampled_from(["in", "not_in"]), st.just(["stocks", "bonds"])),
    st.tuples(st.just("purpose"), st.sampled_from(["eq", "ne"]), st.just("stocks")),
)  # fmt: skip
RULES = st.lists(
    st.tuples(st.sampled_from(["refer", "decline"]), st.sampled_from(["all", "any"]), st.lists(CONDITIONS, min_size=1, max_size=3)),
    min_size=1, max_size=4,
)  # fmt: skip


@given(
    RULES,
    st.lists(st.fixed_dictionaries({"x": VALUES, "y": VALUES, "purpose": PURPOSES}), min_size=1, max_size=5),
)
def test_one_and_many_agree_on_every_rule_and_every_kind_of_missing(drawn, applications) -> None:
    policy = policy_of(*(rule(f"R{k}", e, j, *c) for k, (e, j, c) in enumerate(drawn)))
    columns = {}
    for name, blank in (("x", 0.0), ("y", 0.0), ("purpose", "")):
        given_ = [a[name] for a in applications]
        values = np.array([blank if isinstance(v, Missing) else v for v in given_])
        missing = np.array([v if isinstance(v, Missing) else 0 for v in given_], dtype=np.uint8)
        columns[name] = FactColumn(values, missing)
    many = evaluate_many(policy, columns, len(applications))
    for row, application in enumerate(applications):
        results = evaluate(policy, application)
        effect = worst(results)
        first = next((k for k, r in enumerate(results) if r.effect == effect), -1) if effect else -1
        assert (many.effect[row], many.struck[row]) == (effect, first)


def changed(path: str, value: Any) -> bytes:
    """The city's policy with one value replaced."""
    document = msgspec.to_builtins(CITY_POLICY.document)
    *parents, last = path.split(".")
    place = document
    for part in parents:
        place = place[int(part)] if isinstance(place, (list, tuple)) else place[part]
    place[int(last) if isinstance(place, list) else last] = value
    return canonical_bytes(document)


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        ("schema", 2, "schema 2"),
        ("grades.0.last", 3, "grade 3 stands in two bands"),
        ("grades.0.last", 1, "grade 2 stands in no band"),
        ("grades.5.last", 11, "grade 11"),
        ("grades.0.rate_ppm", 90000, "may not pay less"),
        ("grades.0.max_limit_fen", 0, "limit above zero"),
        ("gates.0.rules.0.zh", "", "Chinese text is missing"),
        ("gates.0.rules.0.en", "用途", "English text is missing"),
        ("gates.0.rules.0.en", "Internal standards not met", "REG-AA-02"),
        ("gates.0.rules.0.zh", "综合评分不足", "REG-AA-02"),
        ("gates.0.rules.0.effect", "pass", "not refer or decline"),
        ("gates.0.rules.0.missing.no_record", "ignore", "missing.no_record"),
        ("gates.0.rules.0.when.any.0.op", "ge", "has no ge"),
        ("gates.0.rules.2.when.any.0.value", "18", "compared with numbers"),
        ("gates.0.rules.2.when.any.0.value", True, "compared with numbers"),
        ("gates.0.rules.1.id", "RQ-01", "stands twice"),
        ("gates.0.rules.0.when.any", [], "exactly one of"),
        ("limits.reasons.too_small.en", "Score too low", "REG-AA-02"),
        ("limits.caps", [], "no cap"),
        ("limits.caps.0.to", "2020-01-01", "ends before"),
        ("challengers", ["risk"], "own challenger"),
    ],
)
def test_what_cannot_be_decided_or_told_is_refused_on_load(path, value, problem) -> None:
    with pytest.raises(BrokenPolicy, match=problem):
        load_policy(changed(path, value))


def test_unknown_field_and_unknown_feature_are_refused() -> None:
    with pytest.raises(Integrity, match="unknown field"):
        load_policy(changed("surprise", 1))
    features = CITY_POLICY.facts - {"bur_cur_overdue_amt"}
    check_against(CITY_POLICY, CITY_POLICY.facts)
    with pytest.raises(BrokenPolicy, match="bur_cur_overdue_amt"):
        check_against(CITY_POLICY, features)


def test_age_turns_on_the_birthday_in_china() -> None:
    from features.calendar import SECOND, instant

    birthday = instant("2018-03-01")
    assert age_years("11010120000301001X", birthday) == 18
    assert age_years("11010120000301001X", birthday - SECOND) == 17
