"""A sealed receipt opens under its own key and decision, whatever it was compressed with when it was written."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.decisions.receipt import open_receipt, seal_receipt
from serving.store.keys import Unreadable, seal

KEY = b"k" * 32


@given(st.binary(max_size=2000), st.text(max_size=40))
def test_what_was_sealed_is_opened(data: bytes, name: str) -> None:
    assert open_receipt(seal_receipt(data, KEY, name), KEY, name) == data


@given(st.binary(max_size=2000))
def test_receipts_that_were_compressed_by_zlib_still_open(data: bytes) -> None:
    assert open_receipt(seal(KEY, zlib.compress(data, 1), b"receipt d"), KEY, "d") == data


def test_another_decision_s_receipt_does_not_open() -> None:
    with pytest.raises(Unreadable):
        open_receipt(seal_receipt(b"{}", KEY, "d"), KEY, "e")
