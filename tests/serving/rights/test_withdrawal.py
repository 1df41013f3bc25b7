"""A consent is withdrawn while a loan runs: nothing more is decided under it, and the bank's own data stay readable."""

from __future__ import annotations

import pytest

from features.calendar import instant
from features.consent import Access, Purpose
from features.matrix import Missing
from features.timeline.door import Door, MemoryLog
from features.timeline.lake import Lake
from serving.watch.service import look
from serving.watch.signals import SHIPPED, load_signals
from tests.serving.cases.desk import requested, view
from tests.serving.feeding import ingest, subject_of
from tests.serving.world import CATEGORIES, LATE, PLAN, Bank, Client, problem

LOAN = "id_number loan_id application_id granted_at drawn_at due_on ended_at principal annual_rate_ppm term_months state published_at"  # fmt: skip
DUE = "id_number loan_id number due_on due_amount published_at"
MADE, DECEMBER = "2024-08-01T09:00:00", instant("2024-12-20")
SIGNALS = load_signals(SHIPPED, [*(column.name for column in PLAN.columns), "dpd", "overdue_yuan"])


@pytest.fixture(scope="module")
def withdrawn(bank: Bank, client: Client, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The withdrawn consent of a borrower and the decision that was made under it."""
    folder = tmp_path_factory.mktemp("loan")
    ingest(bank, folder / "a", "loan", LOAN, [[LATE, "L1", "A1", MADE, MADE, "2025-08-01", "", 9000, 60000, 12, "active", MADE]])  # fmt: skip
    ingest(bank, folder / "b", "loan_instalment", DUE, [[LATE, "L1", 1, "2024-09-12", "750.50", MADE]])
    consent = client.consent_id(LATE)
    made = client.decide(LATE, consent)
    assert made.status_code == 201, made.text
    assert client.ask("DELETE", f"/v1/consents/{consent}").status_code == 200
    return consent, made.json()["decision_id"]


def after_the_loan(bank: Bank) -> Door:
    """As the watch reads of somebody who gave no consent for it."""
    access = Access("test", Purpose.POST_LOAN_MANAGEMENT, "city", bank.clock())
    return Door(Lake(bank.settings.lake_root), access, MemoryLog())


def test_nothing_more_is_decided_or_prefilled_under_it(client: Client, withdrawn: tuple[str, str]) -> None:
    consent, made = withdrawn
    problem(client.decide(LATE, consent), 403, "consent_withdrawn")
    asked = client.ask("POST", "/v1/prefill", json={"id_number": LATE, "consent_id": consent})
    problem(asked, 403, "consent_withdrawn")
    assert client.ask("GET", f"/v1/decisions/{made}").status_code == 200, "what was decided stays"


def test_what_needed_the_consent_may_not_be_read_and_the_banks_own_may(
    bank: Bank, withdrawn: tuple[str, str]
) -> None:
    read = after_the_loan(bank).subject(PLAN.contracts, subject_of(bank, LATE))
    assert {"social_insurance", "bureau_repayment", "tax_payment"} & set(PLAN.contracts) <= set(read.left_out)
    assert set(read.left_out.values()) == {Missing.NOT_AUTHORISED}
    assert len(read.tables["loan"].subject) == 1
    assert len(read.tables["bank_transaction"].subject) == 14


def test_the_loan_is_still_watched_on_the_banks_own_data(bank: Bank, withdrawn: tuple[str, str]) -> None:
    book, found = look(PLAN, SIGNALS, after_the_loan(bank), DECEMBER)
    assert subject_of(bank, LATE) in book.subject.tolist()
    assert "dpd_open" in {hit.signal for hit in found.hits}


def test_under_a_new_consent_to_less_the_rest_is_not_authorised(
    client: Client, bank: Bank, withdrawn: tuple[str, str]
) -> None:
    consent = client.consent_id(LATE, categories=["bank"])
    told = client.decide(LATE, consent).json()["missing_sources"]
    assert told["bureau_repayment"] == told["social_insurance"] == "NOT_AUTHORISED"
    assert "bank_transaction" not in told
    assert "loan" not in told
    client.ask("DELETE", f"/v1/consents/{consent}")
    assert "tax" in CATEGORIES


def test_the_case_of_the_earlier_decision_says_so(client: Client, withdrawn: tuple[str, str]) -> None:
    case = requested(client, withdrawn[1]).json()["case_id"]
    said = view(client, case)["evidence"]["consent"]
    assert (said["state"], said["consent_id"]) == ("withdrawn", withdrawn[0])
    assert {"loan", "loan_instalment", "bank_transaction"} <= set(said["own_data"])
    assert not {"bureau_repayment", "social_insurance"} & set(said["own_data"])
    assert "撤回" in said["zh"]
    assert "own data under the contract" in said["en"]
