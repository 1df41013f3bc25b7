"""The dossier of a version: whole, the same bytes each time, and of the very version that was asked for."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from features.canonical import digest
from features.errors import Invalid
from serving.cli import app
from serving.governance import inventory
from serving.governance.dossier import contents, dossier
from serving.registry.governance import ModelEntry
from serving.registry.model import EvidenceKind
from serving.registry.repository import UnknownArtifact
from serving.settings import Settings
from tests.serving.desk import Desk, comparison, fairness, model, report
from tests.serving.world import PLAN, Bank
from tests.training.conftest import write_flat
from training.models import ModelName
from training.portfolio import load_portfolio
from training.run import Trained, prepare, train_model


@pytest.fixture(scope="module")
def auditor(bank: Bank) -> Settings:
    return replace(bank.settings, token=bank.tokens["auditor"])


@pytest.fixture(scope="module")
def trained(bank: Bank, tmp_path_factory) -> Trained:
    """A scorecard of the flat portfolio, submitted with its report and approved."""
    path = write_flat(tmp_path_factory.mktemp("flat"))
    found = train_model(
        prepare(load_portfolio(path)), ModelName.RATING, bank.settings.home / "models", repeats=1
    )
    desk = Desk(bank)
    name = desk.submit(found.data)
    desk.attach(name, EvidenceKind.REPORT, (found.folder / "report.json").read_bytes())
    desk.approve(name)
    entry = ModelEntry("bundle.rating", 2, "risk desk", "Rates | households", "No <firms>")
    inventory.register(replace(bank.settings, token=bank.tokens["analyst"]), entry)
    return found


def test_it_holds_what_was_known_and_says_the_digest_of_each_file(
    auditor: Settings, trained: Trained
) -> None:
    found = contents(auditor, trained.digest[:12])
    assert set(found) == {
        "bundle.json", "governance.json", "manifest.json", "model_card.md", "promotion.yaml", "report.html",
        "report.json", "training.json",
    }  # fmt: skip
    assert found["bundle.json"] == trained.data
    assert found["report.html"] == (trained.folder / "report.html").read_bytes()
    manifest = json.loads(found["manifest.json"])
    assert manifest == {name: digest(data) for name, data in found.items() if name != "manifest.json"}
    told = json.loads(found["governance.json"])
    assert [(one["by"], one["verdict"]) for one in told["approvals"]] == [("risk_officer", "approved")]
    assert (told["author"], told["inventory"]["tier"]) == ("analyst", 2)


def test_the_card_tells_use_figures_features_and_who_approved(auditor: Settings, trained: Trained) -> None:
    card = contents(auditor, trained.digest)["model_card.md"].decode()
    assert "states no long-run average" in card
    metrics = trained.report.metrics
    for text in (
        "# flat.rating", trained.digest, "credit approval (REG-IL-01)", "| Tier | 2 |", "Rates \\| households", "No &lt;firms>",
        str(metrics.auc), "times late", "risk_officer", "Never in force.", "It was not tested.", trained.bundle.training_digest,
    ):  # fmt: skip
        assert text in card


def test_without_its_page_at_hand_the_report_is_drawn_from_its_twin(auditor: Settings, trained: Trained, tmp_path: Path) -> None:  # fmt: skip
    elsewhere = replace(auditor, home=tmp_path, master_key_file=auditor.key_file)
    page = contents(elsewhere, trained.digest)["report.html"].decode()
    assert "<svg" not in page
    assert f"{trained.report.metrics.ks.value:.4f}" in page


def test_the_same_version_gives_the_same_bytes(auditor: Settings, trained: Trained, tmp_path: Path) -> None:
    names = dossier(auditor, trained.digest, tmp_path / "a.zip")
    dossier(auditor, trained.digest, tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.namelist() == names == sorted(names)
        assert archive.testzip() is None
        assert archive.read("bundle.json") == trained.data


def test_definitions_comparisons_and_promotions_are_in_it(bank: Bank, auditor: Settings) -> None:
    desk = Desk(bank)
    name, champion = desk.submit(model()), desk.in_force()["bundle.risk"]
    desk.attach(name, EvidenceKind.REPORT, report(name))
    desk.attach(name, EvidenceKind.FAIRNESS, fairness(name))
    desk.attach(name, EvidenceKind.COMPARISON, comparison(name, champion))
    desk.approve(name)
    desk.promote("bundle.risk", name, waived=["inventory"], reason="tomorrow")
    found = contents(auditor, name)
    assert found["definitions.json"] == PLAN.document
    assert {"fairness.json", f"comparison-{champion[:12]}.json"} <= set(found)
    (put,) = json.loads(found["governance.json"])["promotions"]
    assert (put["waived"], put["reason"], put["slots"]) == (["inventory"], "tomorrow", {"bundle.risk": name})
    assert "tomorrow" in found["model_card.md"].decode()


def test_what_is_no_model_or_nowhere_has_none(
    bank: Bank, auditor: Settings, trained: Trained, tmp_path: Path
) -> None:
    with pytest.raises(Invalid, match="it is a policy"):
        contents(auditor, Desk(bank).in_force()["policy"])
    with pytest.raises(UnknownArtifact):
        contents(auditor, "f" * 12)
    with pytest.raises(Invalid, match="a folder that is there"):
        dossier(auditor, trained.digest, tmp_path / "no" / "x.zip")


def test_the_command_writes_it(bank: Bank, trained: Trained, tmp_path: Path, monkeypatch) -> None:
    for name, value in {
        "HOME": bank.settings.home, "DATABASE_URL": bank.settings.database_url, "TENANT": "city",
        "MASTER_KEY_FILE": bank.settings.key_file, "TOKEN": bank.tokens["auditor"],
    }.items():  # fmt: skip
        monkeypatch.setenv(f"YIDAI_{name}", str(value))
    out = tmp_path / "d.zip"
    result = CliRunner().invoke(app, ["models", "export", trained.digest[:12], "--dossier", "--out", str(out), "--json"])  # fmt: skip
    assert result.exit_code == 0, result.output
    assert json.loads(result.output)["bytes"] == out.stat().st_size
