"""A file of applicants, line by line: what cannot be an application is told, the rest goes on."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from features.errors import Invalid, YidaiError
from serving.decisions.schemas import read_request
from serving.grants.model import Applicant, Refused

COLUMNS = (
    "id_number",
    "consent_id",
    "product",
    "amount_yuan",
    "term_months",
    "purpose",
    "region",
    "identity",
    "aml",
)
LONGEST_FIELD = 10_000


class NoColumn(Invalid):
    """A file whose first line lacks a name."""

    def __init__(self, path: Path, lacking: list[str]) -> None:
        super().__init__(
            f"there is no column {lacking[0]!r}.",
            place=f"{path.name}, line 1",
            remedy=f"The columns are {', '.join(COLUMNS)}.",
        )


class UnreadableLine(Invalid):
    """A line that is no text of the table's form."""

    def __init__(self, path: Path, line: int) -> None:
        super().__init__(
            "it is not UTF-8 text, or has a field of enormous length.",
            place=f"{path.name}, line {line}",
            remedy="Save the file as CSV in UTF-8 and run it again: what was decided is repeated.",
        )


def read_applicants(path: Path) -> Iterator[Applicant | Refused]:
    """Every line of a CSV file in order; a number that stands twice is refused the second time.

    Raises:
        NoColumn, UnreadableLine: nothing of the file is taken.
    """
    seen: set[str] = set()
    csv.field_size_limit(LONGEST_FIELD)
    rows = csv.DictReader(io.StringIO(_text(path), newline=""))
    try:
        lacking = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
    except csv.Error:
        raise UnreadableLine(path, 1) from None
    if lacking:
        raise NoColumn(path, lacking)
    for line, row in _rows(rows, path):
        found = _applicant(line, row)
        if isinstance(found, Applicant) and found.number.upper() in seen:
            yield Refused(
                line, "id_number", "this applicant stands in the file before.", "Take one line out."
            )
            continue
        if isinstance(found, Applicant):
            seen.add(found.number.upper())
        yield found


def _text(path: Path) -> str:
    data = path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableLine(path, data[: error.start].count(b"\n") + 1) from None


def _rows(rows: csv.DictReader[str], path: Path) -> Iterator[tuple[int, dict[str, str | None]]]:
    line = 1
    try:
        for row in rows:
            line += 1
            yield line, row
    except csv.Error:
        raise UnreadableLine(path, line + 1) from None


def _applicant(line: int, row: Mapping[str, str | None]) -> Applicant | Refused:
    told = {name: (row.get(name) or "").strip() for name in COLUMNS}
    body = msgspec.json.encode(
        {
            "applicant": {"id_number": told["id_number"]}, "consent_id": told["consent_id"], "product": told["product"],
            "amount_yuan": told["amount_yuan"], "purpose": told["purpose"], "region": told["region"],
            "term_months": int(told["term_months"]) if re.fullmatch("[0-9]{1,4}", told["term_months"]) else told["term_months"],
            "checks": {name: told[name] for name in ("identity", "aml") if told[name]},
        }
    )  # fmt: skip
    try:
        request = read_request(body)
    except YidaiError as error:
        return Refused(line, error.place or "", error.message, error.remedy or "")
    return Applicant(line, told["id_number"], body, request)
