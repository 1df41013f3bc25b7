"""The notebooks run from their first cell to their last on a city made on the spot, show pictures, and hold no logic."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
QUICK, SLICE = "explore_a_source", "build_a_scorecard"
"""Run in every test, and in the short slice of the long runs."""
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MOST_LINES = 16
"""Of one cell: more is a function that belongs into a package."""


def cases() -> list[object]:
    marks = {name.stem: () if name.stem == QUICK else (pytest.mark.campaign,) for name in NOTEBOOKS}
    return [pytest.param(path, id=path.stem, marks=marks[path.stem]) for path in NOTEBOOKS]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home, so that the four share their city."""
    return tmp_path_factory.mktemp("home")


@pytest.mark.parametrize("path", cases())
@pytest.mark.filterwarnings("default")  # the kernel's libraries warn of each other
def test_it_runs_and_shows_pictures(path: Path, home: Path, monkeypatch) -> None:
    if os.environ.get("YIDAI_CAMPAIGN") == "slice" and path.stem not in {QUICK, SLICE}:
        pytest.skip("not in the slice of the long runs")
    monkeypatch.setenv("YIDAI_HOME", str(home))
    monkeypatch.delenv("YIDAI_DATASETS", raising=False)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(home)}}
    ).execute()
    shown = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    markup = [one["data"]["text/html"] for one in shown if "text/html" in one.get("data", {})]
    assert len(markup) >= 3
    assert any("<svg" in each for each in markup)
    assert not any("<script" in each for each in markup)
    assert not [one for one in shown if one.output_type == "error" or one.get("name") == "stderr"]


def test_there_is_one_for_each_of_four_readers() -> None:
    readme = (ROOT / "notebooks" / "README.md").read_text(encoding="utf-8")
    assert len(NOTEBOOKS) == 4
    assert all(f"]({path.name})" in readme for path in NOTEBOOKS)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_thin_and_brings_no_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell in code:
        assert cell.outputs == []
        assert cell.execution_count is None
        assert len(cell.source.splitlines()) <= MOST_LINES
        nodes = list(ast.walk(ast.parse(cell.source)))
        assert not [
            node for node in nodes if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.While, ast.If))
        ]
