"""POST /v1/decisions:batch: each line is a decision like any other, and no line is another's trouble."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import httpx
import pytest

from serving.access.model import Permission
from serving.decisions.replay import ReplayStatus, replay
from serving.registry.model import Kind
from tests.serving.decisions.test_random import use, used
from tests.serving.sending import counts
from tests.serving.world import (
    CATEGORIES,
    DISHONEST,
    GOOD,
    LATE,
    MIDDLE,
    NOBODY,
    POOR,
    STRANGER,
    YOUNG,
    Bank,
    Client,
    application,
    policy_with,
    problem,
)

PATH = "/v1/decisions:batch"
OWN = {"decision_id", "decided_at"}
"""What two decisions of the same application do not share."""


@pytest.fixture(scope="module", autouse=True)
def without_chance(bank: Bank) -> None:
    """The city's policy without its random stream, which draws by the decision's id."""
    bank.approved("policy", Kind.POLICY, policy_with(random_approval=None))


def line(client: Client, number: str, key: str, **changes: Any) -> bytes:
    """An application with its key, under a new consent."""
    consent = changes.pop("consent", None) or client.consent_id(number)
    body = {**application(number, consent, **changes), "idempotency_key": key}
    return json.dumps({name: value for name, value in body.items() if value is not ...}).encode()


def send(client: Client, lines: Sequence[bytes]) -> list[dict[str, Any]]:
    """The answers to these lines."""
    got = client.ask("POST", PATH, content=b"\n".join(lines))
    assert got.status_code == 200, got.text
    assert got.headers["content-type"] == "application/x-ndjson"
    return [json.loads(each) for each in got.text.splitlines()]


def alone(client: Client, sent: bytes, key: str | None = None) -> httpx.Response:
    """The same application by itself, under the same key or another one."""
    body = json.loads(sent)
    own = body.pop("idempotency_key")
    return client.ask("POST", "/v1/decisions", json=body, headers={"Idempotency-Key": key or own})


def test_a_batch_answers_row_for_row_what_the_api_answers(client: Client, bank: Bank) -> None:
    some = CATEGORIES[::2]
    lines = [line(client, n, f"alike-{n}") for n in (GOOD, LATE, DISHONEST, MIDDLE, STRANGER, POOR, YOUNG)]
    lines.append(line(client, GOOD, "alike-few", consent=client.consent_id(GOOD, categories=some)))
    lines.append(line(client, GOOD, "alike-bare", checks=..., purpose="stocks"))
    told = send(client, lines)
    assert [(each["line"], each["status"]) for each in told] == [(n, 201) for n in range(1, 10)]
    assert {each["answer"]["outcome"] for each in told} == {"approve", "refer", "decline"}
    for sent, each in zip(lines, told, strict=True):
        again = alone(client, sent)
        assert (again.status_code, again.json()) == (200, each["answer"])
        other = alone(client, sent, f"other-{each['line']}").json()
        assert {k for k, value in other.items() if value != each["answer"][k]} == OWN
    settings = replace(bank.settings, as_of=None)
    found = replay(settings, bank.database, bank.authority("auditor", Permission.REPLAY))
    status = {each.decision_id: each.status for each in found}
    assert {status[UUID(each["answer"]["decision_id"])] for each in told} == {ReplayStatus.SAME}


def test_the_bytes_of_an_answer_are_those_that_are_stored(client: Client) -> None:
    sent = line(client, GOOD, "bytes")
    got = client.ask("POST", PATH, content=sent).content
    assert alone(client, sent).content in got


def test_a_batch_that_is_sent_again_repeats_itself(client: Client) -> None:
    lines = [line(client, n, f"twice-{n}") for n in (GOOD, LATE)]
    first, second = send(client, [*lines, lines[0]]), send(client, lines)
    assert [each["status"] for each in first] == [201, 201, 200]
    assert first[2]["answer"] == first[0]["answer"]
    assert [each["status"] for each in second] == [200, 200]
    assert [each["answer"] for each in second] == [each["answer"] for each in first[:2]]


def test_a_line_that_is_broken_is_refused_in_its_place_and_the_others_go_on(client: Client) -> None:
    good = line(client, GOOD, "broken-good")
    reused = line(client, GOOD, "broken-good", amount_yuan="7000")
    expected = [
        (good, 201, "", ""),
        (b"{not json", 422, "invalid_request", "line 2: body"),
        (b"  ", 0, "", ""),
        (line(client, GOOD, "b4", term_months="twelve"), 422, "invalid_request", "line 4: term_months"),
        (line(client, GOOD, "b5", wish=1), 422, "invalid_request", "line 5: body"),
        (line(client, GOOD, "", amount_yuan="1"), 422, "invalid_request", "line 6: idempotency_key"),
        (line(client, GOOD, ...), 422, "invalid_request", "line 7: idempotency_key"),
        (line(client, GOOD, "b8", applicant={"id_number": GOOD[:-1] + "0"}), 422, "", "line 8: applicant.id_number"),
        (line(client, GOOD, "b9", amount_yuan="-3"), 422, "invalid_request", "line 9: amount_yuan"),
        (line(client, GOOD, "b10", applicant={"id_number": NOBODY}), 404, "unknown_subject", "line 10: applicant.id_number"),
        (line(client, GOOD, "b11", product="yacht"), 422, "unknown_product", "line 11: product"),
        (line(client, LATE, "b12", consent=client.consent_id(GOOD)), 403, "", "line 12: consent_id"),
        (reused, 409, "key_reused", "line 13: Idempotency-Key"),
        (b"[" * 100_000, 422, "invalid_request", "line 14"),
        (line(client, LATE, "broken-late"), 201, "", ""),
    ]  # fmt: skip
    told = {each["line"]: each for each in send(client, [sent for sent, *_ in expected])}
    assert list(told) == [n for n in range(1, 16) if n != 3]
    for number, (_, status, code, place) in enumerate(expected, start=1):
        if status:
            each = told[number]
            assert each["status"] == status, each
            assert each.get("code", "") == code or not code, each
            assert each.get("place", "").startswith(place)
            assert status < 400 or (each["detail"] and each["remedy"] and "answer" not in each), each


def test_a_crowd_in_one_batch_does_not_overdraw_a_budget(client: Client, bank: Bank) -> None:
    use(bank, monthly_budget=5)
    consent = client.consent_id(MIDDLE)
    told = send(client, [line(client, MIDDLE, f"crowd-{k}", consent=consent) for k in range(20)])
    assert [each["answer"]["stream"] for each in told].count("random") == 5
    assert list(used(bank).values()) == [5]


def test_what_is_approved_can_be_drawn_and_what_is_referred_waits_for_a_person(client: Client) -> None:
    good, stranger = send(client, [line(client, GOOD, "drawn"), line(client, STRANGER, "waits")])
    offer = client.ask("GET", f"/v1/offers/{good['answer']['decision_id']}")
    assert offer.status_code == 200, offer.text
    waiting = client.as_("risk_officer").ask("GET", "/v1/cases").json()
    assert stranger["answer"]["decision_id"] in json.dumps(waiting)


def test_too_many_lines_are_refused_before_any_is_decided(client: Client, bank: Bank) -> None:
    before = counts(bank)
    got = client.ask("POST", PATH, content=b"\n".join([line(client, GOOD, "many"), *[b"{}"] * 10_000]))
    assert "10000 a call" in problem(got, 413, "too_many_applications")["remedy"]
    problem(client.ask("POST", PATH, content=b"x" * 9_000_000), 413, "body_too_large")
    after = counts(bank)
    assert after["decision"] == before["decision"]


@pytest.mark.parametrize("role", ["auditor", "risk_officer"])
def test_who_may_not_decide_one_may_not_decide_many(client: Client, role: str) -> None:
    problem(client.as_(role).ask("POST", PATH, content=line(client, GOOD, "not-mine")), 403)


def test_nothing_is_decided_of_an_empty_body(client: Client) -> None:
    assert send(client, [b"", b"\r"]) == []
