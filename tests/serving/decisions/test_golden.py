"""A receipt of every schema, as the engine of its day stored it, is read today and stands to the byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.canonical import canonical_bytes, digest
from serving.decisions.receipt import SCHEMA, named, read_receipt

GOLDEN = Path(__file__).parent / "golden"


def stored(schema: int) -> bytes:
    return (GOLDEN / f"receipt_{schema}.json").read_bytes()


def test_there_is_one_of_every_schema() -> None:
    kept = {int(path.stem.removeprefix("receipt_")) for path in GOLDEN.glob("receipt_*.json")}
    assert kept == set(range(1, SCHEMA + 1))


@pytest.mark.parametrize("schema", range(1, SCHEMA + 1))
def test_it_is_read_and_told_in_its_own_schema(schema: int) -> None:
    data = stored(schema)
    receipt = read_receipt(data)
    assert receipt.schema == schema
    assert receipt.answer["outcome"] in {"approve", "refer", "decline"}
    assert receipt.facts
    assert receipt.scores
    assert digest(canonical_bytes(receipt.answer)) == receipt.answer_digest
    if data == named(data):
        assert canonical_bytes(receipt) == data
