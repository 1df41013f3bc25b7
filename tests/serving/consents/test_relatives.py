"""A household's records are read with the consent of every member who is seen in them, and not otherwise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from features.calendar import DAY
from features.matrix import Missing
from features.timeline.events import EventTable
from serving.decisions.replay import ReplayStatus
from serving.operations import replay
from serving.settings import Settings
from tests.serving.feeding import ingest, online, rehydrate, sweep
from tests.serving.world import GOOD, LATE, MIDDLE, POOR, Bank, Client

REGISTER = "id_number household_no role birth_date name address phone village registered_since registered_until published_at"
VIEW = "bureau_repayment@household"


@pytest.fixture(scope="module", autouse=True)
def household(bank: Bank, tmp_path_factory: pytest.TempPathFactory) -> None:
    """GOOD and LATE live together since 2020; MIDDLE alone; POOR left them in 2021."""
    rows = [
        [GOOD, "H1", "head", "1985-06-12", "", "", "", "V1", "2020-01-01", "", "2020-01-05T09:00:00"],
        [LATE, "H1", "spouse", "1985-06-12", "", "", "", "V1", "2020-01-01", "", "2020-01-05T09:00:00"],
        [MIDDLE, "H2", "head", "1985-06-12", "", "", "", "V1", "2020-01-01", "", "2020-01-05T09:00:00"],
    ]
    ingest(bank, tmp_path_factory.mktemp("register"), "population_register", REGISTER, rows)


def view(bank: Bank, number: str) -> EventTable | None:
    """What is online of somebody's household's repayments."""
    found = online(bank, number)
    return None if found is None else found[1].get(VIEW)


def late_months(client: Client, answer: httpx.Response) -> object:
    """The feature of the household's late months, as the receipt tells it."""
    got = client.as_("auditor").ask("GET", f"/v1/decisions/{answer.json()['decision_id']}/receipt")
    assert got.status_code == 200, got.text
    return got.json()["facts"]["hh_overdue_cnt_12m"]


def replayed(answer: httpx.Response, settings: Settings) -> ReplayStatus:
    """What comes of deciding again."""
    (found,) = replay(settings, UUID(answer.json()["decision_id"]))
    assert found.differences == ()
    return found.status


def test_one_who_lives_alone_needs_nobody_else(client: Client, bank: Bank) -> None:
    client.consent_id(MIDDLE)
    table = view(bank, MIDDLE)
    assert table is not None
    assert len(table) == 14


def test_a_relative_s_records_need_the_relative_s_consent_and_replay_knows_it(
    client: Client, bank: Bank
) -> None:
    mine = client.consent_id(GOOD)
    assert view(bank, GOOD) is None
    before = client.decide(GOOD, mine)
    assert late_months(client, before) == Missing.NOT_AUTHORISED.name
    theirs = client.consent_id(LATE, categories=["bureau"])
    seen = view(bank, GOOD)
    assert seen is not None
    assert len(seen) == 28
    during = client.decide(GOOD, mine)
    assert late_months(client, during) == 6
    assert client.ask("DELETE", f"/v1/consents/{theirs}").status_code == 200
    assert view(bank, GOOD) is None
    after = client.decide(GOOD, mine)
    assert late_months(client, after) == Missing.NOT_AUTHORISED.name
    settings = replace(bank.settings, token=bank.tokens["auditor"])
    for answer in (before, during, after):
        assert replayed(answer, settings) is ReplayStatus.SAME


def test_another_category_or_an_end_or_one_s_own_refusal_does_not_open_it(client: Client, bank: Bank) -> None:
    client.consent_id(LATE, categories=["court"])
    assert view(bank, GOOD) is None
    short = client.consent_id(LATE, categories=["bureau"], valid_to="2025-03-01")
    assert view(bank, GOOD) is not None
    assert view(bank, LATE) is not None  # GOOD agreed too
    bank.clock.now += 70 * DAY
    sweep(bank)
    assert view(bank, GOOD) is None
    client.ask("DELETE", f"/v1/consents/{short}")


def test_a_corrected_household_is_honoured_and_old_decisions_stay(
    client: Client, bank: Bank, tmp_path: Path
) -> None:
    """LATE turns out to have left in 2021; POOR lives there."""
    mine = client.consent_id(GOOD)
    theirs = client.consent_id(LATE)
    before = client.decide(GOOD, mine)
    rows = [
        [
            LATE,
            "H1",
            "spouse",
            "1985-06-12",
            "",
            "",
            "",
            "V1",
            "2020-01-01",
            "2021-01-01",
            "2024-12-01T09:00:00",
        ],
        [POOR, "H1", "child", "1985-06-12", "", "", "", "V1", "2020-01-01", "", "2024-12-01T09:00:00"],
    ]
    ingest(bank, tmp_path, "population_register", REGISTER, rows)
    rehydrate(bank)
    assert view(bank, GOOD) is None  # POOR was not asked
    client.consent_id(POOR)
    seen = view(bank, GOOD)
    assert seen is not None
    assert len(seen) == 28
    after = client.decide(GOOD, mine)
    assert late_months(client, before) == 6
    assert late_months(client, after) == 0
    settings = replace(bank.settings, token=bank.tokens["auditor"])
    for answer in (before, after):
        assert replayed(answer, settings) is ReplayStatus.SAME
    client.ask("DELETE", f"/v1/consents/{theirs}")
    assert view(bank, GOOD) is None  # what LATE did before leaving is LATE's still
