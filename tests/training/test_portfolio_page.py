"""docs/portfolio.md: a newcomer who copies its YAML gets a model, a report and a scored file."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from tests.training.test_run import app

PAGE = (Path(__file__).parents[2] / "docs" / "portfolio.md").read_text(encoding="utf-8")


def written_files(folder: Path) -> list[Path]:
    """The YAML blocks whose first line names their file."""
    found = re.findall(r"```yaml\n# (\S+\.yaml)\n(.*?)```", PAGE, flags=re.DOTALL)
    for name, text in found:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name, _ in found]


def people(rows: int, seed: int) -> str:
    g = np.random.default_rng(seed)
    lines = ["id,defaulted,age,income,purpose"]
    for k in range(rows):
        age, income = int(g.integers(18, 90)), round(float(g.gamma(4, 2000)), 2)
        bad = int(g.random() < 1 / (1 + np.exp(0.05 * (age - 30) + income / 8000)))
        lines.append(f"{k},{bad},{age if g.random() < 0.9 else 0},{income},{('car', 'home')[k % 2]}")
    return "\n".join(lines) + "\n"


def test_the_page_leads_from_a_csv_to_a_report_and_a_scored_file(tmp_path, monkeypatch) -> None:
    contract, portfolio = written_files(tmp_path)
    assert (contract.name, portfolio.name) == ("applicants.yaml", "portfolio.yaml")
    data = tmp_path / "my_data"
    data.mkdir()
    (data / "book.csv").write_text(people(400, 0), encoding="utf-8")
    new = tmp_path / "new.csv"
    new.write_text(people(30, 1), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("YIDAI_HOME", str(tmp_path / ".yidai"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for command in (
        ["train", "rating", "--portfolio", "my_book", "--data", "my_data"],
        ["predict", "--portfolio", "my_book", "--model", "rating", "--in", "new.csv", "--out", "scored.csv"],
    ):
        assert f"yidai {command[0]}" in PAGE
        done = CliRunner().invoke(app, command, catch_exceptions=False)
        assert done.exit_code == 0, done.output
    assert len((tmp_path / "scored.csv").read_text().splitlines()) == 31
    assert len(list((tmp_path / ".yidai" / "models" / "my_book" / "rating").glob("*/report.html"))) == 1


def test_what_the_page_says_is_refused_is_said_by_the_code() -> None:
    code = "".join(
        path.read_text(encoding="utf-8")
        for folder in ("training", "features")
        for path in (Path(__file__).parents[2] / folder).rglob("*.py")
    )
    said = [text for cell in re.findall(r"^\| (`.*?) \|", PAGE.split("## What is refused")[1], flags=re.MULTILINE)
            for text in re.findall(r"`([^`]+)`", cell)]  # fmt: skip
    assert len(said) >= 9
    from_a_library = {"unknown field"}
    written = {text: re.sub(r"\d+", "{", text).split("{")[0] for text in said}
    assert not [text for text, part in written.items() if part not in code and text not in from_a_library]
