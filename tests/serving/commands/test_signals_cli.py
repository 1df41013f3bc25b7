"""`yidai signals`: from a file to the day on which it begins, by two people, and back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from features.calendar import DAY
from serving import operations
from serving.access.model import NotPermitted
from serving.cli import app
from serving.registry import repository
from serving.registry.model import Kind
from serving.registry.service import OwnApproval
from serving.settings import Settings
from serving.store.session import tenant_transaction
from serving.watch import trying
from serving.watch.signals import SHIPPED
from tests.serving.world import PLAN, Bank


def as_actor(bank: Bank, role: str) -> Settings:
    """The settings of one person of the bank."""
    return replace(bank.settings, token=bank.tokens[role])


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """The shipped signals with a higher threshold for what is overdue elsewhere."""
    text = SHIPPED.read_text(encoding="utf-8")
    before = "{feature: bur_cur_overdue_amt, op: gt, value: 1000}"
    assert before in text
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace(before, before.replace("1000", "5000")), encoding="utf-8")
    return path


def in_force(bank: Bank, at: int) -> str:
    """The signals of a moment."""
    with tenant_transaction(bank.database, "city") as connection:
        return repository.active(connection, at).get("signals", "")


def test_two_people_put_signals_in_force_and_the_version_of_the_day_applies(bank: Bank, mine: Path) -> None:
    bank.approved("definitions", Kind.DEFINITIONS, PLAN.document)
    analyst, officer = as_actor(bank, "analyst"), as_actor(bank, "risk_officer")
    data = operations.document_of(Kind.SIGNALS, str(SHIPPED))
    first = operations.submit(analyst, Kind.SIGNALS, data)
    operations.approve(officer, first, reason="seen")
    trying.activate(officer, first)
    other = mine.with_name("other.yaml")
    other.write_text(mine.read_text(encoding="utf-8").replace("5000", "6000"), encoding="utf-8")
    second = operations.submit(
        analyst, Kind.SIGNALS, operations.document_of(Kind.SIGNALS, str(mine)), "fewer"
    )
    own = operations.submit(officer, Kind.SIGNALS, operations.document_of(Kind.SIGNALS, str(other)))
    with pytest.raises(OwnApproval):
        operations.approve(officer, own)
    with pytest.raises(NotPermitted):
        operations.approve(analyst, second)
    operations.approve(officer, second, reason="seen")
    begin = trying.wall_clock() + 10 * DAY
    trying.activate(officer, second, begin)
    assert in_force(bank, begin - DAY) == first
    assert in_force(bank, begin) == second
    shown = trying.standing(officer)
    assert [(one.digest, one.since == begin) for one in shown] == [(first, False), (second, True)]
    operations.rollback(officer, "signals")
    assert in_force(bank, begin) == first


def test_a_difference_is_told_signal_by_signal(mine: Path) -> None:
    done = CliRunner().invoke(app, ["signals", "diff", str(SHIPPED), str(mine)])
    assert done.exit_code == 0, done.output
    assert "other_bank_overdue, levels" in done.output
    assert "1 differences." in done.output
    assert "0 differences." in CliRunner().invoke(app, ["signals", "diff", str(mine), str(mine)]).output


def test_a_check_lists_all_that_is_wrong_and_shipped_signals_pass(tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["signals", "check", str(SHIPPED)]).exit_code == 0
    broken = tmp_path / "broken.yaml"
    text = SHIPPED.read_text(encoding="utf-8")
    broken.write_text(text.replace("feature: tax_grade_points,", "feature: tax_grade_point,").replace("dataset: guarantee", "dataset: guarantees"), encoding="utf-8")  # fmt: skip
    done = CliRunner().invoke(app, ["signals", "check", str(broken), "--json"])
    assert done.exit_code == 1
    assert "tax_grade_point" in done.output
    assert "there is no contract" in done.output


def test_what_was_written_is_read_again_as_the_same_signals(tmp_path: Path) -> None:
    out = tmp_path / "out.yaml"
    done = CliRunner().invoke(app, ["signals", "show", str(SHIPPED), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert operations.document_of(Kind.SIGNALS, str(out)) == operations.document_of(
        Kind.SIGNALS, str(SHIPPED)
    )


def test_the_commands_do_the_same_and_say_what_comes_next(bank: Bank, mine: Path, monkeypatch) -> None:
    def run(role: str, *arguments: str) -> str:
        monkeypatch.setenv("YIDAI_HOME", str(bank.settings.home))
        monkeypatch.setenv("YIDAI_DATABASE_URL", bank.settings.database_url)
        monkeypatch.setenv("YIDAI_DATABASE_NAME", bank.settings.database_name)
        monkeypatch.setenv("YIDAI_TOKEN", bank.tokens[role])
        done = CliRunner().invoke(app, ["signals", *arguments])
        assert done.exit_code == 0, done.output
        return " ".join(done.output.split())

    text = mine.read_text(encoding="utf-8").replace("5000", "7000")
    mine.write_text(text, encoding="utf-8")
    waiting = run("analyst", "submit", str(mine), "--note", "fewer")
    name = waiting.split()[1]
    assert "wait for a second person" in waiting
    assert "is approved" in run("risk_officer", "approve", name, "--reason", "seen")
    assert f"signals is {name[:12]} from now on." in run("risk_officer", "activate", name)
    assert name[:12] in run("risk_officer", "show")
    assert "util_high" in run("risk_officer", "show", "signals")
    assert "1 differences." in run("risk_officer", "diff", str(SHIPPED), "signals")
    assert '{"stored":0}' in run("risk_officer", "derive", "--json")
    assert "signals is" in run("risk_officer", "rollback")
