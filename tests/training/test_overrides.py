"""What people decided otherwise stands in the report where an export lies beside the models, and is told as none else."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from training.overrides import (
    FILE,
    BrokenOverrides,
    OverrideLine,
    OverrideStatistics,
    overrides_section,
    read_overrides,
)

LINE = OverrideLine("approved_against_system", "decline", "approve", "RV_<GUARANTEE>", "consumer", 3, 900_000)
FOUND = OverrideStatistics(1, 0, 1, 200, 12, 8, 3, (LINE,))


def test_an_export_is_read_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(msgspec.json.encode(FOUND))
    assert read_overrides(tmp_path / FILE) == FOUND
    assert read_overrides(tmp_path / "elsewhere.json") is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 1}'])
def test_another_file_is_refused_with_its_place(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text, encoding="utf-8")
    with pytest.raises(BrokenOverrides) as refused:
        read_overrides(tmp_path / FILE)
    assert (refused.value.place, "yidai overrides export" in refused.value.remedy) == (
        str(tmp_path / FILE),
        True,
    )


def test_a_later_schema_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(msgspec.json.encode(msgspec.structs.replace(FOUND, schema=9)))
    with pytest.raises(BrokenOverrides, match="schema 9"):
        read_overrides(tmp_path / FILE)


def test_the_section_tells_share_and_lines_escaped_or_that_there_are_none() -> None:
    told = overrides_section(FOUND)
    assert "3 overrides in 200 decisions (1.50%)" in told
    assert "RV_&lt;GUARANTEE&gt;" in told
    assert "9,000.00" in told
    assert "None is recorded" in overrides_section(None)
    empty = overrides_section(msgspec.structs.replace(FOUND, decisions=0, overrides=0, lines=()))
    assert "0.00%" in empty
    assert "<table" not in empty
