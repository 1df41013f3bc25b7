"""Rules as data: what is unknown, what is out of scope, and one meaning for one and for many."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.canonical import code_of
from features.matrix import Missing
from serving.policy.evaluate import (
    OUTCOMES,
    FactColumn,
    evaluate,
    evaluate_whole,
    evaluate_whole_many,
    segment_of,
    worst,
)
from serving.policy.facts import age_years
from serving.policy.model import Effect
from serving.policy.policy import Policy
from serving.policy.terms import segment_names
from tests.serving.policy.documents import CITY_POLICY, TODAY, drawn_policy, plain, rule

BLANKS = {"purpose": "", "product": "", "region": "", "identity": ""}
"""Facts that are texts, with what stands in a column where they are missing."""


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
    policy = drawn_policy(rule("A", "decline", "any", ("x", "ge", 4)))
    found = evaluate(policy, {"x": value}, TODAY)[0]
    assert (found.effect, found.truth, found.actual) == (effect, truth, (value,))


def test_all_is_false_and_any_is_true_despite_an_unknown() -> None:
    policy = drawn_policy(
        rule("ALL", "decline", "all", ("x", "ge", 4), ("y", "ge", 1)),
        rule("ANY", "decline", "any", ("x", "ge", 4), ("y", "ge", 1)),
    )
    both = evaluate(policy, {"x": Missing.NOT_AUTHORISED, "y": 0.0}, TODAY)
    assert [r.truth for r in both] == [False, None]
    both = evaluate(policy, {"x": Missing.NOT_AUTHORISED, "y": 1.0}, TODAY)
    assert [r.truth for r in both] == [None, True]


def test_a_rule_is_asked_within_its_scope_and_days_only_and_what_is_unknown_is_no_way_out() -> None:
    scope = {"products": ["business"], "regions": ["county"]}
    dates = {"effective_from": "2025-01-02", "effective_to": "2025-01-03"}
    policy = drawn_policy(rule("A", "decline", "any", ("x", "ge", 4), scope=scope, **dates))
    inside: dict[str, Any] = {"x": 9.0, "product": "business", "region": "county"}
    for facts, day, effect in (
        (inside, TODAY, Effect.DECLINE),
        (inside, TODAY - 1, Effect.PASS),
        (inside, TODAY + 1, Effect.PASS),
        (inside | {"product": "consumer"}, TODAY, Effect.PASS),
        (inside | {"region": "city"}, TODAY, Effect.PASS),
        (inside | {"region": Missing.NO_RECORD}, TODAY, Effect.DECLINE),
    ):
        (found,) = evaluate(policy, facts, day)
        assert (found.effect, found.applies) == (effect, effect is Effect.DECLINE)


def test_a_word_of_a_category_is_the_code_that_its_feature_has() -> None:
    policy = drawn_policy(rule("A", "refer", "any", ("farm_kind", "in", ["household", "family_farm"])))
    for word, truth in (("household", True), ("cooperative_member", False)):
        assert evaluate(policy, {"farm_kind": float(code_of(word))}, TODAY)[0].truth is truth


def test_a_check_that_was_not_sent_never_passes_silently() -> None:
    clean = {
        "sources_with_record": 9.0,
        "purpose": "farming",
        "region": "city",
        "age_years": 40.0,
        "product": "consumer",
    }
    clean |= {"age_years_at_end": 41.0, "term_months": 12.0, "consent.bureau": 1.0, "consent.court": 1.0}
    checked = clean | {"identity": "passed", "aml": "clear"}
    assert worst(evaluate(CITY_POLICY, checked, TODAY)) is Effect.PASS
    for name in ("identity", "aml"):
        without = {fact: value for fact, value in checked.items() if fact != name}
        assert worst(evaluate(CITY_POLICY, without, TODAY)) is Effect.REFER
    failed = worst(evaluate(CITY_POLICY, checked | {"identity": "failed"}, TODAY))
    assert failed is worst(evaluate(CITY_POLICY, checked | {"aml": "hit"}, TODAY)) is Effect.DECLINE


def test_the_first_segment_takes_a_case_and_the_unknown_goes_where_the_policy_says() -> None:
    farm = float(code_of("family_farm"))
    thin = {"sources_with_record": 3.0, "bur_normal_months_24m": 5.0}
    assert segment_of(CITY_POLICY, thin | {"product": "business"}) == "thin_file"
    assert segment_of(CITY_POLICY, thin | {"list.preapproved": 0.0}) == "thin_file"
    assert segment_of(CITY_POLICY, thin | {"list.preapproved": 1.0}) == "general", "the bank has looked at it"
    assert segment_of(CITY_POLICY, thin | {"list.preapproved": Missing.SOURCE_DOWN}) == "thin_file"
    assert segment_of(CITY_POLICY, thin | {"bur_normal_months_24m": Missing.SOURCE_DOWN}) == "thin_file"
    assert segment_of(CITY_POLICY, thin | {"bur_normal_months_24m": 6.0}) == "general"
    known = {"sources_with_record": 9.0, "product": "consumer"}
    assert segment_of(CITY_POLICY, known | {"product": "business"}) == "firm_owner"
    assert segment_of(CITY_POLICY, known | {"farm_kind": farm}) == "farmer"
    assert segment_of(CITY_POLICY, known | {"farm_kind": Missing.NOT_AUTHORISED}) == "general"


MISSING = list(Missing)[1:]
VALUES = st.sampled_from([0.0, 1.0, 3.5, 4.0, -2.0, *MISSING])
APPLICATION = st.fixed_dictionaries({
    "x": VALUES, "y": VALUES,
    "purpose": st.sampled_from(["stocks", "farming", *MISSING]),
    "product": st.sampled_from(["consumer", "business", "other", *MISSING]),
    "region": st.sampled_from(["city", "county", *MISSING]),
    "term_months": st.sampled_from([1.0, 12.0, 13.0, 360.0, *MISSING]),
    "grade": st.integers(1, 10), "day": st.integers(TODAY - 3000, TODAY + 3),
})  # fmt: skip
CONDITIONS = st.one_of(
    st.tuples(
        st.sampled_from(["x", "y", "z"]), st.sampled_from(["lt", "le", "gt", "ge", "eq", "ne"]), st.sampled_from([0, 1, 3.5])
    ),
    st.tuples(st.sampled_from(["x", "y"]), st.sampled_from(["in", "not_in"]), st.just([0, 4])),
    st.tuples(st.just("purpose"), st.sampled_from(["in", "not_in"]), st.just(["stocks", "bonds"])),
    st.tuples(st.just("purpose"), st.sampled_from(["eq", "ne"]), st.just("stocks")),
)  # fmt: skip
WHENS = st.tuples(st.sampled_from(["all", "any"]), st.lists(CONDITIONS, min_size=1, max_size=3))
SCOPES = st.fixed_dictionaries({}, optional={
    "products": st.just(["business"]), "regions": st.just(["county"]), "segments": st.just(["s0"]),
})  # fmt: skip
DATES = st.sampled_from([{}, {"effective_from": "2025-01-02"}, {"effective_to": "2025-01-02"}])
RULES = st.lists(
    st.tuples(st.sampled_from(["refer", "decline"]), WHENS, SCOPES, DATES), min_size=1, max_size=4
)
SEGMENTS = st.lists(st.tuples(WHENS, st.sampled_from(["match", "next"])), min_size=1, max_size=2)


def segmented(drawn: list[Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Segments as they were drawn, and the city's tables for them: the first has the cut-offs of thin files."""
    segments = []
    for k, ((join, conditions), unknown) in enumerate(drawn):
        stated = rule("", "refer", join, *conditions)["when"]
        segments.append({"id": f"s{k}", "when": stated, "unknown": unknown, "zh": "段", "en": "segment"})
    tables = plain()["tables"]
    for name in ("cutoffs", "limits"):
        for row in tables[name]:
            thin = row["segments"] == ["thin_file"]
            row["segments"] = ["s0"] if thin else [*(s["id"] for s in segments[1:]), "general"]
    return segments, tables


def columns_of(applications: list[dict[str, Any]]) -> dict[str, FactColumn]:
    """The same applications column by column."""
    columns = {}
    for name in ("x", "y", "purpose", "product", "region", "term_months"):
        given_ = [a[name] for a in applications]
        values = np.array([BLANKS.get(name, 0.0) if isinstance(v, Missing) else v for v in given_])
        missing = np.array([v if isinstance(v, Missing) else 0 for v in given_], dtype=np.uint8)
        columns[name] = FactColumn(values, missing)
    return columns


def check_row(policy: Policy, application: dict[str, Any], many: Any, row: int) -> None:
    """One row of many is what the application alone gives."""
    facts = {name: value for name, value in application.items() if name not in {"grade", "day"}}
    whole = evaluate_whole(policy, facts, application["grade"], application["day"])
    first = next((k for k, r in enumerate(whole.results) if r.effect == whole.effect), -1)
    assert many.rules.effect[row] == whole.effect
    assert many.rules.struck[row] == (first if whole.effect else -1)
    assert segment_names(policy.document)[many.rules.segment[row]] == whole.segment
    outcome = many.outcome[row]
    assert (None if outcome < 0 else OUTCOMES[outcome]) == whole.outcome
    assert {name: int(places[row]) for name, places in many.rows.items()} == whole.rows


@given(RULES, SEGMENTS, st.lists(APPLICATION, min_size=1, max_size=5))
@settings(deadline=None)
def test_one_and_many_agree_on_the_whole_stage_and_every_kind_of_missing(rules, drawn, applications) -> None:
    stated = [rule(f"R{k}", e, j, *c, scope=s, **d) for k, (e, (j, c), s, d) in enumerate(rules)]
    segments, tables = segmented(drawn)
    policy = drawn_policy(*stated, segments=segments, tables=tables)
    grades = np.array([a["grade"] for a in applications])
    days = np.array([a["day"] for a in applications])
    many = evaluate_whole_many(policy, columns_of(applications), grades, days)
    for row, application in enumerate(applications):
        check_row(policy, application, many, row)


def test_age_turns_on_the_birthday_in_china() -> None:
    from features.calendar import SECOND, instant

    birthday = instant("2018-03-01")
    assert age_years("11010120000301001X", birthday) == 18
    assert age_years("11010120000301001X", birthday - SECOND) == 17
