"""A disputed record is marked, and told wherever its dataset is used, until the dispute is answered."""

from __future__ import annotations

from uuid import UUID, uuid4

from features.calendar import DAY, instant
from serving.access.model import Permission
from serving.decisions.replay import ReplayStatus, replay
from tests.serving.records.sending import case, sent
from tests.serving.world import DISHONEST, GOOD, NOBODY, Bank, Client, problem


def dispute(client: Client, number: str, **changes):
    body = {
        "id_number": number,
        "dataset": "court_case",
        "key": {"case_id": "C1"},
        "ground": "it was paid",
        **changes,
    }
    return client.ask("POST", "/v1/disputes", json=body)


def status(bank: Bank, name: str) -> ReplayStatus:
    (found,) = replay(bank.settings, bank.database, bank.authority("auditor", Permission.REPLAY), UUID(name))
    return found.status


def test_a_mark_is_told_in_prefill_answer_and_receipt_until_it_is_answered(
    client: Client, bank: Bank
) -> None:
    consent = client.consent_id(DISHONEST)
    before = client.decide(DISHONEST, consent).json()
    made = dispute(client, DISHONEST)
    assert made.status_code == 201, made.text
    found = made.json()
    assert instant(found["due_at"]) - instant(found["raised_at"]) == 20 * DAY
    assert found["dispute_id"] in {each["dispute_id"] for each in client.ask("GET", "/v1/disputes").json()}
    during = client.decide(DISHONEST, consent).json()
    assert "disputed_sources" not in before
    assert during["disputed_sources"] == ["court_case"]
    receipt = client.as_("auditor").ask("GET", f"/v1/decisions/{during['decision_id']}/receipt").json()
    assert receipt["case"]["disputed"] == ["court_case"]
    filled = client.ask("POST", "/v1/prefill", json={"id_number": DISHONEST, "consent_id": consent}).json()
    assert {each["dataset"] for each in filled["datasets"] if each["disputed"]} == {"court_case"}
    sent(client, [case(DISHONEST, "C1", "2024-03-01", kind="civil", published_at="2024-12-01T09:00:00")])
    path = f"/v1/disputes/{found['dispute_id']}/answer"
    answered = client.ask("POST", path, json={"verdict": "corrected"}).json()
    assert answered["verdict"] == "corrected"
    problem(client.ask("POST", path, json={"verdict": "corrected"}), 409, "already_answered")
    after = client.decide(DISHONEST, consent).json()
    assert "disputed_sources" not in after
    assert (before["outcome"], after["outcome"] != "decline") == ("decline", True)
    assert {status(bank, each["decision_id"]) for each in (before, during, after)} == {ReplayStatus.SAME}


def test_what_is_not_read_is_not_told(client: Client, bank: Bank) -> None:
    sent(client, [case(GOOD, "C8", kind="civil")])
    assert dispute(client, GOOD, key={"case_id": "C8"}).status_code == 201
    consent = client.consent_id(GOOD, categories=["bureau"])
    assert "disputed_sources" not in client.decide(GOOD, consent).json()


def test_refusals(client: Client) -> None:
    problem(dispute(client, NOBODY), 404, "unknown_subject")
    problem(dispute(client, GOOD, key={"case_id": "C999"}), 404, "unknown_record")
    problem(dispute(client, GOOD, key={"case": "C1"}), 422, "wrong_key_of_record")
    problem(dispute(client, GOOD, dataset="weather_on_mars"), 422)
    problem(dispute(client, GOOD, key={"case_id": "C8"}), 409, "already_disputed")
    problem(
        client.ask("POST", f"/v1/disputes/{uuid4()}/answer", json={"verdict": "confirmed"}),
        404,
        "unknown_dispute",
    )
    problem(client.as_("auditor").ask("GET", "/v1/disputes"), 403, "not_permitted")
