"""The departments' further feeds: certificates folded into a licence, firms with one master, farms, places."""

from __future__ import annotations

from collections import defaultdict

import pytest

from features.contracts.model import SubjectKind
from features.identity.numbers import check_uscc
from tests.features.city.engineer import at, month_of, rows_of


def by(rows: list[dict[str, str]], name: str) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        found[row[name]].append(row)
    return found


@pytest.fixture(scope="module")
def certificates(small_city) -> list[dict[str, str]]:
    return rows_of(small_city, "electronic_certificate")


def test_every_firm_has_one_licence_and_several_certificates_may_be_folded_into_it(certificates) -> None:
    firms = by(certificates, "uscc")
    for rows in firms.values():
        assert len({row["licence_no"] for row in rows}) == 1
        assert [row["certificate_no"] for row in rows if row["kind"] == "business_licence"] == [
            rows[0]["licence_no"]
        ]
    assert max(len({row["kind"] for row in rows}) for rows in firms.values()) > 2


def test_a_certificate_ends_or_is_revoked_by_a_later_row(certificates) -> None:
    revoked = [row for row in certificates if row["status"] == "revoked"]
    assert revoked
    for row in revoked:
        issued, taken = by(certificates, "certificate_no")[row["certificate_no"]]
        assert issued["valid_from"] == taken["valid_from"] < taken["valid_to"] < issued["valid_to"]
        assert taken["valid_to"] == taken["revoked_on"] < taken["published_at"]
    renewed = by([row for row in certificates if row["kind"] == "food"], "uscc")
    assert any(len(rows) > 1 for rows in renewed.values())


def test_the_master_of_legal_persons_agrees_with_the_market_regulator(small_city) -> None:
    register = {row["uscc"]: row for row in rows_of(small_city, "legal_person_register")}
    firms = {row["uscc"]: row for row in rows_of(small_city, "business_registration")}
    assert register.keys() == firms.keys() == by(rows_of(small_city, "electronic_certificate"), "uscc").keys()
    for code, row in register.items():
        assert check_uscc(code) == code
        assert row["legal_representative"] == firms[code]["owner_id_number"]
        assert row["valid_from"] == firms[code]["registered_on"]


def test_invoices_and_grades_are_of_firms(small_city) -> None:
    firms = {row["uscc"] for row in rows_of(small_city, "business_registration")}
    invoices, grades = rows_of(small_city, "vat_invoice"), rows_of(small_city, "tax_credit_grade")
    assert {row["uscc"] for row in invoices} == {row["uscc"] for row in grades} == firms
    assert {row["status"] for row in invoices} == {"normal", "red", "void"}
    assert all(at(row["issued_on"]).date() < at(row["published_at"]).date() for row in invoices)
    for rows in by(grades, "uscc").values():
        assert len({row["grade"] for row in rows}) == 1
        assert [int(row["year"]) for row in rows] == list(range(2019, 2019 + len(rows)))


def test_who_pays_into_the_fund_is_insured_and_known_from_the_first_day(small_city) -> None:
    fund = by(rows_of(small_city, "provident_fund"), "id_number")
    insured = {row["id_number"] for row in rows_of(small_city, "employment_registration")}
    assert 0 < len(fund) < len(insured)
    assert fund.keys() <= insured
    assert all(month_of(rows[0]["period"]) == -1 for rows in fund.values())


def test_medical_insurance_follows_what_social_insurance_has_told(small_city) -> None:
    told = {
        (row["id_number"], row["period"]): row["published_at"]
        for row in rows_of(small_city, "social_insurance")
    }
    rows = rows_of(small_city, "medical_insurance_payment")
    quarters = [row for row in rows if row["scheme"] == "employee"]
    assert quarters
    assert all(told[row["id_number"], row["period"]] <= row["published_at"] for row in quarters)
    assert {row["paid"] for row in rows if row["scheme"] == "resident"} == {"380"}


def test_mortgages_are_those_that_the_register_of_homes_marks(small_city) -> None:
    marked = {row["parcel"] for row in rows_of(small_city, "real_estate") if row["mortgaged"] == "1"}
    assert {row["parcel"] for row in rows_of(small_city, "mortgage_registration")} == marked


def test_a_claim_lies_within_its_policy(small_city) -> None:
    policies = {row["policy_no"]: row for row in rows_of(small_city, "farm_insurance")}
    claims = rows_of(small_city, "farm_insurance_claim")
    assert claims
    for row in claims:
        policy = policies[row["policy_no"]]
        assert policy["valid_from"] <= row["occurred_on"] < policy["valid_to"]
        assert float(row["amount"]) <= float(policy["insured_amount"])


def test_villages_and_products_of_the_context_are_those_of_people_and_farms(small_city, loaded) -> None:
    villages = {row["village"] for row in rows_of(small_city, "population_register")}
    assert villages == {row["village"] for row in rows_of(small_city, "county_statistics")}
    assert {row["village"] for row in rows_of(small_city, "weather_event")} <= villages
    products = {row["product"] for row in rows_of(small_city, "farm_register")}
    assert products == {row["product"] for row in rows_of(small_city, "price_event")}
    for dataset in ("weather_event", "price_event", "county_statistics"):
        assert loaded.contracts[dataset].subject is SubjectKind.OPAQUE


def test_prices_change_as_they_say(small_city) -> None:
    for rows in by(rows_of(small_city, "price_event"), "product").values():
        for before, now in zip(rows, rows[3:], strict=False):
            change = float(now["price"]) / float(before["price"]) - 1
            assert float(now["change_3m"]) == pytest.approx(change, abs=0.03)


def test_attributes_for_fairness_are_of_every_head_and_follow_the_income_mildly(small_city) -> None:
    rows = rows_of(small_city, "fairness_attributes")
    assert len(rows) == 300
    for row in rows:
        assert (row["sex"] == "female") == (int(row["id_number"][16]) % 2 == 0)
    assert 0.05 < sum(row["low_income"] == "1" for row in rows) / 300 < 0.30
    assert 0.40 < sum(row["rural_registration"] == "1" for row in rows) / 300 < 0.80


def test_a_bill_for_water_is_of_two_months(small_city) -> None:
    assert {month_of(row["month"]) % 2 for row in rows_of(small_city, "water")} == {1}
    assert {month_of(row["month"]) % 3 for row in rows_of(small_city, "gas")} == {2}
