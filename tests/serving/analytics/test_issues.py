"""What the monitoring found has an owner and a day, is opened once, and is closed by a person with a reason."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

from features.calendar import DAY, instant
from serving.access.model import Permission
from serving.analytics.opening import open_issues
from serving.store.session import tenant_transaction
from tests.serving.analytics.desk import found_wanting, monitored
from tests.serving.cases.test_cases_cli import told, yidai
from tests.serving.world import NOW, Bank, Client, problem
from training.limits import load_limits

LIMITS = load_limits()


def test_a_finding_opens_one_issue_however_often_it_is_found(bank: Bank, client: Client) -> None:
    analyst = bank.authority("analyst", Permission.SUBMIT)
    with tenant_transaction(bank.database, "city") as connection:
        assert open_issues(connection, analyst, monitored("2024-02", "2024-03"), LIMITS, NOW) == 2
        assert (
            open_issues(connection, analyst, monitored("2024-02", "2024-03", "2024-04"), LIMITS, NOW + 1) == 1
        )
    rows = client.as_("auditor").ask("GET", "/v1/issues").json()["issues"]
    assert [(row["month"], row["owner"], row["overdue"]) for row in rows] == [
        (month, "analyst", False) for month in ("2024-02", "2024-03", "2024-04")
    ]
    one = rows[0]
    assert instant(one["due_at"]) - instant(one["opened_at"]) == LIMITS.due_days * DAY


def test_it_is_closed_once_with_a_reason_and_not_opened_again(bank: Bank, client: Client) -> None:
    analyst, asker = bank.authority("analyst", Permission.SUBMIT), client.as_("analyst")
    with tenant_transaction(bank.database, "city") as connection:
        open_issues(connection, analyst, monitored("2024-05", bundle="c" * 64), LIMITS, NOW)
    rows = asker.ask("GET", "/v1/issues").json()["issues"]
    path = f"/v1/issues/{next(row['issue_id'] for row in rows if row['bundle'] == 'c' * 64)}/close"
    problem(asker.ask("POST", path, json={"reason": "  "}), 422, "no_reason")
    problem(asker.ask("POST", path, json={"reason": "110101199003077416 called"}), 422)
    done = asker.ask("POST", path, json={"reason": " a feed came twice "}).json()
    assert (done["reason"], done["closed_by"]) == ("a feed came twice", "analyst")
    problem(asker.ask("POST", path, json={"reason": "again"}), 409, "closed_already")
    with tenant_transaction(bank.database, "city") as connection:
        found = monitored("2024-05", bundle="c" * 64)
        assert open_issues(connection, analyst, found, LIMITS, NOW + 7) == 0
    for closed, there in ((False, False), (True, True)):
        rows = asker.ask("GET", "/v1/issues", params={"closed": closed}).json()["issues"]
        assert (done in rows) is there


def test_of_two_who_close_it_at_once_the_second_is_told(bank: Bank, client: Client) -> None:
    path = f"/v1/issues/{found_wanting(bank, 'city')}/close"
    people = [client.as_(who) for who in ("analyst", "risk_officer")] * 3
    with ThreadPoolExecutor(len(people)) as pool:
        got = list(pool.map(lambda who: who.ask("POST", path, json={"reason": "seen"}).status_code, people))
    assert sorted(got) == [200, *[409] * (len(people) - 1)]


def test_another_tenant_sees_and_closes_none(bank: Bank, client: Client) -> None:
    name, stranger = found_wanting(bank, "city"), client.as_("stranger")
    assert stranger.ask("GET", "/v1/issues", params={"closed": True}).json() == {"issues": []}
    for one in (name, uuid4()):
        problem(
            stranger.ask("POST", f"/v1/issues/{one}/close", json={"reason": "mine"}), 404, "unknown_issue"
        )


def test_the_commands_list_and_close_by_the_beginning_of_an_id(bank: Bank) -> None:
    name = found_wanting(bank, "city")
    assert name in {row["issue_id"] for row in told(bank, "analyst", "models", "issues")}
    code, text = yidai(bank, "auditor", "models", "close", name, "--reason", "seen")
    assert (code, "may not" in text) == (2, True)
    assert yidai(bank, "analyst", "models", "close", name, "--reason", "seen")[0] == 0
    code, text = yidai(bank, "auditor", "models", "issues", "--all")
    assert (code, "seen" in text, "score moved" in text) == (0, True, True)
