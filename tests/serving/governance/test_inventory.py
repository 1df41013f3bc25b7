"""The inventory of models: who answers for which, where it stands, what hangs on it, and how it ends."""

from __future__ import annotations

import json
import socket
from dataclasses import replace
from itertools import count

import msgspec
import pytest
from typer.testing import CliRunner

from features.canonical import digest
from features.errors import Invalid
from features.timeline.ingest import ingest_folder
from features.timeline.lake import Lake
from serving import operations
from serving.cli import app
from serving.governance import inventory
from serving.governance.challenge import NoChampion, challenge
from serving.governance.inventory import NotInForce, StillNeeded
from serving.registry import service as registry
from serving.registry.governance import BadEntry, EvidenceKind, ModelEntry, State
from serving.serve import open_store
from serving.settings import Settings
from serving.store.keys import KeyRing
from serving.store.session import tenant_transaction
from serving.store.vault import PostgresVault
from serving.work.kinds import KINDS
from serving.work.worker import Worker
from tests.serving.desk import Desk, model, report
from tests.serving.world import CHECKS, GOOD, MIDDLE, PLAN, Bank, Client, scorecard
from tests.training.conftest import write_flat
from training.bundle import dump_bundle
from training.documents import MODEL_KINDS
from training.models import ModelName
from training.portfolio import load_portfolio
from training.run import prepare, train_model

ENTRY = ModelEntry("bundle.rating", 2, "risk desk", "Rates households", "No firms")
_order = count()


def as_(bank: Bank, role: str) -> Settings:
    return replace(bank.settings, token=bank.tokens[role])


def row(bank: Bank, slot: str) -> inventory.ModelRow:
    (found,) = [one for one in inventory.inventory(as_(bank, "auditor")) if one.slot == slot]
    return found


def test_the_newest_entry_counts_and_kind_and_state_come_from_the_registry(bank: Bank) -> None:
    before = row(bank, "bundle.rating")
    assert (before.tier, before.owner, before.state) == (0, "", State.IN_FORCE)
    inventory.register(as_(bank, "analyst"), ENTRY)
    inventory.register(as_(bank, "analyst"), replace(ENTRY, tier=1))
    after = row(bank, "bundle.rating")
    assert (after.tier, after.owner, after.purpose, after.limits) == (
        1,
        "risk desk",
        "Rates households",
        "No firms",
    )
    assert after.model_kind == "credit_approval"
    assert after.model_kind in MODEL_KINDS
    inventory.register(as_(bank, "analyst"), replace(ENTRY, slot="bundle.planned"))
    assert (row(bank, "bundle.planned").state, row(bank, "bundle.planned").versions) == (
        State.IN_DEVELOPMENT,
        0,
    )


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"tier": 0}, "tier"), ({"tier": 4}, "tier"), ({"owner": " "}, "owner"), ({"purpose": ""}, "purpose"),
        ({"limits": ""}, "limits"), ({"slot": "policy"}, "slot"), ({"slot": "bundle.Risk"}, "slot"),
        ({"slot": "bundle."}, "slot"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)  # fmt: skip
def test_an_entry_that_says_too_little_is_refused_with_its_place(bank: Bank, changes, place) -> None:
    with pytest.raises(BadEntry) as refusal:
        inventory.register(as_(bank, "analyst"), replace(ENTRY, **changes))
    assert refusal.value.place == place
    assert refusal.value.remedy


def test_a_version_is_shown_with_author_evidence_approvals_and_gates(bank: Bank) -> None:
    desk = Desk(bank)
    digest = desk.submit(model())
    desk.attach(digest, EvidenceKind.REPORT, report(digest))
    desk.approve(digest)
    found = inventory.show(as_(bank, "auditor"), digest[:12])
    assert (found.digest, found.author, found.model.slot) == (digest, "analyst", "bundle.risk")
    assert [(who, verdict) for who, verdict, _ in found.approvals] == [("risk_officer", "approved")]
    assert [(kind, who) for kind, _, who in found.evidence] == [("report", "analyst")]
    assert {one.gate.value for one in found.standings if not one.met} == {"inventory", "fairness", "champion"}
    assert inventory.show(as_(bank, "auditor"), "bundle.risk").digest == desk.in_force()["bundle.risk"]
    with pytest.raises(NotInForce):
        inventory.show(as_(bank, "auditor"), "bundle.none")


def test_a_model_that_the_policy_reads_does_not_end(bank: Bank) -> None:
    before = Desk(bank).in_force()
    with pytest.raises(StillNeeded, match="every decision would be refused"):
        inventory.retire(as_(bank, "risk_officer"), "bundle.risk", "old")
    assert Desk(bank).in_force() == before


def test_what_a_model_approved_is_listed_before_it_ends(bank: Bank, client: Client) -> None:
    asked = {"applicant": {"id_number": GOOD}, "consent_id": client.consent_id(GOOD), "amount_yuan": "30000",
             "product": "consumer", "term_months": 12, "purpose": "farming", "region": "county",
             "checks": CHECKS}  # fmt: skip
    answer = client.ask("POST", "/v1/decisions", json=asked, headers={"Idempotency-Key": "touched-1"}).json()
    assert answer["outcome"] == "approve"
    found = inventory.touched(as_(bank, "risk_officer"), "bundle.rating")
    assert (found.approvals, found.subjects, found.needed_by) == (1, 1, "")
    assert (
        inventory.touched(as_(bank, "risk_officer"), "bundle.risk").needed_by
        == Desk(bank).in_force()["policy"]
    )


def test_the_open_loans_of_whom_it_approved_are_named_and_no_others(
    bank: Bank, client: Client, tmp_path
) -> None:
    """Of one borrower an open and a settled loan, and the open loan of somebody whom it never approved."""
    asked = {"applicant": {"id_number": GOOD}, "consent_id": client.consent_id(GOOD), "amount_yuan": "30000",
             "product": "consumer", "term_months": 12, "purpose": "farming", "region": "county",
             "checks": CHECKS}  # fmt: skip
    client.ask("POST", "/v1/decisions", json=asked, headers={"Idempotency-Key": "touched-2"})
    loans = [(GOOD, "L-open", "active"), (GOOD, "L-settled", "settled"), (MIDDLE, "L-other", "active")]
    day = "2024-06-01T09:00:00"
    lines = [
        "id_number,loan_id,application_id,granted_at,drawn_at,due_on,ended_at,principal,annual_rate_ppm,term_months,state,published_at"
    ]
    lines += [
        f"{who},{loan},A-{loan},{day},{day},2025-06-01,,9000,60000,12,{state},{day}"
        for who, loan, state in loans
    ]
    folder = tmp_path / "more"
    (folder / "feeds").mkdir(parents=True)
    (folder / "city.json").write_text("{}")
    (folder / "feeds" / "loan.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    vault = PostgresVault(bank.database, KeyRing.open(bank.settings.key_file))
    done = ingest_folder(folder, PLAN.contracts, vault, Lake(bank.settings.lake_root))
    assert (done.loaded, done.quarantined) == (3, 0)
    assert inventory.touched(as_(bank, "risk_officer"), "bundle.rating").open_loans == ("L-open",)


def test_the_command_lists_first_and_ends_only_when_it_is_told_to(bank: Bank, monkeypatch) -> None:
    _environment(monkeypatch, bank, "risk_officer")
    before = operations.active(as_(bank, "auditor"))
    listed = CliRunner().invoke(app, ["models", "retire", "bundle.rating"])
    assert "Nothing is changed" in listed.output
    assert operations.active(as_(bank, "auditor")) == before
    assert (
        CliRunner().invoke(app, ["models", "retire", "bundle.rating", "--yes", "--reason", "old"]).exit_code
        == 0
    )
    assert set(before) - set(operations.active(as_(bank, "auditor"))) == {"bundle.rating"}
    assert row(bank, "bundle.rating").state is State.RETIRED
    again = CliRunner().invoke(app, ["models", "rollback", "bundle.rating"])
    assert again.exit_code == 0, again.output
    assert operations.active(as_(bank, "auditor")) == before


def test_the_commands_tell_the_inventory_and_a_version(bank: Bank, monkeypatch) -> None:
    _environment(monkeypatch, bank, "analyst")
    options = ["--tier", "1", "--owner", "Risk desk", "--purpose", "PD", "--limits", "No firms"]
    assert CliRunner().invoke(app, ["models", "register", "bundle.risk", *options]).exit_code == 0
    rows = json.loads(CliRunner().invoke(app, ["models", "inventory", "--json"]).output)
    assert {one["slot"]: one["owner"] for one in rows}["bundle.risk"] == "Risk desk"
    shown = json.loads(CliRunner().invoke(app, ["models", "show", "bundle.risk", "--json"]).output)
    assert shown["model"]["tier"] == 1
    assert {one["gate"] for one in shown["standings"]} >= {"approval", "report", "fairness"}
    assert CliRunner().invoke(app, ["models", "show", "bundle.risk"]).exit_code == 0
    assert CliRunner().invoke(app, ["models", "inventory"]).exit_code == 0


def test_a_scorecard_is_shown_in_points_from_the_registry_and_from_its_file(
    bank: Bank, monkeypatch, tmp_path
) -> None:
    _environment(monkeypatch, bank, "analyst")
    shown = json.loads(CliRunner().invoke(app, ["models", "show", "bundle.rating", "--json"]).output)
    assert shown["points"]["scale"]["pdo"] == 40
    settings = as_(bank, "analyst")
    database = open_store(settings)
    with tenant_transaction(database, "city") as connection:
        data = registry.artifact(connection, shown["digest"]).data
    path = tmp_path / "bundle.json"
    path.write_bytes(data)
    told = CliRunner().invoke(app, ["models", "show", str(path)]).output
    assert "A total of 600 points stands for 15 goods to a bad" in told.replace("\n", " ")
    alone = json.loads(CliRunner().invoke(app, ["models", "show", str(path), "--json"]).output)
    assert alone["points"] == shown["points"]
    missing = CliRunner().invoke(app, ["models", "show", str(tmp_path / "none.json")])
    assert "there is no such file" in str(missing.exception)


def test_a_champion_that_could_not_be_told_to_mlflow_is_told_again(bank: Bank, monkeypatch) -> None:
    """The promotion stands, whatever MLflow answers; the job of its transaction waits."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{taken.getsockname()[1]}")
        desk = Desk(bank)
        digest = desk.ready(f"told{next(_order)}")
        slot = inventory.show(as_(bank, "auditor"), digest).model.slot
        inventory.register(as_(bank, "analyst"), replace(ENTRY, slot=slot))
        desk.promote(slot, digest)
        kinds = tuple(kind for kind in KINDS if kind.name == "mirror_champion")
        worker = Worker(bank.settings, bank.database, kinds, bank.clock)
        (waiting,) = [job for job in worker.drain() if job.key.startswith(f"city:{slot}:")]
    assert desk.in_force()[slot] == digest
    assert (waiting.state.value, waiting.attempts) == ("waiting", 1)
    assert "does not answer" in waiting.error


def test_two_versions_are_scored_on_the_same_rows(bank: Bank, tmp_path) -> None:
    path = write_flat(tmp_path / "flat")
    trained = train_model(prepare(load_portfolio(path)), ModelName.RATING, tmp_path / "out", repeats=1)
    worse = msgspec.structs.replace(trained.bundle.bins[0], points=(0,) * len(trained.bundle.bins[0].points))
    bins = (worse, *trained.bundle.bins[1:])
    data = dump_bundle(msgspec.structs.replace(trained.bundle, bins=bins, vectors=()))
    (tmp_path / "worse.json").write_bytes(data)
    files = [str(trained.folder / "bundle.json"), str(tmp_path / "worse.json")]
    found = challenge(bank.settings, files[0], str(path), files[1])
    assert (found.bundle, found.champion, found.unseen, found.rows) == (
        trained.digest,
        digest(data),
        False,
        500,
    )
    assert found.gap.value == pytest.approx(found.auc.value - found.champion_auc.value)
    assert 0 < found.gap.low < found.gap.value < found.gap.high
    same = challenge(bank.settings, files[0], str(path), files[0])
    assert (same.gap.value, same.gap.low, same.gap.high) == (0.0, 0.0, 0.0)


def test_without_a_champion_or_its_columns_there_is_nothing_to_compare(bank: Bank, tmp_path) -> None:
    path = write_flat(tmp_path / "flat")
    made = tmp_path / "a.json"
    made.write_bytes(scorecard("alone", 0.1))
    with pytest.raises(NoChampion):
        challenge(as_(bank, "analyst"), str(made), str(path))
    with pytest.raises(Invalid, match="it reads features that the portfolio lacks"):
        challenge(as_(bank, "analyst"), str(made), str(path), str(made))


def _environment(monkeypatch, bank: Bank, role: str) -> None:
    monkeypatch.setenv("YIDAI_HOME", str(bank.settings.home))
    monkeypatch.setenv("YIDAI_DATABASE_URL", bank.settings.database_url)
    monkeypatch.setenv("YIDAI_MASTER_KEY_FILE", str(bank.settings.key_file))
    monkeypatch.setenv("YIDAI_TENANT", "city")
    monkeypatch.setenv("YIDAI_TOKEN", bank.tokens[role])
