"""What pages promise: their links lead somewhere, and what they say of the code is so."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.architecture.test_guards import ROOT, text_of, tracked

LINK = re.compile(r"\]\(([^)#]+)(#[^)]*)?\)")
HEAVY = {"mlflow", "shap", "lightgbm", "sklearn", "pandas"}


def test_every_link_of_a_page_leads_to_a_file() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in tracked("*.md")
        for target, _ in LINK.findall(text_of(page))
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert not broken


def test_decision_records_are_numbered_short_and_whole() -> None:
    records = sorted(path for path in tracked("docs/decisions/*.md"))
    assert [int(path.name[:4]) for path in records] == list(range(1, len(records) + 1))
    for path in records:
        text = text_of(path)
        assert len(text.splitlines()) <= 12, path.name
        assert all(part in text for part in ("**Context.**", "**Decision.**", "**Consequences.**")), path.name


def loaded_by(module: str) -> set[str]:
    """The packages that importing a module loads, in a process of its own."""
    code = f"import sys, {module}; print(*(name for name in sys.modules if '.' not in name))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_process_that_decides_loads_no_learner() -> None:
    loaded = loaded_by("serving.app")
    assert "fastapi" in loaded
    assert not HEAVY & loaded


@pytest.mark.parametrize(("module", "not_there"), [
    ("serving.cli", {"numba", "pyarrow", "fastapi", "psycopg", "asyncpg", "duckdb"}),
    ("serving.serve", {"numba", "pyarrow", "fastapi", "duckdb", "alembic"}),
])  # fmt: skip
def test_help_and_the_first_of_several_servers_are_there_at_once(module: str, not_there: set[str]) -> None:
    assert not (HEAVY | not_there) & loaded_by(module)


def test_make_help_lists_every_target_that_people_are_told_of() -> None:
    said = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in ("setup", "demo", "test", "campaign", "check", "lint", "serve", "mlflow", "bench", "help"):
        assert f"make {target} " in said
