"""A portfolio that a newcomer could have written: one flat file, three columns, an outcome."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import yaml

ROOT = Path(__file__).parents[2]

CONTRACT = """
schema: 1
dataset: applicants
department: lender
title: {zh: 申请人, en: Applicants}
subject: opaque
subject_field: id
consent_category: application
legal_basis: [contract]
history: static
note: One row a person and no dates.
times: {valid_from: {constant: 2000-01-01}, known_from: {constant: 2000-01-01}}
key: []
source: {files: ["*.csv"], nulls: ["", "NA"]}
fields:
  - {name: bad, type: integer, min: 0, max: 1}
  - {name: income, type: decimal, scale: 1, zh: 收入, en: income}
  - {name: late, type: integer, min: 0, max: 20, special_codes: [96], zh: 逾期次数, en: times late}
  - {name: town, type: category, zh: 城镇, en: town}
"""
PORTFOLIO = """
schema: 1
portfolio: flat
title: {zh: 平表, en: A flat file}
population: {dataset: applicants, as_of: {constant: 2026-01-01}}
label: {kind: column, field: bad, bad: ["1"], good: ["0"]}
split: {kind: folds, folds: 3, seed: 7}
"""


def applicants(rows: int, seed: int = 0) -> list[str]:
    """Lines of a file of the flat portfolio, the header first."""
    g = np.random.default_rng(seed)
    lines = ["id,bad,income,late,town"]
    for k in range(rows):
        income, late = round(float(g.gamma(4, 10)), 1), 96 if g.random() < 0.05 else int(g.poisson(1))
        town = ("north", "south")[int(g.random() < 0.5)]
        odds = -1.8 - 0.06 * (income - 40) + 0.9 * min(late, 5)
        gap = "NA" if g.random() < 0.1 else income
        lines.append(f"P-{seed}-{k:04},{int(g.random() < 1 / (1 + np.exp(-odds)))},{gap},{late},{town}")
    return lines


def write_flat(folder: Path, lines: list[str] | None = None, **changes: object) -> Path:
    """The portfolio's folder with its data under ``data``; ``changes`` replace keys of portfolio.yaml."""
    (folder / "contracts").mkdir(parents=True, exist_ok=True)
    (folder / "data").mkdir(exist_ok=True)
    (folder / "contracts" / "applicants.yaml").write_text(CONTRACT, encoding="utf-8")
    document = yaml.safe_load(PORTFOLIO) | {"data": str(folder / "data")} | changes
    (folder / "portfolio.yaml").write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    (folder / "data" / "a.csv").write_text("\n".join(lines or applicants(500)) + "\n", encoding="utf-8")
    return folder / "portfolio.yaml"


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    """portfolio.yaml of a flat portfolio of 500 applicants."""
    return write_flat(tmp_path / "flat")


@pytest.fixture
def datasets(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the shared public datasets."""
    folder = Path(os.environ.get("YIDAI_DATASETS", ROOT.parent / "shared" / "datasets"))
    if not folder.is_dir():
        pytest.skip("the shared public datasets are not here: set YIDAI_DATASETS")
    monkeypatch.setenv("YIDAI_DATASETS", str(folder))
    return folder
