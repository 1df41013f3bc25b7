"""Marked numbers in every place of every route: no log, figure, wrong answer or row of the database has one in the clear."""

from __future__ import annotations

import csv
import json
import logging
import re
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from psycopg import sql

from features.identity.numbers import person_check_digit, uscc_check_digit
from serving import operations
from serving.access.model import GRANTED, Role
from serving.store.session import owner_transaction
from tests.serving.access.matrix import body_of
from tests.serving.access.routes import ROUTES, described
from tests.serving.test_hostile import BODIES
from tests.serving.world import GOOD, Bank, Client


def _person(order: int) -> str:
    body = f"33010619860713{order:03d}"
    return body + person_check_digit(body)


def _firm(text: str) -> str:
    return text + uscc_check_digit(text)


PERSON, FIRM = _person(401), _firm("91330106MA2MARKED")
WRONG = PERSON[:-1] + ("1" if PERSON[-1] != "1" else "2")
OLD, PHONE, ACCOUNT, CARD = "330106860713402", "13987650421", "6222029876504210321", "6225887650421987"
MARKED = {
    "person": PERSON, "wrong": WRONG, "old": OLD, "firm": FIRM, "small": FIRM.lower(), "phone": PHONE,
    "account": ACCOUNT, "card": CARD,
}  # fmt: skip
KEY = re.compile(r'"idempotency_key":"[^"]*"')
"""What a batch repeats to who sent it: the name that its sender gave the line."""
SHOWN = re.compile(r"POST /v1/disputes/[0-9a-f-]{36}/answer$|GET /v1/cases/[0-9a-f-]{36}$")
"""What opens texts that people wrote, to whom handles them; they are under the subject's key in the store."""
SPACED = {"spaced phone": "139 8765 0421", "spaced card": "6225-8876-5042-1987"}


def held_in(text: str) -> set[str]:
    """The marked numbers of a text, plain or as the hexadecimal form of their bytes."""
    low = text.lower()
    return {
        name for name, number in (MARKED | SPACED).items()
        if number.lower() in low or number.encode().hex() in low
    }  # fmt: skip


def test_the_search_finds_each() -> None:
    for name, number in (MARKED | SPACED).items():
        assert name in held_in(f"a{number}b")
        assert name in held_in(number.encode().hex())


@pytest.fixture(scope="module")
def ids(client: Client, consent: str) -> dict[str, str]:
    """What is there, for the places of paths."""
    decision = client.decide(GOOD, consent).json()["decision_id"]
    case = client.ask("POST", f"/v1/decisions/{decision}/human-review").json()["case_id"]
    client.as_("risk_officer").ask("POST", f"/v1/cases/{case}/take", json={})
    seen = client.as_("risk_officer").ask("GET", f"/v1/cases/{case}").json()["seen"]
    line = json.dumps(BODIES["/v1/records/{dataset}"]).encode()
    assert client.ask("POST", "/v1/records/vehicle", content=line).status_code == 200
    dispute = client.ask("POST", "/v1/disputes", json=BODIES["/v1/disputes"]).json()["dispute_id"]
    return {"consent": consent, "decision": decision, "case": case, "dispute": dispute, "seen": seen}


def placed(body: Any, number: str) -> Iterator[Any]:
    """A body with the number in each place in turn: for a value, for a name, beside the others."""
    yield body | {number: number}
    for name, value in body.items():
        yield body | {name: number}
        yield body | {name: f"call {number}, please"}
        yield body | {name: {number: number}}
        yield body | {name: [number]}
        if isinstance(value, dict):
            yield from (body | {name: inner} for inner in placed(value, number))


def everything(client: Client, ids: dict[str, str], numbers: Iterator[str]) -> Iterator[httpx.Response]:
    """Every route as who may ask it, with the next number in each place of body, path, query and headers."""
    document = client.http.get("/openapi.json").json()
    permissions = {(method, described(path)): permission for (method, path), permission in ROUTES.items()}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            needed = permissions.get((method.upper(), path))
            role = next((r.value for r in Role if needed is None or needed in GRANTED[r]), "auditor")
            asker = client.as_(role)
            where = path
            for name in ("decision_id", "consent_id", "case_id", "dispute_id", "endpoint_id", "delivery_id"):
                where = where.replace(f"{{{name}}}", ids.get(name.removesuffix("_id"), str(uuid4())))
            where = where.replace("{dataset}", "vehicle")
            query = [each["name"] for each in operation.get("parameters", []) if each["in"] == "query"]
            number = next(numbers)
            yield asker.ask(method, f"{where}/{number}", params={"x": number})
            yield asker.ask(method, _each(path, number), params=dict.fromkeys(query, number))
            headers = {"Idempotency-Key": number, "X-Request-Id": number, "Accept": f"text/{number}"}
            yield asker.ask(method, where, headers=headers)
            yield client.http.request(method, where, headers={"Authorization": f"Bearer {number}"})
            yield asker.ask(method, where, content=f"{number} no JSON {{".encode())
            body = body_of(path, ids) if method != "get" else None
            if isinstance(body, dict) and "seen" in body:
                body |= {"seen": ids["seen"]}
            for place in range(len(list(placed(body, ""))) if isinstance(body, dict) else 0):
                sent = list(placed(body, next(numbers)))[place]
                key = {"Idempotency-Key": str(uuid4()), "Content-Type": "application/json"}
                yield asker.ask(method, where, content=json.dumps(sent).encode(), headers=key)


def _each(path: str, number: str) -> str:
    return "/".join(number if part.startswith("{") else part for part in path.split("/"))


NUMBERS = [*MARKED.values(), *SPACED.values()]


@pytest.mark.parametrize(
    "first", [0, 3, *(pytest.param(k, marks=pytest.mark.campaign) for k in (1, 2, *range(4, 10)))]
)
def test_no_answer_log_or_figure_repeats_a_marked_number(
    client: Client,
    ids: dict[str, str],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    first: int,
) -> None:
    caplog.set_level(logging.DEBUG)
    done, told = 0, []
    for got in everything(client, ids, islice(cycle(NUMBERS), first, None)):
        done += got.status_code in {200, 201}
        shown = got.status_code == 200 and SHOWN.match(f"{got.request.method} {got.request.url.path}")
        if not shown and held_in(f"{got.headers}\n{KEY.sub('', got.text)}"):
            told.append((got.request.method, got.request.url.path, got.status_code, got.text[:300]))
    ours = [r for r in caplog.records if r.name.split(".")[0] not in {"httpx", "httpcore"}]
    out, err = capfd.readouterr()
    assert done > 20
    assert told == []
    assert [r.name for r in ours if held_in(f"{r.getMessage()} {r.exc_text} {r.__dict__}")] == []
    assert not held_in(out + err + client.http.get("/metrics").text)


def test_no_feed_finding_or_file_repeats_a_marked_number(
    bank: Bank, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    names = ["id_number", "case_id", "filed_on", "closed_on", "amount", "kind", "published_at"]
    good = [GOOD, "C9", "2024-03-01", "", "500", "dishonest", "2024-03-05T09:00:00"]
    rows = [[number if k == place else each for k, each in enumerate(good)]
            for number in NUMBERS for place in (0, 2, 3, 4, 5, 6)]  # fmt: skip
    with (tmp_path / "court_case.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([names, *rows])
    report = operations.ingest(bank.settings, tmp_path, lambda *_: None)
    assert report.quarantined > 40
    out, err = capfd.readouterr()
    assert not held_in(out + err + repr(report))
    files = [path for path in bank.settings.home.rglob("*") if path.is_file() and path.suffix != ".parquet"]
    assert {path.name for path in files if held_in(path.read_text("utf-8", errors="replace"))} == set()


def test_no_row_of_the_database_holds_a_marked_number(bank: Bank) -> None:
    with owner_transaction(bank.database) as owner:
        tables = owner.execute(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace"
        ).fetchall()
        assert {"decision", "review_case", "dispute", "audit_log"} <= {name for (name,) in tables}
        found = {
            name: set().union(*(held_in(text) for (text,) in owner.execute(
                sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(name))
            ).fetchall()))
            for (name,) in tables
        }  # fmt: skip
    assert {name: numbers for name, numbers in found.items() if numbers} == {}
