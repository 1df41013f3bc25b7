"""`yidai audit deeds`: who did what, as an auditor asks for it at a terminal."""

from __future__ import annotations

import json
from typing import Any

import pytest

from serving.access.model import NotPermitted, Permission, Role
from serving.access.repository import create_token, revoke_tokens
from tests.serving.access.test_tokens import told
from tests.serving.world import NOW, Bank


@pytest.fixture
def made(bank: Bank) -> str:
    """Somebody whose key the administrator has made and ended."""
    by = bank.authority("administrator", Permission.ADMINISTER).actor.actor_id
    create_token(bank.database, "city", "till", [Role.INTEGRATION_ENGINEER], NOW, by=by)
    revoke_tokens(bank.database, "city", "till", NOW, by=by)
    return "till"


def deeds(bank: Bank, monkeypatch: pytest.MonkeyPatch, *words: str, role: str = "auditor") -> Any:
    """What the command tells a program."""
    monkeypatch.setenv("YIDAI_TOKEN", bank.tokens[role])
    done = told(bank, monkeypatch, "audit", "deeds", "--json", *words)
    assert done.exit_code == 0
    return json.loads(done.stdout)


def test_the_newest_come_first_and_go_on_after_the_last_that_was_told(
    bank: Bank, made: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest = deeds(bank, monkeypatch, "--most", "1", "--who", "administrator")
    (before,) = deeds(
        bank, monkeypatch, "--most", "1", "--who", "administrator", "--after", str(newest[0]["entry"])
    )
    assert [(one["action"], one["thing"], one["who"]) for one in (*newest, before)] == [
        ("token.revoked", made, "administrator"),
        ("token.created", made, "administrator"),
    ]
    assert before["detail"] == {"roles": ["integration_engineer"]}


def test_each_filter_narrows_and_another_bank_sees_none(
    bank: Bank, made: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert {one["action"] for one in deeds(bank, monkeypatch, "--action", "token")} == {
        "token.created",
        "token.revoked",
    }
    assert deeds(bank, monkeypatch, "--until", "2000-01-01") == []
    assert deeds(bank, monkeypatch, "--who", "nobody") == []
    theirs = deeds(bank, monkeypatch, role="stranger")
    assert made not in {one["thing"] for one in theirs}


def test_a_person_reads_a_table_and_who_does_not_audit_none(
    bank: Bank, made: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YIDAI_TOKEN", bank.tokens["auditor"])
    said = told(bank, monkeypatch, "audit", "deeds", "--action", "token", "--most", "1").stdout
    assert made in said
    assert "goes on from there" in said
    monkeypatch.setenv("YIDAI_TOKEN", bank.tokens["administrator"])
    with pytest.raises(NotPermitted):
        told(bank, monkeypatch, "audit", "deeds")
