"""A real panel through the commands of the warning model: trained out of time, judged, and its report written."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from serving.cli import app
from tests.training.conftest import datasets

__all__ = ["datasets"]
pytestmark = pytest.mark.datasets


@pytest.mark.campaign
@pytest.mark.skipif(os.environ.get("YIDAI_CAMPAIGN") == "slice", reason="half a minute of training")
def test_mortgages_are_warned_of_out_of_time(datasets, tmp_path, monkeypatch) -> None:
    """Measured 0.690; the floor stands under it by what another order of sums may cost."""
    monkeypatch.setenv("YIDAI_HOME", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    done = CliRunner().invoke(app, ["train", "warning", "--portfolio", "dcr_mortgage", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["figures"]["auc"] >= 0.68
    assert [line["months"] for line in told["report"]["curve"]] == [3, 6, 12]
    assert list(Path(tmp_path).glob("models/dcr_mortgage/warning/*/report.html"))
