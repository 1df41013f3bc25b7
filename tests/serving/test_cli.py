"""The console command: it teaches, it says who may, and every refusal is one paragraph without a stack trace."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest

from features.timeline.ingest import TOLD
from serving.cli import main
from serving.settings import Settings
from serving.store.engine import _data_folder, _socket_folder, stop_embedded
from tests.features.timeline.test_ingest import number


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("cli")
    yield folder
    stop_embedded(Settings(home=folder))


@dataclass(frozen=True)
class Done:
    """What a command answered."""

    returncode: int
    stdout: str
    stderr: str


def yidai(home: Path, *arguments: str, **variables: str) -> Done:
    """The console command as its entry point runs it, here in this process."""
    said, noted, code = io.StringIO(), io.StringIO(), 0
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("YIDAI_", "MLFLOW_"))}
    environment = {**kept, "YIDAI_HOME": str(home), "COLUMNS": "200", **variables}
    with (
        mock.patch.dict(os.environ, environment, clear=True), mock.patch.object(sys, "argv", ["yidai", *arguments]),
        redirect_stdout(said), redirect_stderr(noted),
    ):  # fmt: skip
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
    return Done(code, said.getvalue(), noted.getvalue())


CLOSED = "1"
"""A port on which nobody listens."""


def refused(done: Done, *words: str) -> None:
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    for word in ("refused", *words):
        assert word in done.stderr, done.stderr


def test_help_names_every_command_and_teaches_where_to_begin(home: Path) -> None:
    said = yidai(home, "--help").stdout
    for command in (
        "demo", "city", "ingest", "features", "train", "predict", "models", "tokens", "serve", "mlflow", "replay",
        "watch", "doctor", "stop",
    ):  # fmt: skip
        assert command in said
    assert "Begin with" in said


def test_the_command_answers_as_a_process_too(home: Path) -> None:
    environment = {**os.environ, "YIDAI_HOME": str(home), "YIDAI_PORT": "eighty"}
    command = [sys.executable, "-m", "serving.cli", "doctor"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environment)
    refused(Done(done.returncode, done.stdout, done.stderr), "YIDAI_PORT")


def test_the_first_day_by_hand(home: Path) -> None:
    city = home / "city"
    assert (
        yidai(home, "city", "make", "--households", "30", "--months", "36", "--out", str(city)).returncode
        == 0
    )
    loaded = json.loads(yidai(home, "ingest", str(city), "--json").stdout)
    assert sum(file["loaded"] for file in loaded["files"]) > 1000
    again = yidai(home, "ingest", str(city))
    assert "0 new records" in again.stdout
    token = yidai(home, "tokens", "create", "li", "--role", "analyst").stdout.strip()
    assert token.startswith("yd_")
    asked = {"YIDAI_TOKEN": token}
    made = yidai(home, "models", "submit", "definitions", "city", **asked)
    assert "waits for a second person" in made.stdout
    listed = json.loads(yidai(home, "models", "list", "--json", **asked).stdout)
    assert [(row["kind"], row["author"], row["active_slots"]) for row in listed] == [
        ("definitions", "li", [])
    ]
    refused(yidai(home, "models", "approve", listed[0]["digest"], **asked), "may not approve", "risk_officer")
    refused(yidai(home, "models", "approve", listed[0]["digest"]), "YIDAI_TOKEN is empty")
    second = yidai(home, "tokens", "create", "wang", "--role", "risk_officer").stdout.strip()
    officer = {"YIDAI_TOKEN": second}
    refused(
        yidai(home, "models", "promote", "definitions", listed[0]["digest"], **officer), "approve", "first"
    )
    assert yidai(home, "models", "approve", listed[0]["digest"], **officer).returncode == 0
    refused(yidai(home, "models", "promote", "policy", listed[0]["digest"], **officer), "does not take")
    assert (
        yidai(home, "models", "promote", "definitions", listed[0]["digest"][:12], **officer).returncode == 0
    )
    in_force = json.loads(yidai(home, "models", "active", "--json", **officer).stdout)
    assert in_force == {"definitions": listed[0]["digest"]}
    assert json.loads(yidai(home, "models", "active", "--at", "2020-01-01", "--json", **officer).stdout) == {}
    refused(yidai(home, "models", "rollback", "definitions", **officer), "no other version")
    refused(yidai(home, "watch", **officer), "nothing is active in the slot signals")
    assert "1 tokens of wang ended" in yidai(home, "tokens", "revoke", "wang").stdout
    refused(yidai(home, "models", "active", **officer), "revoked")


def test_refused_rows_are_told_with_their_place_and_remedy_and_all_can_be_listed(
    home: Path, tmp_path: Path
) -> None:
    rows = [f"{number(1)},2024-0{month},-1,E1,paid,2024-09-20T09:00:00+08:00" for month in range(1, 8)]
    text = "\n".join(["id_number,period,base,employer,status,published_at", *rows])
    (tmp_path / "social_insurance.csv").write_text(text, encoding="utf-8")
    said = yidai(home, "ingest", str(tmp_path)).stdout
    assert "7 rows are in quarantine" in said
    assert said.count("below") == TOLD == 5
    assert "yidai quality quarantine" in said
    assert yidai(home, "ingest", str(tmp_path)).stdout.count("below") == TOLD
    found = json.loads(yidai(home, "quality", "quarantine", "social_insurance", "--json").stdout)
    mine = [(each["line"], each["field"]) for each in found if each["value_class"] == "below the minimum"]
    assert mine == [(line, "base") for line in range(2, 9)]


def test_doctor_says_what_lacks_and_what_to_do(home: Path) -> None:
    done = yidai(home, "doctor", "--json", YIDAI_CONSOLE_PORT=CLOSED)
    checks = {check["name"]: check for check in json.loads(done.stdout)}
    assert done.returncode == 1
    assert checks["database"]["ok"]
    assert not checks["registry"]["ok"]
    assert "yidai models" in checks["registry"]["remedy"]
    assert checks["identity provider"]["detail"] == "none: people sign in with passwords"
    assert "yidai console" in checks["console"]["remedy"]
    assert "may sign in at the console" in checks["people"]["detail"]


def test_on_a_machine_where_nothing_was_done_doctor_says_so(tmp_path: Path) -> None:
    done = yidai(tmp_path, "doctor", "--json")
    checks = {check["name"]: check for check in json.loads(done.stdout)}
    assert done.returncode == 1
    assert "migrations are missing" in checks["database"]["detail"]
    assert checks["console"]["ok"]
    assert yidai(tmp_path, "stop").returncode == 0


def test_doctor_knows_who_cannot_come_in_and_a_provider_that_is_down(home: Path) -> None:
    yidai(home, "users", "create", "shut-out", "--role", "auditor", "--no-password")
    done = yidai(
        home,
        "doctor",
        "--json",
        YIDAI_OIDC_ISSUER="http://127.0.0.1:9",
        YIDAI_HOST="0.0.0.0",
        YIDAI_CONSOLE_PORT=CLOSED,
    )
    checks = {check["name"]: check for check in json.loads(done.stdout)}
    assert "shut-out" in checks["people"]["detail"]
    assert checks["people"]["ok"], "who is shut out harms nobody"
    assert not checks["identity provider"]["ok"]
    assert "YIDAI_CONSOLE_URL" in checks["console"]["remedy"]
    assert yidai(home, "users", "end", "shut-out").returncode == 0


def test_in_a_pipe_nothing_is_coloured_or_folded(home: Path) -> None:
    said = yidai(home, "doctor").stdout
    assert "\x1b" not in said
    assert "people sign in with passwords" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("train", "nonsense"), ("nonsense", "access, rating, risk")),
        (("train", "rating", "--portfolio", "nowhere"), ("nowhere", "berka, city, dcr_mortgage")),
        (("train", "rating", "--portfolio", "gmsc"), ("YIDAI_DATASETS", "--data")),
        (("ingest", "nowhere"), ("nowhere", "there is no feed")),
        (("tokens", "create", "x", "--role", "king"), ("king", "analyst")),
        (("models", "submit", "policy", "nowhere.yaml"), ("nowhere.yaml", "no such file")),
        (("models", "active", "--at", "yesterday"), ("yesterday", "ISO date")),
    ],
)
def test_a_wrong_word_is_answered_with_the_right_ones(home: Path, arguments: tuple[str, ...], words: tuple[str, ...]) -> None:  # fmt: skip
    refused(yidai(home, *arguments), *words)


def test_a_misspelt_or_wrong_setting_is_named(home: Path) -> None:
    refused(yidai(home, "doctor", YIDAI_HOST_NAME="x"), "YIDAI_HOST_NAME", "YIDAI_HOST")
    refused(yidai(home, "doctor", YIDAI_PORT="eighty"), "YIDAI_PORT", "not a port")


def test_a_broken_yaml_is_refused_with_its_line(home: Path, tmp_path: Path) -> None:
    broken = tmp_path / "policy.yaml"
    broken.write_text("schema: 1\npolicy: [open\ntitle: x\n", encoding="utf-8")
    refused(yidai(home, "models", "submit", "policy", str(broken)), "policy.yaml:3", "not valid YAML")


def test_a_half_written_city_is_refused_and_can_be_made_again(home: Path, tmp_path: Path) -> None:
    assert (
        yidai(home, "city", "make", "--households", "20", "--months", "36", "--out", str(tmp_path)).returncode
        == 0
    )
    (tmp_path / "city.json").unlink()
    refused(yidai(home, "ingest", str(tmp_path)), "city.json is missing", "yidai city make")


def test_a_port_in_use_is_named_before_anything_starts(home: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        refused(yidai(home, "serve", YIDAI_PORT=port), port, "in use", "YIDAI_PORT")


def test_an_unreachable_database_is_named_without_its_password(home: Path) -> None:
    done = yidai(home, "serve", YIDAI_DATABASE_URL="postgresql://bank:secret@127.0.0.1:1/yidai")
    refused(done, "does not answer", "YIDAI_DATABASE_URL")
    assert "secret" not in done.stdout + done.stderr


def test_a_server_whose_socket_was_taken_away_is_started_anew(tmp_path: Path) -> None:
    import shutil

    home = tmp_path / "home"
    assert yidai(home, "tokens", "create", "a", "--role", "analyst").returncode == 0
    kept = Settings(home=home)
    (_socket_folder(_data_folder(kept)) / ".s.PGSQL.5432").unlink()
    try:
        assert yidai(home, "tokens", "create", "b", "--role", "analyst").returncode == 0
    finally:
        assert yidai(home, "stop").returncode == 0
    stop_embedded(kept)
    shutil.rmtree(home)
