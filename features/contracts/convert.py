"""The text of a feed's column as int64, a whole column at a time, with the class of each bad value.

Values are never repeated in a finding, only their class: a quarantine report may be read by people who
may not see the data.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.calendar import CHINA_OFFSET, NULL, SECOND, month_start
from features.canonical import code_of
from features.contracts.model import Field, FieldType
from features.identity.numbers import WrongNumber, check_person_number, check_uscc

Int64 = NDArray[np.int64]
_YEAR_ONE = int(np.datetime64("0001-01-02", "us").astype(np.int64))
"""The calendar begins there; a day is left for the zone."""
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Converted:
    """``values`` int64 with ``NULL`` where absent or bad; ``problems`` maps a value class to its rows."""

    values: Int64
    problems: dict[str, Flags]


REMEDIES = {
    "empty": "The field is required: send it, or leave the row out.",
    "not a number": "Send digits with a point as the decimal mark.",
    "not a whole number": "Send digits only.",
    "not an amount in yuan": "Send yuan with at most two decimals, such as 1250.50.",
    "below the minimum": "The contract states the smallest value.",
    "above the maximum": "The contract states the largest value.",
    "not a date": "Send the date in the contract's form (ISO: 2024-05-31).",
    "not a month": "Send the month as 2024-05.",
    "not an instant": "Send 2024-05-31T08:00:00+08:00.",
    "not a boolean": "Send 1 or 0.",
    "unknown code": "Send one of the contract's codes, or have the code added to the contract.",
    "wrong length": "Compare the number with the document.",
    "wrong characters": "Compare the number with the document.",
    "impossible birth date": "Compare the number with the document.",
    "wrong check digit": "Compare the number with the document.",
    "wrong number of columns": "Compare the line with the header; quote texts that hold the delimiter.",
    "not UTF-8": "Save the file as UTF-8; the line holds bytes that are no text.",
    "valid_to is before valid_from": "Exchange or mend the two times.",
}
"""What to do about each class of bad value."""


def convert_column(field: Field, column: pa.Array) -> Converted:
    """A string column as int64, see ``Converted``; numbers of persons and firms go to ``check_numbers``."""
    text = pc.utf8_trim_whitespace(column.cast(pa.string()))
    empty = _flags(pc.fill_null(pc.equal(text, ""), True))
    values, bad, value_class = _CONVERTERS[field.type](field, text, ~empty)
    problems = {value_class: bad & ~empty}
    if field.required:
        problems["empty"] = empty
    values[empty | bad] = NULL
    if field.min is not None or field.max is not None:
        problems |= _range_problems(field, values)
    problems = {name: rows for name, rows in problems.items() if rows.any()}
    for rows in problems.values():
        values[rows] = NULL
    return Converted(values, problems)


def check_numbers(kind: FieldType, column: pa.Array) -> tuple[list[str | None], dict[str, Flags]]:
    """Normalised identity numbers of a column (None where bad) and the rows of each value class."""
    encoded = column.cast(pa.string()).dictionary_encode()
    check = check_person_number if kind is FieldType.ID_NUMBER else check_uscc
    outcome: list[tuple[str | None, str]] = []
    for text in encoded.dictionary.to_pylist():
        try:
            outcome.append((check(text), ""))
        except WrongNumber as error:
            outcome.append((None, "empty" if not text.strip() else error.value_class))
    indices = _ints(encoded.indices, len(outcome))
    outcome.append((None, "empty"))
    numbers = [outcome[i][0] for i in indices]
    classes = np.array([name for _, name in outcome])[indices]
    return numbers, {str(name): classes == name for name in np.unique(classes) if name}


def _range_problems(field: Field, values: Int64) -> dict[str, Flags]:
    present = values != NULL
    for code in field.special_codes:
        present &= values != round(code * field.divisor)
    problems = {}
    if field.min is not None:
        problems["below the minimum"] = present & (values < field.min * field.divisor)
    if field.max is not None:
        problems["above the maximum"] = present & (values > field.max * field.divisor)
    return problems


def _flags(array: pa.Array) -> Flags:
    return np.asarray(array.to_numpy(zero_copy_only=False), dtype=bool)


def _ints(array: pa.Array, fill: int = 0) -> Int64:
    return np.array(pc.fill_null(array.cast(pa.int64()), fill).to_numpy(zero_copy_only=False), dtype=np.int64)


def _matching(text: pa.Array, pattern: str, present: Flags) -> Flags:
    return _flags(pc.fill_null(pc.match_substring_regex(text, pattern), False)) & present


def _scatter(rows: Flags, values: Int64) -> Int64:
    out = np.full(len(rows), NULL)
    out[rows] = values
    return out


def _floats(text: pa.Array, rows: Flags) -> NDArray[np.float64]:
    chosen = text.filter(pa.array(rows))
    return np.asarray(chosen.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)


Outcome = tuple[Int64, Flags, str]


def _number(pattern: str, value_class: str) -> Callable[[Field, pa.Array, Flags], Outcome]:
    def convert(field: Field, text: pa.Array, present: Flags) -> Outcome:
        good = _matching(text, pattern, present)
        scaled = np.rint(_floats(text, good) * field.divisor)
        fits = np.abs(scaled) < 2**62
        values = _scatter(good, np.where(fits, scaled, 0.0).astype(np.int64))
        good[good] = fits
        return values, ~good, value_class

    return convert


def _boolean(field: Field, text: pa.Array, present: Flags) -> Outcome:
    lower = pc.utf8_lower(text)
    yes = _matching(lower, "^(1|true|y|yes)$", present)
    good = yes | _matching(lower, "^(0|false|n|no)$", present)
    return np.where(yes, 1, 0).astype(np.int64), ~good, "not a boolean"


def _month(field: Field, text: pa.Array, present: Flags) -> Outcome:
    good = _matching(text, r"^(000[1-9]|00[1-9]\d|0[1-9]\d\d|[1-9]\d{3})-(0[1-9]|1[0-2])$", present)
    chosen = text.filter(pa.array(good))
    year = _ints(pc.utf8_slice_codeunits(chosen, 0, 4))
    month = _ints(pc.utf8_slice_codeunits(chosen, 5, 7))
    return _scatter(good, month_start((year - 1970) * 12 + month - 1)), ~good, "not a month"


def _parse_local(text: pa.Array, form: str, rows: Flags) -> tuple[Int64, Flags]:
    """Microseconds of local time by a strptime form; a date that does not exist is not in the rows."""
    chosen = text.filter(pa.array(rows))
    parsed = pc.strptime(chosen, format=form, unit="us", error_is_null=True)
    same = _flags(pc.fill_null(pc.equal(pc.strftime(parsed, format=form), chosen), False))
    moments = _ints(parsed.cast(pa.int64()))
    same &= moments >= _YEAR_ONE
    good = rows.copy()
    good[good] = same
    return _scatter(good, moments[same]), good


def _date(field: Field, text: pa.Array, present: Flags) -> Outcome:
    local, good = _parse_local(text, field.format or "%Y-%m-%d", present)
    return local - np.where(good, CHINA_OFFSET, 0), ~good, "not a date"


_INSTANT = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\+08:00|Z)?$"


def _instant(field: Field, text: pa.Array, present: Flags) -> Outcome:
    if field.format:
        return _date(field, text, present)
    shaped = _matching(text, _INSTANT, present)
    head = pc.replace_substring(pc.utf8_slice_codeunits(text, 0, 19), " ", "T")
    clock = _matching(head, r"T([01]\d|2[0-3]):[0-5]\d:[0-5]\d$", shaped)
    days, good = _parse_local(pc.utf8_slice_codeunits(head, 0, 10), "%Y-%m-%d", clock)
    chosen = head.filter(pa.array(good))
    parts = [_ints(pc.utf8_slice_codeunits(chosen, at, at + 2)) for at in (11, 14, 17)]
    seconds = _scatter(good, parts[0] * 3600 + parts[1] * 60 + parts[2])
    zulu = _matching(text, "Z$", good)
    offset = np.where(good & ~zulu, CHINA_OFFSET, 0)
    return np.where(good, days + seconds * SECOND - offset, NULL), ~good, "not an instant"


def _coded(field: Field, text: pa.Array, present: Flags) -> Outcome:
    encoded = text.dictionary_encode()
    texts = encoded.dictionary.to_pylist()
    known = [not field.codes or value in field.codes for value in texts]
    codes = np.array([*(code_of(value) for value in texts), 0], dtype=np.int64)
    indices = _ints(encoded.indices, len(texts))
    good = np.array([*known, False])[indices] & present
    return codes[indices], ~good, "unknown code"


def _kept_apart(_: Field, text: pa.Array, present: Flags) -> Outcome:
    """A personal text has no number: only whether it is there is looked at."""
    return np.full(len(text), NULL), np.zeros(len(present), dtype=bool), "empty"


_CONVERTERS: dict[FieldType, Callable[[Field, pa.Array, Flags], Outcome]] = {
    FieldType.MONTH: _month,
    FieldType.DATE: _date,
    FieldType.INSTANT: _instant,
    FieldType.MONEY: _number(r"^-?\d{1,13}(\.\d{1,2}0*)?$", "not an amount in yuan"),
    FieldType.INTEGER: _number(r"^-?\d{1,15}(\.0+)?$", "not a whole number"),
    FieldType.DECIMAL: _number(r"^-?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$", "not a number"),
    FieldType.BOOLEAN: _boolean,
    FieldType.CATEGORY: _coded,
    FieldType.ID: _coded,
    FieldType.PERSONAL: _kept_apart,
}
