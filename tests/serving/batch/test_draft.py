"""Answers appear when all are there; what a killed run left is taken over, and two runs do not write one file."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.batch.draft import BeingAnswered, draft_of


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def failing(out: Path) -> None:
    """A run that ends halfway."""
    with draft_of(out) as target:
        target.write(b"half")
        raise ZeroDivisionError


def test_answers_appear_when_all_are_there_without_what_a_killed_run_left(tmp_path: Path) -> None:
    out = tmp_path / "answers"
    (tmp_path / ".answers.draft").write_bytes(b"of a killed run, and longer")
    with draft_of(out) as target:
        target.write(b"whole")
        assert names(tmp_path) == [".answers.draft"]
    assert out.read_bytes() == b"whole"
    assert names(tmp_path) == ["answers"]


def test_a_run_that_fails_leaves_nothing_and_the_older_answers(tmp_path: Path) -> None:
    out = tmp_path / "answers"
    out.write_bytes(b"older")
    with pytest.raises(ZeroDivisionError):
        failing(out)
    assert out.read_bytes() == b"older"
    assert names(tmp_path) == ["answers"]


def test_a_second_run_at_once_is_refused_and_disturbs_nothing(tmp_path: Path) -> None:
    out = tmp_path / "answers"
    with draft_of(out) as target:
        target.write(b"first")
        with pytest.raises(BeingAnswered, match="--out another name"), draft_of(out):
            pass
    assert out.read_bytes() == b"first"
