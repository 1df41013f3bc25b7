"""A person's number is in the vault, encrypted, and nowhere else: not in answers, logs, figures or files."""

from __future__ import annotations

import logging
from pathlib import Path
from uuid import uuid4

import httpx
import pyarrow.parquet as pq
import pytest
from psycopg import sql

from features.canonical import code_of
from serving.store.session import owner_transaction
from tests.serving.world import ADULTS, GOOD, NOBODY, STRANGER, Bank, Client, application

NUMBERS = (*ADULTS, NOBODY, STRANGER)


def holds_number(text: str) -> bool:
    """Whether a number is in a text, plain or as the hexadecimal form of its bytes."""
    return any(number in text or number.encode().hex() in text for number in NUMBERS)


def test_the_search_would_find_one() -> None:
    assert holds_number(f"...{GOOD}...")
    assert holds_number(GOOD.encode().hex())


def everything_asked(client: Client) -> list[str]:
    """Good and bad requests about everybody; gives all that was answered, headers too."""
    answers = []
    for number in NUMBERS:
        made = client.consent(number)
        consent = made.json().get("consent_id", str(uuid4()))
        decided = client.decide(number, consent)
        path = f"/v1/decisions/{decided.json().get('decision_id', uuid4())}"
        answers += [
            made,
            decided,
            client.decide(number, str(uuid4())),
            client.decide(number, consent, surprise=number),
            client.decide(number, consent, term_months=number),
            client.decide(number, number),
            client.decide(number, consent, applicant={"id_number": number, number: 1}),
            client.decide(number[:-1] + "?", consent),
            *(client.consent(number, **{field: number}) for field in ("form", "purpose", "recipient", number)),
            client.consent(number, categories=[number]),
            client.decide(number, consent, product=number),
            client.decide(number, consent, amount_yuan=number),
            client.consent(number, valid_to="1999-01-01"),
            client.ask("POST", "/v1/prefill", json={"id_number": number, "consent_id": consent}),
            client.ask("POST", "/v1/prefill", json={"id_number": number, "consent_id": number}),
            client.ask("GET", path),
            client.ask("GET", f"{path}/explanation"),
            client.as_("auditor").ask("GET", f"{path}/receipt"),
            client.ask("GET", f"{path}/notice", headers={"Accept": "text/html"}),
            client.ask("POST", "/v1/subjects/report", json={"id_number": number, "paid": True}),
            client.ask("POST", "/v1/subjects/statement", json={"id_number": number, "dataset": number, "text": number}),
            client.ask("POST", "/v1/subjects/statement", json={"id_number": number, "dataset": "bureau_repayment", "text": number}),
            client.ask("POST", f"{path}/human-review"),
            *offered(client, path.replace("decisions", "offers"), number),
            *stopped(client.as_("risk_officer"), number),
            client.ask("GET", f"/v1/consents/{consent}"),
            client.ask("GET", f"/v1/decisions/{number}"),
            client.ask("GET", f"/v1/people/{number}"),
            client.ask("POST", "/v1/decisions", json=application(number, consent), headers={"Idempotency-Key": ""}),
        ]  # fmt: skip
    return [f"{got.headers}\n{got.text}" for got in answers]


def stopped(client: Client, number: str) -> list[httpx.Response]:
    """Stops with numbers in wrong places, which stop nothing, and what is stopped."""
    wrong = [
        {"product": number, "reason": "r"}, {"model": number, "reason": "r"}, {number: 1, "all": True, "reason": "r"},
        {"all": True, "reason": f"about {number}"},
    ]  # fmt: skip
    asked = [
        client.ask("POST", f"/v1/approvals/{way}", json=body) for way in ("stop", "resume") for body in wrong
    ]
    return [*asked, client.ask("GET", "/v1/approvals")]


def offered(client: Client, path: str, number: str) -> list[httpx.Response]:
    """All that may be asked of an offer, where there is one, about its person and with numbers in wrong places."""
    headers = {"Idempotency-Key": str(uuid4())}
    draw = {"id_number": number, "amount_fen": 300_000}
    return [
        client.ask("POST", f"{path}/drawdowns", json=draw, headers=headers),
        client.ask("POST", f"{path}/accept"),
        client.ask("POST", f"{path}/drawdowns", json=draw, headers=headers),
        client.ask("POST", f"{path}/drawdowns", json=draw | {"consent_id": number}, headers=headers),
        client.ask("POST", f"{path}/drawdowns", json=draw | {"amount_fen": number}, headers=headers),
        client.ask("POST", f"{path}/reapprove", json={"id_number": number}),
        client.ask("POST", f"{path}/decline"),
        client.ask("GET", path),
        client.ask("GET", f"/v1/offers/{number}"),
    ]


def test_no_answer_log_or_figure_repeats_a_number(
    client: Client, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("uvicorn.error").setLevel(logging.DEBUG)
    answers = everything_asked(client)
    ours = [
        r for r in caplog.records if r.name.split(".")[0] not in {"httpx", "httpcore"}
    ]  # the client's own log
    out, err = capfd.readouterr()
    figures = client.http.get("/metrics").text
    assert "yidai_decisions_total" in figures
    assert [text for text in answers if holds_number(text)] == []
    assert [r.getMessage() for r in ours if holds_number(r.getMessage() + str(r.exc_info))] == []
    assert not holds_number(out + err + figures)


def test_no_row_of_the_database_holds_a_number(client: Client, bank: Bank) -> None:
    everything_asked(client)
    with owner_transaction(bank.database) as owner:
        tables = [
            name
            for (name,) in owner.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            ).fetchall()
        ]
        assert {"subject", "decision", "subject_timeline"} <= set(tables)
        for name in tables:
            rows = owner.execute(sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(name)))
            assert not any(holds_number(text) for (text,) in rows), name


def test_no_file_of_the_lake_or_the_server_holds_a_number(bank: Bank, server) -> None:
    codes = {code_of(number) for number in NUMBERS} | {int(n) for n in NUMBERS if n.isdigit()}
    files = [path for path in bank.settings.home.rglob("*") if path.is_file()]
    segments = [path for path in files if path.suffix == ".parquet"]
    assert segments
    for path in segments:
        for column in pq.read_table(path, partitioning=None).columns:
            assert not codes & set(column.to_pylist()), path
    log = Path(server.home) / "postgres" / "server.log"
    for path in [*(path for path in files if path.suffix != ".parquet"), log]:
        assert not holds_number(path.read_text(encoding="utf-8", errors="replace")), path
