"""What `yidai worker --once` does for a bank: records into the lake, dropped files loaded, online rows that follow."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from features.timeline.lake import Lake
from serving.store.session import owner_transaction
from serving.work import repository
from serving.work.kinds import CROWDED, KINDS
from serving.work.model import JobState, QueuedJob
from serving.work.worker import SECOND, Worker
from tests.serving.feeding import COURT, ingest, online
from tests.serving.records.sending import case, sent, versions
from tests.serving.world import GOOD, LATE, MIDDLE, POOR, Bank, Client

WEEK = 8 * 24 * 3600 * SECOND


@pytest.fixture
def turn(bank: Bank) -> Worker:
    """A worker at a moment at which every periodic job is due; each test's comes a week after the last one's."""
    bank.clock.now += WEEK
    now = bank.clock.now
    return Worker(
        replace(bank.settings, token=bank.tokens["risk_officer"]), bank.database, KINDS, lambda: now
    )


def work(worker: Worker) -> dict[str, QueuedJob]:
    done = {job.kind: job for job in worker.drain()}
    assert {job.state for job in done.values()} <= {JobState.DONE}, done
    return done


def test_all_kinds_that_are_wanted_are_done(turn: Worker) -> None:
    done = work(turn)
    assert set(done) == {kind.name for kind in KINDS if kind.every} - {"take_files"}
    assert work(turn) == {}, "once a period"


def test_records_that_came_one_by_one_are_in_the_lake_then(client: Client, bank: Bank, turn: Worker) -> None:
    assert sent(client, [case(LATE, "W1")])["accepted"] == 1
    assert (work(turn)["flush"].result or {})["records"] == 1
    with owner_transaction(bank.database) as owner:
        assert owner.execute("SELECT count(*) FROM record_tail").fetchone() == (0,)
    assert Lake(bank.settings.lake_root).flushed() > 0


def test_a_dropped_file_is_loaded_and_who_is_online_follows(
    client: Client, bank: Bank, turn: Worker, tmp_path: Path
) -> None:
    client.consent_id(MIDDLE)
    before = online(bank, MIDDLE)
    (tmp_path / "court_case.csv").write_text(
        f"{','.join(COURT.split())}\n{MIDDLE},D7,2024-11-01,,100,civil,2024-11-05T09:00:00\n"
    )
    worker = replace(turn, settings=replace(turn.settings, drop_folder=tmp_path))
    assert (work(worker)["take_files"].result or {}) == {"files": 1, "loaded": 1}
    after = online(bank, MIDDLE)
    assert before is not None
    assert after is not None
    assert len(after[1]["court_case"].subject) == len(before[1]["court_case"].subject) + 1
    report = json.loads((tmp_path / "done" / "court_case.csv.report.json").read_text())
    assert report["loaded"] == 1


def test_an_ingest_that_died_before_the_online_rows_followed_is_made_good(
    client: Client, bank: Bank, turn: Worker, tmp_path: Path
) -> None:
    client.consent_id(GOOD)
    work(turn)
    ingest(
        bank,
        tmp_path,
        "court_case",
        COURT,
        [[GOOD, "K1", "2024-11-01", "", 5, "civil", "2024-11-05T09:00:00"]],
    )
    bank.clock.now += 61 * SECOND
    now = bank.clock.now
    held = online(bank, GOOD)
    assert held is not None
    assert len(held[1]["court_case"].subject) == 0
    done = work(replace(turn, clock=lambda: now))
    assert (done["hydrate"].result or {})["followed"] >= 1
    held = online(bank, GOOD)
    assert held is not None
    assert len(held[1]["court_case"].subject) == 1


def test_a_sample_keeps_what_its_own_moment_may_see(bank: Bank, turn: Worker, tmp_path: Path) -> None:
    kept, gone = (
        [POOR, name, "2019-01-01", closed, 5, "civil", "2019-02-01T09:00:00"]
        for name, closed in (("S1", "2020-01-15"), ("S2", "2019-12-01"))
    )
    ingest(bank, tmp_path / "kept", "court_case", COURT, [kept])
    ingest(bank, tmp_path / "gone", "court_case", COURT, [gone])
    before = versions(bank, POOR)
    assert (work(turn)["compact"].result or {})["aged"] == 1, (
        "60 months after its end, as of the sample's moment"
    )
    assert versions(bank, POOR) == before[:-1]


def test_crowded_buckets_are_merged_and_others_wait_for_the_day(
    bank: Bank, tmp_path: Path, turn: Worker
) -> None:
    work(turn)
    for k in range(CROWDED):
        row = [GOOD, f"M{k}", "2024-11-01", "", 5, "civil", "2024-11-05T09:00:00"]
        ingest(bank, tmp_path / str(k), "court_case", COURT, [row])
    folder = Lake(bank.settings.lake_root)
    assert len(folder.segments("court_case")) == CROWDED + 1
    bank.clock.now += 3_601 * SECOND
    now = bank.clock.now
    done = work(replace(turn, clock=lambda: now))
    assert "compact" not in done
    assert (done["merge_crowded"].result or {})["buckets"] == 1
    assert len(folder.segments("court_case")) == 1
    assert len(versions(bank, GOOD)) >= CROWDED


def test_a_token_that_may_not_resolve_is_told_and_stops_nothing_else(bank: Bank, turn: Worker) -> None:
    settings = replace(turn.settings, token=bank.tokens["integration_engineer"])
    found = {job.kind: job for job in replace(turn, settings=settings).drain()}
    assert found["resolve"].state is JobState.WAITING
    assert "RESOLVE" in found["resolve"].error.upper()
    assert found["compact"].state is JobState.DONE
    with owner_transaction(bank.database) as owner:
        assert repository.next_due(owner, ["resolve"]) == found["resolve"].due_at
