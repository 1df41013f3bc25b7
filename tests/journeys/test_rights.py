"""One applicant's story, narrated: a wrong record, a refusal, its notice, a dispute, the correction, a second decision."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from features.calendar import iso
from features.city.make import make_city
from serving import operations
from serving.access.model import Role
from serving.clock import wall_clock
from serving.demo.access import tokens
from serving.demo.run import REQUEST, applicants
from serving.policy.load import CITY, policy_from_yaml
from serving.registry.model import Kind
from serving.serve import open_store
from serving.settings import Settings
from serving.store.engine import stop_embedded
from tests.journeys.test_city_to_replay import apply
from tests.serving.world import PLAN, Bank, scorecard, serving

DAY = 86_400_000_000
ENGINEER, OFFICER, AUDITOR = Role.INTEGRATION_ENGINEER, Role.RISK_OFFICER, Role.AUDITOR


class Story:
    """A bank over a tiny city, and whoever asks it."""

    def __init__(self, http: httpx.Client, bank: Bank, number: str) -> None:
        self.http, self.bank, self.number = http, bank, number

    def ask(self, role: Role, method: str, path: str, **more: Any) -> Any:
        """The JSON of an answer that is no refusal."""
        headers = {"Authorization": f"Bearer {self.bank.tokens[role.value]}", **more.pop("headers", {})}
        got = self.http.request(method, path, headers=headers, **more)
        assert got.status_code < 300, got.text
        return got.json() if "json" in got.headers["content-type"] else got.text

    def sends(self, kind: str, days_before: int) -> None:
        """The court's record of the applicant, as it was known so many days before the sample ends."""
        known = iso((self.bank.settings.as_of or 0) - days_before * DAY)[:10]
        row = {
            "id_number": self.number, "case_id": "STORY", "filed_on": "2023-01-05", "closed_on": "", "amount": "9000",
            "kind": kind, "published_at": f"{known}T09:00:00",
        }  # fmt: skip
        report = self.ask(ENGINEER, "POST", "/v1/records/court_case", content=json.dumps(row).encode())
        assert report["accepted"] == 1, report


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """A city of 60 households with a scorecard made by hand; the applicant would be approved."""
    home = tmp_path_factory.mktemp("rights")
    make_city(home / "city", households=60, months=36, seed=4)
    ends = json.loads((home / "city" / "city.json").read_text())["ends_at"]
    settings = Settings(home=home, as_of=ends)
    database = open_store(settings)
    people = {role.value: token for role, token in tokens(settings).items()}
    bank = Bank(settings, database, people, wall_clock)
    operations.ingest(settings, home / "city")
    bank.approved("definitions", Kind.DEFINITIONS, PLAN.document)
    bank.approved("bundle.risk", Kind.BUNDLE, scorecard("risk"))
    bank.approved("policy", Kind.POLICY, policy_from_yaml(CITY).data)
    with serving(bank) as url, httpx.Client(base_url=url, timeout=30) as http:
        http.headers["Authorization"] = f"Bearer {people[ENGINEER.value]}"
        number = next(n for n in applicants(home / "city") if apply(http, n)["outcome"] == "approve")
        yield Story(http, bank, number)
    stop_embedded(settings)


def test_a_wrong_record_is_refused_told_disputed_corrected_and_decided_again(story: Story) -> None:
    story.sends("dishonest", 40)
    consent = story.ask(ENGINEER, "POST", "/v1/consents", json={
        "id_number": story.number, "categories": sorted({c.consent_category for c in PLAN.contracts.values()}),
        "purpose": "credit_assessment", "recipient": "city", "form": "electronic", "valid_from": "2020-01-01",
        "valid_to": "2100-01-01",
    })["consent_id"]  # fmt: skip
    whose = {"applicant": {"id_number": story.number}, "consent_id": consent}
    application = {**whose, "amount_yuan": "30000", **REQUEST}
    first = story.ask(
        ENGINEER, "POST", "/v1/decisions", json=application, headers={"Idempotency-Key": "story"}
    )
    assert first["outcome"] == "decline"

    notice = story.ask(ENGINEER, "GET", f"/v1/decisions/{first['decision_id']}/notice")
    assert notice["reasons"][0]["code"] == "DISHONEST_DEBTOR"
    assert "dispute" in {right["id"] for right in notice["rights"]}
    page = story.ask(
        ENGINEER, "GET", f"/v1/decisions/{first['decision_id']}/notice", headers={"Accept": "text/html"}
    )
    assert notice["reasons"][0]["zh"] in page

    review = story.ask(ENGINEER, "POST", f"/v1/decisions/{first['decision_id']}/human-review")
    said = {
        "id_number": story.number, "dataset": "court_case", "key": {"case_id": "STORY"}, "text": "It is another's.",
    }  # fmt: skip
    story.ask(ENGINEER, "POST", "/v1/subjects/statement", json=said)
    story.ask(OFFICER, "POST", f"/v1/cases/{review['case_id']}/take", json={})
    shown = story.ask(OFFICER, "GET", f"/v1/cases/{review['case_id']}")
    assert shown["evidence"]["bounds"]["hard"], "no person approves past a court's listing"
    assert [each["text"] for each in shown["evidence"]["statements"]] == ["It is another's."]
    closed = story.ask(OFFICER, "POST", f"/v1/cases/{review['case_id']}/decide", json={
        "outcome": "decline", "reason_code": "RV_SYSTEM_CONFIRMED", "reason": "The listing stands until it is corrected.",
        "seen": shown["seen"],
    })  # fmt: skip
    assert closed["state"] == "decided"

    dispute = story.ask(ENGINEER, "POST", "/v1/disputes", json={
        "id_number": story.number, "dataset": "court_case", "key": {"case_id": "STORY"}, "ground": "Not my case.",
    })["dispute_id"]  # fmt: skip
    story.sends("civil", 3)
    answered = story.ask(OFFICER, "POST", f"/v1/disputes/{dispute}/answer", json={
        "verdict": "corrected", "answer": "The court has corrected the register.",
    })  # fmt: skip
    assert answered["verdict"] == "corrected"

    made = story.ask(
        ENGINEER, "POST", f"/v1/disputes/{dispute}/decide-again", json={"id_number": story.number}
    )
    assert (made["parent_id"], made["before"]) == (first["decision_id"], "decline")
    second = made["decision"]
    assert second["outcome"] == "approve"

    report = story.ask(ENGINEER, "POST", "/v1/subjects/report", json={"id_number": story.number})
    told = [(one["decision_id"], one["outcome"], one["kind"]) for one in report["decisions"]][-3:]
    assert told == [
        (first["decision_id"], "decline", "system"),
        (closed["linked_id"], "decline", "person"),
        (second["decision_id"], "approve", "again"),
    ]
    auditor = replace(story.bank.settings, token=story.bank.tokens[AUDITOR.value])
    replayed = list(operations.replay(auditor))
    assert {one.status.value for one in replayed} == {"same"}, replayed
    assert {str(one.decision_id) for one in replayed} >= {name for name, _, _ in told}
