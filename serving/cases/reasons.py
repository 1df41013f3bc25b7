"""The reasons that a person's decision may give, as data beside this file."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec

from features.contracts.documents import read_yaml
from serving.cases.model import NoText, PersonOutcome, WrongReason

FILE = Path(__file__).parent / "reasons.yaml"
MOST_TEXT = 2_000


class PersonReason(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A reason for one outcome, as it is told."""

    code: str
    outcome: PersonOutcome
    zh: str
    en: str


class ReasonsDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``reasons.yaml``."""

    schema: int
    reasons: tuple[PersonReason, ...]


@cache
def person_reasons() -> dict[str, PersonReason]:
    """Every reason by its code."""
    return {reason.code: reason for reason in read_yaml(FILE, ReasonsDocument).reasons}


def reason_of(outcome: PersonOutcome, code: str, text: str) -> PersonReason:
    """The reason of a code, for a decision that is told in words too.

    Raises:
        WrongReason: not of the list, or for the other outcome.
        NoText: no words, or too many.
    """
    found = person_reasons().get(code)
    if found is None or found.outcome is not outcome:
        known = [each.code for each in person_reasons().values() if each.outcome is outcome]
        raise WrongReason(code, outcome.value, known)
    if not 1 <= len(text.strip()) <= MOST_TEXT:
        raise NoText
    return found
