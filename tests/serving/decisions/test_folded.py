"""A receipt of schema 5 tells every name once, and is read by itself as the older ones are."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from features.canonical import canonical_bytes, digest
from features.errors import Integrity
from serving.decisions.receipt import named, open_receipt, read_receipt, seal_receipt

STORED = (Path(__file__).parent / "golden" / "receipt_5.json").read_bytes()
NAMED = "1575ced38eaa2b36e1bb338a4995200fa660b31c46a667566f033d845a3f7dd8"
"""Digest of the same decision's receipt of schema 4, when both were written."""


def changed(**members: object) -> bytes:
    """The receipt with other members."""
    return canonical_bytes(msgspec.json.decode(STORED) | members)


def test_a_receipt_of_schema_5_is_told_with_every_value_beside_its_name() -> None:
    receipt = read_receipt(STORED)
    assert receipt.schema == 5
    assert receipt.facts["bank_inflow_mean_12m"] == 400_000.25
    assert receipt.facts["agri_claim_ratio"] == "NO_RECORD"
    assert receipt.explanation is not None
    assert [reason.en for reason in receipt.explanation.reasons][-1] == "Low or falling use of electricity"
    assert digest(named(STORED)) == NAMED
    assert named(named(STORED)) == named(STORED)


@pytest.mark.parametrize(
    ("member", "value"),
    [("facts", [1]), ("rules", []), ("scores", {"other": {}}), ("schema", 6), ("schema", 4), ("answer", {})],
)
def test_a_receipt_whose_lists_do_not_fit_its_names_is_refused(member: str, value: object) -> None:
    with pytest.raises(Integrity, match="the receipt"):
        read_receipt(changed(**{member: value}))


def test_what_others_share_is_compressed_once_and_each_opens_by_itself() -> None:
    other = changed(answer_digest="f" * 64)
    sealed = [seal_receipt(each, bytes(32), "d") for each in (STORED, other, b"{}", STORED)]
    assert [open_receipt(each, bytes(32), "d") for each in sealed] == [STORED, other, b"{}", STORED]
    assert max(map(len, sealed)) < len(STORED) / 2
