"""What officers do about alerts over HTTP: once by a key, told of each other, red and frozen by four eyes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import pytest

from features.calendar import DAY, iso
from serving.alerts.overdue import raise_overdue
from serving.store.session import owner_transaction, tenant_transaction
from serving.watch.signals import Level
from serving.work.kinds import KINDS
from serving.work.worker import Worker
from tests.serving.alerts.desk import (
    OFFICER,
    SECOND,
    forget_alerts,
    kinds,
    name_of,
    raised,
    second_officer,
    sighting,
    stored,
)
from tests.serving.feeding import subject_of
from tests.serving.offers.desk import draw, line, shown
from tests.serving.world import GOOD, NOW, Bank, Client, problem

ENDS = ("2024-10-31T20:00", "2024-11-30T20:00", "2024-12-31T20:00")
Act = Callable[..., httpx.Response]


@pytest.fixture(autouse=True)
def nothing_raised(bank: Bank) -> None:
    """No alert is left of another test."""
    forget_alerts(bank)
    second_officer(bank)


@pytest.fixture
def act(client: Client, bank: Bank) -> Act:
    """An action on the alert of L1 as it is now, unless a version is sent."""

    def ask(
        kind: str, *, role: str = OFFICER, key: str = "", loan: str = "L1", **more: Any
    ) -> httpx.Response:
        alert = stored(bank)[loan, "ss_stop"]
        body = {"kind": kind, "reason": "as agreed", "version": alert.version, **more}
        headers = {"Idempotency-Key": key or str(uuid4())}
        path = f"/v1/alerts/{alert.alert_id}/actions"
        return client.as_(role).ask("POST", path, json=body, headers=headers)

    return ask


def quiet(bank: Bank, level: Level) -> None:
    """An alert of this level whose signal is gone for two points."""
    raised(bank, [sighting(level=level)], ENDS[0])
    raised(bank, [], ENDS[1])
    raised(bank, [], ENDS[2])


def ok(got: httpx.Response) -> dict[str, Any]:
    assert got.status_code == 200, got.text
    body: dict[str, Any] = got.json()
    return body


def test_a_call_is_noted_and_the_alert_is_due_when_its_result_is_expected(bank: Bank, act: Act) -> None:
    raised(bank, [sighting()])
    done = ok(act("call", result="pays on Friday"))
    assert done["handled_at"] is not None
    assert done["due_at"] == iso(stored(bank)["L1", "ss_stop"].handled_at + 14 * DAY)
    assert kinds(bank, name_of(bank)) == ["raised", "call"]


def test_a_key_acts_once_and_another_request_under_it_is_refused(bank: Bank, act: Act) -> None:
    raised(bank, [sighting()])
    first = ok(act("visit", key="k1", version=1))
    assert ok(act("visit", key="k1", version=1)) == first
    problem(act("call", key="k1", version=1), 409, "key_reused")
    assert kinds(bank, name_of(bank)) == ["raised", "visit"]


def test_the_second_of_two_officers_is_told(bank: Bank, act: Act) -> None:
    raised(bank, [sighting()])
    ok(act("call", version=1))
    assert "version 2" in problem(act("visit", version=1, role=SECOND), 409, "alert_changed")["detail"]
    raised(bank, [sighting(level=Level.RED)], NOW + 1)
    problem(act("visit", version=2), 409, "alert_changed")


def test_of_officers_at_once_one_acts_and_the_others_are_told(bank: Bank, act: Act) -> None:
    raised(bank, [sighting()])
    officers = [OFFICER, SECOND] * 3
    with ThreadPoolExecutor(len(officers)) as pool:
        got = list(pool.map(lambda who: act("visit", version=1, role=who), officers))
    assert sorted(each.status_code for each in got) == [200, *[409] * 5]
    assert {each.json()["code"] for each in got if each.status_code == 409} == {"alert_changed"}
    assert kinds(bank, name_of(bank)) == ["raised", "visit"]


def test_a_yellow_alert_is_released_by_one_person_and_only_when_it_is_quiet(bank: Bank, act: Act) -> None:
    raised(bank, [sighting(level=Level.YELLOW)], ENDS[0])
    problem(act("release"), 409, "not_quiet")
    raised(bank, [], ENDS[1])
    raised(bank, [], ENDS[2])
    assert ok(act("release"))["state"] == "released"
    problem(act("call"), 409, "alert_released")
    assert ok(act("note"))["state"] == "released"
    with tenant_transaction(bank.database, "city") as connection:
        assert connection.execute("SELECT count(*) FROM alert_case WHERE closed_at IS NULL").fetchone() == (
            0,
        )


def test_a_red_alert_is_released_by_two_people(bank: Bank, act: Act) -> None:
    quiet(bank, Level.RED)
    proposed = ok(act("release"))
    assert (proposed["state"], proposed["proposal"], proposed["proposed_by"]) == (
        "pending_release", "release", OFFICER,
    )  # fmt: skip
    problem(act("release"), 403, "same_officer")
    assert ok(act("send_back", role=SECOND))["proposal"] is None
    problem(act("send_back", role=SECOND), 409, "nothing_proposed")
    ok(act("release", role=SECOND))
    assert ok(act("release"))["state"] == "released"
    assert kinds(bank, name_of(bank)) == [
        "raised", "quiet", "release_proposed", "sent_back", "release_proposed", "released",
    ]  # fmt: skip


def test_a_signal_that_comes_back_takes_a_proposed_release_back(bank: Bank, act: Act) -> None:
    quiet(bank, Level.RED)
    ok(act("release"))
    raised(bank, [sighting(level=Level.RED)], "2025-01-05")
    back = stored(bank)["L1", "ss_stop"]
    assert (back.state, back.proposal) == ("new", None)
    problem(act("release", role=SECOND), 409, "not_quiet")


def test_a_borrower_is_given_to_an_officer_with_all_alerts_and_those_to_come(
    bank: Bank, client: Client, act: Act
) -> None:
    raised(bank, [sighting(), sighting("L2"), sighting("L3", subject=2)])
    assert ok(act("assign", assignee=SECOND))["assignee"] == SECOND
    raised(bank, [sighting("L4")], NOW + 1, loans=["L4"])
    second = client.as_(SECOND)
    mine = ok(second.ask("GET", "/v1/alerts", params={"assignee": "me"}))["alerts"]
    assert {each["loan"] for each in mine} == {"L1", "L2", "L4"}
    nobodys = ok(second.ask("GET", "/v1/alerts", params={"assignee": "none"}))["alerts"]
    assert {each["loan"] for each in nobodys} == {"L3"}
    problem(act("assign", assignee="auditor"), 404, "unknown_handler")


def test_a_snoozed_alert_is_back_when_its_time_is_over(bank: Bank, client: Client, act: Act) -> None:
    raised(bank, [sighting()])
    problem(act("snooze", until=iso(bank.clock.now + 91 * DAY)), 422, "wrong_action")
    ok(act("snooze", until=iso(bank.clock.now + 10 * DAY)))

    def listed(**params: Any) -> int:
        return len(ok(client.as_(OFFICER).ask("GET", "/v1/alerts", params=params))["alerts"])

    assert (listed(), listed(snoozed=True)) == (0, 1)
    now = bank.clock.now
    bank.clock.now = now + 10 * DAY
    assert listed() == 1
    bank.clock.now = now


@pytest.mark.parametrize(
    ("kind", "more", "place"),
    [
        ("snooze", {}, "until"), ("call", {"limit_fen": 5}, "limit_fen"), ("limit_cut", {}, "limit_fen"),
        ("feedback", {}, "verdict"), ("assign", {}, "assignee"), ("call", {"reason": "  "}, "reason"),
    ],
)  # fmt: skip
def test_an_action_holds_what_its_kind_needs_and_nothing_else(
    bank: Bank, act: Act, kind: str, more: dict[str, Any], place: str
) -> None:
    raised(bank, [sighting()])
    assert problem(act(kind, **more), 422, "wrong_action")["place"] == place


def test_nobodys_number_is_kept_in_a_reason(bank: Bank, act: Act) -> None:
    raised(bank, [sighting()])
    problem(act("note", reason=f"called {GOOD}"), 422, "number_in_text")


def test_a_freeze_takes_one_person_a_thaw_two_and_nothing_else_thaws(
    bank: Bank, client: Client, act: Act
) -> None:
    raised(bank, [sighting()])
    problem(act("freeze"), 409, "no_line")
    forget_alerts(bank)
    name = line(client)
    raised(bank, [sighting(subject=subject_of(bank, GOOD))])
    problem(act("thaw"), 409, "no_line")
    ok(act("freeze"))
    assert shown(client, name)["frozen_for"] == ["ALERT_FREEZE"]
    problem(draw(client, name, 300_000), 409, "line_frozen")
    with owner_transaction(bank.database) as owner:  # as a reapproval writes it
        owner.execute("UPDATE offer SET frozen_at = NULL, frozen_for = '{}'")
    assert shown(client, name)["frozen_for"] == ["ALERT_FREEZE"]
    assert ok(act("thaw"))["proposal"] == "thaw"
    problem(act("thaw"), 403, "same_officer")
    assert shown(client, name)["frozen_for"] == ["ALERT_FREEZE"]
    ok(act("thaw", role=SECOND))
    assert shown(client, name)["frozen_for"] == []


def test_a_cut_lowers_the_line_and_frees_the_cap(bank: Bank, client: Client, act: Act) -> None:
    name = line(client)
    before = shown(client, name)["limit_fen"]
    raised(bank, [sighting(subject=subject_of(bank, GOOD))])
    ok(act("limit_cut", limit_fen=500_000))
    assert shown(client, name)["limit_fen"] == 500_000 < before
    with tenant_transaction(bank.database, "city") as connection:
        held, used = connection.execute(
            "SELECT (SELECT sum(held_fen) FROM offer), (SELECT sum(used) FROM budget WHERE name = 'household')"
        ).fetchone()
    assert held == used


def test_many_are_acted_upon_at_once_and_who_is_refused_is_told_why(bank: Bank, client: Client) -> None:
    raised(bank, [sighting(f"L{n}", subject=n) for n in range(4)])
    alerts = [{"alert_id": str(name_of(bank, f"L{n}")), "version": 1 + (n == 3)} for n in range(4)]
    alerts.append({"alert_id": str(uuid4()), "version": 1})
    body = {"alerts": alerts, "action": {"kind": "call", "reason": "round of calls"}}
    ask = client.as_(OFFICER).ask
    first = ok(ask("POST", "/v1/alerts:bulk", json=body, headers={"Idempotency-Key": "b"}))
    assert [each["refused"] for each in first] == [None, None, None, "alert_changed", "unknown_alert"]
    assert ok(ask("POST", "/v1/alerts:bulk", json=body, headers={"Idempotency-Key": "b"})) == first
    assert kinds(bank, name_of(bank, "L0")) == ["raised", "call"]
    single = {"alerts": alerts[:1], "action": {"kind": "freeze", "reason": "court"}}
    problem(ask("POST", "/v1/alerts:bulk", json=single, headers={"Idempotency-Key": "c"}), 422, "wrong_action")  # fmt: skip


def test_feedback_measures_precision_with_an_interval(bank: Bank, client: Client, act: Act) -> None:
    raised(bank, [sighting(f"L{n}", subject=n) for n in range(5)])
    for n, verdict in enumerate(("true_warning", "true_warning", "true_warning", "false_alarm", "unclear")):
        ok(act("feedback", loan=f"L{n}", verdict=verdict))
    (found,) = ok(client.as_(OFFICER).ask("GET", "/v1/alerts/precision"))
    assert (found["signal"], found["level"], found["precision"]) == ("ss_stop", "orange", 0.75)
    assert (found["true_warnings"], found["false_alarms"], found["unclear"]) == (3, 1, 1)
    assert (round(found["low"], 4), round(found["high"], 4)) == (0.3006, 0.9544)  # Wilson, 3 of 4


def test_what_is_overdue_goes_to_the_supervisor_once_to_each_level(bank: Bank, act: Act) -> None:
    raised(bank, [sighting(), sighting("L2", subject=2)])
    ok(act("call"))
    since = bank.clock.now

    def work(days: int) -> int:
        chosen = [kind for kind in KINDS if kind.name == "escalate_alerts"]
        (job,) = Worker(bank.settings, bank.database, chosen, lambda: since + days * DAY).drain()
        return int((job.result or {})["alerts"])

    assert [work(2), work(4), work(5), work(11), work(12)] == [0, 1, 0, 1, 0]
    assert kinds(bank, name_of(bank, "L2")) == ["raised", "overdue", "overdue"]
    assert stored(bank)["L2", "ss_stop"].late == 2
    with tenant_transaction(bank.database, "city") as connection:
        assert raise_overdue(connection, "city", since + 20 * DAY) == 1, "the call's result was not there"


def test_a_read_of_an_alert_is_in_the_access_log(bank: Bank, client: Client) -> None:
    raised(bank, [sighting()])
    ok(client.as_(OFFICER).ask("GET", f"/v1/alerts/{name_of(bank)}"))
    with tenant_transaction(bank.database, "city") as connection:
        row = connection.execute(
            "SELECT purpose, datasets, subjects FROM access_log ORDER BY at DESC LIMIT 1"
        ).fetchone()
    assert row == ("post_loan_management", ["alert"], [1])
