"""The queue, a decision, its notice and an applicant's report as commands, over a bank's own store."""

from __future__ import annotations

import io
import json
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from features.calendar import iso
from features.terminal import console
from serving.cli import main
from tests.serving.cases.desk import SECOND, WORDS, case_of, decided, second_officer
from tests.serving.records.sending import case as court_case
from tests.serving.records.sending import sent
from tests.serving.world import GOOD, LATE, MIDDLE, Bank, Client


def yidai(bank: Bank, who: str, *arguments: str, said: str = "") -> tuple[int, str]:
    """A command of somebody's over the bank's store; exit code and what it printed."""
    settings = bank.settings
    names = {
        "YIDAI_HOME": str(settings.home), "YIDAI_DATABASE_URL": settings.database_url,
        "YIDAI_MASTER_KEY_FILE": str(settings.key_file), "YIDAI_AS_OF": iso(settings.as_of or 0),
        "YIDAI_TOKEN": bank.tokens[who],
    }  # fmt: skip
    kept = {name: value for name, value in os.environ.items() if not name.startswith("YIDAI_")}
    out, code = io.StringIO(), 0
    with (
        mock.patch.dict(os.environ, {**kept, **names}, clear=True), mock.patch.object(sys, "argv", ["yidai", *arguments]),
        mock.patch.object(console, "_width", 250),  # it looks at COLUMNS once, when it is made
        mock.patch.object(sys, "stdin", io.StringIO(said + "\n")), redirect_stdout(out), redirect_stderr(out),
    ):  # fmt: skip
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
    return code, out.getvalue()


def told(bank: Bank, who: str, *arguments: str, said: str = "") -> Any:
    """The JSON document of a command."""
    code, text = yidai(bank, who, *arguments, "--json", said=said)
    assert code == 0, text
    return json.loads(text)


@pytest.fixture(scope="module")
def case(client: Client, bank: Bank) -> str:
    """A case that waits."""
    second_officer(bank)
    return str(case_of(client, decided(client, MIDDLE, "refer"))["case_id"])


def test_an_officer_lists_shows_and_decides_a_case(bank: Bank, case: str) -> None:
    found = told(bank, "auditor", "cases", "list", "--state", "open")
    assert case in {each["case_id"] for each in found}
    assert case[:8] in yidai(bank, "risk_officer", "cases", "list")[1]
    shown = told(bank, "risk_officer", "cases", "show", case)
    text = yidai(bank, "risk_officer", "cases", "show", case)[1]
    assert shown["seen"] in text
    assert "bur_overdue_cnt_12m" in text
    code, text = yidai(bank, "risk_officer", "cases", "decide", case, "perhaps", "--code", "X", "--reason", WORDS, "--seen", shown["seen"])  # fmt: skip
    assert (code, "approve, decline" in text) == (2, True)
    done = told(
        bank, "risk_officer", "cases", "decide", case, "approve", "--code", "RV_INCOME_PROVED", "--reason", WORDS,
        "--seen", shown["seen"], "--limit-fen", "1000000", "--rate-ppm", "100000",
    )  # fmt: skip
    assert (done["state"], done["outcome"]) == ("decided", "approve")
    assert yidai(bank, "auditor", "cases", "decide", case, "decline", "--code", "RV_SYSTEM_CONFIRMED", "--reason", WORDS, "--seen", shown["seen"])[0] == 2  # fmt: skip
    code, text = yidai(bank, "auditor", "replay", done["linked_id"])
    assert (code, "1 as they were" in text) == (0, True)


def test_four_eyes_and_the_export_of_overrides(client: Client, bank: Bank, tmp_path: Path) -> None:
    name = decided(client, LATE, "decline", amount_yuan="60000")
    client.ask("POST", f"/v1/decisions/{name}/human-review")
    case = str(case_of(client, name)["case_id"])
    seen = told(bank, "risk_officer", "cases", "show", case)["seen"]
    assert "Taken by risk_officer" in yidai(bank, "risk_officer", "cases", "take", case)[1]
    text = yidai(
        bank, "risk_officer", "cases", "decide", case, "approve", "--code", "RV_GUARANTEE", "--reason", WORDS,
        "--seen", seen, "--limit-fen", "6000000", "--rate-ppm", "100000",
    )[1]  # fmt: skip
    assert "second person" in text
    assert yidai(bank, "risk_officer", "cases", "second", case, "--seen", seen)[0] == 2
    assert "decided" in yidai(bank, SECOND, "cases", "second", case, "--seen", seen)[1]
    out = tmp_path / "overrides.json"
    assert "1 overrides" in yidai(bank, "auditor", "overrides", "export", "--out", str(out))[1]
    (line,) = json.loads(out.read_bytes())["lines"]
    assert (line["kind"], line["reason_code"], line["count"]) == (
        "approved_against_system",
        "RV_GUARANTEE",
        1,
    )


def test_a_notice_a_report_and_a_decision_made_again(client: Client, bank: Bank, tmp_path: Path) -> None:
    sent(client, [court_case(GOOD, "CLI1")])
    name = decided(client, GOOD, "decline")
    page = tmp_path / "notice.html"
    text = yidai(bank, "integration_engineer", "notice", name, "--html", str(page))[1]
    assert "Declined" in text
    assert "Your rights" in page.read_text(encoding="utf-8")
    body = {"id_number": GOOD, "dataset": "court_case", "key": {"case_id": "CLI1"}, "ground": "it was paid"}
    dispute = client.ask("POST", "/v1/disputes", json=body).json()["dispute_id"]
    assert dispute in {each["dispute_id"] for each in told(bank, "risk_officer", "disputes", "list")}
    assert told(bank, "risk_officer", "disputes", "list", "--overdue") == told(
        bank, "risk_officer", "disputes", "list"
    )
    sent(client, [court_case(GOOD, "CLI1", kind="civil", published_at="2024-12-01T09:00:00")])
    answered = yidai(
        bank, "risk_officer", "disputes", "answer", dispute, "corrected", "--answer", "It is settled."
    )
    assert "corrected" in answered[1]
    made = told(bank, "integration_engineer", "disputes", "decide-again", dispute, said=GOOD)
    assert (made["parent_id"], made["before"], made["decision"]["outcome"]) == (name, "decline", "approve")
    report = told(bank, "integration_engineer", "subjects", "report", said=GOOD)
    assert [each["answer"] for each in report["disputes"]] == ["It is settled."]
    assert [each["kind"] for each in report["decisions"]][-1] == "again"
    text = yidai(bank, "integration_engineer", "subjects", "report", said=GOOD)[1]
    assert "bank_transaction" in text
    assert GOOD not in text
