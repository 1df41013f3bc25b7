"""Fields of forms, as values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from features.errors import YidaiError
from serving.console.asking import Sent, WrongField
from serving.process.telling import tellable

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


@dataclass(frozen=True, slots=True)
class CameBack:
    """A form on its page again: why it was refused (code, field and sentence, empty for a new form), and what stood in it."""

    status: int = 200
    code: str = ""
    place: str = ""
    message: str = ""
    typed: Mapping[str, str] = field(default_factory=dict)


FRESH = CameBack()


def came_back(sent: Sent, fields: Iterable[str], refusal: YidaiError) -> CameBack:
    """A form that was refused; what was typed comes back without numbers of people."""
    typed = {name: tellable(value) for name in fields if isinstance(value := sent.form.get(name), str)}
    message = tellable(f"{refusal.message} {refusal.remedy}")
    return CameBack(refusal.status, refusal.code, tellable(refusal.place), message, typed)
