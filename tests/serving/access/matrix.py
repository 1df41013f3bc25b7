"""Where ids stand in the routes of the OpenAPI document, and two banks that own one of each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import httpx
from psycopg import sql

from serving.access.model import Role
from serving.access.repository import create_token
from serving.policy.load import CITY, policy_from_yaml
from serving.registry.model import Kind
from serving.store.session import owner_transaction
from tests.serving.alerts.desk import raised, sighting, stored
from tests.serving.analytics.desk import found_wanting
from tests.serving.classes.desk import classed
from tests.serving.test_hostile import BODIES
from tests.serving.world import CHECKS, GOOD, NOW, PLAN, Bank, Client, application, scorecard

KINDS = {
    "decision_id": "decision", "decision": "decision", "consent_id": "consent", "case_id": "case",
    "alert_id": "alert", "alert_case": "alert_case", "loan": "loan", "dispute_id": "dispute", "endpoint_id": "endpoint", "delivery_id": "delivery",
    "loan_id": "account", "issue_id": "issue",
}  # fmt: skip
"""What an id is of, by the name of its place."""

PLAIN = {
    "dataset",
    "state",
    "product",
    "due_before",
    "after",
    "most",
    "overdue",
    "snoozed",
    "level",
    "signal",
    "village",
    "assignee",
    "raised_before",
    "ended",
    "size",
    "from",
    "to",
    "as_of",
    "bucket",
    "month",
    "risk_class",
    "unconfirmed",
    "months",
    "segment",
    "name",
    "closed",
}
"""Places in paths and queries that name nothing of a tenant's. ``after`` is a place in the asker's own queue: what is not
there is only passed by."""


@dataclass(frozen=True)
class Place:
    """An id of a route: the method, the path, ``path``, ``query`` or ``body``, and the name there."""

    method: str
    path: str
    within: str
    name: str


def places(document: dict[str, Any]) -> Iterator[Place]:
    """Every place of every route that takes an id, or a text that nobody has said to be none."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for each in operation.get("parameters", []):
                if each["in"] in {"path", "query"} and each["name"] not in PLAIN:
                    yield Place(method.upper(), path, each["in"], each["name"])
            for name in _ids_of_body(document, operation):
                yield Place(method.upper(), path, "body", name)


def _ids_of_body(document: dict[str, Any], operation: dict[str, Any]) -> Iterator[str]:
    for content in operation.get("requestBody", {}).get("content", {}).values():
        schema = content["schema"]
        if "$ref" in schema:
            schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        for name, each in schema.get("properties", {}).items():
            if "uuid" in json.dumps(each) or name.endswith("_id"):
                yield name


def second_bank(bank: Bank) -> Bank:
    """The other tenant, ready to decide as the first is, with a person for each role."""
    tokens = {role.value: create_token(bank.database, "other", f"other {role}", [role], NOW) for role in Role}
    other = Bank(replace(bank.settings, tenant="other"), bank.database, tokens, bank.clock)
    other.approved("definitions", Kind.DEFINITIONS, PLAN.document)
    other.approved("bundle.risk", Kind.BUNDLE, scorecard("risk"))
    other.approved("bundle.rating", Kind.BUNDLE, scorecard("rating", 0.25))
    other.approved("policy", Kind.POLICY, policy_from_yaml(CITY).data)
    return other


def furnished(client: Client) -> dict[str, str]:
    """One of each kind, of the tenant that asks."""
    consent = client.consent_id(GOOD, recipient=client.bank.settings.tenant)
    decision = client.decide(GOOD, consent).json()["decision_id"]
    case = client.ask("POST", f"/v1/decisions/{decision}/human-review").json()["case_id"]
    line = json.dumps(BODIES["/v1/records/{dataset}"]).encode()
    assert client.ask("POST", "/v1/records/vehicle", content=line).status_code == 200
    dispute = client.ask("POST", "/v1/disputes", json=BODIES["/v1/disputes"]).json()["dispute_id"]
    answered = {"verdict": "corrected", "answer": "it was paid"}
    assert client.ask("POST", f"/v1/disputes/{dispute}/answer", json=answered).status_code == 200
    assert client.ask("POST", f"/v1/offers/{decision}/accept").status_code == 200
    officer = client.as_("administrator")
    endpoint = officer.ask("POST", "/v1/webhooks", json=BODIES["/v1/webhooks"]).json()["endpoint_id"]
    assert officer.ask("POST", f"/v1/webhooks/{endpoint}/test").status_code == 201
    told = officer.ask("GET", f"/v1/webhooks/{endpoint}/deliveries").json()
    with owner_transaction(client.bank.database) as owner:
        owner.execute("UPDATE webhook_delivery SET state = 'delivered', ended_at = due_at")
    account = client.ask("POST", "/v1/loans", json=BODIES["/v1/loans"], headers={"Idempotency-Key": str(uuid4())}).json()["loan_id"]  # fmt: skip
    tenant = client.bank.settings.tenant
    found = found_wanting(client.bank, tenant)
    classed(client.bank, account, tenant)
    raised(client.bank, [sighting(f"loan of {tenant}")], tenant=tenant)
    alert = stored(client.bank, tenant)[f"loan of {tenant}", "ss_stop"]
    return {
        "alert": str(alert.alert_id), "alert_case": str(alert.case_id), "loan": alert.loan, "account": account,
        "decision": decision, "consent": consent, "case": case, "dispute": dispute, "endpoint": endpoint, "issue": found,
        "delivery": told[0]["delivery_id"],
    }  # fmt: skip


def body_of(path: str, ids: dict[str, str]) -> Any:
    """A body that the route would take, with these ids where it has places for them."""
    if path in {"/v1/decisions", "/v1/decisions:batch"}:
        keyed = {"idempotency_key": str(uuid4())} if "batch" in path else {}
        return application(GOOD, ids["consent"]) | keyed
    body = json.loads(json.dumps(BODIES.get(path)).replace("{consent}", ids["consent"]))
    if path.endswith("/decide-again"):
        body |= {"decision_id": ids["decision"], "consent_id": ids["consent"]}
    return body


def send(client: Client, place: Place, ids: dict[str, str]) -> httpx.Response:
    """A request to a route in which every id is one of these."""
    path, query, body = place.path, {}, body_of(place.path, ids)
    for name, kind in KINDS.items():
        path = path.replace(f"{{{name}}}", ids[kind])
    if place.within == "query":
        query[place.name] = ids[KINDS[place.name]]
    if place.within == "body":
        body |= {place.name: ids[KINDS[place.name]]}
    if path.startswith("/v1/offers") and path.endswith(("/drawdowns", "/reapprove")):
        body |= {"checks": CHECKS}
    headers = {"Idempotency-Key": str(uuid4())}
    kind = "application/x-ndjson" if "batch" in path or "/records/" in path else "application/json"
    content = None if place.method == "GET" or body is None else json.dumps(body).encode()
    headers |= {} if content is None else {"Content-Type": kind}
    path = path.replace("{dataset}", "vehicle")
    return client.ask(place.method, path, params=query, content=content, headers=headers)


def told(got: httpx.Response, ids: dict[str, str]) -> tuple[int, str, str]:
    """Status, media type and text of an answer, with names for the ids that were sent and for what is new each time."""
    text = got.text.replace(got.headers["x-request-id"], "<request>")
    for kind, each in ids.items():
        text = text.replace(each, f"<{kind}>")
    if got.headers.get("content-type") == "application/x-ndjson":
        line = json.loads(text)
        line.pop("idempotency_key", None)
        text = json.dumps(line)
    return got.status_code, got.headers.get("content-type", ""), text


def digests(bank: Bank, tenant: str) -> dict[str, str]:
    """A digest of a tenant's rows, by table."""
    with owner_transaction(bank.database) as owner:
        tables = owner.execute(
            "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'"
            " WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace"
        ).fetchall()
        statement = "SELECT count(*) || coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') FROM {} t WHERE tenant_id = %s"
        return {
            name: owner.execute(sql.SQL(statement).format(sql.Identifier(name)), (tenant,)).fetchone()[0]
            for (name,) in tables
        }
