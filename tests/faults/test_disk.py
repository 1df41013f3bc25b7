"""The disk is full: told as such, nothing acknowledged is lost, and over when there is room again."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from features.canonical import code_of
from features.timeline.lake import Lake
from serving.records import operations as records
from serving.records.tail import CommandTail
from serving.settings import Settings
from serving.store.engine import open_database, stop_embedded
from serving.store.migrate import migrate
from serving.store.session import owner_transaction
from tests.faults.load import Api, wait_until
from tests.faults.proof import all_replays, stored, the_log_verifies
from tests.serving.feeding import subject_of
from tests.serving.records.sending import case, send
from tests.serving.world import GOOD, LATE, PLAN, Bank, Client, make_bank, problem

SIZE = "400m"
MOST = 3_000
"""Requests until the disk is surely full: what is allocated already is used first."""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, small enough to be filled."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=755", "tmpfs", str(folder)], check=False, capture_output=True)  # fmt: skip
    if mounted.returncode:
        pytest.skip("mounting a small file system is not allowed here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def small_bank(small_disk: Path, tmp_path: Path) -> Iterator[Bank]:
    """A bank all of whose state lies on that disk."""
    settings = Settings(home=small_disk / "home")
    database = open_database(settings)
    migrate(database)
    yield make_bank(settings, database, tmp_path / "city")
    stop_embedded(settings)


def fill(folder: Path) -> Path:
    """Take all that is free."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        for size in (1 << 20, 1 << 12, 1):
            with suppress(OSError):
                while True:
                    file.write(b"x" * size)
    return filler


def is_full(folder: Path) -> bool:
    try:
        (folder / "probe").write_bytes(b"x" * 8192)
    except OSError as error:
        return error.errno == errno.ENOSPC
    finally:
        (folder / "probe").unlink(missing_ok=True)
    return False


def until_refused(client: Client, consent: str) -> tuple[dict[str, bytes], set[str]]:
    """Decide and send until both are refused; what was acknowledged, by key and by case."""
    answers: dict[str, bytes] = {}
    cases: set[str] = set()
    decided = sent = True
    for k in range(MOST):
        if not (decided or sent):
            return answers, cases
        got = client.decide(GOOD, consent, key=f"full-{k}")
        if got.status_code == 201:
            answers[f"full-{k}"] = got.content
        else:
            problem(got, 503)
            decided = False
        got = send(client, [case(LATE, f"full-{k}-{j}", kind="civil") for j in range(20)])
        if got.status_code == 200:
            assert got.json()["accepted"] == 20
            cases |= {f"full-{k}-{j}" for j in range(20)}
        else:
            problem(got, 503)
            sent = False
    raise AssertionError("the disk was never full")


@pytest.mark.campaign
def test_a_full_disk_is_told_and_loses_nothing(small_bank: Bank, small_disk: Path, tmp_path: Path) -> None:
    bank = small_bank
    api = Api(bank, tmp_path / "serve.log")
    api.start()
    with httpx.Client(base_url=api.url, timeout=30) as http:
        client = Client(http, bank)
        consent = client.consent_id(GOOD, valid_to="2190-01-01")
        before = set(stored(bank))
        early = {f"early-{k}": client.decide(GOOD, consent, key=f"early-{k}").content for k in range(20)}
        filler = fill(small_disk)
        assert is_full(small_disk)
        late, cases = until_refused(client, consent)
        answers = early | late
        assert client.http.get("/health/live").status_code == 200
        with pytest.raises(Exception, match=r"space|store|database|log"):
            records.compact(bank.settings, bank.database).__next__()
        filler.unlink()
        open_database(bank.settings)
        wait_until(lambda: client.http.get("/health/ready").status_code == 200)
        for key, answer in answers.items():
            again = client.decide(GOOD, consent, key=key)
            assert (again.status_code, again.content) == (200, answer)
        assert client.decide(GOOD, consent, key="room again").status_code == 201
    api.stop()
    kept = {name: answer for name, answer in stored(bank).items() if name not in before}
    assert set(answers.values()) <= set(kept.values())
    list(records.compact(bank.settings, bank.database))
    with owner_transaction(bank.database) as owner:
        lake = Lake(bank.settings.lake_root, CommandTail(owner))
        raw = lake.raw(PLAN.contracts["court_case"], [subject_of(bank, LATE)])
    held = raw.columns["case_id"].tolist()
    assert len(held) == len(set(held))
    assert {code_of(name) for name in cases} <= set(held)
    all_replays(bank)
    the_log_verifies(bank)
    print(
        f"disk full: {len(late)} decisions and {len(cases)} records acknowledged while it was, {len(early)} before, none lost"
    )
    assert os.path.ismount(small_disk)
