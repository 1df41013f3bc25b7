"""NDJSON lines as the table that a feed's file would have been."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from features.canonical import UNREADABLE
from features.contracts.model import Contract
from features.errors import TooLarge
from features.timeline.feed import Finding
from features.timeline.text import RawTable

MOST = 10_000
"""Records in one call."""
_REMEDIES = {
    "not a JSON object": "Send one flat JSON object a line; its values are texts, numbers, booleans or null.",
    "unknown field": "Send the contract's fields only; the page of contracts lists them.",
}
_decoder = msgspec.json.Decoder(dict[str, str | int | float | bool | None])


class TooManyRecords(TooLarge):
    """More lines than one call may have."""

    def __init__(self, lines: int) -> None:
        super().__init__(f"{lines} records came at once.", remedy=f"Send at most {MOST} a call.")


@dataclass(frozen=True, slots=True)
class Lines:
    """What could be read, under the numbers of its lines, and what could not."""

    header: tuple[str, ...]
    rows: list[list[str]]
    numbers: list[int]
    findings: list[Finding]
    seen: int

    @property
    def table(self) -> RawTable:
        """As a file's rows."""
        return RawTable(_table(self.header, self.rows), np.array(self.numbers, dtype=np.int64))


def joined(parts: Sequence[Lines]) -> RawTable:
    """Lines of several bodies of one dataset, to be checked together: a row's line is its place among all of them."""
    table = _table(parts[0].header, [row for part in parts for row in part.rows])
    deliveries = np.repeat(np.arange(len(parts)), [len(part.rows) for part in parts])
    return RawTable(table, np.arange(table.num_rows), deliveries=deliveries)


def read_lines(contract: Contract, body: bytes, file: str, most: int | None = MOST) -> Lines:
    """Lines of a body; empty ones are passed over. A value never stands in a finding.

    Raises:
        TooManyRecords: over the limit.
    """
    lines = [(n, line) for n, line in enumerate(body.split(b"\n"), start=1) if line.strip()]
    if most is not None and len(lines) > most:
        raise TooManyRecords(len(lines))
    header = (contract.subject_field, *(field.name for field in contract.fields))
    known, rows, numbers, findings = {*header}, [], [], []
    for number, line in lines:
        value = _object(line)
        problem = (
            "not a JSON object" if value is None else "unknown field" if not value.keys() <= known else ""
        )
        if problem or value is None:
            findings.append(Finding(contract.dataset, file, number, "", problem, _REMEDIES[problem]))
            continue
        rows.append([_text(value.get(name)) for name in header])
        numbers.append(number)
    return Lines(header, rows, numbers, findings, len(lines))


def _object(line: bytes) -> dict[str, str | int | float | bool | None] | None:
    try:
        return _decoder.decode(line)
    except UNREADABLE:
        return None


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value if value.isascii() else value.encode(errors="replace").decode()
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _table(header: Sequence[str], rows: list[list[str]]) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else ([] for _ in header)
    return pa.table(
        {n: pa.array(list(column), pa.string()) for n, column in zip(header, columns, strict=True)}
    )
