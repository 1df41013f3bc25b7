"""Fields of forms, as values."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TypeVar

from serving.console.asking import Sent, WrongField

_Choice = TypeVar("_Choice", bound=StrEnum)
_AMOUNT = re.compile(r"(\d{1,12})(?:\.(\d{1,2}))?")


def amount(sent: Sent, name: str) -> int:
    """An amount with at most two decimals, in hundredths: yuan as fen, percent as parts of ten thousand.

    Raises:
        WrongField: it is none.
    """
    found = _AMOUNT.fullmatch(sent.text(name, 20).replace(",", ""))
    if found is None:
        raise WrongField(name, "an amount is expected, such as 30000 or 7.25.")
    return int(found[1]) * 100 + int((found[2] or "0").ljust(2, "0"))


def choice(kind: type[_Choice], value: str, name: str) -> _Choice:
    """A value of a list.

    Raises:
        WrongField: it is not of the list.
    """
    try:
        return kind(value)
    except ValueError:
        raise WrongField(name, "this is no choice of the list.") from None
