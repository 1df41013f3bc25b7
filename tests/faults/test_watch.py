"""The worker that looks at once is killed before every step that it takes, and the clock jumps: each alert is raised once."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from features.calendar import DAY, iso
from features.canonical import canonical_bytes
from features.contracts.documents import read_yaml
from serving.registry.model import Kind
from serving.services import wall_clock
from serving.store.session import owner_transaction, tenant_transaction
from serving.watch.signals import SHIPPED, SignalsDocument
from serving.work.live import LiveWatch
from tests.faults.load import Api, wait_until
from tests.faults.steps import COUNTED
from tests.faults.test_worker import started
from tests.serving.loans.desk import Desk
from tests.serving.records.sending import sent
from tests.serving.world import LATE, Bank, Client

STEPS = f"""{COUNTED}
from serving.work.live import LiveWatch
settings = Settings.load()
live = LiveWatch(settings, open_database(settings))
counted(psycopg.Connection, "execute", "commit")
list(live.drain())
"""
"""Every statement and commit is a step; the process dies before the one with the given number."""
SLICE = os.environ.get("YIDAI_CAMPAIGN") == "slice"
APART = 20 if SLICE else 1
FROZEN = "account_frozen"


@pytest.fixture(scope="module")
def teller(bank: Bank, api: Api) -> Iterator[Client]:
    """Whoever tells of loans and accounts, to a bank whose signals are in force."""
    bank.approved("signals", Kind.SIGNALS, canonical_bytes(read_yaml(SHIPPED, SignalsDocument)))
    with httpx.Client(base_url=api.url, timeout=30) as http:
        yield Client(http, bank)


def lent(teller: Client) -> str:
    """One more loan, nothing of it due yet."""
    desk, day = Desk(teller), iso(teller.bank.settings.as_of or 0)[:10]
    assert desk.grant(id_number=LATE, granted_at=day).status_code == 201
    due = {"due_on": "2199-01-05", "principal_fen": 1_000, "interest_fen": 0}
    assert desk.tell("drawdowns", at=day, amount_fen=1_000, schedule=[due]).status_code == 201
    return desk.loan


def frozen(teller: Client, name: str) -> None:
    """An account of the borrower is frozen."""
    row = {
        "id_number": LATE,
        "freeze_no": name,
        "frozen_on": "2024-12-01",
        "authority": "court",
        "amount": "1",
    }
    assert sent(teller, [{**row, "published_at": "2024-12-02T09:00:00"}], "account_freeze")["accepted"] == 1


def raised(bank: Bank) -> dict[str, int]:
    """Loans with an alert of the frozen account, and how often it was raised."""
    asked = """
    SELECT a.loan, count(*) FROM alert a JOIN alert_event e USING (tenant_id, alert_id)
    WHERE a.signal = %s AND e.kind = 'raised' GROUP BY a.loan"""
    with tenant_transaction(bank.database, "city") as connection:
        return dict(connection.execute(asked, (FROZEN,)).fetchall())


def waiting(bank: Bank) -> int:
    with owner_transaction(bank.database) as owner:
        row = owner.execute("SELECT count(*) FROM watch_queue").fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.campaign
def test_whoever_is_killed_loses_no_alert_and_doubles_none(bank: Bank, teller: Client) -> None:
    loans, step, code = set[str](), 1, -signal.SIGKILL
    now = {"YIDAI_AS_OF": ""}
    while code:
        loans.add(lent(teller))
        frozen(teller, f"K{step}")
        assert waiting(bank) >= 1
        code = started(bank, "-c", STEPS, str(step), **now).wait(60)
        assert code in {0, -signal.SIGKILL}
        assert started(bank, "-c", STEPS, "0", **now).wait(60) == 0, "who comes after does all that was left"
        assert waiting(bank) == 0
        assert raised(bank).keys() >= loans
        step += APART
    assert set(raised(bank).values()) == {1}
    assert len(loans) > 2, "two were killed at least"
    print(f"{len(loans) - 1} kills, each before another of {step - APART} steps")


def test_a_clock_that_jumps_loses_and_doubles_no_alert(bank: Bank, teller: Client) -> None:
    now = wall_clock()
    for turn, jump in enumerate((0, -DAY, 3 * DAY, 0)):
        loan = lent(teller)
        frozen(teller, f"J{turn}")
        watcher = LiveWatch(replace(bank.settings, as_of=None), bank.database, lambda at=now + jump: at)  # type: ignore[misc]
        list(watcher.drain())
        if jump < 0:  # a loan that is told of tomorrow is not known yet: its row waits
            assert waiting(bank) == 1
            assert loan not in raised(bank)
        now = wall_clock() + 1_000_000
    list(LiveWatch(replace(bank.settings, as_of=None), bank.database, lambda: now).drain())
    assert waiting(bank) == 0
    assert loan in raised(bank)
    assert set(raised(bank).values()) == {1}


def test_the_command_looks_at_once_and_ends_in_order(bank: Bank, teller: Client) -> None:
    loan = lent(teller)
    frozen(teller, "C1")
    one = started(bank, "-m", "serving.cli", "worker", "--only-watch", YIDAI_AS_OF="")
    wait_until(lambda: loan in raised(bank), one)
    one.terminate()
    assert one.wait(30) == 0
