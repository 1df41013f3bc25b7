"""What the tree itself must keep, whoever edits it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("features", "training", "serving")
LONG_FILE = 300
REASON = "Longer than 300 lines because"


def tracked(*patterns: str) -> list[Path]:
    """Files that git knows or would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / line for line in listed.splitlines() if (ROOT / line).is_file()]


def text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def test_no_python_lies_under_mlflow() -> None:
    assert not [path for path in tracked("mlflow") if path.suffix in {".py", ".pyi", ".ipynb"}]


def test_import_mlflow_is_the_library() -> None:
    found = subprocess.run(
        [sys.executable, "-c", "import importlib.util as u; print(u.find_spec('mlflow').origin)"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    assert found.endswith("site-packages/mlflow/__init__.py")


MACHINE = re.compile(r"(^|[^a-zA-Z._-])/(w" + r"ork|f" + r"arm|r" + r"oot)/")
HOST = re.compile(r"(p" + r"ypi|pythonh" + r"osted|n" + r"pmjs|d" + r"ebian)\.(org|com|net|io)")


def test_no_path_of_a_machine_and_no_registry_stands_in_the_tree() -> None:
    bad = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in tracked()
        for number, line in enumerate(text_of(path).splitlines(), start=1)
        if MACHINE.search(line) or HOST.search(line)
    ]
    assert not bad


def test_the_locks_hold_hashes_and_no_address() -> None:
    locks = tracked("requirements/*.txt")
    assert {path.name for path in locks} >= {"run.txt", "dev.txt", "learner-peers.txt", "tools.txt"}
    for path in locks:
        text = text_of(path)
        assert "--hash=sha256:" in text
        assert "://" not in text
        assert "index-url" not in text


def test_no_file_is_longer_than_a_head_can_hold_without_a_written_reason() -> None:
    long = [
        f"{path.relative_to(ROOT)} ({len(text_of(path).splitlines())})"
        for path in tracked("*.py")
        if len(text_of(path).splitlines()) > LONG_FILE and REASON not in text_of(path)
    ]
    assert not long


def functions(path: Path) -> list[int]:
    """Lengths in lines of a file's functions, decorators and docstrings left out."""
    lengths = []
    for node in ast.walk(ast.parse(text_of(path))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lengths.append((body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0)
    return lengths


def test_functions_are_short() -> None:
    lengths = sorted(
        n for package in PACKAGES for path in tracked(f"{package}/*.py") for n in functions(path)
    )
    assert lengths[len(lengths) // 2] <= 10
    assert lengths[int(len(lengths) * 0.95)] <= 50


@pytest.mark.parametrize("package", PACKAGES)
def test_package_inits_are_empty(package) -> None:
    assert not [path for path in tracked(f"{package}/*__init__.py") if text_of(path).strip()]


def test_every_folder_of_tests_is_a_package() -> None:
    folders = {path.parent for path in tracked("tests/*.py")}
    assert not [folder for folder in folders if not (folder / "__init__.py").exists()]


def test_every_package_is_listed_for_the_build() -> None:
    listed = text_of(ROOT / "pyproject.toml").split("packages = [", 1)[1].split("]", 1)[0]
    for package in PACKAGES:
        for path in tracked(f"{package}/*__init__.py"):
            name = ".".join(path.parent.relative_to(ROOT).parts)
            assert f'"{name}"' in listed, name


def test_nothing_large_is_committed() -> None:
    assert not [
        path for path in tracked() if path.stat().st_size > 500_000 and "requirements" not in path.parts
    ]
