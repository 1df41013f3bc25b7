"""The application at a glance: what is true now, by part of the form, with source and date, and why the rest is missing."""

from __future__ import annotations

from typing import Any

import pytest

from serving.consents.application import form
from tests.serving.feeding import ingest, rehydrate
from tests.serving.world import GOOD, LATE, PLAN, Bank, Client

REGISTER = "id_number household_no role birth_date name address phone village registered_since registered_until published_at"
VEHICLE = "id_number plate registered_on deregistered_on value published_at"
FIRM = "uscc owner_id_number registered_on cancelled_on status capital industry published_at"
CERTIFICATE = "uscc certificate_no kind licence_no issued_on valid_from valid_to revoked_on status authority published_at"
USCC = "92341600MA0000000W"


@pytest.fixture(scope="module", autouse=True)
def records(bank: Bank, tmp_path_factory: pytest.TempPathFactory) -> None:
    """GOOD lives with LATE, has a car, sold another, and owns a firm with two certificates in one licence."""
    from features.identity.numbers import uscc_check_digit

    uscc = USCC[:17] + uscc_check_digit(USCC[:17])
    folder = tmp_path_factory.mktemp("known")

    def send(dataset: str, fields: str, rows: list[list[Any]]) -> None:
        ingest(bank, folder / dataset, dataset, fields, rows)

    told = "2020-01-05T09:00:00"
    send("population_register", REGISTER, [
        [GOOD, "H1", "head", "1985-06-12", "王小明", "西村3号", "13800000001", "V1", "2020-01-01", "", told],
        [LATE, "H1", "spouse", "1985-06-12", "李红", "西村3号", "13800000002", "V1", "2020-01-01", "", told],
    ])  # fmt: skip
    send(
        "vehicle",
        VEHICLE,
        [
            [GOOD, "P1", "2019-01-01", "", "80000", told],
            [GOOD, "P2", "2015-01-01", "2021-01-01", "20000", told],
        ],
    )
    send("business_registration", FIRM, [[uscc, GOOD, "2018-01-01", "", "normal", "100000", "retail", told]])
    send("electronic_certificate", CERTIFICATE, [
        [uscc, "K1", "business_licence", "L1", "2019-01-01", "2019-01-01", "2030-01-01", "", "valid", "A1", told],
        [uscc, "K2", "food", "L1", "2019-06-01", "2019-06-01", "2029-06-01", "", "valid", "A1", told],
        [uscc, "K3", "tobacco", "L1", "2017-06-01", "2017-06-01", "2019-06-01", "", "valid", "A1", told],
    ])  # fmt: skip
    rehydrate(bank)


def glance(client: Client, number: str, categories: list[str] | None = None) -> dict[str, Any]:
    """The answer, with its sections by code."""
    consent = client.consent_id(number, **({"categories": categories} if categories else {}))
    got = client.ask("POST", "/v1/prefill", json={"id_number": number, "consent_id": consent})
    assert got.status_code == 200, got.text
    assert number not in got.text
    answer: dict[str, Any] = got.json()
    return answer | {"sections": {section["code"]: section for section in answer["sections"]}}


def test_every_part_of_the_form_is_told_with_source_and_date(client: Client) -> None:
    answer = glance(client, GOOD)
    assert list(answer["sections"]) == [rule.code for rule in form().sections]
    (car,) = answer["sections"]["vehicles"]["records"]
    assert (car["dataset"], car["department"]) == ("vehicle", PLAN.contracts["vehicle"].department)
    assert (car["since"], car["known_from"]) == ("2019-01-01", "2020-01-05T09:00:00+08:00")
    assert {v["field"]: v["value"] for v in car["values"][0]}["value"] == "80000.00"


def test_certificates_of_one_licence_are_one_record_and_lapsed_ones_are_gone(client: Client) -> None:
    firms = glance(client, GOOD)["sections"]["firms"]["records"]
    (licence,) = [record for record in firms if record["dataset"] == "electronic_certificate@owner"]
    kinds = [{v["field"]: v["value"] for v in values}["kind"] for values in licence["values"]]
    assert sorted(kinds) == ["business_licence", "food"]


def test_names_and_phones_are_told_with_the_identity_alone(client: Client) -> None:
    person = {v["field"]: v["value"] for v in glance(client, GOOD)["person"]}
    assert person == {"name": "王小明", "phone": "13800000001", "address": "西村3号"}
    assert glance(client, GOOD, ["vehicles"])["person"] == []


def test_a_household_is_told_with_every_member_s_consent_and_else_why_not(client: Client) -> None:
    household = glance(client, GOOD)["sections"]["household"]
    assert household["records"] == []
    assert household["missing"][0]["why"] == "NOT_AUTHORISED"
    client.consent_id(LATE)
    roles = [
        {v["field"]: v["value"] for v in record["values"][0]}["role"]
        for record in glance(client, GOOD)["sections"]["household"]["records"]
    ]
    assert sorted(roles) == ["head", "spouse"]


def test_what_is_missing_says_why(client: Client) -> None:
    answer = glance(client, LATE, ["vehicles"])
    vehicles = {each["dataset"]: each["why"] for each in answer["sections"]["vehicles"]["missing"]}
    assert vehicles == {"vehicle": "NO_RECORD", "agricultural_machinery": "NOT_AUTHORISED"}
    assert answer["sections"]["property"]["records"] == []
    assert {each["why"] for each in answer["sections"]["property"]["missing"]} == {"NOT_AUTHORISED"}


def test_the_form_names_datasets_and_fields_that_exist() -> None:
    for rule in form().sections:
        for part in rule.datasets:
            contract = PLAN.contracts[part.name.partition("@")[0]]
            assert not part.fold or part.fold in contract.names
