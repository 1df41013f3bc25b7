"""Check digits of the two numbers by which China knows persons and firms.

Person: GB 11643-1999 (ISO 7064 MOD 11-2), and the 15-digit form that came before it.
Legal person: GB 32100-2015, unified social credit code, MOD 31.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.errors import Invalid

_PERSON_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_PERSON_CHECKS = "10X98765432"
_USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_WEIGHTS = tuple(pow(3, position, 31) for position in range(17))


@dataclass(frozen=True, slots=True)
class Form:
    """How the 18 characters of a number hang together: each has a value, their weighted sum gives the last."""

    body: str
    last: str
    """Characters that may stand before the last place, and in the last."""
    weights: tuple[int, ...]
    checks: str
    """The last character by the weighted sum, modulo their number."""
    dated: bool


PERSON = Form("0123456789", "0123456789X", _PERSON_WEIGHTS, _PERSON_CHECKS, dated=True)
_USCC_LASTS = "".join(_USCC_ALPHABET[(31 - rest) % 31] for rest in range(31))
USCC = Form(_USCC_ALPHABET, _USCC_ALPHABET, _USCC_WEIGHTS, _USCC_LASTS, dated=False)


class WrongNumber(Invalid):
    """A number that cannot be anybody's. The message never repeats the number."""

    def __init__(self, kind: str, value_class: str, remedy: str) -> None:
        super().__init__(f"{kind}: {value_class}.", remedy=remedy, code="wrong_number")
        self.value_class = value_class


def check_person_number(text: str) -> str:
    """The 18-character form of a person's number; 15-digit numbers are extended, a small x is raised.

    Raises:
        WrongNumber: wrong length, characters, birth date or check digit.
    """
    number = text.strip().upper()
    if len(number) == 15 and number.isascii() and number.isdigit():
        body = f"{number[:6]}19{number[6:]}"
        _check_birth(body[6:14])
        return body + person_check_digit(body)
    if len(number) != 18:
        raise WrongNumber("identity number", "wrong length", "It has 18 characters (15 in the old form).")
    if not (number.isascii() and number[:17].isdigit() and (number[17].isdigit() or number[17] == "X")):
        raise WrongNumber("identity number", "wrong characters", "17 digits, then a digit or X.")
    _check_birth(number[6:14])
    if person_check_digit(number[:17]) != number[17]:
        raise WrongNumber("identity number", "wrong check digit", "Compare it with the document.")
    return number


def plain_numbers(texts: pa.Array, form: Form) -> NDArray[np.bool_]:
    """Which texts, a string array [n], are right numbers exactly as they stand.

    The others may be right too (spaces, small letters, the old form): ``check_person_number`` and ``check_uscc``
    say that, and what is wrong. A feed holds millions of numbers, and nearly all are plain.
    """
    right: NDArray[np.bool_] = np.asarray(pc.fill_null(pc.equal(pc.binary_length(texts), 18), False))
    chosen = texts.filter(pa.array(right)).cast(pa.binary()).cast(pa.binary(18))
    data = np.frombuffer(chosen.buffers()[1] or b"", np.uint8)[18 * chosen.offset :][: 18 * len(chosen)]
    data = data.reshape(-1, 18)
    values, lasts = _values(form.body)[data[:, :17]], _values(form.last)[data[:, 17]]
    good = (values >= 0).all(axis=1) & (lasts >= 0)
    rest = values @ np.array(form.weights, dtype=np.int64) % len(form.checks)
    good &= np.frombuffer(form.checks.encode(), np.uint8)[rest] == data[:, 17]
    if form.dated:
        good &= _is_date(*(values[:, part] for part in (slice(6, 10), slice(10, 12), slice(12, 14))))
    right[right] = good
    return right


def _values(alphabet: str) -> NDArray[np.int64]:
    """The value of each byte in an alphabet, int64 [256]; -1 where it has none."""
    table = np.full(256, -1, dtype=np.int64)
    table[np.frombuffer(alphabet.encode(), np.uint8)] = np.arange(len(alphabet))
    return table


def _is_date(
    years: NDArray[np.int64], months: NDArray[np.int64], days: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Whether digits [n, 4], [n, 2] and [n, 2] are a date of the calendar."""
    year = years @ np.array([1000, 100, 10, 1])
    month, day = (digits @ np.array([10, 1]) for digits in (months, days))
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    lengths = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
    known = (month >= 1) & (month <= 12)
    longest = lengths[np.where(known, month, 0)] + (leap & (month == 2))
    return np.asarray(known & (year >= 1) & (day >= 1) & (day <= longest))


def check_uscc(text: str) -> str:
    """The upper-case unified social credit code.

    Raises:
        WrongNumber: wrong length, characters or check digit.
    """
    code = text.strip().upper()
    if len(code) != 18:
        raise WrongNumber("unified social credit code", "wrong length", "It has 18 characters.")
    if any(character not in _USCC_ALPHABET for character in code):
        raise WrongNumber(
            "unified social credit code", "wrong characters", "Digits and letters without I O S V Z."
        )
    if uscc_check_digit(code[:17]) != code[17]:
        raise WrongNumber("unified social credit code", "wrong check digit", "Compare it with the licence.")
    return code


def person_check_digit(body: str) -> str:
    """Check character of the first 17 digits of a person's number."""
    return _PERSON_CHECKS[sum(w * int(c) for w, c in zip(_PERSON_WEIGHTS, body, strict=True)) % 11]


def uscc_check_digit(body: str) -> str:
    """Check character of the first 17 characters of a unified social credit code."""
    total = sum(w * _USCC_ALPHABET.index(c) for w, c in zip(_USCC_WEIGHTS, body, strict=True))
    return _USCC_ALPHABET[(31 - total % 31) % 31]


def _check_birth(digits: str) -> None:
    try:
        date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        raise WrongNumber("identity number", "impossible birth date", "Digits 7 to 14 are a date.") from None
