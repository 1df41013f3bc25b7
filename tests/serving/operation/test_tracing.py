"""Traces: off and unloaded unless a collector is named; parts of a decision; nobody named; a caller's trace taken over."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from serving.process import tracing
from tests.serving.world import GOOD, Bank, application, asking

ROOT = Path(__file__).parents[3]
CALLER = "4bf92f3577b34da6a3ce929d0e0e4736"
HEAVY = {
    "mlflow",
    "shap",
    "lightgbm",
    "sklearn",
    "pandas",
    "altair",
    "alembic",
    "sqlalchemy",
    "opentelemetry.sdk",
}


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """What an API that is made from here on traces."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("opentelemetry.trace.get_tracer_provider", lambda: provider)
    monkeypatch.setattr("opentelemetry.trace.get_tracer", lambda *args, **_: provider.get_tracer(args[0]))
    yield exporter
    tracing._tracer = None


def named(found: tuple[ReadableSpan, ...]) -> dict[str, ReadableSpan]:
    return {each.name: each for each in found}


def test_a_decisions_parts_are_spans_of_the_callers_trace_and_name_nobody(
    bank: Bank, spans: InMemorySpanExporter
) -> None:
    with asking(bank) as client:
        consent = client.consent_id(GOOD)
        spans.clear()
        headers = {"traceparent": f"00-{CALLER}-00f067aa0ba902b7-01", "Idempotency-Key": str(uuid4())}
        answer = client.ask("POST", "/v1/decisions", json=application(GOOD, consent), headers=headers)
        assert answer.status_code == 201
        assert client.http.get("/health/live").status_code == 200
    found = named(spans.get_finished_spans())
    assert set(found) == {
        "POST /v1/decisions",
        "decision group",
        "read",
        "features",
        "decide",
        "receipt",
        "commit",
    }
    assert {format(each.context.trace_id, "032x") for each in found.values()} == {CALLER}
    group = found["decision group"]
    assert group.attributes == {"yidai.group": 1}
    assert {each.parent.span_id for name, each in found.items() if name in {"read", "features", "decide", "receipt", "commit"}} == {
        group.context.span_id
    }  # fmt: skip
    told = json.dumps([[dict(each.attributes), each.name] for each in found.values()], default=str)
    for secret in (GOOD, consent, bank.tokens["integration_engineer"], answer.json()["decision_id"]):
        assert secret not in told


def test_a_group_is_a_part_of_its_first_request_and_linked_to_each(spans: InMemorySpanExporter) -> None:
    from opentelemetry import trace

    tracer = trace.get_tracer("yidai")
    tracing.trace_with(tracer)
    asked = []
    for _ in range(3):
        with tracer.start_as_current_span("request"):
            asked.append(tracing.here())
    with tracing.group("decision group", asked):
        pass
    group = named(spans.get_finished_spans())["decision group"]
    assert [link.context.span_id for link in group.links] == [each.span_id for each in asked]
    assert group.parent.span_id == asked[0].span_id


def test_without_a_collector_nothing_is_traced_or_loaded() -> None:
    assert not tracing.wanted({})
    assert tracing.wanted({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"})
    assert tracing.span("read") is tracing.group("group", []) is tracing._NOTHING
    assert tracing.here() is None


def test_the_process_that_decides_loads_nothing_that_it_does_not_need() -> None:
    code = (
        "import sys; from serving.app import create_app; from serving.settings import Settings;"
        "from serving.store.engine import Database; create_app(Settings(), Database('', ''));"
        "print(*sys.modules)"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    ).stdout.split()
    assert "fastapi" in loaded
    assert not HEAVY & set(loaded)
