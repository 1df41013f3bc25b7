"""The OpenAPI document against the running API: no 5xx, no status, media type or shape that it does not state."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode, checks

from serving.access.model import GRANTED, Role
from tests.serving.access.routes import ROUTES, described
from tests.serving.alerts.desk import name_of, raised, sighting
from tests.serving.analytics.desk import found_wanting, kept_reports
from tests.serving.classes.desk import classed
from tests.serving.test_hostile import BODIES
from tests.serving.world import GOOD, Client

EACH = [
    checks.not_a_server_error, checks.status_code_conformance, checks.content_type_conformance,
    checks.response_schema_conformance, checks.response_headers_conformance,
]  # fmt: skip
SLICE = os.environ.get("YIDAI_CAMPAIGN") == "slice"
MODES = st.sampled_from([GenerationMode.POSITIVE, GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
Seen = defaultdict[tuple[str, str], set[int]]


@schemathesis.serializer("application/x-ndjson")
def ndjson(_: Any, value: Any) -> bytes:
    """A line for each value of a list, a line for any other value."""
    lines = value if isinstance(value, list) else [value]
    return value if isinstance(value, bytes) else b"\n".join(json.dumps(line).encode() for line in lines)


def tuned(examples: int, **more: Any) -> settings:
    """So many examples, as they come: what is generated is large, and a server is slow for a strategy's measure."""
    return settings(
        max_examples=examples, deadline=None, database=None, phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck), **more,
    )  # fmt: skip


@pytest.fixture(scope="module")
def schema(address: str) -> Any:
    """The document as the API serves it."""
    return schemathesis.openapi.from_url(f"{address}/openapi.json")


@pytest.fixture(scope="module")
def real(client: Client, consent: str) -> dict[str, Any]:
    """Values under which something is there, by the names that paths and queries have for them."""
    decided = client.decide(GOOD, consent).json()["decision_id"]
    opened = client.ask("POST", f"/v1/decisions/{decided}/human-review").json()["case_id"]
    dispute = client.ask("POST", "/v1/disputes", json=BODIES["/v1/disputes"])
    granted = client.ask("POST", "/v1/loans", json=BODIES["/v1/loans"], headers={"Idempotency-Key": "schema"})
    raised(client.bank, [sighting()])
    classed(client.bank, granted.json()["loan_id"])
    kept_reports(client.bank)
    return {
        "issue_id": found_wanting(client.bank, "city"), "name": "risk", "segment": "small", "village": "",
        "loan_id": granted.json()["loan_id"], "as_of": "2024-12-30", "month": "2024-11",
        "alert_id": str(name_of(client.bank)), "decision_id": decided, "decision": decided, "consent_id": consent, "case_id": opened, "dataset": "vehicle",
        "dispute_id": dispute.json().get("dispute_id", decided), "from": 1,
    }  # fmt: skip


def placed(case: Case, real: dict[str, Any], taken: set[str] | None) -> None:
    """Let values of a case be real ones: those ``taken``, or all of them."""
    for values in (case.path_parameters, case.query):
        if isinstance(values, dict):
            values.update({n: real[n] for n in set(real) & set(values) if taken is None or n in taken})
    body = json.loads(json.dumps(BODIES.get(case.operation.path)).replace("{consent}", real["consent_id"]))
    if body and taken is None:
        case.body = body
    elif body and isinstance(case.body, dict):
        case.body |= {
            name: value for name, value in body.items() if name in taken or taken > {name, "dataset"}
        }


def able(method: str, path: str) -> list[str]:
    """The roles that may ask this."""
    needed = {(m, described(p)): permission for (m, p), permission in ROUTES.items()}.get(
        (method.upper(), path)
    )
    return [role.value for role in Role if needed is None or needed in GRANTED[role]]


def explore(route: Any, client: Client, real: dict[str, Any], examples: int, seen: Seen) -> None:
    """One route, mostly as who may ask it."""
    strategies = {mode: route.as_strategy(generation_mode=mode) for mode in GenerationMode}
    roles = [*3 * able(route.method, route.path), *(role.value for role in Role)]
    names = sorted({*real, *(BODIES.get(route.path) or {})})

    @tuned(examples)
    @given(data=st.data(), role=st.sampled_from(roles), taken=st.none() | st.sets(st.sampled_from(names)))
    def one(data: st.DataObject, role: str, taken: set[str] | None) -> None:
        case = data.draw(strategies[data.draw(MODES)])
        placed(case, real, taken)
        headers = {"Authorization": f"Bearer {client.bank.tokens[role]}"}
        response = case.call(headers=headers, timeout=30)
        seen[case.method, route.path].add(response.status_code)
        case.validate_response(response, checks=EACH)

    one()


def walk(schema: Any, client: Client, real: dict[str, Any], examples: int, seen: Seen) -> None:
    """From answer to answer by the document's links, each answer held against it."""

    class Walk(schema.as_state_machine()):
        def before_call(self, case: Case) -> None:
            path = case.path_parameters
            placed(case, real, None)
            case.path_parameters = path

        def get_call_kwargs(self, case: Case) -> dict[str, Any]:
            role = able(case.method, case.operation.path)[0]
            return {"headers": {"Authorization": f"Bearer {client.bank.tokens[role]}"}, "timeout": 30}

        def validate_response(self, response: Any, case: Case, **_: Any) -> None:
            seen[case.method, case.operation.path].add(response.status_code)
            case.validate_response(response, checks=EACH)

    Walk.run(settings=tuned(examples, stateful_step_count=8))


def test_every_route_answers_as_its_document_says(schema: Any, client: Client, real: dict[str, Any]) -> None:
    seen: Seen = defaultdict(set)
    for found in schema.get_all_operations():
        explore(found.ok(), client, real, 12, seen)
    reached = {route for route, met in seen.items() if met & {200, 201}}
    assert len(seen) >= 38
    assert len(reached) >= 25


def test_what_links_lead_to_answers_as_its_document_says(
    schema: Any, client: Client, real: dict[str, Any]
) -> None:
    seen: Seen = defaultdict(set)
    walk(schema, client, real, 25, seen)
    linked = {path for (_, path), met in seen.items() if "_id}" in path and met & {200, 201}}
    assert len(linked) >= 2


@pytest.mark.campaign
@pytest.mark.skipif(SLICE, reason="not in the slice of the long runs")
def test_and_so_for_long(schema: Any, client: Client, real: dict[str, Any]) -> None:
    seen: Seen = defaultdict(set)
    for found in schema.get_all_operations():
        explore(found.ok(), client, real, 400, seen)
    walk(schema, client, real, 1_000, seen)
