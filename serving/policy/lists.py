"""Lists of subjects as approved documents: who is on one, by pseudonym, and until when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from features.canonical import UNREADABLE, canonical_bytes
from features.contracts.model import Text
from features.errors import Integrity, Invalid
from serving.policy.days import end_day, first_day
from serving.policy.lending import Document

LONGEST = 366
"""Days after which an entry must have been looked at again (REG-IL-19)."""
_HEX = frozenset("0123456789abcdef")


class ListKind(StrEnum):
    """What being on a list is for; a policy's rules say what comes of it."""

    ALLOW = "allow"
    DENY = "deny"


class Entry(Document, frozen=True):
    """A subject's pseudonym in hexadecimal, on the list from one day to before another."""

    subject: str
    effective_from: str
    effective_to: str


class ListDocument(Document, frozen=True):
    """One list; rules ask it as ``list.<name>``."""

    schema: int
    list: str
    kind: ListKind
    title: Text
    source: str
    entries: tuple[Entry, ...]


class BrokenList(Invalid):
    """A list that may not be used."""

    def __init__(self, place: str, problem: str, remedy: str) -> None:
        super().__init__(problem, place=f"list: {place}", remedy=remedy)


@dataclass(frozen=True, slots=True)
class SubjectList:
    """A list made ready: days from and to by pseudonym."""

    document: ListDocument
    days: Mapping[bytes, tuple[int, int]]

    def has(self, pseudonym: bytes, day: int) -> bool:
        """Whether a subject is on it on a day."""
        since, end = self.days.get(pseudonym, (0, 0))
        return since <= day < end


def read_list(data: bytes) -> SubjectList:
    """The list in these canonical bytes.

    Raises:
        Integrity: not canonical, or not a list.
        BrokenList: an entry without end, for longer than a year, or that stands twice.
    """
    try:
        document = msgspec.json.decode(data, type=ListDocument)
        canonical = canonical_bytes(msgspec.json.decode(data))
    except UNREADABLE as error:
        raise Integrity(f"the list cannot be read: {error}.") from error
    if canonical != data:
        raise Integrity("the list is not in canonical form.", remedy="Submit it with the command.")
    if document.schema != 1:
        raise BrokenList("schema", f"schema {document.schema} is not known.", "Write schema: 1.")
    for name, times in Counter(entry.subject for entry in document.entries).items():
        if times > 1:
            raise BrokenList(name[:8], "the subject stands twice.", "Keep one entry.")
    return SubjectList(document, dict(_entry(place, entry) for place, entry in enumerate(document.entries)))


def _entry(place: int, entry: Entry) -> tuple[bytes, tuple[int, int]]:
    name = f"entries[{place}]"
    if len(entry.subject) != 64 or not _HEX.issuperset(entry.subject):
        raise BrokenList(name, "the subject is no pseudonym.", "`yidai policy list` writes them.")
    if not entry.effective_from or not entry.effective_to:
        raise BrokenList(name, "it has no day from or to.", "Say from when and to when; a year at most.")
    since, end = first_day(entry.effective_from), end_day(entry.effective_to)
    if end <= since:
        raise BrokenList(name, "it ends before it begins.", "Mend effective_to.")
    if end - since > LONGEST:
        problem = "it holds for longer than a year (REG-IL-19)."
        raise BrokenList(name, problem, "End it within a year, and enter it again after a look.")
    return bytes.fromhex(entry.subject), (since, end)
