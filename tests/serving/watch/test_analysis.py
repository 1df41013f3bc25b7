"""What is refused before signals run: gaps, overlaps, levels that nothing reaches, texts and names that are not there."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.canonical import canonical_bytes
from features.contracts.documents import read_yaml
from serving.watch.analysis import findings
from serving.watch.document import Level, SignalsDocument
from serving.watch.evaluate import Values, evaluate
from serving.watch.signals import SHIPPED, BrokenSignal, check_shape, own_columns, read_signals

FIRST = Path(__file__).parent / "golden" / "signals_1.json"


def document(levels: list[dict], **more: object) -> SignalsDocument:
    """One signal with these levels; ``more`` of it."""
    signal = {
        "code": "s", "zh": "甲", "en": "s", "source": "bank", "levels": levels, "evidence": {"zh": "{a} 元", "en": "{a} yuan"},
        "basis": ["P"], "playbook": "call", "expects": {"zh": "还", "en": "paid", "months": 1}, **more,
    }  # fmt: skip
    playbooks = {"call": {"zh": "致电", "en": "Call"}}
    return msgspec.convert({"schema": 2, "playbooks": playbooks, "signals": [signal]}, SignalsDocument)


def level(name: str, *conditions: tuple[str, str, float]) -> dict:
    """A level on conditions that all must hold."""
    return {"level": name, "all": [{"feature": f, "op": op, "value": value} for f, op, value in conditions]}


NESTED = [level("red", ("a", "ge", 30)), level("yellow", ("a", "ge", 1))]
SPLIT = [level("red", ("a", "ge", 30)), level("yellow", ("a", "ge", 1), ("a", "lt", 30))]


@pytest.mark.parametrize("levels", [NESTED, SPLIT])
def test_levels_that_nest_or_touch_are_taken(levels) -> None:
    assert findings(document(levels), ["a"]) == []


@pytest.mark.parametrize(
    ("levels", "problem"),
    [
        ([level("red", ("a", "ge", 30)), level("yellow", ("a", "ge", 1), ("a", "lt", 20))], "between 20 and 30 of a"),
        ([level("red", ("a", "gt", 30)), level("yellow", ("a", "ge", 1), ("a", "lt", 30))], "between 30 and 30 of a"),
        ([level("red", ("a", "ge", 30)), level("yellow", ("a", "ge", 1), ("a", "lt", 40))], "overlaps .* from 30 to 40"),
        ([level("red", ("a", "ge", 1)), level("yellow", ("a", "ge", 30))], "never reached"),
        ([level("red", ("a", "ge", 1)), level("yellow", ("a", "ge", 1), ("b", "ge", 2))], "never reached"),
        ([level("red", ("a", "ge", 5), ("a", "lt", 5))], "nothing meets"),
        ([level("red")], "hit everyone"),
        ([{"level": "red", "any": [{"all": []}]}], "hit everyone"),
        ([level("red", ("z", "ge", 1))], "no feature 'z'"),
        ([level("red", ("a@1q", "ge", 1))], "no feature 'a@1q'"),
    ],
)  # fmt: skip
def test_levels_that_leave_holes_or_are_never_reached_are_refused(levels, problem) -> None:
    import re

    found = findings(document(levels), ["a", "b"])
    assert any(re.search(problem, str(one)) for one in found)
    assert all(one.place.startswith("s") and one.remedy for one in found)


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"en": " "}, "lacks its Chinese or its English"),
        ({"expects": {"zh": "", "en": "paid", "months": 1}}, "lacks its Chinese or its English"),
        ({"expects": None}, "by when"),
        ({"playbook": "nap"}, "no playbook 'nap'"),
        ({"basis": []}, "where its threshold comes from"),
        ({"months": 3}, "3 months in a row"),
        ({"effective_from": "2026-13-01"}, "its dates"),
        ({"effective_from": "2026-02-01", "effective_to": "2026-01-01"}, "its dates"),
        ({"evidence": {"zh": "{a:.2f}", "en": "a"}}, "cannot be filled in"),
        ({"evidence": {"zh": "{q}", "en": "a"}}, "no feature 'q'"),
    ],
)
def test_what_a_person_needs_to_know_must_be_there(more, problem) -> None:
    assert any(problem in one.problem for one in findings(document(NESTED, **more), ["a"]))


def test_versions_of_a_signal_follow_each_other_without_a_day_between() -> None:
    def both(end: str, begin: str) -> list[str]:
        first, second = (
            document(NESTED, **dates).signals[0]
            for dates in ({"effective_to": end}, {"effective_from": begin})
        )
        whole = msgspec.structs.replace(document(NESTED), signals=(second, first))
        return [one.problem for one in findings(whole)]

    assert both("2026-02-01", "2026-02-01") == []
    assert "from 2026-02-01 to 2026-02-03" in both("2026-02-01", "2026-02-03")[0]
    assert "stands twice" in both("2026-02-03", "2026-02-01")[0]
    assert "stands twice" in both("", "2026-02-01")[0]


NUMBERS = st.sampled_from([0.0, 1.0, 2.0, 3.0])
CUTS = st.lists(
    st.tuples(st.just("a"), st.sampled_from(["lt", "le", "gt", "ge"]), NUMBERS), min_size=1, max_size=2
)


@given(CUTS, CUTS)
def test_a_level_is_never_reached_exactly_where_no_value_raises_it(graver, lesser) -> None:
    taken = document([level("red", *graver), level("yellow", *lesser)])
    column = np.arange(-1.0, 4.5, 0.25)
    hits = evaluate(taken, Values({"a": column}, {"a": np.ones(len(column), dtype=bool)})).hits
    told = [one.problem for one in findings(taken) if "yellow" in one.place]
    unreachable = any("never reached" in one or "nothing meets" in one for one in told)
    assert unreachable == (Level.YELLOW not in {hit.level for hit in hits})


def test_the_first_schema_is_still_read_to_the_same_bytes() -> None:
    data = FIRST.read_bytes()
    assert (
        hashlib.sha256(data).hexdigest() == "ea149f5977eafd5e3d9b17a0eb3a2c4a0e4ef991f1d7e4a77a774ef4afc45265"
    )
    found = read_signals(data)
    assert canonical_bytes(found) == data
    assert [signal.code for signal in found.signals][:2] == ["dpd_open", "other_bank_overdue"]


def test_the_first_schema_skips_a_signal_wherever_one_of_its_values_is_not_known() -> None:
    found = read_signals(FIRST.read_bytes())
    values = Values(
        {"bank_autopay_fail_rate_90d": np.array([0.0]), "bank_autopay_fail_cnt_90d": np.array([2.0])},
        {"bank_autopay_fail_rate_90d": np.array([False]), "bank_autopay_fail_cnt_90d": np.array([True])},
    )
    outcome = evaluate(found, values)
    assert outcome.hits == ()
    assert outcome.skipped["autopay_fail"] == 1


def test_the_shipped_signals_have_nothing_to_be_found() -> None:
    from tests.serving.world import PLAN

    shipped = read_yaml(SHIPPED, SignalsDocument)
    assert shipped.schema == 3
    check_shape(shipped)
    names = {column.name for column in PLAN.columns}
    assert not names & set(own_columns(shipped))


def test_a_refusal_says_how_many_more_there_are() -> None:
    broken = document([level("red")], effective_from="never")
    with pytest.raises(BrokenSignal, match="hit everyone") as refusal:
        check_shape(broken)
    assert refusal.value.place == "signal s"
    assert "1 more" in refusal.value.remedy
