"""A decision asks its sources, waits no longer than it may, and says what it did without."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from serving.access.model import Permission
from serving.decisions.replay import ReplayStatus, replay
from tests.serving.records.sending import flushed
from tests.serving.sources.simulated import Sources, declared, simulated
from tests.serving.world import CHECKS, GOOD, MIDDLE, Bank, Client, asking, problem

COURT = {"source": "good", "dataset": "court_case"}


@pytest.fixture(scope="module")
def sources() -> Iterator[Sources]:
    with simulated() as found:
        yield found


@pytest.fixture(autouse=True)
def fresh(sources: Sources, nothing_promised: None) -> None:
    sources.now.clear()
    sources.asked.clear()
    sources.headers.clear()


@contextmanager
def bank_with(
    bank: Bank, folder: Path, sources: Sources, *specs: dict[str, Any], **more: Any
) -> Iterator[Client]:
    """The bank's API, with these sources declared."""
    file = declared(folder, sources, *specs, **more)
    with asking(bank, replace(bank.settings, sources_file=file)) as client:
        yield client


def decided(client: Client, number: str = GOOD, consent: str = "", **changes: Any) -> dict[str, Any]:
    got = client.decide(number, consent or client.consent_id(number), **changes)
    assert got.status_code == 201, got.text
    found: dict[str, Any] = got.json()
    return found


def receipt(client: Client, answer: dict[str, Any]) -> dict[str, Any]:
    got = client.as_("auditor").ask("GET", f"/v1/decisions/{answer['decision_id']}/receipt")
    assert got.status_code == 200
    found: dict[str, Any] = got.json()
    return found


def replays(bank: Bank) -> None:
    found = list(replay(bank.settings, bank.database, bank.authority("auditor", Permission.REPLAY)))
    assert found
    assert [(r.status, r.differences) for r in found if r.status is not ReplayStatus.SAME] == []


TWELVE = (
    ("hang", {"dataset": "bureau_repayment"}, "timeout"),
    ("slow", {"dataset": "social_insurance"}, "timeout"),
    ("reset", {"dataset": "provident_fund"}, "error"),
    ("garbage", {"dataset": "tax_filing"}, "error"),
    ("500", {"dataset": "vehicle"}, "error"),
    ("huge", {"dataset": "real_estate"}, "error"),
    ("stranger", {"dataset": "electricity"}, "error"),
    ("cut", {"dataset": "water"}, "error"),
    ("broken", {"dataset": "gas"}, "error"),
    ("compressed", {"dataset": "telecom_payment"}, "error"),
    ("moved", {"dataset": "land_right"}, "error"),
    ("maybe", {"check": "aml"}, "error"),
)


def named(how: str) -> str:
    return f"s_{how}"


def test_twelve_sources_that_fail_still_give_a_decision_within_two_seconds(
    bank: Bank, tmp_path: Path, sources: Sources
) -> None:
    sources.now |= {named(how): how for how, _, _ in TWELVE}
    specs = [{"source": named(how), "retries": 0, **gives} for how, gives, _ in TWELVE]
    with bank_with(bank, tmp_path, sources, *specs, total_ms=1200) as client:
        consent = client.consent_id(GOOD)
        began = time.monotonic()
        answer = decided(client, GOOD, consent, checks={"identity": "passed"})
        took = time.monotonic() - began
        held = receipt(client, answer)["case"]
    assert took < 10  # some of them hang for ever; what bounds the wait is total_ms
    wanted = {gives.get("dataset") or f"check.{gives['check']}": "SOURCE_DOWN" for _, gives, _ in TWELVE}
    missing = answer["missing_sources"]
    assert {name.partition("@")[0] for name in missing} == set(wanted)
    assert missing | wanted == missing, "views of households are missing with their dataset"
    for how, _, state in TWELVE:
        assert held["sources"][named(how)]["state"] in {state, "timeout"}, how
    assert held["causes"]["bureau_repayment"] == "timeout"
    assert answer["outcome"] == "refer", "the policy's missing outcomes"
    replays(bank)


def test_what_a_source_says_is_seen_by_this_decision_and_stays(
    bank: Bank, tmp_path: Path, sources: Sources
) -> None:
    with bank_with(bank, tmp_path, sources, {**COURT, "fresh_days": 30}) as client:
        consent = client.consent_id(MIDDLE)
        answer = decided(client, MIDDLE, consent)
        assert (answer["outcome"], answer["reasons"][0]["code"]) == ("decline", "DISHONEST_DEBTOR")
        assert answer["missing_sources"] == {}
        (body,) = sources.asked["good"]
        assert body == {"id_number": MIDDLE, "consent_id": consent, "purpose": "credit_assessment"}
        assert not any(MIDDLE in head for head in sources.headers), (
            "a number stands in no address and no header"
        )
        again = decided(client, MIDDLE, consent)
        assert receipt(client, again)["case"]["sources"]["good"]["state"] == "fresh"
        assert sources.calls == {"good": 1}
    replays(bank)
    flushed(bank)
    replays(bank)


def test_a_repetition_and_an_application_without_a_good_consent_ask_nobody(
    bank: Bank, tmp_path: Path, sources: Sources
) -> None:
    with bank_with(bank, tmp_path, sources, COURT) as client:
        consent = client.consent_id(GOOD, categories=["bank"])
        first = client.decide(GOOD, consent, key="once")
        assert first.json()["missing_sources"]["court_case"] == "NOT_AUTHORISED"
        assert client.decide(GOOD, consent, key="once").content == first.content
        other = client.consent_id(MIDDLE)
        problem(client.decide(GOOD, other), 403)
        client.ask("DELETE", f"/v1/consents/{consent}")
        problem(client.decide(GOOD, consent), 403)
        problem(client.decide(GOOD, str(first.json()["decision_id"])), 403)
    assert sources.calls == {}


def test_a_source_that_must_answer_refuses_or_refers_as_declared(
    bank: Bank, tmp_path: Path, sources: Sources
) -> None:
    works = {"source": "works", "dataset": "gas"}
    depot = {"source": "depot", "dataset": "water", "on_failure": "refer"}
    vault = {"source": "vault", "dataset": "vehicle", "on_failure": "refuse"}
    sources.now |= {"works": "500", "depot": "none", "vault": "500"}
    with bank_with(bank, tmp_path, sources, works, depot, vault) as client:
        consent = client.consent_id(GOOD)
        told = problem(client.decide(GOOD, consent, key="must"), 503, "source_silent")
        assert told["place"] == "vault"
        sources.now["vault"] = "none"
        answer = client.decide(GOOD, consent, key="must")
        assert answer.status_code == 201, "nothing was decided before"
        assert answer.json()["outcome"] == "approve", "the policy can do without the works"
        sources.now["depot"] = "500"
        referred = decided(client, GOOD, consent)
        assert (referred["outcome"], referred["reasons"][0]["code"]) == ("refer", "REQUIRED_SOURCE_SILENT")
        notice = client.ask("GET", f"/v1/decisions/{referred['decision_id']}/notice")
        assert notice.status_code == 200
    replays(bank)


def test_a_check_is_asked_of_its_service_unless_the_bank_made_it(
    bank: Bank, tmp_path: Path, sources: Sources
) -> None:
    with bank_with(bank, tmp_path, sources, {"source": "aml_desk", "check": "aml"}) as client:
        consent = client.consent_id(GOOD)
        for said, outcome in (("clear", "approve"), ("hit", "decline"), ("hang", "refer")):
            sources.now["aml_desk"] = said
            answer = decided(client, GOOD, consent, checks={"identity": "passed"})
            assert answer["outcome"] == outcome
            assert answer["missing_sources"] == ({"check.aml": "SOURCE_DOWN"} if said == "hang" else {})
        before = sources.calls
        decided(client, GOOD, consent, checks=CHECKS)
        assert sources.calls == before
    replays(bank)


def test_a_failing_source_is_left_alone_and_asked_again_later(
    bank: Bank, tmp_path: Path, sources: Sources
) -> None:
    spec = {
        "source": "meter", "dataset": "gas", "retries": 0, "breaker": {"failures": 2, "open_ms": 700},
    }  # fmt: skip
    sources.now["meter"] = "500"
    with bank_with(bank, tmp_path, sources, spec) as client:
        consent = client.consent_id(GOOD)

        def state() -> str:
            return str(receipt(client, decided(client, GOOD, consent))["case"]["sources"]["meter"]["state"])

        assert [state() for _ in range(4)] == ["error", "error", "breaker", "breaker"]
        assert sources.calls == {"meter": 2}
        time.sleep(0.7)
        assert state() == "error", "one call tries"
        assert state() == "breaker"
        sources.now["meter"] = "none"
        time.sleep(0.7)
        assert [state() for _ in range(2)] == ["answered", "answered"]
    replays(bank)


def test_a_failure_is_tried_again_within_the_budget(bank: Bank, tmp_path: Path, sources: Sources) -> None:
    sources.now["meter"] = "500"
    with bank_with(bank, tmp_path, sources, {"source": "meter", "dataset": "gas", "retries": 2}) as client:
        decided(client)
    assert sources.calls == {"meter": 3}


def test_all_together_take_no_longer_than_the_whole_may(bank: Bank, tmp_path: Path, sources: Sources) -> None:
    sources.now["meter"] = "hang"
    spec = {"source": "meter", "dataset": "gas", "budget_ms": 20_000}
    with bank_with(bank, tmp_path, sources, spec, total_ms=200) as client:
        consent = client.consent_id(GOOD)
        began = time.monotonic()
        assert decided(client, GOOD, consent)["missing_sources"] == {"gas": "SOURCE_DOWN"}
        assert time.monotonic() - began < 1.5


def test_a_token_is_read_from_its_file(bank: Bank, tmp_path: Path, sources: Sources) -> None:
    token = tmp_path / "token"
    token.write_text("open-sesame\n")
    with bank_with(bank, tmp_path, sources, {**COURT, "source": "none", "token_file": str(token)}) as client:
        answer = decided(client)
    assert "authorization: bearer open-sesame" in sources.headers[0].lower()
    assert "open-sesame" not in json.dumps(answer)


def test_without_declared_sources_nothing_is_told_of_them(client: Client) -> None:
    assert "sources" not in receipt(client, decided(client))["case"]
