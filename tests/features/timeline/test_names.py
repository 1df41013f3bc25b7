"""A named id keeps its text, so that people can be told which one; every other id is a code."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from features.calendar import NULL
from features.canonical import code_of
from features.contracts.documents import BrokenDocument
from features.contracts.load import BUILTIN, load_contract
from features.timeline.lake import Lake


def test_texts_are_found_by_code_over_all_versions(tmp_path: Path) -> None:
    import numpy as np

    lake = Lake(tmp_path)
    for version, texts in ((1, ["LN1", "LN2", "LN1", ""]), (2, [" LN3 ", "LN2"])):
        codes = np.array([code_of(t.strip()) if t else NULL for t in texts], dtype=np.int64)
        lake.remember("loan", "loan_id", version, codes, pa.array(texts))
    assert lake.names("loan", "loan_id") == {code_of(text): text for text in ("LN1", "LN2", "LN3")}
    assert lake.names("loan", "application_id") == {}
    assert lake.next_version() == 1, "names are no rows"


def test_only_ids_are_named(tmp_path: Path) -> None:
    text = (BUILTIN / "loan.yaml").read_text(encoding="utf-8")
    path = tmp_path / "loan.yaml"
    path.write_text(text.replace("type: money,", "type: money, named: true,"), encoding="utf-8")
    with pytest.raises(BrokenDocument, match="'principal' is named, but no id"):
        load_contract(path)
