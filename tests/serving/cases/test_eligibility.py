"""A product that is no loan has cases too: a person says yes or no, without terms, and the notice has no score."""

from __future__ import annotations

import pytest

from serving.access.model import Permission
from serving.decisions.replay import ReplayStatus, replay
from serving.policy.load import CITY, policy_from_yaml
from serving.registry.model import Kind
from tests.serving.cases.desk import case_of, decide, second_officer, view
from tests.serving.world import GOOD, Bank, Client, application, problem

HOUSING = CITY.with_name("housing.yaml")


@pytest.fixture(scope="module")
def referred(client: Client, bank: Bank) -> str:
    """An application for a home whose identity could not be told."""
    second_officer(bank)
    bank.approved("policy.housing", Kind.POLICY, policy_from_yaml(HOUSING).data)
    body = application(
        GOOD, client.consent_id(GOOD), product="rental_housing", amount_yuan=..., term_months=..., purpose=...,
        checks={"identity": "inconclusive"},
    )  # fmt: skip
    made = client.ask("POST", "/v1/decisions", json=body, headers={"Idempotency-Key": "home"})
    assert made.status_code == 201, made.text
    assert made.json()["outcome"] == "refer"
    return str(made.json()["decision_id"])


def test_its_notice_has_reasons_and_rights_and_no_score(client: Client, referred: str) -> None:
    told = client.ask("GET", f"/v1/decisions/{referred}/notice").json()
    assert told["reasons"]
    assert (told["score"], told["offer"], told["factors"]) == (None, None, [])
    assert "rental" in told["product"]
    page = client.ask("GET", f"/v1/decisions/{referred}/notice", headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert "申请金额" not in page.text


def test_a_person_says_yes_without_terms(client: Client, bank: Bank, referred: str) -> None:
    case = case_of(client, referred)["case_id"]
    evidence = view(client, case)["evidence"]
    assert (evidence["facts"], evidence["bounds"]["loan"]) == ([], False)
    assert {rule["effect"] for rule in evidence["rules"]} == {"refer"}
    told = problem(decide(client, case), 422, "wrong_terms")
    assert told["place"] == "terms"
    done = decide(client, case, terms=None, reason_code="RV_SOURCE_PROVED")
    assert done.status_code == 200, done.text
    answer = client.ask("GET", f"/v1/decisions/{done.json()['linked_id']}").json()
    assert (answer["outcome"], answer["limit_fen"], answer["annual_rate_ppm"]) == ("approve", 0, None)
    found = list(replay(bank.settings, bank.database, bank.authority("auditor", Permission.REPLAY)))
    assert {one.status for one in found} == {ReplayStatus.SAME}
