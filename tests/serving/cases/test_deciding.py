"""A person's decision is a linked one with its own receipt; overrides have a code, a bound and a second person."""

from __future__ import annotations

from uuid import UUID

import psycopg
import pytest

from features.canonical import canonical_bytes, digest
from serving.access.model import Permission
from serving.cases.operations import overrides
from serving.decisions.replay import Replayed, ReplayStatus, replay
from tests.serving.cases.desk import (
    OFFICER,
    SECOND,
    WORDS,
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
from tests.serving.world import DISHONEST, GOOD, LATE, MIDDLE, Bank, Client, problem

MORE = {"limit_fen": 6_000_000, "annual_rate_ppm": 100_000}


@pytest.fixture(scope="module", autouse=True)
def officers(bank: Bank) -> None:
    second_officer(bank)


def case(client: Client, number: str, **changes) -> tuple[str, str]:
    """A decision and its case, asked for where it was not referred."""
    outcome = {MIDDLE: "refer", GOOD: "approve"}.get(number, "decline")
    made = decided(client, number, outcome, **changes)
    if outcome != "refer":
        requested(client, made)
    return made, case_of(client, made)["case_id"]


def replayed(bank: Bank, name: str) -> Replayed:
    (found,) = replay(bank.settings, bank.database, bank.authority("auditor", Permission.REPLAY), UUID(name))
    return found


def test_a_referred_case_is_approved_by_a_linked_decision_with_a_receipt_of_its_own(
    client: Client, bank: Bank
) -> None:
    parent, name = case(client, MIDDLE)
    done = decide(client, name)
    assert done.status_code == 200, done.text
    closed = done.json()
    assert (closed["state"], closed["outcome"], closed["override"]) == ("decided", "approve", "")
    answer = client.ask("GET", f"/v1/decisions/{closed['linked_id']}").json()
    assert (answer["kind"], answer["parent_id"], answer["outcome"]) == ("person", parent, "approve")
    assert (answer["limit_fen"], answer["reasons"][0]["code"]) == (1_000_000, "RV_INCOME_PROVED")
    assert answer["instalment_fen"] * 12 > 1_000_000
    got = client.as_("auditor").ask("GET", f"/v1/decisions/{closed['linked_id']}/receipt")
    receipt = got.json()
    assert (receipt["actor"], receipt["reason"], receipt["parent_id"]) == (OFFICER, WORDS, parent)
    assert digest(canonical_bytes(receipt["seen"])) == receipt["seen_digest"]
    assert receipt["seen"]["decision"]["decision_id"] == parent
    assert replayed(bank, closed["linked_id"]).status is ReplayStatus.SAME
    told = client.ask("GET", f"/v1/decisions/{closed['linked_id']}/explanation")
    assert parent in problem(told, 404, "decided_by_person")["remedy"]


def test_a_review_of_a_review_is_refused_with_place_and_remedy(client: Client) -> None:
    parent, name = case(client, MIDDLE)
    linked = decide(client, name, outcome="decline").json()["linked_id"]
    for decision in (linked, parent):
        told = problem(requested(client, decision), 409, "review_of_review")
        assert (told["place"], bool(told["remedy"])) == ("decision_id", True)
    problem(decide(client, name), 409, "case_decided")


def test_who_asked_for_the_review_and_has_the_answer_gets_the_same_case_again(client: Client) -> None:
    parent, name = case(client, LATE)
    decide(client, name, outcome="decline")
    again = requested(client, parent).json()
    assert (again["case_id"], again["state"], again["override"]) == (name, "decided", "")


def test_a_declined_case_that_is_approved_is_an_override(client: Client) -> None:
    _, name = case(client, LATE)
    assert decide(client, name).json()["override"] == "approved_against_system"


def test_above_the_amount_another_person_has_to_agree(client: Client, bank: Bank) -> None:
    _, name = case(client, LATE, amount_yuan="60000")
    waiting = decide(client, name, terms=MORE).json()
    assert (waiting["state"], waiting["proposed_by"], waiting["linked_id"]) == (
        "awaiting_second",
        OFFICER,
        None,
    )
    problem(agree(client, name, OFFICER), 403, "same_person")
    problem(decide(client, name, SECOND), 409, "case_awaiting_second")
    done = agree(client, name).json()
    assert (done["state"], done["override"]) == ("decided", "approved_against_system")
    receipt = client.as_("auditor").ask("GET", f"/v1/decisions/{done['linked_id']}/receipt").json()
    assert (receipt["actor"], receipt["second"]) == (OFFICER, SECOND)
    assert replayed(bank, done["linked_id"]).status is ReplayStatus.SAME


def test_who_does_not_agree_sends_it_back(client: Client) -> None:
    _, name = case(client, LATE, amount_yuan="60000")
    decide(client, name, terms=MORE)
    back = agree(client, name, yes=False).json()
    assert (back["state"], back["taken_by"], back["proposed_by"]) == ("open", None, None)
    assert decide(client, name, SECOND, outcome="decline").json()["state"] == "decided"


def test_no_person_approves_against_a_hard_rule(client: Client) -> None:
    _, name = case(client, DISHONEST)
    assert view(client, name)["evidence"]["bounds"]["hard"][0] == "KO-01"
    assert "KO-01" in problem(decide(client, name), 409, "hard_rule")["detail"]
    assert decide(client, name, outcome="decline").json()["state"] == "decided"


@pytest.mark.parametrize(
    ("terms", "place"),
    [
        (None, "terms"),
        ({"limit_fen": 2_010_000, "annual_rate_ppm": 100_000}, "terms.limit_fen"),
        ({"limit_fen": 1_000_001, "annual_rate_ppm": 100_000}, "terms.limit_fen"),
        ({"limit_fen": 100, "annual_rate_ppm": 100_000}, "terms.limit_fen"),
        ({"limit_fen": 1_000_000, "annual_rate_ppm": 999_999}, "terms.annual_rate_ppm"),
    ],
)
def test_terms_stay_within_the_application_and_the_caps(client: Client, terms, place: str) -> None:
    _, name = case(client, MIDDLE)
    told = problem(decide(client, name, terms=terms), 422, "wrong_terms")
    assert told["place"] == place


def test_a_decision_needs_a_reason_of_the_list_for_its_outcome_and_what_was_seen(client: Client) -> None:
    _, name = case(client, MIDDLE)
    for code in ("RV_SYSTEM_CONFIRMED", "BECAUSE"):
        told = problem(decide(client, name, reason_code=code), 422, "wrong_reason")
        assert "RV_INCOME_PROVED" in told["remedy"]
    problem(decide(client, name, reason="   "), 422, "no_text")
    problem(decide(client, name, seen="0" * 64), 409, "case_changed")
    other = client.as_(SECOND).ask(
        "POST", f"/v1/cases/{name}/decide", json=verdict(view(client, name)["seen"])
    )
    problem(other, 409, "not_taken")


def test_after_a_withdrawal_nothing_is_approved_and_the_case_says_what_stays_readable(client: Client) -> None:
    parent, name = case(client, MIDDLE)
    receipt = client.as_("auditor").ask("GET", f"/v1/decisions/{parent}/receipt").json()
    consent = receipt["case"]["consent"]["consent_id"]
    take(client, name)
    before = view(client, name)["seen"]
    assert client.ask("DELETE", f"/v1/consents/{consent}").status_code == 200
    stale = client.as_(OFFICER).ask("POST", f"/v1/cases/{name}/decide", json=verdict(before))
    problem(stale, 409, "case_changed")
    said = view(client, name)["evidence"]["consent"]
    assert said["state"] == "withdrawn"
    assert {"loan", "loan_payment"} <= set(said["own_data"])
    assert "tax_payment" not in said["own_data"]
    problem(decide(client, name), 403, "consent_withdrawn")
    done = decide(client, name, outcome="decline", reason_code="RV_CONSENT_WITHDRAWN")
    assert done.json()["state"] == "decided"


def test_other_terms_for_what_was_approved_are_an_override_and_the_same_terms_are_none(
    client: Client,
) -> None:
    parent, name = case(client, GOOD, amount_yuan="300000")
    granted = client.ask("GET", f"/v1/decisions/{parent}").json()
    same = {key: granted[key] for key in ("limit_fen", "annual_rate_ppm")}
    waits = decide(client, name, terms=same).json()
    done = agree(client, name).json() if waits["state"] == "awaiting_second" else waits
    assert done["override"] == ""
    _, other = case(client, GOOD, amount_yuan="300000")
    assert decide(client, other).json()["override"] == "other_terms"


@pytest.mark.parametrize("part", ["answer", "outcome", "link", "receipt"])
def test_a_changed_byte_is_found_by_replay(client: Client, bank: Bank, part: str) -> None:
    _, name = case(client, MIDDLE)
    other, _ = case(client, MIDDLE)
    linked = decide(client, name).json()["linked_id"]
    change = {
        "answer": "UPDATE decision SET answer = convert_to(replace(convert_from(answer, 'UTF8'), '1000000', '9000000'), 'UTF8') WHERE decision_id = %s",
        "outcome": "UPDATE decision SET outcome = 'decline' WHERE decision_id = %s",
        "receipt": "UPDATE decision SET receipt = 'x', receipt_hash = sha256('x') WHERE decision_id = %s",
        "link": f"UPDATE decision_link SET parent_id = '{other}' WHERE decision_id = %s",
    }[part]  # fmt: skip
    assert replayed(bank, linked).status is ReplayStatus.SAME
    with psycopg.connect(bank.database.admin_url) as owner:
        for table in ("decision", "decision_link"):
            owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER append_only")
        owner.execute(change, (linked,))
        for table in ("decision", "decision_link"):
            owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER append_only")
    found = replayed(bank, linked)
    assert found.status is ReplayStatus.BROKEN
    assert found.differences


def test_overrides_are_counted_by_kind_reason_and_product(client: Client, bank: Bank) -> None:
    from dataclasses import replace

    settings = replace(bank.settings, token=bank.tokens["auditor"])
    found = overrides(settings, 0, 2**62)
    assert found.overrides == sum(line.count for line in found.lines) > 0
    assert found.overrides <= found.reviewed <= found.decisions
    kinds = {line.kind for line in found.lines}
    assert {"approved_against_system", "other_terms"} <= kinds
    assert all(line.system != "refer" for line in found.lines)
    assert overrides(settings, 0, 1).lines == ()
