"""A feed's file as checked columns: the good rows, and a finding for everything that is not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.calendar import DAY, NEVER, NULL, instant, month_index, month_start
from features.contracts.convert import REMEDIES, Int64, check_numbers, convert_column
from features.contracts.model import Contract, FieldType, SubjectKind, TimeSource
from features.timeline.text import RawTable, UnreadableFeed

_NUMBERS = {FieldType.ID_NUMBER, FieldType.USCC}
_SUBJECT_NUMBER = {SubjectKind.PERSON: FieldType.ID_NUMBER, SubjectKind.LEGAL_PERSON: FieldType.USCC}


class Finding(msgspec.Struct, frozen=True):
    """One reason for which one row is in quarantine. ``known`` (µs) is when the row became known, where it tells
    that or what it is of, else the latest such moment of its delivery; None where no row of it tells any.
    """

    dataset: str
    file: str
    line: int
    field: str
    value_class: str
    remedy: str
    known: int | None = None


@dataclass(frozen=True, slots=True)
class CheckedFeed:
    """The rows that keep their contract. ``numbers`` are subjects' numbers, ``lines`` their lines, ``links`` linked numbers by field,
    ``names`` the texts of named ids by field, ``personal`` the texts that go to the vault. ``held`` are rows
    without a valid number of a contract that allows them: good in all else, with ``numbers`` empty.
    """

    numbers: list[str]
    links: dict[str, list[str | None]]
    names: dict[str, pa.Array]
    personal: dict[str, list[str]]
    columns: dict[str, Int64]
    valid_from: Int64
    valid_to: Int64
    known_from: Int64
    imputed: NDArray[np.bool_]
    findings: list[Finding]
    rows_seen: int
    lines: Int64
    held: CheckedFeed | None = None


def check_feed(contract: Contract, raw: RawTable, file: str, *, hold: bool = False) -> CheckedFeed:
    """The good rows of a table under its contract, and the findings of the others. With ``hold`` those without
    a number are held where the contract allows it.

    Raises:
        UnreadableFeed: a column of the contract is missing from the header.
    """
    _require_columns(contract, raw.table.column_names, file)
    findings = [_finding(contract, file, line, "", "wrong number of columns") for line in raw.broken]
    good = np.ones(raw.table.num_rows, dtype=bool)

    def note(field: str, problems: Mapping[str, NDArray[np.bool_]]) -> None:
        for value_class, rows in problems.items():
            good[rows] = False
            at = raw.lines[rows]
            findings.extend(_finding(contract, file, int(line), field, value_class) for line in at)

    note("", {"not UTF-8": np.isin(raw.lines, raw.garbled)})
    numbers, problems = _subject_numbers(contract, raw.table)
    hold = hold and contract.unnumbered
    note(contract.subject_field, {} if hold else problems)
    columns, links = _convert_fields(contract, raw.table, note)
    times = _times(contract, columns, raw.table.num_rows)
    note("valid_to", {"valid_to is before valid_from": times[1] < times[0]})
    findings = sorted(_dated(findings, raw, times[2]), key=lambda f: (f.line, f.field))

    def chosen(rows: NDArray[np.bool_], held: CheckedFeed | None = None) -> CheckedFeed:
        kept = np.flatnonzero(rows)
        at = pa.array(kept)
        return CheckedFeed(
            [numbers[row] or "" for row in kept],
            {name: [texts[row] for row in kept] for name, texts in links.items()},
            {f.name: raw.table[f.name].combine_chunks().take(at) for f in contract.fields if f.named},
            {n: pc.utf8_trim_whitespace(raw.table[n].take(at)).to_pylist() for n in contract.personal},
            {name: columns[name][kept] for name in contract.names},
            times[0][kept],
            times[1][kept],
            times[2][kept],
            times[3][kept],
            findings,
            raw.table.num_rows + len(raw.broken),
            raw.lines[kept],
            held,
        )

    known = np.array([number is not None for number in numbers], dtype=bool)
    return chosen(good & known, chosen(good & ~known) if hold else None)


def _require_columns(contract: Contract, header: Iterable[str], file: str) -> None:
    there = set(header)
    wanted = (contract.subject_field, *(field.name for field in contract.fields))
    missing = [name for name in wanted if name not in there]
    if missing:
        problem = f"the header of dataset {contract.dataset} lacks {', '.join(missing)}."
        raise UnreadableFeed(Path(file), problem, "Send every column of the contract, empty where unknown.")


def _subject_numbers(
    contract: Contract, table: pa.Table
) -> tuple[list[str | None], dict[str, NDArray[np.bool_]]]:
    column = table[contract.subject_field].combine_chunks()
    kind = _SUBJECT_NUMBER.get(contract.subject)
    if kind is not None:
        return check_numbers(kind, column)
    texts = pc.utf8_trim_whitespace(column).to_pylist()
    empty = np.array([not text for text in texts], dtype=bool)
    return texts, ({"empty": empty} if empty.any() else {})


def _convert_fields(
    contract: Contract, table: pa.Table, note: object
) -> tuple[dict[str, Int64], dict[str, list[str | None]]]:
    columns: dict[str, Int64] = {}
    links: dict[str, list[str | None]] = {}
    nulls = set(contract.source.nulls) - {""} if contract.source else set()
    places = {link.field for link in contract.links if link.to is SubjectKind.OPAQUE}
    for field in contract.fields:
        column = table[field.name].combine_chunks()
        if nulls:
            column = pc.if_else(
                pc.is_in(pc.utf8_trim_whitespace(column), pa.array(sorted(nulls))), "", column
            )
        if field.type in _NUMBERS:
            links[field.name], problems = check_numbers(field.type, column)
            problems = problems if field.required else {k: v for k, v in problems.items() if k != "empty"}
            columns[field.name] = np.full(len(column), NULL)
        else:
            converted = convert_column(field, column)
            columns[field.name], problems = converted.values, converted.problems
            if field.name in places:
                links[field.name] = [text or None for text in pc.utf8_trim_whitespace(column).to_pylist()]
        note(field.name, problems)  # type: ignore[operator]
    return columns, links


def _times(
    contract: Contract, columns: Mapping[str, Int64], rows: int
) -> tuple[Int64, Int64, Int64, NDArray[np.bool_]]:
    times = contract.times
    valid_from = _time(times.valid_from, columns, rows)
    valid_from = np.where(valid_from == NULL, NEVER, valid_from)
    valid_to = _time(times.valid_to, columns, rows) if times.valid_to else np.full(rows, NULL)
    known_from = _time(times.known_from, columns, rows)
    imputed = known_from == NULL
    lag = round(times.known_from.usual_lag_days * DAY)
    end = period_end(contract, valid_from)
    late = np.where(end == NEVER, NEVER, np.minimum(end, NEVER - lag) + lag)
    return (
        valid_from,
        np.where(valid_to == NULL, NEVER, valid_to),
        np.where(imputed, late, known_from),
        imputed,
    )


def period_end(contract: Contract, valid_from: Int64) -> Int64:
    """The end of the month, or the moment, of which each row tells; a row's usual lag counts from it."""
    name = contract.times.valid_from.field
    if name is None or contract.field(name).type is not FieldType.MONTH:
        return valid_from
    known = valid_from != NEVER
    return np.where(known, month_start(month_index(np.where(known, valid_from, 0)) + 1), NEVER)


def _time(source: TimeSource, columns: Mapping[str, Int64], rows: int) -> Int64:
    if source.field is not None:
        return columns[source.field]
    return np.full(rows, NULL if source.constant is None else instant(source.constant))


def _dated(findings: list[Finding], raw: RawTable, known_from: Int64) -> list[Finding]:
    """Findings with the known time of their rows, int64 [rows], or the last of their delivery."""
    if not findings:
        return findings
    told = np.flatnonzero(known_from != NEVER)
    came = np.zeros(len(known_from), dtype=np.int64) if raw.deliveries is None else raw.deliveries
    last: dict[int, int] = {}
    for delivery in np.unique(came[told]).tolist():
        last[delivery] = int(known_from[told][came[told] == delivery].max())
    at = told[np.isin(raw.lines[told], [each.line for each in findings])]
    own = dict(zip(raw.lines[at].tolist(), known_from[at].tolist(), strict=True))
    of = dict(zip(raw.lines.tolist(), came.tolist(), strict=True)) if raw.deliveries is not None else {}
    return [
        msgspec.structs.replace(each, known=own.get(each.line, last.get(of.get(each.line, 0))))
        for each in findings
    ]


def _finding(contract: Contract, file: str, line: int, field: str, value_class: str) -> Finding:
    return Finding(contract.dataset, file, line, field, value_class, REMEDIES[value_class])
