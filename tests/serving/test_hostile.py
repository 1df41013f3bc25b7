"""Generated bodies, headers and paths on every route: a refusal is a problem, and nothing ever breaks."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.serving.world import CATEGORIES, GOOD, LATE, NOBODY, Bank, Client, application, problem

FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
ODD = st.sampled_from([
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, 10**30, -(10**30), 1.5, -0.0, 1e308, "", " ", "0", "NaN", "null",
    "\x00", "\ud800", "\u202e", "𠮷" * 20, "x" * 5_000, "'; DROP TABLE decision; --", "{}", "../../etc/passwd", "%s",
    "2025-01-01", "9999-12-31", "0001-01-01T00:00:00+23:59", "20000", "consumer", "city", GOOD, LATE, NOBODY,
    [], {}, [[]], [None], {"": None}, {"id_number": GOOD}, list(CATEGORIES), str(uuid4()),
])  # fmt: skip
JSON = st.recursive(
    ODD | st.integers() | st.floats(allow_nan=True) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def mutated(draw: st.DrawFn, body: dict[str, Any]) -> Any:
    """A valid body with one to three places changed, removed, added or nested."""
    body = json.loads(json.dumps(body))
    for _ in range(draw(st.integers(1, 3))):
        target = body["applicant"] if "applicant" in body and draw(st.booleans()) else body
        if not isinstance(target, dict):
            continue
        name = draw(st.sampled_from(sorted(target) or ["id_number"]) | st.text(max_size=6))
        if draw(st.booleans()) and name in target:
            del target[name]
        else:
            target[name] = draw(JSON)
    return body


BODIES: dict[str, Any] = {
    "/v1/decisions": application(GOOD, "{consent}"),
    "/v1/decisions:batch": {**application(GOOD, "{consent}"), "idempotency_key": "hostile"},
    "/v1/consents": {
        "id_number": GOOD, "categories": ["bank"], "purpose": "credit_assessment", "recipient": "city",
        "form": "paper", "valid_from": "2025-01-01", "valid_to": "2026-01-01",
    },
    "/v1/prefill": {"id_number": GOOD, "consent_id": "{consent}"},
    "/v1/records/{dataset}": {
        "id_number": GOOD, "plate": "P1", "registered_on": "2024-01-05", "deregistered_on": "", "value": "80000",
        "published_at": "2024-01-07T09:00:00+08:00",
    },
    "/v1/disputes": {"id_number": GOOD, "dataset": "vehicle", "key": {"plate": "P1"}, "ground": "not mine"},
    "/v1/disputes/{dispute_id}/answer": {"verdict": "corrected", "answer": "it was paid"},
    "/v1/disputes/{dispute_id}/decide-again": {"id_number": GOOD},
    "/v1/subjects/report": {"id_number": GOOD, "paid": True},
    "/v1/subjects/statement": {
        "id_number": GOOD, "dataset": "bank_transaction", "key": {"transaction_id": "00010"}, "text": "it was a gift",
    },
    "/v1/decisions/{decision_id}/human-review": {},
    "/v1/cases/{case_id}/take": {"over": True},
    "/v1/cases/{case_id}/decide": {
        "outcome": "approve", "reason_code": "RV_INCOME_PROVED", "reason": "seen", "seen": "0" * 64,
        "terms": {"limit_fen": 100_000, "annual_rate_ppm": 100_000},
    },
    "/v1/cases/{case_id}/second": {"agree": True, "seen": "0" * 64},
    "/v1/alerts/{alert_id}/actions": {"kind": "snooze", "reason": "visited", "version": 1, "until": "2025-02-01"},
    "/v1/alerts:bulk": {
        "alerts": [{"alert_id": str(uuid4()), "version": 1}], "action": {"kind": "call", "reason": "overdue", "result": "pays"},
    },
    "/v1/offers/{decision_id}/accept": {},
    "/v1/offers/{decision_id}/decline": {},
    "/v1/offers/{decision_id}/drawdowns": {"id_number": GOOD, "amount_fen": 300_000, "checks": {"aml": "clear"}},
    "/v1/offers/{decision_id}/repayments": {"amount_fen": 300_000},
    "/v1/offers/{decision_id}/reapprove": {"id_number": GOOD, "consent_id": "{consent}"},
    "/v1/loans": {"id_number": GOOD, "granted_at": "2024-11-01", "limit_fen": 900_000, "repayment": "equal"},
    "/v1/loans/{loan_id}/drawdowns": {
        "at": "2024-11-02", "amount_fen": 3_000,
        "terms": {"repayment": "equal", "annual_rate_ppm": 60_000, "months": 3, "principal_months": [1]},
    },
    "/v1/loans/{loan_id}/payments": {"at": "2024-12-01", "amount_fen": 10, "currency": "CNY", "reference": ""},
    "/v1/loans/{loan_id}/fees": {"at": "2024-12-01", "amount_fen": 10, "days": 3},
    "/v1/loans/{loan_id}/extensions": {"at": "2024-12-01", "days": 3, "interest_fen": 2},
    "/v1/loans/{loan_id}/restructurings": {
        "at": "2024-12-01",
        "schedule": [{"due_on": "2025-03-01", "principal_fen": 3_000, "interest_fen": 9, "fee_fen": 0}],
    },
    "/v1/loans/{loan_id}/charge-offs": {"at": "2024-12-20"},
    "/v1/loans/{loan_id}/recoveries": {"at": "2024-12-21", "amount_fen": 10},
    "/v1/loans/{loan_id}/class": {"risk_class": "doubtful", "reason": "the borrower has left", "month": "2024-11", "version": 1},
    "/v1/issues/{issue_id}/close": {"reason": "the feed was mended"},
    "/v1/approvals/stop": {"product": "consumer", "reason": "tried"},
    "/v1/approvals/resume": {"product": "consumer", "reason": "tried"},
    "/v1/webhooks": {"url": "https://bank.example/told", "kinds": ["decision.made"]},
    "/v1/webhooks/{endpoint_id}/rotate": {},
    "/v1/webhooks/{endpoint_id}/test": {},
    "/v1/webhooks/{endpoint_id}/deliveries/{delivery_id}/replay": {},
}  # fmt: skip
PLACES = dict.fromkeys(
    (
        "{dispute_id}",
        "{decision_id}",
        "{case_id}",
        "{alert_id}",
        "{endpoint_id}",
        "{delivery_id}",
        "{loan_id}",
        "{issue_id}",
    ),
    str(uuid4()),
) | {"{dataset}": "vehicle"}
OFFICERS = ("/v1/disputes", "/v1/cases", "/v1/alerts")


@pytest.fixture(scope="module")
def consent(client: Client) -> str:
    """One that holds."""
    return client.consent_id(GOOD)


def well_answered(got: Any) -> None:
    """Done, or refused as every refusal is."""
    if got.status_code not in {200, 201}:
        assert 400 <= got.status_code < 500, got.text
        problem(got, got.status_code)


def test_every_route_with_a_body_is_tried(client: Client) -> None:
    paths = client.http.get("/openapi.json").json()["paths"]
    assert {path for path, methods in paths.items() if "post" in methods} == set(BODIES)


def send(client: Client, path: str, content: bytes, key: str | None = None) -> None:
    """Once, with a key of its own unless one is given."""
    kind = "application/x-ndjson" if path.startswith("/v1/records") else "application/json"
    headers = {"Idempotency-Key": key or str(uuid4()), "Content-Type": kind}
    for place, value in PLACES.items():
        path = path.replace(place, value)
    officer = path.startswith(OFFICERS) and not path.endswith("decide-again")
    asker = client.as_("risk_officer") if officer else client
    well_answered(asker.ask("POST", path, content=content, headers=headers))


@pytest.mark.parametrize("path", BODIES)
@FUZZ
@given(data=st.data())
def test_a_mutated_body_is_answered_or_refused(
    client: Client, consent: str, path: str, data: st.DataObject
) -> None:
    body = data.draw(mutated(BODIES[path]))
    send(client, path, json.dumps(body).encode().replace(b"{consent}", consent.encode()))


@pytest.mark.parametrize("path", BODIES)
@FUZZ
@given(body=JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=200))
def test_any_json_and_any_bytes_are_answered_or_refused(client: Client, path: str, body: bytes) -> None:
    send(client, path, body)


@FUZZ
@given(data=st.data())
def test_a_torn_body_is_answered_or_refused(client: Client, consent: str, data: st.DataObject) -> None:
    whole = json.dumps(application(GOOD, consent)).encode()
    cut, byte = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.binary(max_size=2))
    send(client, "/v1/decisions", whole[:cut] + byte + whole[cut + 1 :])


@FUZZ
@given(
    key=st.text(
        st.characters(min_codepoint=33, max_codepoint=255, exclude_characters="\x7f\xa0\xad\x85"),
        max_size=140,
    )
)
def test_any_key_is_taken_or_refused(client: Client, consent: str, key: str) -> None:
    headers = {b"Idempotency-Key": key.encode("latin-1"), b"Content-Type": b"application/json"}
    headers |= {b"Authorization": f"Bearer {client.bank.tokens[client.role]}".encode()}
    body = json.dumps(application(GOOD, consent)).encode()
    well_answered(client.http.post("/v1/decisions", content=body, headers=headers))


@FUZZ
@given(
    part=st.text(st.characters(min_codepoint=33, exclude_categories=["Cs"]), min_size=1, max_size=40).filter(
        lambda part: part.strip(".")
    )
)
def test_any_id_in_a_path_is_unknown(client: Client, bank: Bank, part: str) -> None:
    from urllib.parse import quote

    auditor = client.as_("auditor")
    for path in (
        "/v1/decisions/{}", "/v1/decisions/{}/explanation", "/v1/decisions/{}/receipt", "/v1/decisions/{}/notice",
        "/v1/cases/{}", "/v1/offers/{}",
    ):  # fmt: skip
        got = auditor.ask("GET", path.format(quote(part, safe="")))
        assert got.status_code in {404, 422} or got.is_redirect, got.text
        if not got.is_redirect:
            problem(got, got.status_code)
    for method in ("GET", "DELETE"):
        got = client.ask(method, f"/v1/consents/{quote(part, safe='')}")
        assert got.status_code in {404, 405, 422} or got.is_redirect


def test_afterwards_it_still_decides(client: Client, consent: str) -> None:
    assert client.decide(GOOD, consent).status_code == 201
    assert client.http.get("/health/ready").status_code == 200


@pytest.mark.parametrize("path", ["/v1/alerts?village=%00", "/v1/alerts?assignee=a%00b"])
def test_a_text_that_no_store_has_a_form_for_is_the_askers_error(client: Client, path: str) -> None:
    problem(client.as_("risk_officer").ask("GET", path), 422)
