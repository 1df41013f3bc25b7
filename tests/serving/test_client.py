"""The client and the page for engineers: everything that they say is executed, and fits the API's own description."""

from __future__ import annotations

import inspect
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from serving import client as module
from serving.client import Applicant, Application, Client, NewConsent, NewDispute, Refused
from tests.serving.world import GOOD, MIDDLE, Bank

PAGE = (Path(__file__).parents[2] / "docs" / "integrate.md").read_text(encoding="utf-8")
SCHEMAS = {
    Application: "DecisionRequest", Applicant: "Applicant", module.Checks: "Checks", module.Decision: "DecisionAnswer",
    module.Reason: "AnswerReason", NewConsent: "ConsentBody", module.Consent: "ConsentAnswer", module.Sent: "SendReport",
    module.Line: "LineReport", NewDispute: "DisputeBody", module.Dispute: "DisputeAnswer",
}  # fmt: skip
SENT = {Application, Applicant, module.Checks, NewConsent, NewDispute}


def blocks(language: str) -> str:
    """All code of a language on the page."""
    return "\n".join(re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL))


def test_every_request_of_the_page_in_curl_is_answered(bank: Bank, address: str, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    script = "set -euo pipefail\n" + blocks("bash").replace("http://localhost:8100", address)
    variables = {
        "TOKEN": bank.tokens["integration_engineer"],
        "NUMBER": MIDDLE,
        "PATH": "/usr/bin:/bin:/usr/local/bin",
    }
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert script.count("curl ") >= 7
    assert msgspec.json.decode((tmp_path / "first.json").read_bytes())["outcome"] == "refer"
    assert msgspec.json.decode((tmp_path / "sent.json").read_bytes())["accepted"] == 1


def test_every_request_of_the_page_in_python_is_answered(bank: Bank, address: str, capsys) -> None:
    told: dict[str, Any] = {"url": address, "token": bank.tokens["integration_engineer"], "number": GOOD}
    exec(compile(blocks("python"), "docs/integrate.md", "exec"), told)
    assert told["decision"].outcome == "approve"
    assert told["taken"]["state"] == "accepted"
    assert told["sent"].accepted == 1
    assert told["disputed"].verdict is None
    assert "422 wrong_number applicant.id_number" in capsys.readouterr().out
    told["yidai"].__exit__(None, None, None)


@pytest.fixture(scope="module")
def description(address: str) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{address}/openapi.json").json()
    return found


def test_each_call_is_one_that_the_description_knows(
    bank: Bank, address: str, description: dict[str, Any]
) -> None:
    asked: list[str] = []
    hooks = {"request": [lambda request: asked.append(f"{request.method} {request.url.path}")]}
    methods = [name for name, _ in inspect.getmembers(Client, inspect.isfunction) if not name.startswith("_")]
    ids = {
        "consent_id": "0" * 8,
        "decision_id": "1" * 8,
        "id_number": GOOD,
        "dataset": "gas",
        "records": [],
        "key": None,
    }
    applies = Application(Applicant(GOOD), "0" * 8, "consumer", "county")
    consents = NewConsent(
        GOOD, ("bank",), "credit_assessment", "city", "electronic", "2025-01-01", "2026-01-01"
    )
    ids |= {"application": applies, "consent": consents, "dispute": NewDispute(GOOD, "gas", {}, "")}
    with httpx.Client(base_url=address, event_hooks=hooks) as http:
        yidai = Client("", bank.tokens["integration_engineer"], http=http)
        for name in methods:
            call = getattr(yidai, name)
            with suppress(Refused):
                call(*(ids[wanted] for wanted in inspect.signature(call).parameters))
    known = {
        re.compile(f"{method.upper()} {re.sub(r'{[^}]*}', '[^/]+', path)}")
        for path, each in description["paths"].items()
        for method in each
    }
    assert len(asked) == len(methods) >= 14
    assert [call for call in asked if not any(one.fullmatch(call) for one in known)] == []


@pytest.mark.parametrize("kind", SCHEMAS, ids=lambda kind: kind.__name__)
def test_each_type_is_the_one_of_the_description(
    kind: type[msgspec.Struct], description: dict[str, Any]
) -> None:
    schema = description["components"]["schemas"][SCHEMAS[kind]]
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    assert set(fields) <= set(schema["properties"])
    needed = {name for name, field in fields.items() if field.required}
    if kind in SENT:
        assert set(fields) == set(schema["properties"])
        assert needed == set(schema.get("required", ()))
    else:
        assert needed <= set(schema["required"]), "an answer may lack what the client wants"


class Moody(BaseHTTPRequestHandler):
    """Answers by a script; keeps the keys that it was sent."""

    script: list[tuple[int, dict[str, str], bytes]]
    keys: list[str]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.keys.append(self.headers["idempotency-key"])
        status, headers, body = self.script.pop(0)
        if not status:
            self.connection.close()
            return
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def moody() -> Iterator[tuple[str, type[Moody]]]:
    kind = type("One", (Moody,), {"script": [], "keys": []})
    with HTTPServer(("127.0.0.1", 0), kind) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", kind
        server.shutdown()
        thread.join(10)


APPLIES = Application(Applicant(GOOD), "c", "consumer", "county")
DECIDED = msgspec.json.encode({
    "decision_id": "d", "outcome": "refer", "stream": "policy", "reasons": [], "as_of": "", "decided_at": "", "digests": {},
    "missing_sources": {}, "tomorrow": "unknown fields are passed over",
})  # fmt: skip


def test_it_asks_again_under_the_same_key_and_not_before_it_was_told(moody: tuple[str, type[Moody]]) -> None:
    url, server = moody
    server.script += [(0, {}, b""), (503, {"Retry-After": "7"}, b"{}"), (429, {}, b"{}"), (201, {}, DECIDED)]
    waits: list[float] = []
    with Client(url, "t", sleep=waits.append) as yidai:
        assert yidai.decide(APPLIES).outcome == "refer"
    assert len(server.keys) == 4
    assert len(set(server.keys)) == 1
    assert waits[1] == 7.0
    assert all(0 < wait <= 7 for wait in waits)


def test_it_gives_up_and_says_why(moody: tuple[str, type[Moody]]) -> None:
    url, server = moody
    told = b'{"code": "source_silent", "detail": "x", "place": "bureau", "remedy": "y"}'
    server.script += (
        [(503, {}, told)] * 3 + [(0, {}, b"")] * 3 + [(200, {}, b"<html>")] + [(502, {}, b"<html>")] * 3
    )
    with Client(url, "t", tries=3, sleep=lambda _: None) as yidai:
        for status, code, place in ((503, "source_silent", "bureau"), (0, "unreachable", ""), (200, "not_understood", ""), (502, "unknown", "")):  # fmt: skip
            with pytest.raises(Refused) as refusal:
                yidai.decide(APPLIES)
            assert (refusal.value.status, refusal.value.code, refusal.value.place) == (status, code, place)
            assert GOOD not in str(refusal.value)
    assert server.script == []
