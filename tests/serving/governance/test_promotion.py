"""Going into force: every gate refuses by itself, names figure, limit and remedy, and changes nothing."""

from __future__ import annotations

from typing import Any

import msgspec
import psycopg
import pytest

from features.canonical import canonical_bytes
from features.errors import Invalid
from serving.access.model import Permission, Role
from serving.access.repository import create_token
from serving.governance.promotion import GatesMissed, NothingBefore, NotWaived, promote
from serving.registry.governance import ModelEntry, OtherEvidence, promotions_of, register
from serving.registry.model import EvidenceKind, Kind, Verdict
from serving.registry.service import approve
from serving.store.session import RefusedByStore, owner_transaction, tenant_transaction
from tests.serving.desk import GOOD_REPORT, SHIFT, Desk, comparison, fairness, figures, model, report
from tests.serving.world import NOW, PLAN, Bank
from training.promotion import NEVER_WAIVED, Gate


@pytest.fixture(scope="module")
def desk(bank: Bank) -> Desk:
    found = Desk(bank)
    for slot in ("bundle.risk", "bundle.rating", "bundle.fresh"):
        entry = ModelEntry(slot, 1, "risk desk", "PD of households", "No firms")
        register(bank.database, found.asks("analyst", Permission.SUBMIT), entry, bank.clock())
    return found


def missed(refusal: pytest.ExceptionInfo[GatesMissed], slot: str = "bundle.risk") -> dict[Gate, Any]:
    return {one.gate: one for one in refusal.value.missed[slot]}


def test_a_version_that_meets_every_gate_goes_into_force_with_its_record(desk: Desk) -> None:
    before = desk.in_force()["bundle.risk"]
    digest = desk.ready()
    done = desk.promote("bundle.risk", digest)
    assert desk.in_force()["bundle.risk"] == digest != before
    assert all(one.met for one in done.standings["bundle.risk"])
    assert {one.gate for one in done.standings["bundle.risk"]} == set(Gate)
    with tenant_transaction(desk.bank.database, "city") as connection:
        (kept,) = promotions_of(connection, "bundle.risk", digest)
        jobs = "SELECT count(*) FROM audit_log WHERE object = %s AND action = 'artifact.activated'"
        assert connection.execute(jobs, (digest,)).fetchone() == (1,)
    assert {one["gate"] for one in kept.gates["bundle.risk"]} == {gate.value for gate in Gate}
    with owner_transaction(desk.bank.database) as owner:
        statement = "SELECT payload FROM job WHERE kind = 'mirror_champion' ORDER BY job_id DESC LIMIT 1"
        assert owner.execute(statement).fetchone() == ({"tenant": "city", "slot": "bundle.risk"},)


def test_promoting_it_again_changes_nothing(desk: Desk) -> None:
    digest = desk.ready()
    desk.promote("bundle.risk", digest)
    desk.promote("bundle.risk", digest)
    with tenant_transaction(desk.bank.database, "city") as connection:
        assert len(promotions_of(connection, "bundle.risk", digest)) == 1


@pytest.mark.parametrize(
    ("gate", "changes", "said"),
    [
        (Gate.AUC, {"metrics": figures(auc={"value": 0.6, "low": 0.52, "high": 0.7})}, "0.6000"),
        (Gate.SCORECARD, {"gap": {"value": -0.02, "low": -0.04, "high": 0.0}}, "-0.0200"),
        (Gate.CALIBRATION, {"metrics": figures(predicted_over_actual=1.4)}, "1.400"),
        (Gate.CALIBRATION, {"metrics": figures(ece=0.03)}, "0.0300"),
        (Gate.GRADES, {"grades": [GOOD_REPORT["grades"][0] | {"p_value": 0.001}]}, "grade 1 (p 0.0010)"),
        (Gate.PSI, {"stability": [GOOD_REPORT["stability"][0] | {"psi": 0.31}]}, "0.310 in 2024-05"),
    ],
    ids=["auc", "scorecard", "predicted", "ece", "grades", "psi"],
)
def test_a_figure_beyond_its_limit_refuses_with_limit_and_remedy(desk: Desk, gate, changes, said) -> None:
    before = desk.in_force()
    digest = desk.ready(**changes)
    with pytest.raises(GatesMissed) as refusal:
        desk.promote("bundle.risk", digest)
    found = missed(refusal)
    assert list(found) == [gate]
    assert said in found[gate].figure
    for text in (gate.value, found[gate].figure, found[gate].limit, found[gate].remedy):
        assert text
        assert text in str(refusal.value)
    assert desk.in_force() == before


def test_what_is_no_more_than_chance_is_no_miss(desk: Desk) -> None:
    """0.002 of one of ten grades is 0.02 over all of them, and the limit is 0.01."""
    moved = GOOD_REPORT["stability"][0] | {"psi": 0.31, "by_chance": 0.4}
    grades = [GOOD_REPORT["grades"][0] | {"p_value": p} for p in (0.002, *[0.4] * 9)]
    desk.promote("bundle.risk", desk.ready(stability=[moved], grades=grades))


def test_without_any_evidence_all_that_lacks_is_named_at_once(desk: Desk) -> None:
    digest = desk.submit(model("unknown", vectors=False, definitions_digest="d" * 64))
    with pytest.raises(GatesMissed, match="6 gates are missed") as refusal:
        desk.promote("bundle.unknown", digest)
    assert set(missed(refusal, "bundle.unknown")) == {
        Gate.APPROVAL, Gate.VECTORS, Gate.DEFINITIONS, Gate.INVENTORY, Gate.REPORT, Gate.FAIRNESS,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "met"),
    [
        ({}, True),
        ({"impact": {"value": 0.7, "low": 0.6, "high": 0.78}}, False),
        ({"impact": {"value": 1.4, "low": 1.3, "high": 1.5}}, False),
        ({"impact": {"value": 0.7, "low": 0.5, "high": 0.9}}, True),
        ({"impact": {"value": 0.2, "low": 0.1, "high": 0.3}, "rows": 12}, True),
        ({"impact": None}, True),
    ],
    ids=["even", "under", "over", "within chance", "few rows", "not told"],
)
def test_a_group_that_is_surely_approved_less_or_more_refuses(desk: Desk, changes, met) -> None:
    digest = desk.submit(model("fresh"))
    desk.attach(digest, EvidenceKind.REPORT, report(digest))
    desk.attach(digest, EvidenceKind.FAIRNESS, fairness(digest, **changes))
    champion = desk.in_force().get("bundle.fresh")
    if champion:
        desk.attach(digest, EvidenceKind.COMPARISON, comparison(digest, champion))
    desk.approve(digest)
    if met:
        desk.promote("bundle.fresh", digest)
        return
    with pytest.raises(GatesMissed, match="sex female") as refusal:
        desk.promote("bundle.fresh", digest)
    assert list(missed(refusal, "bundle.fresh")) == [Gate.FAIRNESS]


@pytest.mark.parametrize(
    ("gap", "met"),
    [
        ({}, True),
        ({"value": -0.008, "low": -0.03, "high": 0.012}, True),
        ({"value": -0.02, "low": -0.05, "high": 0.01}, False),
        ({"value": -0.005, "low": -0.009, "high": -0.001}, False),
        ({"unseen": False}, False),
    ],
    ids=["better", "not surely worse", "far below", "surely below", "rows were seen"],
)
def test_a_version_is_held_against_the_one_in_force(desk: Desk, gap, met) -> None:
    digest = desk.ready(compared=False)
    champion = desk.in_force()["bundle.risk"]
    with pytest.raises(GatesMissed, match="not compared") as refusal:
        desk.promote("bundle.risk", digest)
    assert list(missed(refusal)) == [Gate.CHAMPION]
    desk.attach(digest, EvidenceKind.COMPARISON, comparison(digest, champion, **gap), role="risk_officer")
    if met:
        desk.promote("bundle.risk", digest)
        return
    with pytest.raises(GatesMissed):
        desk.promote("bundle.risk", digest)
    assert desk.in_force()["bundle.risk"] == champion


def test_a_comparison_with_another_than_the_champion_counts_for_nothing(desk: Desk) -> None:
    digest = desk.ready(compared=False)
    desk.attach(digest, EvidenceKind.COMPARISON, comparison(digest, "e" * 64), role="risk_officer")
    with pytest.raises(GatesMissed, match="not compared"):
        desk.promote("bundle.risk", digest)


def test_where_a_portfolio_holds_out_by_folds_the_reports_are_compared(desk: Desk) -> None:
    desk.promote("bundle.risk", desk.ready(out_of_time=False))
    worse = {"value": 0.73, "low": 0.7, "high": 0.76}
    digest = desk.ready(compared=False, out_of_time=False, metrics=figures(auc=worse))
    with pytest.raises(GatesMissed, match=r"-0\.0200 to"):
        desk.promote("bundle.risk", digest)
    desk.promote("bundle.risk", desk.ready(compared=False, out_of_time=False))


def test_what_the_author_brings_after_the_approval_waits_for_another(desk: Desk) -> None:
    digest = desk.submit(model())
    desk.attach(digest, EvidenceKind.REPORT, report(digest))
    champion = desk.in_force()["bundle.risk"]
    desk.attach(digest, EvidenceKind.COMPARISON, comparison(digest, champion))
    desk.approve(digest)
    desk.attach(digest, EvidenceKind.FAIRNESS, fairness(digest))
    with pytest.raises(GatesMissed, match="its author brought the fairness after that") as refusal:
        desk.promote("bundle.risk", digest)
    assert list(missed(refusal)) == [Gate.APPROVAL]
    token = create_token(desk.bank.database, "city", "third", [Role.RISK_OFFICER], NOW)
    desk.bank.tokens["third"] = token
    third = desk.asks("third", Permission.APPROVE)
    approve(desk.bank.database, third, digest, desk.bank.clock())
    desk.promote("bundle.risk", digest)


def test_a_figures_gate_is_waived_by_another_with_a_reason_that_is_kept(desk: Desk) -> None:
    digest = desk.ready(metrics=figures(predicted_over_actual=1.4))
    with pytest.raises(NotWaived, match="without a reason"):
        desk.promote("bundle.risk", digest, waived=["calibration"])
    with pytest.raises(GatesMissed):
        desk.promote("bundle.risk", digest, waived=["psi"], reason="calibrated next month")
    desk.promote("bundle.risk", digest, waived=["calibration"], reason="calibrated next month")
    with tenant_transaction(desk.bank.database, "city") as connection:
        (kept,) = promotions_of(connection, "bundle.risk", digest)
    assert (kept.waived, kept.reason) == (["calibration"], "calibrated next month")
    assert [one["met"] for one in kept.gates["bundle.risk"] if one["gate"] == "calibration"] == [False]


@pytest.mark.parametrize("gate", [*sorted(NEVER_WAIVED), "beauty"])
def test_integrity_is_never_waived(desk: Desk, gate: str) -> None:
    with pytest.raises(NotWaived, match="none that may be waived"):
        desk.promote("bundle.risk", desk.ready(), waived=[gate], reason="because")


def test_the_author_waives_nothing(desk: Desk) -> None:
    desk.bank.tokens["both"] = create_token(desk.bank.database, "city", "both", [Role.RISK_OFFICER], NOW)
    digest = desk.submit(model(), role="both")
    with pytest.raises(NotWaived, match="author"):
        promote(
            desk.bank.database, desk.asks("both", Permission.ACTIVATE), {"bundle.risk": digest}, desk.bank.clock(),
            waived=["psi"], reason="mine",
        )  # fmt: skip


def test_a_refused_version_never_goes_into_force(desk: Desk) -> None:
    digest = desk.submit(model())
    desk.approve(digest, Verdict.REFUSED)
    with pytest.raises(GatesMissed, match="A refused version never goes into force"):
        desk.promote("bundle.risk", digest)


def other_definitions() -> bytes:
    """The city's definitions with another name of one feature."""
    document = msgspec.json.decode(PLAN.document)
    document["definitions"][0]["features"][0]["en"] = f"renamed {next(SHIFT)}"
    return canonical_bytes(document)


def test_definitions_and_the_models_trained_on_them_change_together_and_roll_back_together(
    desk: Desk,
) -> None:
    before = desk.in_force()
    definitions = desk.submit(other_definitions(), Kind.DEFINITIONS)
    desk.approve(definitions)
    with pytest.raises(GatesMissed) as refusal:
        desk.promote("definitions", definitions)
    assert {slot for slot in before if slot.startswith("bundle.")} == set(refusal.value.missed)
    assert {one.gate for all_ in refusal.value.missed.values() for one in all_} == {Gate.DEFINITIONS}
    beside = {}
    for slot in refusal.value.missed:
        name = slot.removeprefix("bundle.")
        digest = beside[slot] = desk.submit(model(name, definitions_digest=definitions))
        desk.attach(digest, EvidenceKind.REPORT, report(digest))
        desk.approve(digest)
    waived = {"waived": ["fairness", "champion"], "reason": "a new world"}
    with pytest.raises(GatesMissed, match="definitions"):
        desk.promote("bundle.risk", beside["bundle.risk"], **waived)
    desk.promote("definitions", definitions, beside, **waived)
    assert desk.in_force() == before | {"definitions": definitions} | beside
    done = desk.rollback("definitions")
    assert set(done.slots) == {"definitions", *beside}
    assert desk.in_force() == before


def test_rollback_is_one_command_and_leaves_other_slots_alone(desk: Desk) -> None:
    before = desk.in_force()
    digest = desk.ready()
    desk.promote("bundle.risk", digest)
    assert dict(desk.rollback("bundle.risk").slots) == {"bundle.risk": before["bundle.risk"]}
    assert desk.in_force() == before
    with pytest.raises(NothingBefore):
        desk.rollback("signals")


def test_a_failure_half_way_leaves_nothing_behind(desk: Desk) -> None:
    before = desk.in_force()
    policy = desk.submit(b'{"schema":1,"scale":%d}' % next(SHIFT), Kind.SCALE)
    digest = desk.ready()
    with pytest.raises((GatesMissed, RefusedByStore)):
        desk.promote("bundle.risk", digest, {"scale": policy})
    assert desk.in_force() == before
    with tenant_transaction(desk.bank.database, "city") as connection:
        assert promotions_of(connection, "bundle.risk", digest) == []


def test_evidence_must_speak_of_the_version_and_is_never_changed(desk: Desk) -> None:
    digest = desk.submit(model())
    with pytest.raises(Invalid, match="not of"):
        desk.attach(digest, EvidenceKind.REPORT, report("f" * 64))
    for broken in (b"", b"{}", b"[]", b"\xff", report(digest).replace(b"0.72", b"null")):
        with pytest.raises(Invalid, match="cannot be read"):
            desk.attach(digest, EvidenceKind.REPORT, broken)
    desk.attach(digest, EvidenceKind.REPORT, report(digest))
    desk.attach(digest, EvidenceKind.REPORT, report(digest))
    with pytest.raises(OtherEvidence):
        desk.attach(digest, EvidenceKind.REPORT, report(digest, out_of_time=False))


@pytest.mark.parametrize("table", ["evidence", "model_entry", "promotion"])
def test_what_a_promotion_rests_on_is_append_only(desk: Desk, table: str) -> None:
    desk.promote("bundle.risk", desk.ready())
    with pytest.raises(psycopg.Error, match="append-only"), owner_transaction(desk.bank.database) as owner:
        owner.execute(f"DELETE FROM {table}")
