"""Delimited text as strings: what is broken, garbled or no row is told by its line, and the rest is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from features.errors import Invalid
from features.timeline.events import Int64


class UnreadableFeed(Invalid):
    """A file of which no row can be read."""

    def __init__(self, path: Path, problem: str, remedy: str) -> None:
        super().__init__(problem, place=str(path), remedy=remedy)


@dataclass(frozen=True, slots=True)
class RawTable:
    """All columns as strings, with each row's line in its file; ``broken`` are lines of another width and
    ``garbled`` those that are not UTF-8. ``deliveries`` tells rows apart that came apart and are checked together.
    """

    table: pa.Table
    lines: Int64
    broken: tuple[int, ...] = ()
    garbled: tuple[int, ...] = ()
    deliveries: Int64 | None = None


def read_text(
    path: Path, delimiter: str = ",", header: Sequence[str] = (), skip: Sequence[str] = ()
) -> RawTable:
    """A delimited UTF-8 text file (gzip by its ending) as strings.

    ``header`` names the columns of a file whose first line does not; lines that begin with one of ``skip`` are
    no rows.

    Raises:
        UnreadableFeed: not there, empty, damaged, mostly not UTF-8, or with a column name twice.
    """
    broken: list[int] = []

    def pass_over(row: pa_csv.InvalidRow) -> str:
        broken.append(int(row.number))
        return "skip"

    parse = pa_csv.ParseOptions(delimiter=delimiter, invalid_row_handler=pass_over, ignore_empty_lines=False)
    try:
        with pa.input_stream(str(path), compression="detect") as stream:
            data, garbled = _legible(stream.read(), path)
        data, places, unclosed = _rows_only(data, skip)
        names, named = _header(data, delimiter, header, path)
        table = pa_csv.read_csv(
            pa.BufferReader(data),
            read_options=pa_csv.ReadOptions(
                use_threads=False, block_size=1 << 26, column_names=None if named else names
            ),
            parse_options=parse,
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.binary()), strings_can_be_null=False
            ),
        )
    except (OSError, pa.ArrowInvalid, EOFError) as error:
        raise UnreadableFeed(
            path, f"cannot be read: {first_line(error)}.", "Send the file again, whole."
        ) from None
    rows = np.arange(1 + named, 1 + named + table.num_rows + len(broken))
    lines = np.setdiff1d(rows, np.array(broken, dtype=np.int64))
    if places is not None:
        lines, broken = places[lines - 1], places[np.array(broken, dtype=np.int64) - 1].tolist()
    return RawTable(_as_text(table, path), lines, tuple(sorted([*broken, *unclosed])), tuple(garbled))


def _header(data: bytes, delimiter: str, told: Sequence[str], path: Path) -> tuple[list[str], bool]:
    """The names of the columns, and whether the first line tells them."""
    first = data.split(b"\n", 1)[0].decode("utf-8-sig", errors="replace").strip()
    names = [name.strip('"') for name in first.split(delimiter)]
    if told and not set(told) & set(names):
        return list(told), False
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UnreadableFeed(path, f"the header names {', '.join(twice)} twice.", "Rename or drop one.")
    return names, True


def _rows_only(data: bytes, skip: Sequence[str]) -> tuple[bytes, Int64 | None, list[int]]:
    """The lines that can be rows and their numbers in the file (None: all of them), and the lines that open a quote
    without closing it: each would swallow those that follow.

    No row is what begins with one of ``skip``, and then what is blank.
    """
    if not skip and b'"' not in data:
        return data, None, []
    beginnings = tuple(text.encode() for text in skip)
    lines = data.split(b"\n")
    unclosed = [n for n, line in enumerate(lines) if line.count(b'"') % 2]
    if not skip and not unclosed:
        return data, None, []
    left_out = set(unclosed)
    if skip:
        left_out |= {n for n, line in enumerate(lines) if not line.strip() or line.startswith(beginnings)}
    kept = [n for n in range(len(lines)) if n not in left_out]
    rows = np.array(kept, dtype=np.int64) + 1
    return b"\n".join(lines[n] for n in kept), rows, [n + 1 for n in unclosed]


def _legible(data: bytes, path: Path) -> tuple[bytes, list[int]]:
    """The bytes with what is not UTF-8 replaced, and the lines on which that was needed."""
    try:
        data.decode()
    except UnicodeDecodeError:
        pass
    else:
        return data, []
    lines = data.split(b"\n")
    whole = [line.decode("utf-8", errors="replace").encode() for line in lines]
    garbled = [
        place for place, pair in enumerate(zip(lines, whole, strict=True), start=1) if pair[0] != pair[1]
    ]
    rows = sum(bool(line.strip()) for line in lines[1:])
    if garbled[0] == 1 or 2 * len(garbled) > rows:
        remedy = "Save the file as UTF-8 (spreadsheets often write GBK)."
        raise UnreadableFeed(path, "is not UTF-8 text.", remedy)
    return b"\n".join(whole), garbled


def _as_text(table: pa.Table, path: Path) -> pa.Table:
    try:
        return table.cast(
            pa.schema([(name.removeprefix("\ufeff"), pa.string()) for name in table.column_names])
        )
    except (pa.ArrowInvalid, ValueError):
        remedy = "Save the file as UTF-8 (spreadsheets often write GBK)."
        raise UnreadableFeed(path, "is not UTF-8 text.", remedy) from None


def first_line(error: BaseException) -> str:
    """What a library says of a failure, without its closing point."""
    return str(error).split("\n", 1)[0].rstrip(".")
