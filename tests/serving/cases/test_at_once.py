"""Several people at once, and people who are forgotten: one case, one linked decision, and nothing to read."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from serving.access.model import Permission
from serving.decisions.replay import ReplayStatus, replay
from serving.store.session import owner_transaction
from tests.serving.cases.desk import (
    OFFICER,
    SECOND,
    agree,
    case_of,
    decide,
    decided,
    requested,
    second_officer,
    take,
    verdict,
    view,
)
from tests.serving.records.sending import case as court_case
from tests.serving.records.sending import sent
from tests.serving.world import GOOD, LATE, MIDDLE, POOR, Bank, Client, problem

MANY = 6


@pytest.fixture(scope="module", autouse=True)
def officers(bank: Bank) -> None:
    second_officer(bank)


def links(bank: Bank, parent: str) -> int:
    """How many decisions follow one."""
    with owner_transaction(bank.database) as owner:
        row = owner.execute("SELECT count(*) FROM decision_link WHERE parent_id = %s", (parent,)).fetchone()
    return int(row[0]) if row else 0


def test_a_review_that_is_asked_for_many_times_at_once_is_one_case(client: Client) -> None:
    name = decided(client, LATE, "decline")
    with ThreadPoolExecutor(MANY) as pool:
        got = list(pool.map(lambda _: requested(client, name), range(MANY)))
    assert {each.status_code for each in got} == {200}
    assert len({each.json()["case_id"] for each in got}) == 1


def test_of_two_officers_one_takes_a_case(client: Client) -> None:
    case = case_of(client, decided(client, MIDDLE, "refer"))["case_id"]
    with ThreadPoolExecutor(2) as pool:
        got = list(pool.map(lambda who: take(client, case, who), (OFFICER, SECOND)))
    assert sorted(each.status_code for each in got) == [200, 409]


def test_a_case_that_is_decided_many_times_at_once_has_one_linked_decision(
    client: Client, bank: Bank
) -> None:
    parent = decided(client, MIDDLE, "refer")
    case = case_of(client, parent)["case_id"]
    take(client, case)
    body = verdict(view(client, case)["seen"])
    with ThreadPoolExecutor(MANY) as pool:
        path = f"/v1/cases/{case}/decide"
        got = list(pool.map(lambda _: client.as_(OFFICER).ask("POST", path, json=body), range(MANY)))
    assert sorted(each.status_code for each in got) == [200] + [409] * (MANY - 1)
    assert links(bank, parent) == 1


def test_a_correction_is_decided_again_once_however_many_ask(client: Client, bank: Bank) -> None:
    sent(client, [court_case(GOOD, "M1")])
    parent = decided(client, GOOD, "decline")
    body = {"id_number": GOOD, "dataset": "court_case", "key": {"case_id": "M1"}, "ground": "it was paid"}
    dispute = client.ask("POST", "/v1/disputes", json=body).json()["dispute_id"]
    sent(client, [court_case(GOOD, "M1", kind="civil", published_at="2024-12-01T09:00:00")])
    client.ask("POST", f"/v1/disputes/{dispute}/answer", json={"verdict": "corrected"})
    path = f"/v1/disputes/{dispute}/decide-again"
    with ThreadPoolExecutor(MANY) as pool:
        got = list(pool.map(lambda _: client.ask("POST", path, json={"id_number": GOOD}), range(MANY)))
    assert {each.status_code for each in got} == {200}
    assert len({each.content for each in got}) == 1
    assert links(bank, parent) == 1


def test_of_who_was_erased_the_queue_keeps_its_line_and_nobody_reads_the_case(
    client: Client, bank: Bank
) -> None:
    parent = decided(client, POOR, "decline", amount_yuan="60000")
    case = requested(client, parent).json()["case_id"]
    decide(client, case, outcome="decline")
    waiting = requested(client, decided(client, POOR, "decline", amount_yuan="60000")).json()["case_id"]
    linked = case_of(client, parent)["linked_id"]
    gone = client.as_("administrator").ask(
        "DELETE", "/v1/subjects", json={"id_number": POOR, "reason": "asked"}
    )
    assert gone.status_code == 200, gone.text
    assert case_of(client, parent)["state"] == "decided"
    queue = client.as_(OFFICER).ask("GET", "/v1/cases", params={"most": 200}).json()["cases"]
    assert waiting not in {each["case_id"] for each in queue}
    for path in (f"/v1/cases/{case}", f"/v1/cases/{waiting}", f"/v1/decisions/{linked}/notice"):
        problem(client.as_("risk_officer").ask("GET", path), 404, "erased")
    problem(requested(client, parent), 404, "erased")
    authority = bank.authority("auditor", Permission.REPLAY)
    (found,) = replay(bank.settings, bank.database, authority, UUID(linked))
    assert found.status is ReplayStatus.ERASED


def test_what_a_proposal_saw_has_to_be_there_still_when_another_agrees(client: Client) -> None:
    name = decided(client, LATE, "decline", amount_yuan="60000")
    case = requested(client, name).json()["case_id"]
    decide(client, case, terms={"limit_fen": 6_000_000, "annual_rate_ppm": 100_000})
    said = {"id_number": LATE, "dataset": "bureau_repayment", "text": "There is more to say."}
    assert client.ask("POST", "/v1/subjects/statement", json=said).status_code == 201
    problem(agree(client, case), 409, "case_changed")
    assert agree(client, case, yes=False).json()["state"] == "open"
