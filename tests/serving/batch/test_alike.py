"""Many cases at once are decided and told as each alone, to the byte; and a receipt is what a plain walk would write."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from features.canonical import canonical_bytes, digest
from features.matrix import FeatureMatrix, Missing
from serving.decisions.case import Case, CaseConsent, CaseHousehold, CaseSubject
from serving.decisions.decider import Decision, decide, decide_many
from serving.decisions.live import Live, compile_live
from serving.decisions.receipt import (
    ENGINE,
    Receipt,
    named,
    open_receipt,
    read_receipt,
    seal_receipt,
    write_receipt,
    write_receipts,
)
from serving.decisions.schemas import Asked
from serving.decisions.traces import RuleTrace
from serving.policy.load import HOUSING, policy_from_yaml
from tests.serving.decisions.test_withheld import NAMES, REASON, bundle, live_of
from tests.serving.world import AS_OF, CATEGORIES, NOW, PLAN, policy_with

SOURCES = sorted({part for column in PLAN.columns for part in column.dataset.split("+") if part})
AT = {column.name: place for place, column in enumerate(PLAN.columns)}
ASKED = (*NAMES, "court_dishonest_cnt_60m", "tax_arrears_6m", "bank_inflow_mean_12m", "bur_monthly_debt_1m")
STREAM = {
    "share_ppm": 500_000, "first": 1, "last": 10, "max_limit_fen": 1_000_000, "rate_ppm": 180_000, "monthly_budget": 9
}  # fmt: skip
KEY = b"key"


@cache
def credit(seed: int, rule: str) -> Live:
    """The city's policy with much chance, and a drawn model."""
    withheld = None if rule == "none" else {"grade_from": rule, "reason": REASON}
    return live_of(policy_with(random_approval=STREAM, withheld=withheld, challengers=[]), bundle(seed))


@cache
def housing() -> Live:
    """The policy without a model."""
    parts = {"policy": policy_from_yaml(HOUSING).data, "definitions": PLAN.document}
    slots = {name: digest(data) for name, data in parts.items()}
    return compile_live(slots, {slots[name]: data for name, data in parts.items()})


@st.composite
def cases(draw: st.DrawFn, *, loan: bool) -> tuple[Case, dict[str, float], int]:
    """A case, the values of its features (others have no record), and the number of its sources."""
    silent = draw(st.dictionaries(st.sampled_from(SOURCES), st.integers(2, 3), max_size=3))
    categories = draw(st.sampled_from([tuple(CATEGORIES), tuple(CATEGORIES[::2]), ()]))
    checks = draw(st.sampled_from([{}, {"identity": "passed", "aml": "clear"}, {"aml": "hit"}]))
    terms = (
        draw(st.integers(1, 10**8)),
        draw(st.integers(1, 48)),
        draw(st.sampled_from(["education", "stocks"])),
    )
    asked = Asked("consumer" if loan else "public_rental", *(terms if loan else (0, 0, "")), "city", checks)
    case = Case(
        draw(st.uuids()).hex, "city", "a", "engineer", asked, CaseSubject("person", draw(st.integers(1, 9)), 1, 40, 41),
        CaseConsent("c", "credit_assessment", categories, AS_OF, NOW + 1), AS_OF, NOW + draw(st.integers(0, 10**14)),
        silent, draw(st.booleans()), "k", lists=draw(st.sampled_from([{}, {"deny": 0}, {"deny": -1}])),
        household=draw(st.sampled_from([None, CaseHousehold(7, 19_000_000)])),
    )  # fmt: skip
    number = st.integers(0, 7).map(float) | st.floats(-1e6, 1e6) | st.sampled_from([0.1, 1e-7, 400_000.25])
    return case, draw(st.dictionaries(st.sampled_from(ASKED), number)), draw(st.integers(0, 12))


def matrix_of(rows: list[tuple[Case, dict[str, float], int]]) -> FeatureMatrix:
    """The features of cases; those of a silent source are missing for its reason."""
    values = np.zeros((len(rows), len(PLAN.columns)))
    missing = np.full(values.shape, Missing.NO_RECORD, dtype=np.uint8)
    for at, (case, known, _) in enumerate(rows):
        for name, value in known.items():
            values[at, AT[name]], missing[at, AT[name]] = value, Missing.PRESENT
        for place, column in enumerate(PLAN.columns):
            for source in set(column.dataset.split("+")) & set(case.unavailable):
                values[at, place], missing[at, place] = 0.0, case.unavailable[source]
    return FeatureMatrix(PLAN.columns, values, missing)


def plain(decision: Decision) -> Receipt:
    """The receipt of a decision as the document that it is, value by value."""
    batch, at = decision.batch, decision.at
    codes, values = batch.matrix.missing[at].tolist(), batch.matrix.values[at].tolist()
    pairs = zip(batch.matrix.names, values, codes, strict=True)
    facts: dict[str, Any] = {name: Missing(code) if code else value for name, value, code in pairs}
    facts |= batch.requests[at]
    return Receipt(
        4, ENGINE, decision.case, dict(batch.live.slots), {name: told(fact) for name, fact in facts.items()},
        tuple(trace(result) for result in decision.rules), decision.scores, decision.explanation,
        msgspec.to_builtins(decision.answer), digest(canonical_bytes(decision.answer)), dict(decision.shadows),
    )  # fmt: skip


def told(fact: Any) -> Any:
    return fact.name if isinstance(fact, Missing) else fact


def trace(result: Any) -> RuleTrace:
    rule = result.rule
    return RuleTrace(
        rule.id, rule.source, tuple(msgspec.to_builtins(rule.when.conditions)), "all" if rule.when.all else "any",
        tuple(told(fact) for fact in result.actual), result.truth, result.effect.name.lower(), rule.force.value,
        result.applies,
    )  # fmt: skip


def assert_alike(rows: list[tuple[Case, dict[str, float], int]], live: Live) -> None:
    matrix, sources = matrix_of(rows), [each for _, _, each in rows]
    many = decide_many([case for case, _, _ in rows], matrix, sources, live, KEY)
    receipts = write_receipts(many)
    for at, (case, _, count) in enumerate(rows):
        alone = decide(case, matrix.take(np.array([at])), count, live, KEY)
        assert many[at].answer == alone.answer
        assert many[at].answer_bytes == alone.answer_bytes == canonical_bytes(alone.answer)
        assert receipts[at] == write_receipt(alone)
        assert_told(receipts[at], many[at])
    chosen = many[::-2]
    assert write_receipts(chosen) == receipts[::-2]


def assert_told(receipt: bytes, decision: Decision) -> None:
    """A stored receipt is canonical, opens as it was sealed, and holds every value of the plain walk by its name."""
    walked = canonical_bytes(plain(decision))
    assert named(receipt) == walked == write_receipt(decision, 4) == named(walked)
    assert canonical_bytes(read_receipt(walked)) == walked
    assert msgspec.structs.replace(read_receipt(receipt), schema=4) == read_receipt(walked)
    assert canonical_bytes(msgspec.json.decode(receipt)) == receipt
    assert open_receipt(seal_receipt(receipt, bytes(32), "d"), bytes(32), "d") == receipt


@given(st.lists(cases(loan=True), max_size=6), st.integers(0, 5), st.sampled_from(["none", "high", "worst"]))
@settings(max_examples=60, deadline=None)
def test_loans_are_decided_and_told_as_each_alone(rows, seed, rule) -> None:
    assert_alike(rows, credit(seed, rule))


@given(st.lists(cases(loan=False), max_size=4))
@settings(max_examples=20, deadline=None)
def test_eligibility_by_rules_alone_is_too(rows) -> None:
    assert_alike(rows, housing())
