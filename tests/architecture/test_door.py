"""Nobody goes around the door: who reads records says for what, and it is written down."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.architecture.test_guards import ROOT, text_of, tracked

INSIDE = {
    "features/timeline/": "what lies behind the door, and the ingest that fills it",
    "features/quality/": "counts over feeds as they come in, before anybody reads a subject",
    "features/build.py": "reads by bucket what the door has admitted and written down as one read",
}
READS = {"tables", "subject_tables", "raw"}
OF_A_LAKE = {"read", "relatives", "seen"}
FUNCTIONS = {"bucket_events", "BucketTables"}
JOBS = {"features/build.py", "features/verify.py", "features/spark.py", "training/features_cli.py"}
"""Jobs are made where the door was asked for one, or out of one."""


def called(node: ast.Call) -> tuple[str, str]:
    """The object and the name of a call, as they are written: ``self._lake.read()`` is ``_lake``, ``read``."""
    if isinstance(node.func, ast.Name):
        return "", node.func.id
    if not isinstance(node.func, ast.Attribute):
        return "", ""
    of = node.func.value
    inner = of.func if isinstance(of, ast.Call) else of
    owner = (
        inner.attr if isinstance(inner, ast.Attribute) else inner.id if isinstance(inner, ast.Name) else ""
    )
    return owner, node.func.attr


def around(source: str) -> list[int]:
    """Lines that read a lake otherwise than through a door."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            owner, name = called(node)
            reads = name in READS and "door" not in owner.lower()
            whole = name in OF_A_LAKE and "lake" in owner.lower()
            if reads or whole or (name in FUNCTIONS and not owner):
                found.append(node.lineno)
    return found


def watched(path: Path) -> bool:
    name = path.relative_to(ROOT).as_posix()
    return not any(name.startswith(inside) for inside in INSIDE)


def test_every_read_of_the_timeline_goes_through_the_door() -> None:
    files = [path for package in ("features", "training", "serving") for path in tracked(f"{package}/*.py")]
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in files
        if watched(path)
        for line in around(text_of(path))
    ]
    assert not found


def test_a_build_is_made_of_what_the_door_admitted() -> None:
    makers = {
        path.relative_to(ROOT).as_posix()
        for package in ("features", "training", "serving")
        for path in tracked(f"{package}/*.py")
        for node in ast.walk(ast.parse(text_of(path)))
        if isinstance(node, ast.Call) and called(node) == ("", "Job")
    }
    assert makers <= JOBS
    assert ".admit(" in text_of(ROOT / "training/features_cli.py")


@pytest.mark.parametrize(
    "line",
    [
        "lake.read(contract)", "self._lake.raw(contract, None)", "Lake(root).tables(contracts, names)",
        "Lake(root).read(contract)", "self.lake.subject_tables(contracts, 1)", "bucket_events(lake)",
    ],
)  # fmt: skip
def test_the_watch_over_the_door_sees_each_way_around_it(line: str) -> None:
    assert around(line) == [1]


@pytest.mark.parametrize(
    "line", ["door.seen(contracts, 1, names)", "file.read()", "door.whole(contracts, [])"]
)
def test_and_lets_pass_what_is_none(line: str) -> None:
    assert around(line) == []
