"""What nobody answered in time is raised, once to each level, and told where people look for work."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from features.calendar import DAY
from serving.store.session import owner_transaction, tenant_transaction
from serving.work.kinds import KINDS
from serving.work.worker import Worker
from tests.serving.cases.desk import OFFICER, case_of, decide, decided, second_officer
from tests.serving.world import GOOD, MIDDLE, Bank, Client


def worked(bank: Bank, at: int) -> dict[str, Any]:
    """What the job that raises tells, at a moment."""
    kinds = [kind for kind in KINDS if kind.name == "escalate"]
    (job,) = Worker(bank.settings, bank.database, kinds, lambda: at).drain()
    return dict(job.result or {})


def steps(bank: Bank, about: str) -> list[int]:
    """The levels to which something was raised."""
    asked = "SELECT level FROM escalation WHERE about = %s ORDER BY level"
    with owner_transaction(bank.database) as owner:
        return [level for (level,) in owner.execute(asked, (about,)).fetchall()]


def audited(bank: Bank) -> int:
    """How often the audit log says that something was raised."""
    with tenant_transaction(bank.database, "city") as connection:
        found = connection.execute(
            "SELECT count(*) FROM audit_log WHERE action = 'overdue.raised'"
        ).fetchone()
    assert found is not None
    return int(found[0])


@pytest.fixture(scope="module")
def now(bank: Bank) -> int:
    """When everything of this module began."""
    second_officer(bank)
    return bank.clock.now


def test_a_case_is_raised_when_it_is_overdue_and_again_a_week_later(
    client: Client, bank: Bank, now: int
) -> None:
    waiting = case_of(client, decided(client, MIDDLE, "refer"))
    answered = case_of(client, decided(client, MIDDLE, "refer"))["case_id"]
    decide(client, answered, outcome="decline")
    name = waiting["case_id"]
    assert waiting["level"] == 0
    assert worked(bank, now + 14 * DAY) == {"cases": 0, "disputes": 0}
    assert worked(bank, now + 16 * DAY)["cases"] >= 1
    before = audited(bank)
    assert worked(bank, now + 17 * DAY)["cases"] == 0
    assert audited(bank) == before, "nothing was raised, and nothing is said"
    assert worked(bank, now + 23 * DAY)["cases"] >= 1
    assert worked(bank, now + 90 * DAY)["cases"] == 0
    assert (steps(bank, name), steps(bank, answered)) == ([1, 2], [])
    listed = client.as_(OFFICER).ask("GET", "/v1/cases", params={"most": 200}).json()["cases"]
    waits = [each for each in listed if each["state"] != "decided"]
    assert {each["case_id"]: each["level"] for each in listed}[name] == 2
    assert [each["level"] for each in waits] == sorted((each["level"] for each in waits), reverse=True)


def test_a_dispute_is_raised_after_its_twenty_days(client: Client, bank: Bank) -> None:
    body = {
        "id_number": GOOD, "dataset": "bureau_repayment", "ground": "it was paid",
        "key": {"account": f"A{GOOD[-4:]}", "month": "2024-10"},
    }  # fmt: skip
    made = client.ask("POST", "/v1/disputes", json=body)
    assert made.status_code == 201, made.text
    name, since = made.json()["dispute_id"], bank.clock.now
    worked(bank, since + 19 * DAY)
    assert steps(bank, name) == []
    assert worked(bank, since + 21 * DAY)["disputes"] == 1
    assert worked(bank, since + 22 * DAY)["disputes"] == 0
    assert worked(bank, since + 28 * DAY)["disputes"] == 1
    assert steps(bank, name) == [1, 2]
    (told,) = client.as_("risk_officer").ask("GET", "/v1/disputes").json()
    assert (told["dispute_id"], told["level"]) == (name, 2)


def test_what_is_late_by_more_than_a_week_when_it_is_first_seen_goes_to_the_second_level_at_once(
    client: Client, bank: Bank
) -> None:
    name = case_of(client, decided(client, MIDDLE, "refer"))["case_id"]
    worked(bank, bank.clock.now + 40 * DAY)
    assert steps(bank, name) == [2]


def test_an_escalation_is_never_changed(bank: Bank) -> None:
    with pytest.raises(psycopg.Error), owner_transaction(bank.database) as owner:
        owner.execute("DELETE FROM escalation")
