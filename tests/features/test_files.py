"""A file is written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.errors import Invalid
from features.files import put_file


def test_a_file_takes_the_place_of_one_of_its_name_and_leaves_no_draft(tmp_path: Path) -> None:
    for data in (b"one", b"two"):
        put_file(tmp_path / "a.json", data)
        assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a.json", data)]


def test_a_folder_that_is_not_there_is_told_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="the answers cannot be written: No such file") as refused:
        put_file(tmp_path / "none" / "a.csv", b"", "the answers")
    assert refused.value.place == str(tmp_path / "none" / "a.csv")
