"""A source that has gone silent is SOURCE_DOWN in real decisions, and back as soon as it delivers."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from uuid import UUID

from features.calendar import instant
from features.timeline.ingest import IngestReport, ingest_folder
from features.timeline.lake import Lake
from serving.access.model import Permission
from serving.decisions.replay import ReplayStatus, replay
from serving.quality.sources import judge
from serving.store.session import owner_transaction
from tests.serving.feeding import COURT, vault_of
from tests.serving.records.sending import sent
from tests.serving.world import GOOD, NOW, PLAN, POOR, Bank, Client, asking

LATER = instant("2025-06-01")
"""Half a year after the feeds of the sample ended: longer than three of their usual gaps."""


def judged(bank: Bank, now: int) -> set[str]:
    found = judge(bank.database, Lake(bank.settings.lake_root), PLAN.contracts, now)
    return {name for name, each in found.items() if each.late(now)}


def delivered(bank: Bank, folder: Path, rows: list[list[str]]) -> IngestReport:
    """One file of court cases."""
    folder.mkdir()
    with (folder / "court_case.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([COURT.split(), *rows])
    return ingest_folder(folder, PLAN.contracts, vault_of(bank), Lake(bank.settings.lake_root))


def status(bank: Bank, name: str) -> ReplayStatus:
    (found,) = replay(bank.settings, bank.database, bank.authority("auditor", Permission.REPLAY), UUID(name))
    return found.status


def test_a_silent_source_is_down_until_it_delivers(client: Client, bank: Bank) -> None:
    consent = client.consent_id(GOOD)
    assert judged(bank, bank.settings.as_of) == set()
    before = client.decide(GOOD, consent).json()
    assert "missing_sources" not in before or "social_insurance" not in before["missing_sources"]
    with asking(bank, replace(bank.settings, as_of=LATER)) as late:
        during = late.decide(GOOD, consent).json()
        assert during["missing_sources"] == {
            "bureau_repayment": "SOURCE_DOWN",
            "bureau_repayment@household": "SOURCE_DOWN",
            "social_insurance": "SOURCE_DOWN",
            "social_insurance@household": "SOURCE_DOWN",
        }
        row = {"id_number": POOR, "period": "2024-12", "base": "4000", "employer": "E1", "status": "paid"}
        bank.clock.now = max(bank.clock.now, LATER)
        report = sent(client, [row | {"published_at": "2025-05-31T09:00:00+08:00"}], "social_insurance")
        assert report["accepted"] == 1, report
        after = late.decide(GOOD, consent).json()
        assert set(after["missing_sources"]) == {"bureau_repayment", "bureau_repayment@household"}
        assert judged(bank, LATER) == {"bureau_repayment"}, (
            "what is heard and not in the lake yet stays heard"
        )
        assert late.decide(GOOD, consent).json()["missing_sources"] == after["missing_sources"]
    assert {status(bank, each["decision_id"]) for each in (before, during, after)} == {ReplayStatus.SAME}


def test_a_source_whose_last_file_is_mostly_wrong_is_down_until_a_good_one_came(
    client: Client, bank: Bank, tmp_path: Path
) -> None:
    consent = client.consent_id(GOOD)
    before = client.decide(GOOD, consent).json()
    wrong = [[POOR, "C9", "2024-11-01", "", "1", "nonsense", "2024-11-05T09:00:00"] for _ in range(200)]
    report = delivered(bank, tmp_path / "wrong", wrong)
    assert report.quarantined == 200
    judged(bank, bank.settings.as_of)
    during = client.decide(GOOD, consent).json()
    assert during["missing_sources"]["court_case"] == "SOURCE_DOWN"
    receipt = client.as_("auditor").ask("GET", f"/v1/decisions/{during['decision_id']}/receipt").json()
    assert receipt["case"]["causes"]["court_case"] == "accuracy"
    fine = [[POOR, f"C{k}", "2024-11-01", "", "1", "civil", "2024-11-05T09:00:00"] for k in range(200)]
    assert delivered(bank, tmp_path / "fine", fine).loaded == 200
    judged(bank, bank.settings.as_of)
    after = client.decide(GOOD, consent).json()
    assert after["missing_sources"] == before["missing_sources"]
    assert {status(bank, each["decision_id"]) for each in (before, during, after)} == {ReplayStatus.SAME}


def test_a_sample_is_judged_as_of_its_own_moment(client: Client, bank: Bank) -> None:
    consent = client.consent_id(POOR)
    bank.clock.now = max(bank.clock.now, LATER)
    assert bank.settings.as_of < NOW < bank.clock.now
    assert "SOURCE_DOWN" not in client.decide(POOR, consent).json().get("missing_sources", {}).values()


def test_the_application_may_not_say_how_long_a_source_may_be_silent(bank: Bank) -> None:
    judged(bank, bank.settings.as_of)
    with owner_transaction(bank.database) as owner:
        found = owner.execute(
            "SELECT has_column_privilege('yidai_app', 'source_delivery', 'allowed', 'UPDATE')"
        ).fetchone()
    assert found == (False,)
