"""A benchmark that no test runs must at least still find what it measures."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

NAMES = sorted(file.stem for file in Path("benchmarks").glob("*.py") if file.stem != "__init__")


@pytest.mark.parametrize("name", NAMES)
def test_every_benchmark_finds_what_it_measures(name: str) -> None:
    module = import_module(f"benchmarks.{name}")
    assert module.__doc__


def test_each_that_can_be_run_is_named_in_the_makefile_or_says_how() -> None:
    run = [
        name for name in NAMES if "def main()" in Path(f"benchmarks/{name}.py").read_text(encoding="utf-8")
    ]
    untold = [
        name for name in run
        if f"python -m benchmarks.{name}" not in Path(f"benchmarks/{name}.py").read_text(encoding="utf-8")
    ]  # fmt: skip
    assert untold == []
