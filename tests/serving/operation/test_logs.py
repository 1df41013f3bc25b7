"""Logs: one JSON object a line, with the request's id, and nobody's number, token or body."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from uuid import uuid4

import pytest

from serving.process import seen
from serving.process.logs import JsonLines, Text
from tests.serving.world import GOOD, Bank, Client, problem


def record(message: str, **more) -> logging.LogRecord:
    made = logging.LogRecord("yidai", logging.WARNING, "", 0, message, (), None)
    made.__dict__.update(more)
    return made


@pytest.fixture
def asked() -> Iterator[None]:
    """In the midst of a request."""
    seen.begin("r-1")
    yield
    seen._SEEN.set(None)


def test_a_line_is_one_object_and_a_person_reads_the_same(asked: None) -> None:
    seen.asked_by("city", "engineer")
    made = record("request", fields={"route": "/v1/decisions/{decision_id}", "status": 200, "ms": 1.5})
    told = json.loads(JsonLines().format(made))
    assert list(told)[:4] == ["time", "level", "logger", "event"]
    assert told | {"time": ""} == {
        "time": "", "level": "warning", "logger": "yidai", "event": "request", "request_id": "r-1", "tenant": "city",
        "actor": "engineer", "route": "/v1/decisions/{decision_id}", "status": 200, "ms": 1.5,
    }  # fmt: skip
    assert (
        Text()
        .format(made)
        .endswith(
            "WARNING request request_id=r-1 tenant=city actor=engineer route=/v1/decisions/{decision_id} status=200 ms=1.5"
        )
    )


@pytest.mark.parametrize("secret", [GOOD, "330106850612001", "Bearer abc.def", "whsec_AAAA"])
def test_what_looks_like_a_number_or_a_secret_is_taken_out(secret: str) -> None:
    made = record(f"it said {secret}", exc_info=(ValueError, ValueError(secret), None))
    for form in (JsonLines(), Text()):
        line = form.format(made)
        assert secret.rsplit(maxsplit=1)[-1] not in line
        assert "ValueError" in line


def test_each_request_is_a_line_by_its_template(
    client: Client, bank: Bank, consent: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "yidai")
    caplog.handler.setFormatter(JsonLines())
    lines: list[dict] = []
    original = caplog.handler.emit
    caplog.handler.emit = lambda each: (lines.append(json.loads(JsonLines().format(each))), original(each))
    answer = client.ask(
        "POST", "/v1/decisions", content=b'{"applicant": {"id_number": "%s"}}' % GOOD.encode(),
        headers={"X-Request-Id": "from-the-bank", "Idempotency-Key": str(uuid4())},
    )  # fmt: skip
    problem(answer, 422)
    assert answer.headers["x-request-id"] == "from-the-bank"
    client.ask("GET", f"/v1/decisions/{uuid4()}")
    client.http.get("/metrics")
    told = [line for line in lines if line["event"] == "request"]
    assert [(one["method"], one["route"], one["status"]) for one in told] == [
        ("POST", "/v1/decisions", 422), ("GET", "/v1/decisions/{decision_id}", 404),
    ]  # fmt: skip
    assert (told[0]["request_id"], told[0]["tenant"], told[0]["actor"]) == (
        "from-the-bank", "city", "integration_engineer",
    )  # fmt: skip
    assert told[1]["request_id"] != "from-the-bank"
    text = json.dumps(lines)
    assert not any(secret in text for secret in (GOOD, *bank.tokens.values()))


@pytest.mark.parametrize("given", ["", GOOD, "a b", "x" * 65, "<script>", "a\u00e9"])
def test_an_id_that_may_not_be_repeated_is_replaced(client: Client, given: str) -> None:
    answer = client.http.get("/health/live", headers={b"X-Request-Id": given.encode("latin-1")})
    assert answer.headers["x-request-id"] != given
    assert len(answer.headers["x-request-id"]) == 17
