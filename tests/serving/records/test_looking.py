"""`yidai features show` reads what a decision would: the lake, its tail, and what is disputed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from features.calendar import DAY, instant, iso
from features.timeline.door import FileLog
from serving.commands.features import show_features
from serving.operations import show_subject
from serving.records.looking import Shown
from serving.store.access_log import Wanted, entries
from serving.store.session import tenant_transaction
from tests.serving.feeding import subject_of
from tests.serving.records.sending import case, sent
from tests.serving.world import AS_OF, MIDDLE, PLAN, Bank, Client


def value(found: Shown, column: str) -> float | str:
    return next(each.value for each in found.features if each.column == column)


def test_records_of_the_tail_are_seen_and_disputes_are_marked(client: Client, bank: Bank) -> None:
    subject = subject_of(bank, MIDDLE)
    before = show_subject(bank.settings, subject, AS_OF)
    assert before.read == "the lake, 0 records of the tail, 0 disputes"
    assert sent(client, [case(MIDDLE, "L1")])["accepted"] == 1
    dispute = {"id_number": MIDDLE, "dataset": "court_case", "key": {"case_id": "L1"}, "ground": "not mine"}
    assert client.ask("POST", "/v1/disputes", json=dispute).status_code == 201
    after = show_subject(bank.settings, subject, AS_OF)
    assert after.read == "the lake, 1 records of the tail, 1 disputes"
    changed = {a.column for a, b in zip(after.features, before.features, strict=True) if a.value != b.value}
    assert "court_defendant_cnt_24m" in changed
    marked = {each.column for each in after.features if after.disputes(each)}
    assert marked == {
        c.name for c in PLAN.columns if "court_case" in c.dataset.replace("@household", "").split("+")
    }
    with tenant_transaction(bank.database, "city") as connection:
        read = entries(connection, Wanted(subject=subject, actor="yidai features show"))
    assert [each.purpose for each in read] == ["model_development"] * 2
    lake = show_subject(bank.settings, subject, AS_OF, bank.settings.lake_root)
    assert (lake.read, lake.disputed) == ("the lake alone", ())
    assert lake.features == before.features
    assert FileLog(bank.settings.lake_root).entries()[-1].subjects == (subject,)


def test_without_a_store_or_with_one_that_is_down_the_lake_is_read_alone(bank: Bank, tmp_path: Path) -> None:
    subject = subject_of(bank, MIDDLE)
    nowhere = replace(bank.settings, database_url="postgresql://nobody@/nothing?host=/nowhere")
    assert show_subject(nowhere, subject, AS_OF).read == "the lake alone"
    fresh = replace(bank.settings, database_url="", home=tmp_path)
    assert show_subject(fresh, subject, AS_OF).read == "the lake alone"
    assert not (tmp_path / "postgres").exists(), "looking makes no store"


def test_the_command_shows_every_column_with_its_sources(bank: Bank) -> None:
    app = typer.Typer()
    app.command()(show_features)
    words = [str(subject_of(bank, MIDDLE)), "--lake", str(bank.settings.lake_root), "--as-of", iso(AS_OF)]
    found = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    rows = {row["column"]: row for row in found["features"]}
    assert len(rows) == len(PLAN.columns)
    first = (AS_OF - instant("2023-10-10T09:00:00")) / (DAY * 30.4375)
    assert rows["bank_tenure"]["value"] == pytest.approx(first)
    assert rows["req_amount"]["value"] == "NO_RECORD"
    assert rows["debt_to_inflow"]["sources"] == "bank_transaction+bureau_account"
    said = CliRunner().invoke(app, words, env={"COLUMNS": "300"}).stdout
    assert "bank_tenure" in said
    assert "read: the lake alone" in said
