"""A declaration of sources that cannot be meant is refused with its place."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from features.contracts.documents import BrokenDocument
from serving.sources.asking import open_sources
from serving.sources.fetching import ADAPTERS
from serving.sources.model import OnFailure, SourcesDocument, SourceSpec, State, read_sources

GOOD = {"source": "bureau", "dataset": "gas", "url": "https://bureau.example/ask"}


def read(folder: Path, *sources: Any, **more: Any) -> SourcesDocument:
    file = folder / "sources.yaml"
    file.write_bytes(msgspec.json.encode({"schema": 1, "sources": sources, **more}))
    return read_sources(file, {"gas", "water"}, ADAPTERS)


def test_little_has_to_be_said(tmp_path: Path) -> None:
    (spec,) = read(tmp_path, GOOD).sources
    assert (spec.on_failure, spec.budget_ms, spec.gives) == (OnFailure.POLICY, 1_000, "gas")


@pytest.mark.parametrize(
    ("sources", "told"),
    [
        ([{**GOOD, "check": "aml"}], "both or neither"),
        ([{**GOOD, "dataset": ""}], "both or neither"),
        ([{**GOOD, "dataset": "weather"}], "weather"),
        ([{**GOOD, "dataset": "", "check": "mood"}], "mood"),
        ([{**GOOD, "dataset": "", "check": "aml", "fresh_days": 3}], "not kept"),
        ([{**GOOD, "adapter": "fax"}], "fax"),
        ([GOOD, {**GOOD, "dataset": "water"}], "bureau is declared twice"),
        ([GOOD, {**GOOD, "source": "other"}], "gas is declared twice"),
        ([{**GOOD, "url": "ftp://bureau.example"}], "url"),
        ([{**GOOD, "url": "https://me:word@bureau.example"}], "url"),
        ([{**GOOD, "url": "https://bureau.example/ask?id=1"}], "url"),
        ([{**GOOD, "budget_ms": 0}], "budget_ms"),
        ([{**GOOD, "patience": 1}], "patience"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(tmp_path: Path, sources: list[Any], told: str) -> None:
    with pytest.raises(BrokenDocument, match=told) as refusal:
        read(tmp_path, *sources)
    assert "sources" in refusal.value.place


def test_a_token_that_is_not_there_is_told_when_the_process_starts(tmp_path: Path) -> None:
    document = read(tmp_path, {**GOOD, "token_file": str(tmp_path / "none")})
    with pytest.raises(BrokenDocument, match="bureau: token_file"):
        open_sources(document, lambda: 0.0)


def test_the_declaration_of_the_page_is_one(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "sources.md").read_text(encoding="utf-8")
    file = tmp_path / "sources.yaml"
    file.write_text(page.split("```yaml\n", 1)[1].split("```", 1)[0])
    found = read_sources(file, {"bureau_repayment"}, ADAPTERS)
    assert [spec.gives for spec in found.sources] == ["bureau_repayment", "check.aml"]
    told = set(re.findall(r"`([a-z_]+)`", page))
    fields = {field.name for spec in (SourcesDocument, SourceSpec) for field in msgspec.structs.fields(spec)}
    assert fields - {"schema", "sources"} <= told
    assert {state.value for state in State} <= told
