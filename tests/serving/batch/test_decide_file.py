"""`yidai decide`: a killed run is run again, and the file of answers is whole, in order, and there only then."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from features.errors import Forbidden
from serving.batch.operations import NoApplications, SameFile, decide_file
from serving.batch.service import CHUNK
from serving.settings import Settings
from tests.serving.batch.test_batch_api import alone, line
from tests.serving.world import GOOD, LATE, STRANGER, Bank, Client

KILLED = """
import os, signal
from pathlib import Path
from serving.batch.operations import decide_file
from serving.settings import Settings
def step(what, done, whole):
    if what.startswith("{after} "):
        os.kill(os.getpid(), signal.SIGKILL)
decide_file(Settings.load(), Path("{file}"), Path("{out}"), step)
"""


def environment(bank: Bank) -> dict[str, str]:
    """Of a command that is asked as the integration engineer."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("YIDAI_")}
    settings = bank.settings
    return kept | {
        "YIDAI_HOME": str(settings.home), "YIDAI_DATABASE_URL": settings.database_url, "YIDAI_TENANT": "city",
        "YIDAI_MASTER_KEY_FILE": str(settings.key_file), "YIDAI_TOKEN": bank.tokens["integration_engineer"],
        "YIDAI_AS_OF": "2024-12-31", "COLUMNS": "200",
    }  # fmt: skip


def run(bank: Bank, *asked: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *asked]
    return subprocess.run(
        command, env=environment(bank), capture_output=True, text=True, check=False, timeout=120
    )


def here(bank: Bank) -> Settings:
    """The settings of the same asker in this process."""
    return replace(bank.settings, token=bank.tokens["integration_engineer"])


@pytest.fixture(scope="module")
def lines(client: Client) -> list[bytes]:
    """Two chunks and a bit, some of them broken."""
    people = (GOOD, LATE, STRANGER)
    consents = {n: client.consent_id(n, valid_to="2100-01-01") for n in people}
    made = [
        line(client, people[k % 3], f"file-{k}", consent=consents[people[k % 3]])
        for k in range(2 * CHUNK + 9)
    ]
    made[70] = b"{broken"
    return made


def test_a_killed_run_goes_on_and_the_answers_are_whole_and_in_order(
    bank: Bank, client: Client, lines: list[bytes], tmp_path: Path
) -> None:
    file, out = tmp_path / "applications.ndjson", tmp_path / "answers.ndjson"
    file.write_bytes(b"\n".join(lines))
    killed = run(bank, "-c", KILLED.format(after=CHUNK, file=file, out=out))
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert [each.name for each in tmp_path.iterdir() if each != file] == [".answers.ndjson.draft"]
    done = run(bank, "-m", "serving.cli", "decide", str(file), "--out", str(out), "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["repeated"], report["decided"], report["refused"]) == (CHUNK, CHUNK + 8, 1)
    assert report["first_refused"][0]["place"] == "line 71: body"
    assert {each.name for each in tmp_path.iterdir()} == {file.name, out.name}
    answers = [json.loads(each) for each in out.read_text().splitlines()]
    assert [each["line"] for each in answers] == list(range(1, len(lines) + 1))
    for at in (0, CHUNK - 1, CHUNK, len(lines) - 1):
        assert alone(client, lines[at]).json() == answers[at]["answer"]
    again = decide_file(here(bank), file, out, print)
    assert (again.decided, again.repeated, again.refused) == (0, len(lines) - 1, 1)
    repeated = [json.loads(each).get("answer") for each in out.read_text().splitlines()]
    assert repeated == [each.get("answer") for each in answers]


def test_a_file_that_is_not_there_or_would_be_written_over_is_refused(bank: Bank, tmp_path: Path) -> None:
    with pytest.raises(NoApplications, match="there is no such file"):
        decide_file(here(bank), tmp_path / "no", tmp_path / "out", print)
    file = tmp_path / "same"
    file.write_bytes(b"{}")
    with pytest.raises(SameFile, match="--out another name"):
        decide_file(here(bank), file, tmp_path / "." / "same", print)
    assert file.read_bytes() == b"{}"


def test_the_command_needs_a_token_that_may_decide(bank: Bank, tmp_path: Path) -> None:
    file = tmp_path / "one"
    file.write_bytes(b"{}")
    with pytest.raises(Forbidden):
        decide_file(replace(here(bank), token=bank.tokens["auditor"]), file, tmp_path / "out", print)
    assert not (tmp_path / "out").exists()
