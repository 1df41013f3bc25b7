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
from features.identity.numbers import (
    PERSON,
    USCC,
    WrongNumber,
    check_person_number,
    check_uscc,
    plain_numbers,
)

Int64 = NDArray[np.int64]
_YEAR_ONE = int(np.datetime64("0001-01-02", "us").astype(np.int64))
"""The calendar begins there; a day is left for the zone."""
Flags = NDArray[np.bool_]
_FORMS = {FieldType.ID_NUMBER: PERSON, FieldType.USCC: USCC}
_CHECKS = {FieldType.ID_NUMBER: check_person_number, FieldType.USCC: check_uscc}
_TEXTS = {FieldType.ID, FieldType.PERSONAL}
"""What is shown to people as it came."""
_CONTROL = r"[\x00-\x1f\x7f-\x{9f}\x{202a}-\x{202e}\x{2066}-\x{2069}]"
"""C0, delete and C1, and what turns the direction of the text around it."""
_LONGEST = 500
_MANY = 256
"""From so many rows on it pays to look for texts that repeat."""


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
    "control character": "Take out characters that cannot be seen: line breaks, tabs, changes of direction.",
    "too long": "Send at most 500 characters.",
    "valid_to is before valid_from": "Exchange or mend the two times.",
}
"""What to do about each class of bad value."""


def convert_column(field: Field, column: pa.Array) -> Converted:
    """A string column as int64, see ``Converted``; numbers of persons and firms go to ``check_numbers``."""
    values, bad, empty, value_class = _convert(field, pc.fill_null(column.cast(pa.string()), ""))
    problems = {value_class: bad & ~empty}
    if field.required:
        problems["empty"] = empty
    values[empty | bad] = NULL
    if field.min is not None or field.max is not None:
        problems |= _range_problems(field, values)
    if field.type in _TEXTS:
        problems |= _text_problems(column)
    problems = {name: rows for name, rows in problems.items() if rows.any()}
    for rows in problems.values():
        values[rows] = NULL
    return Converted(values, problems)


def _convert(field: Field, column: pa.Array) -> tuple[Int64, Flags, Flags, str]:
    """Values, which are bad, which are empty, and the class of the bad ones. A text that repeats is read once."""
    if len(column) >= _MANY:
        encoded = column.dictionary_encode()
        if len(encoded.dictionary) * 3 < len(column):
            at = _ints(encoded.indices)
            values, bad, empty, value_class = _convert_each(field, encoded.dictionary)
            return values[at], bad[at], empty[at], value_class
    return _convert_each(field, column)


def _convert_each(field: Field, column: pa.Array) -> tuple[Int64, Flags, Flags, str]:
    text = pc.utf8_trim_whitespace(column)
    empty = _flags(pc.equal(text, ""))
    values, bad, value_class = _CONVERTERS[field.type](field, text, ~empty)
    return values, bad, empty, value_class


def check_numbers(kind: FieldType, column: pa.Array) -> tuple[list[str | None], dict[str, Flags]]:
    """Normalised identity numbers of a column (None where bad) and the rows of each value class."""
    encoded = column.cast(pa.string()).dictionary_encode()
    texts = encoded.dictionary
    found = np.empty(len(texts) + 1, dtype=object)
    classes = np.full(len(texts) + 1, "", dtype=object)
    plain = plain_numbers(texts, _FORMS[kind])
    found[:-1][plain] = texts.filter(pa.array(plain)).to_pylist()
    for place in np.flatnonzero(~plain).tolist():
        found[place], classes[place] = _checked(_CHECKS[kind], texts[place].as_py())
    classes[-1] = "empty"
    at = _ints(encoded.indices, len(texts))
    named = classes[at]
    problems = {name: np.asarray(named == name, dtype=bool) for name in sorted(set(classes)) if name}
    return found[at].tolist(), {name: rows for name, rows in problems.items() if rows.any()}


def _checked(check: Callable[[str], str], text: str) -> tuple[str | None, str]:
    try:
        return check(text), ""
    except WrongNumber as error:
        return None, "empty" if not text.strip() else error.value_class


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


def _text_problems(column: pa.Array) -> dict[str, Flags]:
    text = pc.utf8_trim_whitespace(pc.fill_null(column.cast(pa.string()), ""))
    long = _flags(pc.greater(pc.utf8_length(text), _LONGEST))
    return {"control character": _matching(text, _CONTROL, ~long), "too long": long}


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


def _parse_local(text: pa.Array, form: str, rows: Flags, *, padded: bool = True) -> tuple[Int64, Flags]:
    """Microseconds of local time by a strptime form; a date that does not exist is not in the rows.

    The parser takes 30 February for 2 March, so what it read must read the same; leading zeros may be missing
    where it is not ``padded``.
    """
    encoded = text.filter(pa.array(rows)).dictionary_encode()
    days, at = encoded.dictionary, _ints(encoded.indices)
    parsed = pc.strptime(days, format=form, unit="us", error_is_null=True)
    again = pc.strftime(parsed, format=form)
    if not padded:
        again, days = _bare(again), _bare(days)
    same = _flags(pc.fill_null(pc.equal(again, days), False))
    moments = _ints(parsed.cast(pa.int64()))
    same &= moments >= _YEAR_ONE
    same, moments = same[at], moments[at]
    good = rows.copy()
    good[good] = same
    return _scatter(good, moments[same]), good


def _bare(text: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(text, r"\b0+(\d)", r"\1")


def _date(field: Field, text: pa.Array, present: Flags) -> Outcome:
    local, good = _parse_local(text, field.format or "%Y-%m-%d", present, padded=not field.format)
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
