"""The inbox: filtered, page by page, and as quick among a hundred thousand alerts as among ten."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from serving.alerts.machine import AlertState
from serving.alerts.repository import Wanted, listing
from serving.store.session import owner_transaction
from serving.watch.signals import Level
from tests.serving.alerts.desk import OFFICER, forget_alerts, name_of, raised, sighting, stored
from tests.serving.world import Bank, Client, problem

MANY = 20_000


@pytest.fixture
def empty(bank: Bank) -> None:
    """No alert is left of another test."""
    forget_alerts(bank)


def inbox(client: Client, **params: Any) -> list[str]:
    """The loans of a list."""
    got = client.as_(OFFICER).ask("GET", "/v1/alerts", params=params)
    assert got.status_code == 200, got.text
    return [alert["loan"] for alert in got.json()["alerts"]]


def test_the_first_due_stand_first_and_each_filter_holds(empty: None, bank: Bank, client: Client) -> None:
    raised(bank, [
        sighting("A", subject=1, level=Level.YELLOW, village="V1"),
        sighting("B", subject=2, level=Level.RED, village="V2"),
        sighting("C", subject=3, level=Level.ORANGE, signal="autopay_fail", village="V1"),
    ])  # fmt: skip
    assert inbox(client) == ["B", "C", "A"]
    assert inbox(client, level="red") == ["B"]
    assert inbox(client, level=["red", "yellow"]) == ["B", "A"]
    assert inbox(client, village="V1") == ["C", "A"]
    assert inbox(client, loan="C") == ["C"]
    assert inbox(client, signal="ss_stop") == ["B", "A"]
    assert inbox(client, state=["new", "released"]) == ["B", "C", "A"]
    assert inbox(client, state="ongoing") == []
    assert inbox(client, overdue=True) == []
    assert inbox(client, due_before="2025-01-04") == ["B"]
    assert inbox(client, raised_before="2025-01-01") == []
    assert inbox(client, alert_case=str(stored(bank)["A", "ss_stop"].case_id)) == ["A"]


def test_pages_follow_each_other_without_gap_or_repetition(empty: None, bank: Bank, client: Client) -> None:
    raised(bank, [sighting(f"L{n:02d}", subject=n) for n in range(23)])
    found: list[str] = []
    after = ""
    while True:
        got = client.as_(OFFICER).ask("GET", "/v1/alerts", params={"most": 5, "after": after}).json()
        found += [alert["loan"] for alert in got["alerts"]]
        if got["next"] is None:
            break
        after = got["next"]
    assert sorted(found) == [f"L{n:02d}" for n in range(23)]
    assert len(found) == 23
    problem(client.as_(OFFICER).ask("GET", "/v1/alerts", params={"after": "here"}), 422, "wrong_place")


def test_a_story_tells_evidence_playbook_events_points_and_the_borrowers_other_alerts(
    empty: None, bank: Bank, client: Client
) -> None:
    raised(bank, [sighting(), sighting("L2"), sighting("L3", subject=2)], "2024-12-31T20:00")
    told = client.as_(OFFICER).ask("GET", f"/v1/alerts/{name_of(bank)}").json()
    assert told["alert"]["evidence"]["en"] == "The evidence."
    assert told["alert"]["owner"] == "role:risk_officer"
    assert told["playbook"]["script"]["zh"]
    assert [event["kind"] for event in told["events"]] == ["raised"]
    assert told["points"] == [
        {"point": "2025-01-01", "gravest": "orange", "at_the_end": "orange", "told": True}
    ]
    assert [each["loan"] for each in told["others"]] == ["L2"]
    assert "subject_id" not in json.dumps(told)


LISTS = {
    "everything": Wanted(),
    "red": Wanted(levels=(Level.RED,)),
    "mine": Wanted(assignee="risk_officer"),
    "nobody's": Wanted(assignee=""),
    "a village": Wanted(village="V7"),
    "overdue": Wanted(overdue=True),
    "a later page": Wanted(after=(1_000_000, UUID(int=5))),
    "waiting": Wanted(states=(AlertState.NEW,)),
}


@pytest.fixture(scope="module")
def crowd(bank: Bank) -> None:
    """Many alerts, written as rows."""
    forget_alerts(bank)
    with owner_transaction(bank.database) as owner:
        owner.execute("INSERT INTO alert_case VALUES ('city', gen_random_uuid(), 'subject:1', NULL, 1, NULL)")
        owner.execute(
            """INSERT INTO alert (tenant_id, alert_id, case_id, loan, subject_id, signal, level, state, coverage, points, seen_at,
               evidence, evidence_at, signals_digest, playbook, expects_by, owner, raised_at, updated_at, due_at, village, assignee)
               SELECT 'city', gen_random_uuid(), case_id, 'N' || n, n, 's', (ARRAY['yellow', 'orange', 'red'])[1 + n %% 3], 'new',
                      'full', 1, 1, '{}', 1, '', '', 1, 'role:risk_officer', n, n, n, 'V' || n %% 100,
                      CASE WHEN n %% 9 > 0 THEN (SELECT actor_id FROM actor WHERE name = 'risk_officer') END
               FROM alert_case, generate_series(1, %s) n""",
            (MANY,),
        )
    with owner_transaction(bank.database) as owner:
        owner.execute("ANALYZE alert")


@pytest.mark.parametrize("name", LISTS)
def test_a_page_of_many_reads_an_index_and_few_rows(bank: Bank, crowd: None, name: str) -> None:
    nodes = list(every_node(asyncio.run(explained(bank, LISTS[name]))))
    scans = [node for node in nodes if node.get("Relation Name") == "alert"]
    assert {node["Node Type"] for node in scans} <= {"Index Scan", "Index Only Scan"}, name
    assert not [node for node in nodes if node["Node Type"] == "Sort"], name
    read = sum(node["Actual Rows"] + node.get("Rows Removed by Filter", 0) for node in scans)
    assert read <= 1_000, (name, read)


async def explained(bank: Bank, wanted: Wanted) -> dict[str, Any]:
    """The plan of a list as the application runs it."""
    statement, values = listing(wanted, 10**15)
    connection = await asyncpg.connect(bank.database.app_url)
    try:
        async with connection.transaction():
            await connection.execute("SELECT set_config('yidai.tenant', 'city', true)")
            plan = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", *values)
    finally:
        await connection.close()
    found: dict[str, Any] = json.loads(plan)[0]["Plan"]
    return found


def every_node(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """A plan's nodes."""
    return [plan, *(node for child in plan.get("Plans", []) for node in every_node(child))]
