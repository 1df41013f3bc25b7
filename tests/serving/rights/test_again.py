"""A dispute from its mark to the second decision, and what happens where its time runs out."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from features.calendar import DAY
from serving.access.model import Permission
from serving.decisions.replay import ReplayStatus, replay
from serving.store.session import owner_transaction
from tests.serving.records.sending import case, sent
from tests.serving.world import DISHONEST, GOOD, LATE, Bank, Client, problem


def dispute(client: Client, number: str = DISHONEST, name: str = "C1") -> str:
    body = {"id_number": number, "dataset": "court_case", "key": {"case_id": name}, "ground": "it was paid"}
    got = client.ask("POST", "/v1/disputes", json=body)
    assert got.status_code == 201, got.text
    return str(got.json()["dispute_id"])


def answer(client: Client, name: str, verdict: str, text: str = ""):
    return client.ask("POST", f"/v1/disputes/{name}/answer", json={"verdict": verdict, "answer": text})


def again(client: Client, name: str, number: str = DISHONEST, **more):
    return client.ask("POST", f"/v1/disputes/{name}/decide-again", json={"id_number": number, **more})


@pytest.fixture(scope="module")
def corrected(client: Client) -> tuple[str, str, str]:
    """Consent, declined decision and a dispute that was corrected."""
    consent = client.consent_id(DISHONEST)
    before = client.decide(DISHONEST, consent).json()
    assert before["outcome"] == "decline"
    name = dispute(client)
    problem(again(client, name), 409, "not_corrected")
    sent(client, [case(DISHONEST, "C1", "2024-03-01", kind="civil", published_at="2024-12-01T09:00:00")])
    assert answer(client, name, "corrected", "The court confirmed the payment.").status_code == 200
    return consent, before["decision_id"], name


def test_after_a_correction_the_same_application_is_decided_again_once(
    client: Client, bank: Bank, corrected: tuple[str, str, str]
) -> None:
    _, before, name = corrected
    first, second = again(client, name), again(client, name)
    assert first.status_code == 200, first.text
    assert first.content == second.content
    told = first.json()
    assert (told["parent_id"], told["before"], told["dispute_id"]) == (before, "decline", name)
    after = told["decision"]
    assert after["outcome"] != "decline"
    old, new = (
        client.as_("auditor").ask("GET", f"/v1/decisions/{each}/receipt").json()
        for each in (before, after["decision_id"])
    )
    assert old["case"]["asked"] == new["case"]["asked"]
    assert new["case"]["subject"] != old["case"]["subject"], "it has seen more"
    notice = client.ask("GET", f"/v1/decisions/{after['decision_id']}/notice").json()
    assert (notice["kind"], notice["parent_id"]) == ("again", before)
    for each in (before, after["decision_id"]):
        authority = bank.authority("auditor", Permission.REPLAY)
        (found,) = replay(bank.settings, bank.database, authority, UUID(each))
        assert found.status is ReplayStatus.SAME
    with owner_transaction(bank.database) as owner:
        links = owner.execute("SELECT kind, parent_id::text, about::text FROM decision_link").fetchall()
    assert links == [("again", before, name)]


def test_the_answer_in_writing_is_told_and_kept_under_the_subjects_key(
    client: Client, bank: Bank, corrected: tuple[str, str, str]
) -> None:
    told = client.ask("POST", "/v1/subjects/report", json={"id_number": DISHONEST}).json()
    assert [each["answer"] for each in told["disputes"]] == ["The court confirmed the payment."]
    with owner_transaction(bank.database) as owner:
        rows = owner.execute("SELECT d::text FROM dispute d").fetchall()
    assert not any(b"confirmed".hex() in row[0] for row in rows)


@pytest.mark.parametrize("verdict", ["upheld", "withdrawn", "confirmed"])
def test_what_changed_nothing_is_not_decided_again(client: Client, verdict: str) -> None:
    sent(client, [case(LATE, f"W{verdict}", kind="civil")])
    client.decide(LATE, client.consent_id(LATE))
    name = dispute(client, LATE, f"W{verdict}")
    told = answer(client, name, verdict).json()
    assert told["verdict"] == ("upheld" if verdict == "confirmed" else verdict)
    assert "stands" in problem(again(client, name, LATE), 409, "not_corrected")["remedy"]


def test_a_correction_is_decided_again_for_its_own_person_and_decisions_only(
    client: Client, corrected: tuple[str, str, str]
) -> None:
    other = client.decide(GOOD, client.consent_id(GOOD)).json()["decision_id"]
    _, _, name = corrected
    problem(again(client, name, GOOD), 422, "other_person")
    problem(again(client, name, decision_id=other), 404, "nothing_decided")
    problem(again(client, name, decision_id=str(uuid4())), 404, "nothing_decided")
    problem(again(client, str(uuid4())), 404, "unknown_dispute")
    problem(again(client.as_("risk_officer"), name), 403, "not_permitted")
    problem(again(client.as_("stranger"), name), 404, "unknown_dispute")


def test_where_the_consent_has_ended_a_new_one_is_named(client: Client) -> None:
    sent(client, [case(GOOD, "E1")])
    consent = client.consent_id(GOOD)
    before = client.decide(GOOD, consent).json()
    assert before["outcome"] == "decline"
    name = dispute(client, GOOD, "E1")
    sent(client, [case(GOOD, "E1", kind="civil", published_at="2024-12-01T09:00:00")])
    answer(client, name, "corrected")
    client.ask("DELETE", f"/v1/consents/{consent}")
    problem(again(client, name, GOOD), 403, "consent_withdrawn")
    made = again(client, name, GOOD, consent_id=client.consent_id(GOOD)).json()
    assert (made["before"], made["decision"]["outcome"]) == ("decline", "approve")


def test_after_twenty_days_an_open_dispute_is_overdue(client: Client, bank: Bank) -> None:
    sent(client, [case(GOOD, "O1", kind="civil")])
    name = dispute(client, GOOD, "O1")

    def overdue() -> set[str]:
        found = client.ask("GET", "/v1/disputes", params={"overdue": True}).json()
        return {each["dispute_id"] for each in found}

    assert name not in overdue()
    bank.clock.now += 20 * DAY - 1_000_000
    assert name not in overdue()
    bank.clock.now += 2_000_000
    assert name in overdue()
    answer(client, name, "withdrawn")
    assert name not in overdue()
