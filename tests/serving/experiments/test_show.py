"""`yidai experiments show` over decisions that were made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from serving.access.model import NotPermitted
from serving.cli import app
from serving.experiments import reading
from serving.registry.model import Kind
from serving.settings import Settings
from tests.serving.decisions.test_arms import experiment
from tests.serving.policy.documents import plain
from tests.serving.world import GOOD, LATE, MIDDLE, POOR, Bank, Client, policy_with


def as_role(bank: Bank, monkeypatch: pytest.MonkeyPatch, role: str) -> Settings:
    """Commands are asked by somebody of this role, on this bank."""
    named = {
        "YIDAI_HOME": bank.settings.home, "YIDAI_DATABASE_URL": bank.settings.database_url, "YIDAI_TENANT": "city",
        "YIDAI_TOKEN": bank.tokens[role], "YIDAI_MASTER_KEY_FILE": bank.settings.key_file,
    }  # fmt: skip
    for name, value in named.items():
        monkeypatch.setenv(name, str(value))
    return Settings.load()


def test_arms_phantoms_and_outcomes_are_told(
    client: Client, bank: Bank, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tables = plain()["tables"] | {"exposure_caps": []}
    document = policy_with(experiments=[experiment()], tables=tables, random_approval=None)
    bank.approved("policy", Kind.POLICY, document)
    answers = []
    for number in (GOOD, LATE, MIDDLE, POOR):
        consent = client.consent_id(number)
        answers += [client.decide(number, consent).json() for _ in range(2)]
    approved = [a for a in answers if a["outcome"] == "approve"]
    file = tmp_path / "outcomes.csv"
    file.write_text(
        "decision_id,bad\n" + "".join(f"{a['decision_id']},{k % 2}\n" for k, a in enumerate(approved))
    )
    asked = as_role(bank, monkeypatch, "risk_officer")
    found = reading.show(asked, outcomes=file)
    (shown,) = found.experiments
    for line in shown.arms:
        own = [a for a in answers if a["experiment"]["arm"] == line.arm]
        assert line.decisions == len(own)
        assert line.approval.value == sum(a["outcome"] == "approve" for a in own) / len(own)
        assert line.mean_pd == pytest.approx(sum(a["pd"] for a in own) / len(own))
        assert line.outcomes == sum(a["outcome"] == "approve" for a in own)
    assert found.decisions == sum(line.decisions for line in shown.arms) == 8
    assert {rail.verdict.value for rail in shown.rails} <= {"too early"}
    assert sum(line.decisions for line in found.shadows) == 8
    told = CliRunner().invoke(app, ["experiments", "show", "--json", "--outcomes", str(file)])
    assert json.loads(told.output)["decisions"] == 8
    assert "rating-2025" in CliRunner().invoke(app, ["experiments", "show"]).output
    later = reading.show(asked, since=bank.clock())
    assert (later.decisions, later.experiments) == (0, ())


def test_a_line_of_outcomes_that_is_none_is_refused_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "outcomes.csv"
    file.write_text("decision_id,bad\n01a21993-79bc-719c-9a31-1f856cd9725d,1\nnobody,0\n")
    with pytest.raises(reading.BrokenOutcome) as refused:
        reading.outcomes_of(file)
    assert refused.value.place == "line 3"


def test_only_who_may_read_receipts_is_shown_anything(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = as_role(bank, monkeypatch, "analyst")
    with pytest.raises(NotPermitted):
        reading.show(asked)
