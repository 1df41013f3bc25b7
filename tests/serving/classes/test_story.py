"""A month of classes, from the book to the provisions, told by the commands and requests of docs/classes.md."""

from __future__ import annotations

import json
import re
import shlex
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from features.canonical import canonical_bytes
from serving.classes.parameters import SHIPPED
from serving.registry.model import Kind
from serving.store.session import tenant_transaction
from tests.serving.alerts.desk import SECOND, raised, second_officer, sighting
from tests.serving.cases.test_cases_cli import told, yidai
from tests.serving.classes.rows import DOCUMENT
from tests.serving.feeding import ingest
from tests.serving.world import DISHONEST, GOOD, LATE, Bank, Client, problem

PAGE = Path("docs/classes.md").read_text(encoding="utf-8")
LOAN = "id_number loan_id application_id granted_at drawn_at due_on ended_at principal annual_rate_ppm term_months state published_at"  # fmt: skip
DUE = "id_number loan_id number due_on due_amount published_at"
PAID = "id_number loan_id number paid_at amount days_late"
MADE = "2024-06-01T09:00:00"
BORROWERS = {"L1": GOOD, "L2": LATE, "L3": DISHONEST, "L4": GOOD}


def blocks(kind: str) -> list[str]:
    """The lines of the page's blocks of a kind, commands without their prompt."""
    found = re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)
    return [line.removeprefix("$ ") for block in found for line in block.strip().splitlines()]


@pytest.fixture(scope="module", autouse=True)
def records(bank: Bank, client: Client, tmp_path_factory: pytest.TempPathFactory) -> None:
    """L1 and L3 pay, L2 does not, L4 pays until it is repaid in November."""
    second_officer(bank)
    for number in (GOOD, LATE, DISHONEST):
        client.consent_id(number, purpose="post_loan_management")
    folder = tmp_path_factory.mktemp("loans")
    loans = [
        [who, name, f"A{name}", MADE, MADE, "2025-06-01", "", 12_000, 60_000, 12, "active", MADE]
        for name, who in BORROWERS.items()
    ]
    dues = [
        [who, name, k, f"2024-{6 + k:02d}-12", "1030", MADE]
        for name, who in BORROWERS.items()
        for k in range(1, 7)
    ]
    dues += [
        [who, name, 6 + k, f"2025-{k:02d}-12", "1030", MADE]
        for name, who in BORROWERS.items()
        for k in range(1, 7)
    ]
    paid = [
        [BORROWERS[name], name, k, f"2024-{6 + k:02d}-11T09:00:00", "1030", 0]
        for name in ("L1", "L3", "L4")
        for k in range(1, 6)
    ]
    paid += [[GOOD, "L4", k, "2024-11-20T09:00:00", "1030", 0] for k in range(6, 13)]
    ingest(bank, folder / "a", "loan", LOAN, loans)
    ingest(bank, folder / "b", "loan_instalment", DUE, dues)
    ingest(bank, folder / "c", "loan_payment", PAID, paid)
    raised(bank, [sighting("L1")], "2024-10-10")
    bank.approved("classes", Kind.CLASSES, canonical_bytes(DOCUMENT))


def command(bank: Bank, line: str, who: str = "risk_officer") -> str:
    """A command of the page as somebody gives it."""
    code, text = yidai(bank, who, *shlex.split(line)[1:])
    assert code == 0, text
    return text


def request(client: Client, line: str, key: str = "") -> Any:
    """A request of the page."""
    version = client.ask("GET", "/v1/loans/L2/class").json()["loan"]["version"]
    method, path, *body = line.replace("$VERSION", str(version)).split(" ", 2)
    more: dict[str, Any] = {"json": json.loads(body[0])} if body else {}
    got = client.as_("risk_officer").ask(
        method, path, headers={"Idempotency-Key": key or str(uuid4())}, **more
    )
    assert got.status_code == 200, got.text
    return got.json()


def test_a_month_from_the_book_to_the_provisions(bank: Bank, client: Client) -> None:
    first = told(bank, "risk_officer", "classes", "propose", "--month", "2024-10")
    assert first["classes"] == {"normal": 2, "special_mention": 0, "substandard": 2, "doubtful": 0, "loss": 0}
    propose, listed, show, confirm, better, sums, check = blocks("console")
    assert "3 loans" in command(bank, propose)
    again = told(bank, "risk_officer", *shlex.split(propose)[1:])
    assert (again["changed"], again["left"]) == (0, {"repaid": 1, "written_off": 0})
    assert all(name in command(bank, listed) for name in ("L1", "L2", "L3", "次级"))
    assert "142 days past due" in command(bank, show)
    assert "substandard, version 2." in command(bank, confirm)
    assert "normal waits for a second person" in command(bank, better)
    assert "you were the first" in yidai(bank, "risk_officer", *shlex.split(better)[1:])[1]
    assert "normal, version 3." in command(bank, better, SECOND)
    assert "From 2024-10" in command(bank, sums)
    assert "0 errors." in command(bank, check)

    page, view, ruled, summary = (request(client, line) for line in blocks("http"))
    assert [
        (row["loan_id"], row["risk_class"], row["stage"], row["alert_level"]) for row in page["classes"]
    ] == [("L1", "normal", 2, "orange")]
    assert [event["kind"] for event in view["events"]] == ["confirmed"]
    assert (ruled["risk_class"], ruled["proposed"], ruled["reason"]) == (
        "doubtful",
        "substandard",
        "the borrower has left",
    )
    assert (summary["unconfirmed"], summary["total"]["loans"]) == (1, 3)
    for one in summary["movement"]:
        parts = {name: value for name, value in one.items() if name not in {"stage", "closing"}}
        assert sum(parts.values()) == one["closing"]
    assert sum(one["repaid"] for one in summary["movement"]) < 0


def test_a_payment_that_becomes_known_later_waits_for_the_observation(
    bank: Bank, client: Client, tmp_path
) -> None:
    assert client.ask("GET", "/v1/loans/L2/class").json()["loan"]["confirmed"]
    rows = [[LATE, "L2", k, "2024-11-28T09:00:00", "1030", 90] for k in range(1, 6)]
    ingest(bank, tmp_path, "loan_payment", PAID, rows)
    told(bank, "risk_officer", "classes", "propose", "--month", "2024-11")
    after = client.ask("GET", "/v1/loans/L2/class").json()["loan"]
    assert (after["dpd"], after["raised"], after["proposed"], after["held_by"]) == (
        0,
        "normal",
        "substandard",
        "REG-RC-07",
    )
    assert (after["risk_class"], after["confirmed"]) == ("doubtful", True)


def test_a_class_that_people_set_enters_the_next_month_which_asks_for_a_word_anew(
    bank: Bank, client: Client
) -> None:
    line = 'yidai classes confirm L2 special_mention --month 2024-10 --reason "paid on the day"'
    assert "waits" in command(bank, line)
    command(bank, line, SECOND)
    told(bank, "risk_officer", "classes", "propose", "--month", "2024-11")
    after = client.ask("GET", "/v1/loans/L2/class").json()
    assert (after["loan"]["risk_class"], after["loan"]["confirmed"]) == ("normal", False)
    assert (after["events"][-1]["kind"], after["events"][-1]["from_class"]) == ("proposed_anew", "doubtful")


def test_of_officers_at_once_one_rules_and_the_others_are_told(client: Client) -> None:
    version = client.ask("GET", "/v1/loans/L3/class").json()["loan"]["version"]
    officers = [client.as_(who) for who in ("risk_officer", SECOND)] * 3
    body = {"risk_class": "special_mention", "reason": "watched", "version": version}

    def say(who: Client) -> int:
        headers = {"Idempotency-Key": str(uuid4())}
        return who.ask("POST", "/v1/loans/L3/class", json=body, headers=headers).status_code

    with ThreadPoolExecutor(len(officers)) as pool:
        assert sorted(pool.map(say, officers)) == [200, *[409] * 5]
    assert client.ask("GET", "/v1/loans/L3/class").json()["loan"]["version"] == version + 1


def test_the_same_key_does_it_once_and_another_ruling_under_it_is_refused(client: Client) -> None:
    officer = client.as_("risk_officer")
    version = client.ask("GET", "/v1/loans/L1/class").json()["loan"]["version"]
    body = {"risk_class": "special_mention", "reason": "watched", "version": version}
    headers = {"Idempotency-Key": "once"}
    first = officer.ask("POST", "/v1/loans/L1/class", json=body, headers=headers)
    assert officer.ask("POST", "/v1/loans/L1/class", json=body, headers=headers).json() == first.json()
    assert first.json()["version"] == version + 1
    other = body | {"risk_class": "loss"}
    problem(officer.ask("POST", "/v1/loans/L1/class", json=other, headers=headers), 409)
    problem(
        officer.ask("POST", "/v1/loans/L1/class", json=body, headers={"Idempotency-Key": "two"}),
        409,
        "class_changed",
    )


@pytest.mark.parametrize(
    ("path", "change", "status", "code"),
    [
        ("/v1/loans/nobody/class", {}, 404, "unknown_class"),
        ("/v1/loans/L1/class", {"reason": ""}, 422, "wrong_ruling"),
        ("/v1/loans/L1/class", {"reason": f"see {GOOD}"}, 422, "number_in_text"),
        ("/v1/loans/L1/class", {"month": "2024-13"}, 422, ""),
        ("/v1/loans/L4/class", {}, 409, "loan_left"),
    ],
)
def test_what_is_refused_is_told(client: Client, path, change, status, code) -> None:
    version = client.ask("GET", "/v1/loans/L1/class").json()["loan"]["version"]
    body = {"risk_class": "doubtful", "reason": "seen", "version": 1 if "L4" in path else version} | change
    got = client.as_("risk_officer").ask("POST", path, json=body, headers={"Idempotency-Key": str(uuid4())})
    problem(got, status, code)


def test_a_month_that_is_not_over_is_not_classed(bank: Bank) -> None:
    for month in ("2024-12", "2025-13", "soon"):
        code, text = yidai(bank, "risk_officer", "classes", "propose", "--month", month)
        assert (code, "2026-10" in text) == (2, True)


def test_pages_lead_on_and_filters_hold(client: Client) -> None:
    first = client.ask("GET", "/v1/classes", params={"most": 2}).json()
    assert ([row["loan_id"] for row in first["classes"]], first["next"]) == (["L1", "L2"], "L2")
    rest = client.ask("GET", "/v1/classes", params={"most": 2, "after": "L2"}).json()
    assert ([row["loan_id"] for row in rest["classes"]], rest["next"]) == (["L3", "L4"], None)
    only = client.ask("GET", "/v1/classes", params={"risk_class": "special_mention"}).json()
    assert [row["loan_id"] for row in only["classes"]] == ["L1"]


def test_the_same_over_http_and_on_the_command_line(bank: Bank, client: Client) -> None:
    assert told(bank, "auditor", "classes", "show", "L2") == client.ask("GET", "/v1/loans/L2/class").json()
    assert (
        told(bank, "auditor", "classes", "provisions") == client.ask("GET", "/v1/classes/provisions").json()
    )
    assert told(bank, "auditor", "classes", "list") == client.ask("GET", "/v1/classes").json()


def test_a_read_is_in_the_access_log_and_another_tenant_sees_nothing(bank: Bank, client: Client) -> None:
    with tenant_transaction(bank.database, "city") as connection:
        seen = connection.execute(
            "SELECT count(*) FROM access_log WHERE datasets = '{class_point}'"
        ).fetchone()
    assert seen is not None
    assert seen[0] > 0
    problem(client.as_("stranger").ask("GET", "/v1/loans/L1/class"), 404, "unknown_class")
    problem(client.as_("stranger").ask("GET", "/v1/classes"), 404, "no_month")


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM class_point",
        "UPDATE class_event SET reason = ''",
        "UPDATE class_point SET subject_id = 1",
    ],
)
def test_what_was_said_is_never_changed(bank: Bank, statement: str) -> None:
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        tenant_transaction(bank.database, "city") as connection,
    ):
        connection.execute(statement)


def test_rules_go_from_a_file_to_the_slot_by_two_people(bank: Bank, tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        SHIPPED.read_text(encoding="utf-8").replace("upgrade_months: 6", "upgrade_months: 9"),
        encoding="utf-8",
    )
    text = command(bank, f"yidai models submit classes {mine}")
    name = re.search(r"[0-9a-f]{12,64}", text)
    assert name is not None
    assert "may not approve" in yidai(bank, "risk_officer", "models", "approve", name[0][:12])[1]
    command(bank, f"yidai models approve {name[0][:12]}", SECOND)
    command(bank, f"yidai models promote classes {name[0][:12]}")
    first = told(bank, "risk_officer", "classes", "propose", "--month", "2024-11")
    assert first["parameters"].startswith(name[0][:12])
    broken = tmp_path / "broken.yaml"
    broken.write_text(
        mine.read_text(encoding="utf-8").replace("weight_ppm: 500000", "weight_ppm: 400000"), encoding="utf-8"
    )
    code, told_text = yidai(bank, "risk_officer", "classes", "check", str(broken))
    assert (code, "add to 900000 ppm" in told_text) == (1, True)
    assert "add to 900000 ppm" in yidai(bank, "risk_officer", "models", "submit", "classes", str(broken))[1]
