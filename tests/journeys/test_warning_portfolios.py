"""Two real portfolios through the commands after the loan: a panel with the economy's series, warned of out of time, and
a lender whose customers come again, with their earlier loans.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from serving.cli import app
from tests.training.conftest import datasets
from training.validation import auc

__all__ = ["datasets"]
pytestmark = [
    pytest.mark.datasets,
    pytest.mark.campaign,
    pytest.mark.skipif(os.environ.get("YIDAI_CAMPAIGN") == "slice", reason="half a minute of training"),
]
Row = dict[str, str]


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path) -> Path:
    monkeypatch.setenv("YIDAI_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path / "home"


def run(*arguments: object) -> str:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def read(path: Path) -> list[Row]:
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
    return list(csv.DictReader(io.StringIO(text)))


def write(path: Path, rows: list[Row], names: list[str]) -> Path:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    raw = text.getvalue().encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)
    return path


def test_mortgages_are_warned_of_out_of_time_and_a_file_of_them_is_scored(datasets, home, tmp_path) -> None:
    """Measured 0.692; the floor stands under it by what another order of sums may cost. The file holds whole
    loans, because a quarter is compared with those before it; its label is not sent.
    """
    told = json.loads(run("train", "warning", "--portfolio", "dcr_mortgage", "--json"))
    assert told["figures"]["auc"] >= 0.68
    assert [line["months"] for line in told["report"]["curve"]] == [3, 6, 12]
    assert list(home.glob("models/dcr_mortgage/warning/*/report.html"))

    rows = [row for row in read(datasets / "dcr_mortgage" / "dcr_dev.csv.gz") if int(row["id"]) % 4 == 0]
    names = [name for name in rows[0] if name not in {"default_time", "payoff_time", "status_time"}]
    new, out = write(tmp_path / "new.csv", rows, names), tmp_path / "out.csv"
    run("predict", "--portfolio", "dcr_mortgage", "--model", "warning", "--in", new, "--out", out)
    pd = {(row["id"], row["time"]): float(row["pd"]) for row in read(out)}
    assert set(pd) == {(row["id"], row["time"]) for row in rows}
    later = [row for row in rows if int(row["time"]) > 30]
    bad = np.array([row["default_time"] == "1" for row in later]).astype(np.int8)
    assert auc(bad, np.array([pd[row["id"], row["time"]] for row in later])).value > 0.65


def test_a_lender_whose_customers_come_again_is_trained_and_scored_by_their_earlier_loans(
    datasets, tmp_path
) -> None:
    source, folder = datasets / "superlender_ng", tmp_path / "known"
    files = {one: read(source / f"train{one}_dev.csv.gz") for one in ("perf", "prevloans", "demographics")}
    ids = sorted({row["customerid"] for row in files["perf"]})
    held = set(ids[::4])
    learned = {name: [row for row in rows if row["customerid"] not in held] for name, rows in files.items()}
    for name, rows in learned.items():
        write(folder / f"train{name}.csv.gz", rows, list(rows[0]))
    told = json.loads(
        run("train", "risk", "--portfolio", "superlender_ng", "--data", folder, "--repeats", 1, "--json")
    )
    assert told["report"]["metrics"]["rows"] == len(learned["perf"])

    others = [row for row in files["perf"] if row["customerid"] in held]
    new = write(tmp_path / "new.csv", others, [name for name in others[0] if name != "good_bad_flag"])
    asked = ("predict", "--portfolio", "superlender_ng", "--model", "risk", "--in", new, "--out")
    run(*asked, tmp_path / "out.csv", "--data", source)
    pd = {row["systemloanid"]: float(row["pd"]) for row in read(tmp_path / "out.csv")}
    assert set(pd) == {row["systemloanid"] for row in others}
    bad = np.array([row["good_bad_flag"] == "Bad" for row in others]).astype(np.int8)
    with_past = auc(bad, np.array([pd[row["systemloanid"]] for row in others]))
    assert with_past.low > 0.55

    run(*asked, tmp_path / "without.csv", "--data", folder)
    blind = {row["systemloanid"]: float(row["pd"]) for row in read(tmp_path / "without.csv")}
    without_past = auc(bad, np.array([blind[row["systemloanid"]] for row in others]))
    assert with_past.value > without_past.value
