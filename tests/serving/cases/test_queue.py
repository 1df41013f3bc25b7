"""Every referred decision waits for a person: opened in its own transaction, told by page, read with what counts."""

from __future__ import annotations

from uuid import uuid4

import psycopg
import pytest

from features.calendar import DAY, instant
from serving.store.session import owner_transaction
from tests.serving.cases.desk import OFFICER, SECOND, case_of, decided, requested, second_officer, take, view
from tests.serving.world import GOOD, LATE, MIDDLE, STRANGER, Bank, Client, problem


@pytest.fixture(scope="module")
def referred(client: Client, bank: Bank) -> str:
    """A decision that waits for a person."""
    second_officer(bank)
    return decided(client, MIDDLE, "refer")


def test_a_referred_decision_has_a_case_with_why_what_and_by_when(client: Client, referred: str) -> None:
    case = case_of(client, referred)
    assert (case["origin"], case["state"], case["system_outcome"]) == ("refer", "open", "refer")
    assert (case["product"], case["amount_fen"]) == ("consumer", 2_000_000)
    assert case["codes"][:2] == ["BUREAU_REPAYMENT", "BANK_INFLOW"]
    assert instant(case["due_at"]) - instant(case["opened_at"]) == 15 * DAY


def test_referrals_and_cases_are_the_same_set(client: Client, bank: Bank, referred: str) -> None:
    for number, outcome in ((STRANGER, "refer"), (MIDDLE, "refer"), (GOOD, "approve"), (LATE, "decline")):
        decided(client, number, outcome)
    with owner_transaction(bank.database) as owner:
        decisions = {
            row[0] for row in owner.execute("SELECT decision_id FROM decision WHERE outcome = 'refer'")
        }
        cases = {
            row[0] for row in owner.execute("SELECT decision_id FROM review_case WHERE origin = 'refer'")
        }
    assert decisions == cases
    assert len(cases) >= 3


def test_no_referred_decision_is_stored_whose_case_cannot_be(client: Client, bank: Bank) -> None:
    consent, key = client.consent_id(MIDDLE), str(uuid4())
    broken = "ALTER TABLE review_case ADD CONSTRAINT nothing CHECK (opened_at IS NULL) NOT VALID"
    with psycopg.connect(bank.database.admin_url, autocommit=True) as owner:
        before = owner.execute("SELECT count(*) FROM decision").fetchone()
        owner.execute(broken)
        try:
            while (got := client.decide(MIDDLE, consent, key=key)).status_code == 201:
                before, key = (before[0] + 1,), str(uuid4())  # one that chance has approved
            problem(got, 500)
            assert owner.execute("SELECT count(*) FROM decision").fetchone() == before
        finally:
            owner.execute("ALTER TABLE review_case DROP CONSTRAINT nothing")
    assert client.decide(MIDDLE, consent, key=key).status_code == 201


def test_pages_hold_every_case_once_in_order_of_what_is_due(client: Client, referred: str) -> None:
    officer, seen, after = client.as_(OFFICER), [], ""
    while True:
        page = officer.ask("GET", "/v1/cases", params={"most": 2, "after": after}).json()
        seen += page["cases"]
        if page["next"] is None:
            break
        after = page["next"]
    whole = officer.ask("GET", "/v1/cases", params={"most": 200}).json()["cases"]
    assert seen == whole
    assert [each["due_at"] for each in whole] == sorted(each["due_at"] for each in whole)
    for some, told in (
        ({"state": "decided"}, 0), ({"state": ["open", "taken"]}, len(whole)), ({"product": "business"}, 0),
        ({"product": "consumer"}, len(whole)), ({"due_before": "2025-01-03"}, 0), ({"overdue": True}, 0),
    ):  # fmt: skip
        assert len(officer.ask("GET", "/v1/cases", params=some).json()["cases"]) == told
    problem(officer.ask("GET", "/v1/cases", params={"after": "nowhere"}), 422, "wrong_cursor")


def test_the_reviewer_sees_decision_facts_consent_and_bounds_and_the_read_is_logged(
    client: Client, bank: Bank, referred: str
) -> None:
    case = case_of(client, referred)["case_id"]
    seen = view(client, case)
    evidence = seen["evidence"]
    assert evidence["decision"]["decision_id"] == referred
    assert {"bur_overdue_cnt_12m", "bank_inflow_sum_12m"} <= {fact["feature"] for fact in evidence["facts"]}
    assert all(fact["zh"] and fact["en"] for fact in evidence["facts"])
    assert evidence["consent"]["state"] == "live"
    assert "loan_payment" in evidence["consent"]["own_data"]
    assert evidence["bounds"]["most_fen"] == 2_000_000
    assert view(client, case, "auditor")["seen"] == seen["seen"], "the same evidence has the same digest"
    with owner_transaction(bank.database) as owner:
        read = owner.execute(
            "SELECT purpose, datasets FROM access_log ORDER BY entry DESC LIMIT 1"
        ).fetchone()
    assert read[0] == "credit_assessment"
    assert "bureau_repayment" in read[1]


def test_a_case_is_taken_by_one_and_taken_over_only_openly(client: Client, bank: Bank, referred: str) -> None:
    case = case_of(client, referred)["case_id"]
    assert take(client, case).json()["taken_by"] == OFFICER
    assert take(client, case).status_code == 200
    assert OFFICER in problem(take(client, case, SECOND), 409, "case_taken")["detail"]
    assert take(client, case, SECOND, over=True).json()["taken_by"] == SECOND
    with owner_transaction(bank.database) as owner:
        last = owner.execute("SELECT action, detail FROM audit_log ORDER BY entry DESC LIMIT 1").fetchone()
    assert last[0] == "case.taken"
    assert "from" in last[1]


def test_a_declined_applicant_may_ask_for_a_person_and_asking_again_is_the_same(client: Client) -> None:
    declined = decided(client, LATE, "decline")
    first, again = requested(client, declined), requested(client, declined)
    assert first.status_code == 200, first.text
    assert first.json() == again.json()
    case = first.json()
    assert (case["origin"], case["state"], case["amount_fen"]) == ("request", "open", 2_000_000)
    assert instant(case["due_at"]) - instant(case["requested_at"]) == 15 * DAY


def test_asking_for_a_case_that_waits_already_marks_it(client: Client) -> None:
    referred = decided(client, MIDDLE, "refer")
    case = requested(client, referred).json()
    assert case["origin"] == "refer"
    assert case["requested_at"]
    assert instant(case["due_at"]) - instant(case["opened_at"]) == 15 * DAY, "asking makes nothing later"


def test_what_was_wholly_granted_has_nothing_to_review(client: Client) -> None:
    got = client.decide(GOOD, client.consent_id(GOOD)).json()
    assert (got["outcome"], got["limit_fen"]) == ("approve", 2_000_000)
    asked = requested(client, got["decision_id"])
    if got["grade"] == 1:
        problem(asked, 409, "nothing_to_review")
    else:
        assert asked.status_code == 200
    lowered = client.decide(GOOD, client.consent_id(GOOD), amount_yuan="300000").json()
    assert lowered["limit_fen"] < 30_000_000
    assert requested(client, lowered["decision_id"]).json()["system_outcome"] == "approve"


def test_refusals(client: Client, referred: str) -> None:
    case = case_of(client, referred)["case_id"]
    problem(requested(client, str(uuid4())), 404, "unknown_decision")
    problem(client.as_("auditor").ask("POST", f"/v1/decisions/{referred}/human-review"), 403, "not_permitted")
    problem(client.as_("analyst").ask("GET", "/v1/cases"), 403, "not_permitted")
    problem(take(client, case, "auditor"), 403, "not_permitted")
    problem(take(client, str(uuid4())), 404, "unknown_case")
    for path in (f"/v1/cases/{case}", f"/v1/cases/{uuid4()}"):
        problem(client.as_("stranger").ask("GET", path), 404, "unknown_case")
    assert client.as_("stranger").ask("GET", "/v1/cases").json() == {"cases": [], "next": None}
