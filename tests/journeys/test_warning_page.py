"""docs/warning.md: its commands, one after another, against a real store and the small city, put a warning model in force."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from features.calendar import iso
from serving import operations
from serving.access.model import Role
from serving.cli import app
from serving.demo.access import tokens
from serving.registry.model import Kind
from serving.serve import open_store
from serving.settings import Settings
from serving.store.engine import stop_embedded
from serving.watch.signals import SHIPPED
from tests.features.conftest import small_city
from training.promotion import NEVER_WAIVED, Gate

__all__ = ["small_city"]
pytestmark = [
    pytest.mark.campaign,
    pytest.mark.skipif(os.environ.get("YIDAI_CAMPAIGN") == "slice", reason="a minute of training"),
]
PAGE = (Path(__file__).parents[2] / "docs" / "warning.md").read_text(encoding="utf-8")


def commands() -> list[list[str]]:
    """The page's commands, without `yidai` and what is said behind them."""
    block = PAGE.split("## Put a model in force")[1].split("```")[1]
    return [shlex.split(line, comments=True)[1:] for line in block.strip().splitlines()]


@pytest.fixture
def bank(small_city: Path, tmp_path: Path) -> Iterator[tuple[Settings, dict[Role, str]]]:
    """The city's records, its definitions and its signals in force."""
    ends = json.loads((small_city / "city.json").read_text())["ends_at"]
    settings = Settings(home=tmp_path / "home", as_of=ends)
    open_store(settings)
    people = tokens(settings)
    operations.ingest(settings, small_city)
    analyst, officer = (replace(settings, token=people[role]) for role in (Role.ANALYST, Role.RISK_OFFICER))
    for kind, source in ((Kind.DEFINITIONS, "city"), (Kind.SIGNALS, str(SHIPPED))):
        name = operations.submit(analyst, kind, operations.document_of(kind, source))
        operations.approve(officer, name, reason="seen")
        operations.promote(officer, kind.value, name)
    yield settings, people
    stop_embedded(settings)


def test_the_commands_of_the_page_put_a_model_in_force_that_the_watch_asks(
    bank, tmp_path, monkeypatch
) -> None:
    settings, people = bank
    monkeypatch.setenv("YIDAI_HOME", str(settings.home))
    monkeypatch.setenv("YIDAI_AS_OF", iso(settings.as_of))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(
        re.sub(r"op: ge, value: 0.2}", "op: ge, value: 0.3}", SHIPPED.read_text())
    )

    def run(role: Role, *arguments: str) -> str:
        monkeypatch.setenv("YIDAI_TOKEN", people[role])
        done = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
        assert done.exit_code == 0, f"{arguments}: {done.output}"
        return done.stdout

    train, register, submit, approve, promote, backtest, watch = commands()
    before = json.loads(run(Role.RISK_OFFICER, *watch, "--json"))
    assert before["skipped"]["early_warning"] > 0.9 * before["loans"] > 0, "who is late needs no model"
    found = json.loads(run(Role.ANALYST, *train, "--json"))
    digest = found["digest"][:12]
    put = {"$DIGEST": digest, ".yidai": str(settings.home)}
    submit, approve, promote = (
        [re.sub(r"\$DIGEST|\.yidai", lambda match: put[match[0]], one) for one in each]
        for each in (submit, approve, promote)
    )
    run(Role.ANALYST, *register)
    run(Role.ANALYST, *submit)
    run(Role.RISK_OFFICER, *approve)
    monkeypatch.setenv("YIDAI_TOKEN", people[Role.RISK_OFFICER])
    refused = CliRunner().invoke(app, promote)
    assert "fairness: there is no fairness report" in str(refused.exception), "the page says so"
    waived = [text for gate in sorted(set(Gate) - NEVER_WAIVED) for text in ("--waive", gate.value)]
    assert "from now on" in run(Role.RISK_OFFICER, *promote, *waived, "--reason", "a city of 300 households")
    assert operations.active(replace(settings, token=people[Role.AUDITOR]))["bundle.warning"].startswith(
        digest
    )

    told = json.loads(run(Role.ANALYST, *backtest, "--json"))
    assert "early_warning" in msgspec.json.encode(told).decode()
    assert "loans" in run(Role.RISK_OFFICER, *watch)
    looked = json.loads(run(Role.RISK_OFFICER, *watch, "--json"))
    assert looked["skipped"]["early_warning"] == 0
