"""What is withheld: never a better grade or limit under the strict rule, never a refusal, and told."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.canonical import canonical_bytes, digest
from features.matrix import FeatureMatrix, Missing
from serving.decisions.case import Case, CaseConsent, CaseHousehold, CaseSubject
from serving.decisions.decider import Decision, decide
from serving.decisions.live import Live, compile_live
from serving.decisions.receipt import read_receipt, write_receipt
from serving.decisions.schemas import Asked
from serving.policy.load import CITY, BrokenPolicy, load_policy, policy_from_yaml
from serving.policy.model import Outcome
from tests.serving.world import AS_OF, CATEGORIES, CHECKS, NOW, PLAN, SCALE, policy_with
from training.bundle import FIXED, Bins, Bundle, BundleColumn, Tree, Uncertainty, dump_bundle

REASON = {"code": "SOURCES_WITHHELD", "zh": "数据未取得", "en": "Sources could not be read"}
OPTIONAL = {
    "ss_months_12m": "social_insurance", "tax_amt_sum_12m": "tax_filing", "util_load_12m": "electricity",
    "hpf_months_12m": "provident_fund", "veh_value": "vehicle",
}  # fmt: skip
NAMES = ("bur_overdue_cnt_12m", "bank_inflow_sum_12m", *OPTIONAL)
AT = {column.name: place for place, column in enumerate(PLAN.columns)}


@cache
def bundle(seed: int = 0, scale: float = 1.0) -> bytes:
    """Points and two trees across sources, drawn by chance, with an interval."""
    g = np.random.default_rng(seed)

    def units(count: int) -> tuple[int, ...]:
        return tuple(round(x * FIXED) for x in g.normal(0, 0.6 * scale, count))

    bins = tuple(Bins((1.0, 5.0), units(3), units(1)[0]) for _ in NAMES)
    trees = tuple(
        Tree(
            tuple(g.choice(len(NAMES), 3, replace=False).tolist()), (2.0, 3.0, 4.0), (True, False, True), (1, -1, -3),
            (2, -2, -4), ((60, 40), (30, 30), (10, 30)), tuple(float(x) for x in units(4)),
        )
        for _ in range(2)
    )  # fmt: skip
    columns = tuple(_column(name) for name in NAMES)
    sources = tuple(sorted({column.dataset for column in columns}))
    stated = Uncertainty(900_000, 1_644_854, FIXED // 5, sources, tuple(FIXED // 2 for _ in sources))
    return dump_bundle(
        Bundle(2, "city", "risk", "booster", "credit_approval", -3 * FIXED, columns, SCALE, PLAN.digest, "0" * 64, 0,
               bins, (), trees, uncertainty=stated)
    )  # fmt: skip


def _column(name: str) -> BundleColumn:
    known = PLAN.columns[AT[name]]
    return BundleColumn(name, known.dataset, known.sign, known.zh, known.en, known.reason)


def live_of(policy: bytes, model: bytes) -> Live:
    """The versions of one decision."""
    parts = {"policy": policy, "definitions": PLAN.document, "bundle.risk": model}
    slots = {name: digest(data) for name, data in parts.items()}
    return compile_live(slots, {slots[name]: data for name, data in parts.items()})


@cache
def live(rule: str, seed: int = 0, scale: float = 1.0) -> Live:
    """The city's policy under a rule for what is withheld, without the rules that let a silent source pass."""
    document = msgspec.to_builtins(policy_from_yaml(CITY).document)
    gates = [
        {**gate, "rules": [r for r in gate["rules"] if r["missing"]["not_authorised"] != "pass"]}
        for gate in document["gates"]
    ]
    withheld = None if rule == "none" else {"grade_from": rule, "reason": REASON}
    return live_of(policy_with(gates=gates, withheld=withheld, challengers=[]), bundle(seed, scale))


@dataclass(frozen=True)
class Applicant:
    """Values of the model's columns; everything else that rules ask is clean."""

    values: dict[str, float]
    checks: dict[str, str] = field(default_factory=lambda: dict(CHECKS))
    household: CaseHousehold | None = None

    def decided(self, by: Live, *silent: str, kind: Missing = Missing.NOT_AUTHORISED) -> Decision:
        """The decision with these datasets withheld."""
        values = np.zeros((1, len(PLAN.columns)))
        missing = np.full(values.shape, Missing.NO_RECORD, dtype=np.uint8)
        for name, value in self.values.items():
            values[0, AT[name]], missing[0, AT[name]] = value, Missing.PRESENT
        quiet = [bool(set(c.dataset.split("+")) & set(silent)) for c in PLAN.columns]
        values[0, quiet], missing[0, quiet] = 0.0, kind
        consent = CaseConsent("c", "credit_assessment", tuple(CATEGORIES), AS_OF, NOW + 1)
        case = Case(
            "d", "city", "a", "engineer", Asked("consumer", 2_000_000, 12, "renovation", "city", self.checks),
            CaseSubject("person", 1, 1, 40, 41), consent, AS_OF, NOW, dict.fromkeys(silent, int(kind)), False, "k",
            household=self.household,
        )  # fmt: skip
        return decide(case, FeatureMatrix(PLAN.columns, values, missing), 9, by, b"key")


@st.composite
def applicants(draw: st.DrawFn) -> Applicant:
    """Some columns with a value, the others without a record; an income that supports a limit."""
    known = draw(st.lists(st.sampled_from(NAMES), unique=True))
    values = {name: draw(st.integers(0, 7)) * 1.0 for name in known}
    return Applicant(values | {"bank_inflow_sum_12m": draw(st.sampled_from([20_000.0, 90_000.0, 400_000.0]))})


@given(applicants(), st.sets(st.sampled_from(sorted(OPTIONAL.values()))), st.integers(0, 15))
@settings(max_examples=40, deadline=None)
def test_under_the_strict_rule_withholding_never_gives_a_better_grade_a_lower_price_or_more_money(
    applicant, silent, seed
) -> None:
    whole = applicant.decided(live("worst", seed)).answer
    less = applicant.decided(live("worst", seed), *silent).answer
    assert less.grade >= whole.grade
    assert less.limit_fen <= whole.limit_fen
    if less.offer is not None:
        assert less.annual_rate_ppm >= whole.annual_rate_ppm


@given(applicants(), st.sets(st.sampled_from(sorted(OPTIONAL.values())), min_size=1), st.integers(0, 15))
@settings(max_examples=40, deadline=None)
def test_what_is_withheld_refers_and_never_refuses_whom_the_score_would_have_approved(
    applicant, silent, seed
) -> None:
    plain = applicant.decided(live("none", seed), *silent).answer
    for rule in ("high", "worst"):
        strict = applicant.decided(live(rule, seed), *silent).answer
        assert strict.pd == plain.pd
        assert strict.grade >= plain.grade
        assert (strict.outcome == "decline") == (plain.outcome == "decline")  # REG-PI-04


def test_without_such_a_rule_withholding_a_bad_source_pays() -> None:
    """So that the property above is not true of every policy."""
    found = set()
    for seed in range(12):
        bad = Applicant({"ss_months_12m": 0.0, "bank_inflow_sum_12m": 90_000.0})
        whole = bad.decided(live("none", seed, 2.0)).answer
        found.add(bad.decided(live("none", seed, 2.0), "social_insurance").answer.grade < whole.grade)
    assert found == {True, False}


@pytest.mark.parametrize("kind", [Missing.NOT_AUTHORISED, Missing.SOURCE_DOWN])
@pytest.mark.parametrize("source", ["court_case", "bureau_repayment", "bureau_account", "bureau_enquiry"])
@pytest.mark.parametrize("rule", ["none", "high", "worst"])
def test_a_mandatory_source_that_is_missing_refers(source, kind, rule) -> None:
    good = Applicant({"bur_overdue_cnt_12m": 0.0, "bank_inflow_sum_12m": 400_000.0})
    assert good.decided(live_of(policy_with(challengers=[]), scorecard_of(-2.0))).answer.outcome == "approve"
    document = {"withheld": None if rule == "none" else {"grade_from": rule, "reason": REASON}}
    by = live_of(policy_with(challengers=[], **document), scorecard_of(-2.0))
    assert good.decided(by, source, kind=kind).answer.outcome == "refer"


@cache
def scorecard_of(shift: float) -> bytes:
    """The drawn bundle for people whom everybody would approve."""
    whole = msgspec.json.decode(bundle(), type=Bundle)
    return dump_bundle(msgspec.structs.replace(whole, base=whole.base + round(shift * FIXED)))


def test_the_answer_states_an_interval_that_missing_sources_widen_and_the_receipt_keeps_it() -> None:
    someone = Applicant({"bank_inflow_sum_12m": 90_000.0})
    whole, less = (
        someone.decided(live("high"), *silent)
        for silent in (
            (),
            ("vehicle",),
        )
    )
    for one in (whole, less):
        answer = one.answer
        assert answer.pd_low < answer.pd < answer.pd_high
        kept = read_receipt(write_receipt(one)).scores["risk"]
        assert (kept.pd_low, kept.pd_high) == (answer.pd_low, answer.pd_high)

    def width(answer) -> float:
        return float(
            np.log(answer.pd_high / (1 - answer.pd_high)) - np.log(answer.pd_low / (1 - answer.pd_low))
        )

    assert width(less.answer) > width(whole.answer) + 0.5
    assert whole.answer.graded_pd is None
    assert less.answer.pd < less.answer.graded_pd < less.answer.pd_high


def test_a_wide_interval_refers_where_the_policy_says_so_and_the_reason_is_told() -> None:
    someone = Applicant({"bank_inflow_sum_12m": 400_000.0})
    found = {}
    for most in (0.5, 0.0001):
        withheld = {"grade_from": "point", "reason": REASON, "max_pd_high": most}
        by = live_of(policy_with(challengers=[], withheld=withheld), scorecard_of(-2.0))
        found[most] = someone.decided(by).answer
    assert found[0.5].outcome == "approve"
    assert found[0.0001].outcome == "refer"
    assert [reason.code for reason in found[0.0001].reasons] == ["SOURCES_WITHHELD"]


def test_an_income_that_was_not_asked_for_is_no_unverified_income() -> None:
    poor = Applicant({"bank_inflow_sum_12m": 900.0})
    strict, loose = (
        live_of(policy_with(challengers=[], withheld=rule), scorecard_of(-2.0))
        for rule in ({"grade_from": "high", "reason": REASON}, None)
    )
    assert poor.decided(strict).answer.outcome == "decline"
    down = {"kind": Missing.SOURCE_DOWN}
    assert poor.decided(loose, "bank_transaction", **down).answer.limit_fen > 0
    assert poor.decided(strict, "bank_transaction", **down).answer.outcome == "refer"


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"grade_from": "high", "reason": {**REASON, "zh": "none"}}, "the Chinese text is missing"),
        ({"grade_from": "high", "reason": REASON, "max_pd_high": 20}, "max_pd_high is not between 0 and 1"),
    ],
)
def test_a_rule_that_cannot_be_told_or_is_no_pd_is_refused(rule, said) -> None:
    with pytest.raises(BrokenPolicy, match=said):
        load_policy(policy_with(withheld=rule))


def test_a_receipt_of_schema_2_is_read_and_written_again_to_the_byte(request) -> None:
    data = (request.path.parent / "golden" / "receipt_2.json").read_bytes()
    receipt = read_receipt(data)
    assert receipt.schema == 2
    assert canonical_bytes(receipt) == data


def test_a_decision_by_a_model_and_a_policy_of_before_is_written_in_the_old_form() -> None:
    model = msgspec.json.decode(bundle(), type=Bundle)
    old = dump_bundle(msgspec.structs.replace(model, schema=1, uncertainty=msgspec.UNSET))
    found = Applicant({"bank_inflow_sum_12m": 90_000.0}).decided(
        live_of(policy_with(challengers=[], withheld=None), old), "vehicle"
    )
    text = write_receipt(found, 2).decode()
    assert not any(name in text for name in ("pd_low", "pd_high", "graded_pd"))


def test_a_household_that_was_promised_its_cap_is_told_so_also_where_a_source_is_withheld() -> None:
    rich = {"bur_overdue_cnt_12m": 0.0, "bank_inflow_sum_12m": 400_000.0}
    found = []
    for seed in range(30):
        free = Applicant(rich).decided(live("high", seed), *sorted(set(OPTIONAL.values())))
        used = Applicant(rich, household=CaseHousehold(1, 20_000_000)).decided(
            live("high", seed), *sorted(set(OPTIONAL.values()))
        )
        if free.answer.outcome is Outcome.APPROVE and free.answer.graded_pd is not None:
            by_withheld = free.answer.grade > used.scores["risk"].grade
            found.append(by_withheld)
            assert used.answer.outcome is Outcome.DECLINE
            assert "LIMIT_BY_HOUSEHOLD" in {reason.code for reason in used.answer.reasons}
            assert "SOURCES_WITHHELD" not in {reason.code for reason in used.answer.reasons}
    assert any(found)
