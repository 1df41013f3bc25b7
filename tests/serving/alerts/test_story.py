"""One alert's whole story, from the record to the release, told by the commands and requests of docs/alerts.md."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from features.calendar import DAY, instant, iso
from features.timeline.lake import Lake
from serving.access.model import Permission
from serving.clock import wall_clock
from serving.watch.document import SignalsDocument
from serving.watch.service import watch
from serving.watch.signals import SHIPPED, load_signals
from tests.serving.alerts.desk import SECOND, kinds, second_officer, stored
from tests.serving.cases.test_cases_cli import told, yidai
from tests.serving.feeding import ingest
from tests.serving.world import LATE, PLAN, Bank, Client

PAGE = Path("docs/alerts.md").read_text(encoding="utf-8")
SIGNALS: SignalsDocument = load_signals(SHIPPED, [column.name for column in PLAN.columns])
LOAN = "id_number loan_id application_id granted_at drawn_at due_on ended_at principal annual_rate_ppm term_months state published_at"  # fmt: skip
DUE = "id_number loan_id number due_on due_amount published_at"
PAID = "id_number loan_id number paid_at amount days_late"
MADE = "2024-08-01T09:00:00"
KEY = ("L2", "dpd_open")


def blocks(kind: str) -> list[str]:
    """The lines of the page's blocks of a kind, commands without their prompt."""
    found = re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)
    return [line.removeprefix("$ ") for block in found for line in block.strip().splitlines()]


@pytest.fixture(scope="module", autouse=True)
def records(bank: Bank, client: Client, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A loan of which three instalments are due, and no payment comes."""
    second_officer(bank)
    client.consent_id(LATE, purpose="post_loan_management")
    folder = tmp_path_factory.mktemp("loans")
    loan = [LATE, "L2", "AL2", MADE, MADE, "2025-08-01", "", 9000, 60000, 12, "active", MADE]
    dues = [[LATE, "L2", k - 8, f"2024-{k:02d}-12", "750.50", MADE] for k in (9, 10, 11)]
    ingest(bank, folder / "a", "loan", LOAN, [loan])
    ingest(bank, folder / "b", "loan_instalment", DUE, dues)


def run(bank: Bank, day: str) -> None:
    """The nightly watch of a month's last day."""
    authority, lake = bank.authority("risk_officer", Permission.HANDLE_ALERTS), Lake(bank.settings.lake_root)
    watch(bank.database, authority, PLAN, SIGNALS, "0" * 64, lake, instant(f"{day}T20:00:00"), bank.clock())


def command(bank: Bank, line: str, who: str, **values: str) -> str:
    """A command of the page as somebody gives it."""
    for name, value in values.items():
        line = line.replace(f"${name}", value)
    assert line.startswith("yidai "), line
    code, text = yidai(bank, who, *shlex.split(line)[1:])
    assert code == 0, text
    return text


def request(bank: Bank, client: Client, line: str) -> Any:
    """A request of the page."""
    alert = stored(bank)[KEY]
    line = line.replace("$ALERT", str(alert.alert_id)).replace("$VERSION", str(alert.version))
    method, path, *body = line.split(" ", 2)
    more: dict[str, Any] = {"json": json.loads(body[0])} if body else {}
    got = client.as_("risk_officer").ask(method, path, headers={"Idempotency-Key": str(uuid4())}, **more)
    assert got.status_code == 200, got.text
    return got.json()


def test_from_the_record_to_the_release(
    bank: Bank, client: Client, tmp_path_factory: pytest.TempPathFactory
) -> None:
    run(bank, "2024-09-30")
    alert = stored(bank)[KEY]
    assert (alert.level, alert.state) == ("orange", "new")
    run(bank, "2024-10-31")
    assert (stored(bank)[KEY].level, stored(bank)[KEY].state) == ("red", "ongoing")

    values = {"ALERT": str(alert.alert_id), "SOON": iso(wall_clock() + 20 * DAY)[:10]}
    *day, release = blocks("console")
    said = [command(bank, line, "risk_officer", **values) for line in day]
    assert "L2" in said[0]
    assert "逾期" in said[1]
    assert "L2" in said[5]
    assert "dpd_open" in said[-1]

    listed, story, visited, many, worth = (request(bank, client, line) for line in blocks("http"))
    assert [each["loan"] for each in listed["alerts"]] == ["L2"] * len(listed["alerts"])
    assert [event["kind"] for event in story["events"]][:3] == ["raised", "escalated", "ongoing"]
    assert visited["handled_at"] is not None
    assert many[0]["refused"] is None
    assert (worth[0]["true_warnings"], worth[0]["precision"]) == (1, 1.0)

    run(bank, "2024-11-30")
    assert stored(bank)[KEY].disposal_due is not None
    folder = tmp_path_factory.mktemp("paid")
    paid = [[LATE, "L2", k, "2024-12-15T09:00:00", "750.50", 60] for k in (1, 2, 3)]
    ingest(bank, folder, "loan_payment", PAID, paid)
    run(bank, "2024-12-31")
    assert stored(bank)[KEY].state == "ongoing"
    run(bank, "2025-01-31")
    assert stored(bank)[KEY].state == "pending_release"
    first = command(bank, release, "risk_officer", **values)
    assert "a second person" in first
    assert "released" in command(bank, release, SECOND, **values)
    assert kinds(bank, alert.alert_id) == [
        "raised", "escalated", "ongoing", "assign", "call", "snooze", "feedback", "visit", "note", "disposal_required",
        "quiet", "release_proposed", "released",
    ]  # fmt: skip


def test_a_command_names_what_it_does_not_know(bank: Bank) -> None:
    for arguments in (
        ("list", "--level", "pink"),
        ("act", str(uuid4()), "sing", "--reason", "x"),
        ("show", str(uuid4())),
    ):
        code, text = yidai(bank, "risk_officer", "alerts", *arguments)
        assert code != 0
        assert "Known:" in text or "no such alert" in text


def test_lists_and_stories_are_told_to_programs_too(bank: Bank) -> None:
    assert isinstance(told(bank, "risk_officer", "alerts", "list"), list)
    assert isinstance(told(bank, "risk_officer", "alerts", "precision"), list)
    name = str(stored(bank)[KEY].alert_id)
    assert told(bank, "risk_officer", "alerts", "show", name)["alert"]["alert_id"] == name
