"""A desk where people decide cases, over HTTP."""

from __future__ import annotations

from typing import Any

import httpx

from serving.access.model import Role
from serving.access.repository import create_token
from tests.serving.world import NOW, Bank, Client

OFFICER, SECOND = "risk_officer", "second_officer"
WORDS = "I called the employer and saw the contract."


def second_officer(bank: Bank) -> None:
    """One more risk officer."""
    if SECOND not in bank.tokens:
        bank.tokens[SECOND] = create_token(bank.database, "city", SECOND, [Role.RISK_OFFICER], NOW)


def decided(client: Client, number: str, outcome: str, **changes: Any) -> str:
    """A decision of this outcome; the random stream draws a few otherwise, who are asked again."""
    consent = client.consent_id(number)
    for _ in range(20):
        made = client.decide(number, consent, **changes).json()
        if made["outcome"] == outcome:
            return str(made["decision_id"])
    raise AssertionError(made)


def case_of(client: Client, decision: str) -> dict[str, Any]:
    """The case of a decision, from the queue."""
    found = client.as_(OFFICER).ask("GET", "/v1/cases", params={"most": 200}).json()["cases"]
    (case,) = [each for each in found if each["decision_id"] == decision]
    return dict(case)


def requested(client: Client, decision: str) -> httpx.Response:
    """The applicant asks for a person."""
    return client.ask("POST", f"/v1/decisions/{decision}/human-review")


def view(client: Client, case: str, who: str = OFFICER) -> dict[str, Any]:
    """What lies before somebody."""
    got = client.as_(who).ask("GET", f"/v1/cases/{case}")
    assert got.status_code == 200, got.text
    return dict(got.json())


def take(client: Client, case: str, who: str = OFFICER, **body: Any) -> httpx.Response:
    """Take a case."""
    return client.as_(who).ask("POST", f"/v1/cases/{case}/take", json=body)


def verdict(seen: str, outcome: str = "approve", **changes: Any) -> dict[str, Any]:
    """The body of a person's decision."""
    code = "RV_INCOME_PROVED" if outcome == "approve" else "RV_SYSTEM_CONFIRMED"
    terms = {"limit_fen": 1_000_000, "annual_rate_ppm": 100_000} if outcome == "approve" else None
    return {
        "outcome": outcome,
        "reason_code": code,
        "reason": WORDS,
        "seen": seen,
        "terms": terms,
        **changes,
    }


def decide(client: Client, case: str, who: str = OFFICER, **changes: Any) -> httpx.Response:
    """Take, read and decide."""
    take(client, case, who)
    body = verdict(**{"seen": view(client, case, who)["seen"], **changes})
    return client.as_(who).ask("POST", f"/v1/cases/{case}/decide", json=body)


def agree(client: Client, case: str, who: str = SECOND, *, yes: bool = True) -> httpx.Response:
    """Read a proposal and agree, or send it back."""
    body = {"agree": yes, "seen": view(client, case, who)["seen"]}
    return client.as_(who).ask("POST", f"/v1/cases/{case}/second", json=body)
