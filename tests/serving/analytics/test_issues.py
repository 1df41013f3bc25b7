"""What the monitoring found has an owner and a day, is opened once, and is closed by a person with a reason."""

from __future__ import annotations

import json

import pytest

from features.calendar import DAY
from serving.access.model import Permission
from serving.analytics.issues import ClosedAlready, NoReason, UnknownIssue, close, issues, open_issues
from serving.store.session import tenant_transaction
from serving.telling import NumberInText
from tests.serving.cases.test_cases_cli import yidai
from tests.serving.world import Bank
from training.monitoring import Finding, Kind, Monitored, load_limits

NOW = 1_735_000_000_000_000
LIMITS = load_limits()


def monitored(*months: str, bundle: str = "b" * 64) -> Monitored:
    found = tuple(
        Finding(Kind.SCORE_MOVED, month, "score", 0.4, 0.25, "See who applies now.") for month in months
    )
    return Monitored(bundle, "risk", "2024-01-01", 900, None, (), found)


def test_a_finding_opens_one_issue_however_often_it_is_found(bank: Bank) -> None:
    analyst = bank.authority("analyst", Permission.SUBMIT)
    with tenant_transaction(bank.database, "city") as connection:
        assert open_issues(connection, analyst, monitored("2024-02", "2024-03"), LIMITS, NOW) == 2
        assert (
            open_issues(connection, analyst, monitored("2024-02", "2024-03", "2024-04"), LIMITS, NOW + 1) == 1
        )
        rows = issues(connection)
    assert [(row.month, row.owner, row.due_at - row.opened_at) for row in rows] == [
        (month, "analyst", 20 * DAY) for month in ("2024-02", "2024-03", "2024-04")
    ]


def test_it_is_closed_once_with_a_reason_and_not_opened_again(bank: Bank) -> None:
    analyst = bank.authority("analyst", Permission.SUBMIT)
    found = monitored("2024-05", bundle="c" * 64)
    with tenant_transaction(bank.database, "city") as connection:
        open_issues(connection, analyst, found, LIMITS, NOW)
        one = next(row for row in issues(connection) if row.bundle == "c" * 64)
        with pytest.raises(NoReason):
            close(connection, analyst, one.issue_id, "  ", NOW)
        with pytest.raises(NumberInText):
            close(connection, analyst, one.issue_id, "110101199003077416 called", NOW)
        close(connection, analyst, one.issue_id, "a feed came twice; it was mended", NOW + 5)
        with pytest.raises(ClosedAlready):
            close(connection, analyst, one.issue_id, "again", NOW + 6)
        assert open_issues(connection, analyst, found, LIMITS, NOW + 7) == 0
        assert one.issue_id not in {row.issue_id for row in issues(connection)}
        kept = next(row for row in issues(connection, closed=True) if row.issue_id == one.issue_id)
        assert (kept.closed_at, kept.reason) == (NOW + 5, "a feed came twice; it was mended")


def test_another_tenant_sees_and_closes_none(bank: Bank) -> None:
    analyst = bank.authority("analyst", Permission.SUBMIT)
    with tenant_transaction(bank.database, "city") as connection:
        open_issues(connection, analyst, monitored("2024-06", bundle="d" * 64), LIMITS, NOW)
        one = next(row for row in issues(connection) if row.bundle == "d" * 64)
    with tenant_transaction(bank.database, "elsewhere") as connection:
        assert issues(connection, closed=True) == []
        with pytest.raises(UnknownIssue):
            close(connection, analyst, one.issue_id, "not mine", NOW)


def test_the_commands_list_and_close_by_the_beginning_of_an_id(bank: Bank) -> None:
    analyst = bank.authority("analyst", Permission.SUBMIT)
    with tenant_transaction(bank.database, "city") as connection:
        open_issues(connection, analyst, monitored("2024-07", bundle="e" * 64), LIMITS, NOW)
    code, text = yidai(bank, "analyst", "models", "issues", "--json")
    one = next(row for row in json.loads(text) if row["bundle"] == "e" * 64)
    code, text = yidai(bank, "auditor", "models", "close", one["issue_id"], "--reason", "seen")
    assert (code, "may not" in text) == (2, True)
    assert yidai(bank, "analyst", "models", "close", one["issue_id"], "--reason", "seen")[0] == 0
    code, text = yidai(bank, "auditor", "models", "issues", "--all")
    assert (code, "seen" in text, "score moved" in text) == (0, True, True)
