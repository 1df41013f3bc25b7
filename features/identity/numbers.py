"""Check digits of the two numbers by which China knows persons and firms.

Person: GB 11643-1999 (ISO 7064 MOD 11-2), and the 15-digit form that came before it.
Legal person: GB 32100-2015, unified social credit code, MOD 31.
"""

from __future__ import annotations

from datetime import date

from features.errors import Invalid

_PERSON_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_PERSON_CHECKS = "10X98765432"
_USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_WEIGHTS = tuple(pow(3, position, 31) for position in range(17))


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
