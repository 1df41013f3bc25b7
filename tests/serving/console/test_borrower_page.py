"""A borrower's and a village's page: what may be read is told, what may not is said, and the number is shown for a reason."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from serving.access.model import Permission, Role
from serving.borrowers.timeline import A_PAGE
from serving.commands.access_reading import ReadRow, told
from serving.commands.access_reading import asked as question
from serving.watch.signals import Level
from tests.serving.alerts.desk import forget_alerts, raised, sighting, stored
from tests.serving.analytics.desk import kept_reports
from tests.serving.cases.desk import case_of, decided
from tests.serving.classes.desk import classed
from tests.serving.console.conftest import Sign
from tests.serving.console.desk import text_of
from tests.serving.feeding import ingest, subject_of, vault_of
from tests.serving.loans.desk import drawn, feed_loan
from tests.serving.policy.test_tax_loan import firm_number
from tests.serving.world import GOOD, LATE, MIDDLE, PLAN, POOR, YOUNG, Bank, Client

pytestmark = pytest.mark.usefixtures("nothing_promised")
PICTURE = re.compile(r'src="/console(/pictures/[0-9a-f]{64}\.svg)"')
INSURANCE = PLAN.contracts["social_insurance"].title.en
GUARANTEE = (
    "id_number guarantee_no loan_id guarantor_id_number signed_on ends_on amount ring_size published_at"
)
REGISTER = "id_number household_no role birth_date name address phone village registered_since registered_until published_at"
FIRM = "uscc owner_id_number registered_on cancelled_on status capital industry published_at"
WHY = "The playbook asks for a call."


@pytest.fixture(autouse=True)
def empty(bank: Bank) -> Iterator[None]:
    """No alert is left of another test."""
    forget_alerts(bank)
    yield
    forget_alerts(bank)


def opened(bank: Bank, number: str, loan: str = "L-A", **more: Any) -> UUID:
    """The case of alerts of a borrower."""
    raised(bank, [sighting(loan, subject=subject_of(bank, number), **more)])
    case: UUID = stored(bank)[loan, "ss_stop"].case_id
    return case


def reads(bank: Bank, number: str) -> list[ReadRow]:
    """What the access log tells the auditor of a person."""
    asker = bank.authority("auditor", Permission.READ_ACCESS_LOG)
    return told(bank.settings, bank.database, asker, question("person", number, "", "", "", "", 1_000))


def test_the_page_tells_alerts_loans_decisions_classes_and_what_happened(
    bank: Bank, client: Client, signed: Sign
) -> None:
    desk = drawn(client)
    desk.pay("2024-07-05T09:00:00", 40_600)
    decision = decided(client, GOOD, "approve")
    case = opened(bank, GOOD, desk.loan, level=Level.RED, village="V1")
    classed(bank, desk.loan, subject_id=subject_of(bank, GOOD))
    ada = signed("ada", Role.RISK_OFFICER)
    alert = stored(bank)[desk.loan, "ss_stop"]
    ada.post(f"/alerts/{alert.alert_id}", kind="note", reason="Moves house in May.", version=alert.version)
    page = ada.get(f"/borrowers/{case}")
    assert page.status_code == 200, text_of(page)
    text = text_of(page)
    for said in (desk.loan, "Red", "The evidence.", "Moves house in May.", "Schedule of 3 due dates", "1,200.00",
                 "Special mention", "Approve", "Village V1", "Due dates not kept"):  # fmt: skip
        assert said in text, said
    assert decision
    assert f"/console/alerts/{alert.alert_id}" in page.text
    assert f"/console/borrowers/{case}" in ada.get(f"/alerts/{alert.alert_id}").text
    assert f"/console/borrowers/{case}" in ada.get("/inbox").text


def test_only_what_contract_and_consent_allow_is_read_and_the_rest_is_told_as_not_read(
    bank: Bank, client: Client, signed: Sign
) -> None:
    case, ada = opened(bank, LATE), signed("ada", Role.RISK_OFFICER)
    before = text_of(ada.get(f"/borrowers/{case}"))
    assert "Account transactions" in before, "the contract allows the bank's own records"
    assert INSURANCE in before.split("sources were not read")[1]
    assert "Not read for lack of consent." in before
    (entry,) = [one for one in reads(bank, LATE) if "bank_transaction" in one.datasets and one.who == "ada"]
    assert entry.purpose == "post_loan_management"
    assert [one for one in reads(bank, LATE) if one.datasets == ("alert", "class_point", "decision")]
    assert "social_insurance" in entry.left_out
    consent = client.consent_id(LATE, purpose="post_loan_management")
    after = text_of(ada.get(f"/borrowers/{case}?source=social_insurance"))
    assert "Latest records of 14" in after
    assert [one for one in reads(bank, LATE) if "social_insurance" in one.datasets and one.who == "ada"]
    client.ask("DELETE", f"/v1/consents/{consent}")
    assert "Latest records of 0" in text_of(ada.get(f"/borrowers/{case}?source=social_insurance"))


def test_records_come_page_by_page_and_a_picture_shows_their_months(
    bank: Bank, client: Client, signed: Sign
) -> None:
    consent = client.consent_id(MIDDLE, purpose="post_loan_management")
    case, ada = opened(bank, MIDDLE), signed("ada", Role.RISK_OFFICER)
    page = ada.get(f"/borrowers/{case}")
    assert "Latest records of 42" in text_of(page)
    assert ada.get(f"/borrowers/{case}?after={A_PAGE}").status_code == 200
    assert "1500.00 yuan" in text_of(page)
    (picture,) = PICTURE.findall(page.text)
    assert ada.get(picture).text.count(f">{INSURANCE[:10]}") == 1
    assert signed("zhao", Role.AUDITOR).get(picture).status_code == 403
    client.ask("DELETE", f"/v1/consents/{consent}")


def test_the_number_is_masked_until_it_is_revealed_for_a_reason(bank: Bank, signed: Sign) -> None:
    case, ada = opened(bank, GOOD), signed("ada", Role.RISK_OFFICER)
    page = ada.get(f"/borrowers/{case}")
    assert GOOD not in page.text
    assert f"330*************{GOOD[-2:]}" in page.text
    for reason in ("short", "          x", "", f"It is {LATE} whom I call."):
        refused = ada.post(f"/borrowers/{case}/number", reason=reason)
        assert refused.status_code == 422, reason
        assert GOOD not in refused.text
    assert not [one for one in reads(bank, GOOD) if one.reason]
    shown = ada.post(f"/borrowers/{case}/number", reason=WHY)
    assert shown.status_code == 200
    assert GOOD in shown.text
    assert GOOD not in str(shown.url)
    (entry,) = [one for one in reads(bank, GOOD) if one.reason]
    assert (entry.who, entry.datasets, entry.reason) == ("ada", ("subject_number",), WHY)
    assert WHY in text_of(signed("zhao", Role.AUDITOR).get("/audit/access?purpose=post_loan_management"))


def test_a_number_is_revealed_to_nobody_else(bank: Bank, signed: Sign) -> None:
    case = opened(bank, GOOD)
    for name, role in (("chen", Role.ANALYST), ("zhao", Role.AUDITOR)):
        guest = signed(name, role)
        assert guest.get(f"/borrowers/{case}").status_code == 403
        assert guest.post(f"/borrowers/{case}/number", reason=WHY).status_code == 403
    forged = signed("ada", Role.RISK_OFFICER).post(f"/borrowers/{case}/number", csrf="forged", reason=WHY)
    assert forged.status_code == 403
    assert GOOD not in forged.text


def test_another_tenants_borrower_is_told_as_unknown(bank: Bank, signed: Sign) -> None:
    raised(bank, [sighting("L-X", subject=subject_of(bank, GOOD), village="V9")], tenant="other")
    theirs, ada = stored(bank, "other")["L-X", "ss_stop"].case_id, signed("ada", Role.RISK_OFFICER)
    for case in (theirs, uuid4()):
        got = ada.get(f"/borrowers/{case}")
        assert got.status_code == 404
        assert "there is no such borrower" in text_of(got)
        assert ada.post(f"/borrowers/{case}/number", reason=WHY).status_code == 404
    assert ada.get("/villages/V9").status_code == 404


def test_who_was_erased_is_told_as_unknown(bank: Bank, signed: Sign) -> None:
    case, ada = opened(bank, YOUNG), signed("ada", Role.RISK_OFFICER)
    assert ada.get(f"/borrowers/{case}").status_code == 200
    vault_of(bank).erase(subject_of(bank, YOUNG))
    assert ada.get(f"/borrowers/{case}").status_code == 404
    assert ada.post(f"/borrowers/{case}/number", reason=WHY).status_code == 404


def test_a_case_leads_to_the_borrower_that_it_is_about(bank: Bank, client: Client, signed: Sign) -> None:
    review = case_of(client, decided(client, MIDDLE, "refer"))["case_id"]
    ada = signed("ada", Role.RISK_OFFICER)
    assert "/console/borrowers/" not in ada.get(f"/cases/{review}").text
    case = opened(bank, MIDDLE)
    assert f"/console/borrowers/{case}" in ada.get(f"/cases/{review}").text
    assert f"/console/cases/{review}" in ada.get(f"/borrowers/{case}").text
    assert "/console/borrowers/" not in signed("zhao", Role.AUDITOR).get(f"/cases/{review}").text


def test_a_guarantor_is_told_by_no_name_and_leads_to_its_own_alerts(
    bank: Bank, signed: Sign, tmp_path: Path
) -> None:
    case, beside, ada = opened(bank, GOOD), opened(bank, LATE, "L-B"), signed("ada", Role.RISK_OFFICER)
    assert "Guarantors None." in text_of(ada.get(f"/borrowers/{case}"))
    signed_on = ["2024-06-01", "2030-01-01", "30000", 2, "2024-06-01T09:00:00"]
    rows = [[GOOD, "G1", "L-A", LATE, *signed_on], [GOOD, "G2", "L-A", MIDDLE, *signed_on]]
    ingest(bank, tmp_path, "guarantee", GUARANTEE, rows)
    page = ada.get(f"/borrowers/{case}")
    assert "Guarantor 1 Orange Guarantor 2 no alert" in text_of(page)
    assert f"/console/borrowers/{beside}" in page.text
    assert [one for one in reads(bank, LATE) if one.datasets == ("alert",) and one.who == "ada"]
    assert not {LATE, MIDDLE, LATE[:6]} & set(re.findall(r"[0-9]{6,}[0-9Xx]*", page.text))


def test_household_and_firms_are_told_with_consent_alone_and_by_no_name(
    bank: Bank, client: Client, signed: Sign, tmp_path: Path
) -> None:
    known = ["V1", "2020-01-01", "", "2020-01-02T09:00:00"]
    rows = [
        [number, "H1", role, "1985-06-12", f"Zhang {role}", "Road 1", "", *known]
        for number, role in ((POOR, "head"), (LATE, "spouse"))
    ]
    ingest(bank, tmp_path, "population_register", REGISTER, rows)
    firm = firm_number(1)
    ingest(bank, tmp_path / "firm", "business_registration", FIRM, [
        [firm, POOR, "2022-01-01", "", "normal", "50000", "retail", "2022-01-02T09:00:00"],
    ])  # fmt: skip
    case, beside, ada = opened(bank, POOR), opened(bank, LATE, "L-B"), signed("ada", Role.RISK_OFFICER)
    assert "Household Not read for lack of consent." in text_of(ada.get(f"/borrowers/{case}"))
    consent = client.consent_id(POOR, purpose="post_loan_management")
    page = ada.get(f"/borrowers/{case}")
    assert "Household Member 1 Orange" in text_of(page)
    assert "retail" in text_of(page).split("Firms")[1]
    assert f"/console/borrowers/{beside}" in page.text
    assert not [name for name in (LATE, firm, "Zhang", "Road 1") if name in page.text]
    client.ask("DELETE", f"/v1/consents/{consent}")


def test_a_village_is_told_beside_the_whole_book(bank: Bank, signed: Sign) -> None:
    kept_reports(bank)
    raised(bank, [
        sighting("L-A", subject=1, level=Level.RED, village="V1"), sighting("L-B", subject=1, village="V1"),
        sighting("L-C", subject=2, village="V1"), sighting("L-D", subject=3, village="V2"),
    ])  # fmt: skip
    classed(bank, "L-A")
    classed(bank, "L-D")
    ada = signed("ada", Role.RISK_OFFICER)
    page = ada.get("/villages/V1")
    text = text_of(page)
    assert "1 Red 2 Orange 0 Yellow 2 Borrowers in alert" in text
    assert "Borrowers in alert 2 3" in text
    assert "Special mention 1 900.00" in text
    assert "has not been worked out" in text, "the book of this village was not kept"
    assert "L-D" not in page.text
    assert "/console/villages/V1" in ada.get("/inbox").text
    assert ada.get("/villages/nowhere").status_code == 404


def test_a_samples_loan_is_as_late_as_its_alert_says_on_the_day_of_the_sample(
    bank: Bank, signed: Sign, tmp_path: Path
) -> None:
    feed_loan(bank, tmp_path, "FEED 9")
    case, ada = opened(bank, LATE, "FEED 9"), signed("ada", Role.RISK_OFFICER)
    text = text_of(ada.get(f"/borrowers/{case}"))
    assert "As of 2024-12-31" in text
    assert "Days past due 30 " in text
