"""What pages promise: their links lead somewhere, and what they say of the code is so."""

from __future__ import annotations

import re
import subprocess
import sys

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


def test_the_process_that_decides_loads_no_learner() -> None:
    code = "import sys, serving.operations; print(*(name for name in sys.modules if '.' not in name))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert "fastapi" in loaded
    assert not HEAVY & set(loaded)


def test_make_help_lists_every_target_that_people_are_told_of() -> None:
    said = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in ("setup", "demo", "test", "campaign", "check", "lint", "serve", "mlflow", "bench", "help"):
        assert f"make {target} " in said
