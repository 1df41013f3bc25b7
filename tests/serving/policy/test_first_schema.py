"""Policies of schema 1 are read for ever, and decide what they decided: golden files written by their own engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from features.canonical import digest
from features.matrix import Missing
from serving.decisions.decider import Decision
from serving.decisions.receipt import write_receipt
from serving.policy.load import load_policy
from tests.serving.decisions.test_withheld import Applicant, bundle, live_of

GOLDEN = Path(__file__).parent / "golden"
POLICY = (GOLDEN / "policy_1.json").read_bytes()
CLEAN = {"bur_cur_overdue_amt": 0.0, "bur_max_dpd_12m": 0.0, "court_dishonest_cnt_60m": 0.0}
PEOPLE = {
    "rich": CLEAN | {"bur_overdue_cnt_12m": 0.0, "bank_inflow_sum_12m": 400_000.0, "ss_months_12m": 12.0},
    "plain": CLEAN | {"bur_overdue_cnt_12m": 0.0, "bank_inflow_sum_12m": 60_000.0, "veh_value": 3.0},
    "poor": CLEAN | {"bur_overdue_cnt_12m": 2.0, "bank_inflow_sum_12m": 900.0},
    "late": CLEAN | {"bur_overdue_cnt_12m": 9.0, "bank_inflow_sum_12m": 60_000.0, "hpf_months_12m": 0.0},
    "struck": {"court_dishonest_cnt_60m": 1.0, "bur_max_dpd_12m": 5.0, "bank_inflow_sum_12m": 60_000.0},
    "nobody": {},
}
RECEIPT = 3
"""The schema of receipts in which the golden file was written: a replay writes it still."""
SILENT: tuple[tuple[str, ...], ...] = (
    (),
    ("bank_transaction",),
    ("court_case", "vehicle"),
    ("social_insurance",),
)


def decided(who: str, silent: tuple[str, ...], kind: Missing, seed: int) -> Decision:
    """A decision under the old policy, by a drawn model."""
    return Applicant(PEOPLE[who], {}).decided(live_of(POLICY, bundle(seed)), *silent, kind=kind)


def told(decision: Decision) -> dict[str, Any]:
    """What a decision says, without the digests and what changes with the definitions."""
    receipt = msgspec.json.decode(write_receipt(decision, RECEIPT))
    del receipt["answer"]["digests"]
    rules = [rule for rule in receipt["rules"] if rule["truth"] is not False]
    return {"schema": receipt["schema"], "answer": receipt["answer"], "rules": rules}


CASES = [
    (who, silent, kind, seed)
    for seed in (0, 3)
    for who in PEOPLE
    for silent in SILENT
    for kind in (Missing.SOURCE_DOWN, Missing.NOT_AUTHORISED)[: 2 if silent else 1]
]


def case_of(who: str, silent: tuple[str, ...], kind: Missing, seed: int) -> str:
    """The key of a case in the golden file."""
    return f"{who}/{'+'.join(silent)}/{kind.name}/{seed}"


def test_the_bytes_of_an_old_policy_are_its_identity() -> None:
    assert load_policy(POLICY).digest == digest(POLICY)
    assert load_policy(POLICY).data == POLICY


@pytest.mark.parametrize("case", CASES, ids=lambda case: case_of(*case))
def test_an_old_policy_decides_and_tells_what_it_did(case) -> None:
    expected = msgspec.json.decode((GOLDEN / "told_1.json").read_bytes())
    assert told(decided(*case)) == expected[case_of(*case)]
