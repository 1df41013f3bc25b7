"""A second product made of data alone: who may be given public rental housing, told and replayed like a loan."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from serving.access.model import Permission
from serving.decisions.replay import ReplayStatus, replay
from serving.policy.load import HOUSING, policy_from_yaml
from serving.registry.model import Kind
from tests.serving.feeding import ingest
from tests.serving.world import DISHONEST, GOOD, LATE, MIDDLE, POOR, YOUNG, Bank, Client, problem

REGISTER = "id_number household_no role birth_date name address phone village registered_since registered_until published_at"
LAND = "id_number parcel registered_on sold_on value mortgaged published_at"
CARS = "id_number plate registered_on deregistered_on value published_at"
KNOWN = "2024-06-05T09:00:00"
OF_A_LOAN = ("grade", "pd", "limit_fen", "annual_rate_ppm", "offer", "score")


@pytest.fixture(scope="module", autouse=True)
def housing(bank: Bank, tmp_path_factory: pytest.TempPathFactory) -> None:
    """MIDDLE owns a home, LATE a car and POOR sold both; GOOD lives with MIDDLE. The policy is in force."""
    folder = tmp_path_factory.mktemp("feeds")
    homes = [
        [MIDDLE, "P1", "2020-01-01", "", 800_000, 0, KNOWN],
        [POOR, "P2", "2019-01-01", "2023-01-01", 1, 0, KNOWN],
    ]
    cars = [[LATE, "V1", "2021-01-01", "", 90_000, KNOWN], [POOR, "V2", "2019-01-01", "2022-01-01", 1, KNOWN]]
    people = [
        [who, house, "head", "1985-06-12", "", "", "", "V1", "2020-01-01", "", KNOWN]
        for who, house in ((GOOD, "H1"), (MIDDLE, "H1"), (POOR, "H2"), (LATE, "H3"), (DISHONEST, "H4"))
    ]
    ingest(bank, folder / "a", "real_estate", LAND, homes)
    ingest(bank, folder / "b", "vehicle", CARS, cars)
    ingest(bank, folder / "c", "population_register", REGISTER, people)
    bank.approved("policy.housing", Kind.POLICY, policy_from_yaml(HOUSING).data)


def apply(client: Client, number: str, consent: str, **changes: Any) -> httpx.Response:
    """Apply for a home to rent."""
    body = {
        "applicant": {"id_number": number}, "consent_id": consent, "product": "rental_housing", "region": "city",
        "checks": {"identity": "passed"}, **changes,
    }  # fmt: skip
    key = {"Idempotency-Key": f"housing-{time.time_ns()}"}
    return client.ask("POST", "/v1/decisions", json=body, headers=key)


@pytest.mark.parametrize(
    ("number", "outcome", "codes"),
    [
        (MIDDLE, "decline", ["OWNS_HOME", "HOUSEHOLD_OWNS_HOME"]),
        (LATE, "decline", ["OWNS_CAR"]),
        (GOOD, "decline", ["HOUSEHOLD_OWNS_HOME"]),
        (POOR, "approve", []),
        (DISHONEST, "approve", []),
        (YOUNG, "decline", ["UNDER_AGE"]),
    ],
)  # fmt: skip
def test_an_owner_is_refused_with_the_reason_and_who_owns_nothing_is_eligible(
    client: Client, bank: Bank, number: str, outcome: str, codes: list[str]
) -> None:
    client.consent_id(MIDDLE)  # of whose household GOOD is
    client.consent_id(GOOD)
    answer = apply(client, number, client.consent_id(number)).json()
    assert (answer["outcome"], [reason["code"] for reason in answer["reasons"]]) == (outcome, codes)
    assert all(reason["zh"] and reason["en"] and reason["kind"] == "rule" for reason in answer["reasons"])
    assert not set(OF_A_LOAN) & set(answer)
    assert set(answer["digests"]) == {"definitions", "policy.housing"}
    name = UUID(answer["decision_id"])
    (found,) = replay(bank.settings, bank.database, bank.authority("auditor", Permission.REPLAY), name)
    assert (found.status, found.differences) == (ReplayStatus.SAME, ())


def test_the_explanation_and_the_receipt_tell_every_rule_and_no_score(client: Client) -> None:
    answer = apply(client, LATE, client.consent_id(LATE)).json()
    auditor = client.as_("auditor")
    told = auditor.ask("GET", f"/v1/decisions/{answer['decision_id']}/explanation").json()
    assert {rule["id"]: rule["truth"] for rule in told["rules"]}["HO-07"] is True
    assert not {"model", "pd", "features"} & set(told)
    receipt = auditor.ask("GET", f"/v1/decisions/{answer['decision_id']}/receipt").json()
    assert (receipt["scores"], receipt["explanation"]) == ({}, None)
    assert {rule["id"]: rule["force"] for rule in receipt["rules"]}["HO-01"] == "hard"
    assert not {"amount_fen", "term_months", "purpose"} & set(receipt["facts"])


def test_what_may_not_be_read_or_was_not_checked_goes_to_a_person_and_never_passes(client: Client) -> None:
    less = client.consent_id(POOR, categories=["identity", "social_insurance"])
    answer = apply(client, POOR, less).json()
    assert answer["outcome"] == "refer"
    assert {"OWNS_HOME", "OWNS_CAR"} <= {reason["code"] for reason in answer["reasons"]}
    assert {reason["kind"] for reason in answer["reasons"]} == {"unknown"}
    unchecked = apply(client, POOR, client.consent_id(POOR), checks=None).json()
    assert unchecked["outcome"] == "refer"
    assert "IDENTITY_NOT_PROVED" in {reason["code"] for reason in unchecked["reasons"]}


def test_each_product_is_decided_by_its_own_policy_and_asks_for_its_own_fields(client: Client) -> None:
    consent = client.consent_id(POOR)
    loan = client.decide(POOR, consent).json()
    assert set(loan["digests"]) >= {"policy", "bundle.risk"}
    assert "policy.housing" not in loan["digests"]
    assert loan["rows"]["cutoffs"] == "known-approve"
    with_amount = apply(client, POOR, consent, amount_yuan="100", term_months=12, purpose="farming")
    assert problem(with_amount, 422, "invalid_request")["place"] == "term_months"
    without = apply(client, POOR, consent, product="consumer")
    assert problem(without, 422, "invalid_request")["place"] == "term_months"
    unknown = problem(apply(client, POOR, consent, product="gold"), 422, "unknown_product")
    assert "rental_housing" in unknown["remedy"]
    wrong = apply(client, POOR, consent, checks={"identity": "perhaps"})
    assert problem(wrong, 422, "invalid_request")["place"] == "checks.identity"


def test_the_shipped_policy_has_no_finding_and_needs_no_model(tmp_path: Path) -> None:
    from serving.policy.load import draft_from_yaml
    from tests.serving.world import PLAN

    policy, found = draft_from_yaml(HOUSING, PLAN.columns)
    assert found == []
    assert policy is not None
    assert policy.tables is None
    broken = tmp_path / "housing.yaml"
    broken.write_text(HOUSING.read_text().replace("fact: age_years", "fact: amount_fen"), encoding="utf-8")
    (told,) = draft_from_yaml(broken)[1]
    assert (told.code, "when." in told.place, "amount_fen" in told.problem) == ("unknown_fact", True, True)
