"""A village granted together: who asked, what each was answered, and what it comes to."""

from __future__ import annotations

import msgspec

from serving.decisions.schemas import DecisionRequest


class Applicant(msgspec.Struct, frozen=True):
    """One line of a file of applicants; ``line`` counts from 2, after the names of the columns. ``body`` is what it
    asks, as it would be sent.
    """

    line: int
    number: str
    body: bytes
    request: DecisionRequest


class Refused(msgspec.Struct, frozen=True):
    """A line that was not decided, with its place and what to mend; the number is not repeated."""

    line: int
    place: str
    problem: str
    remedy: str


class Granted(msgspec.Struct, frozen=True):
    """One answer, as far as the report and the list need it."""

    line: int
    decision_id: str
    outcome: str
    segment: str
    grade: int
    pd: float
    limit_fen: int
    reasons: tuple[str, ...]


class Group(msgspec.Struct, frozen=True):
    """Applicants of one kind. ``limit_fen`` is that of all approved together, ``bads`` what is expected among them."""

    rows: int
    approved: int
    referred: int
    declined: int
    limit_fen: int
    median_limit_fen: int
    bads: float


class ReasonCount(msgspec.Struct, frozen=True):
    """A reason of those who were not approved, and how many were given it."""

    code: str
    count: int


class Report(msgspec.Struct, frozen=True):
    """What a village was granted; ``thin`` are those of the segment ``apart``, whom few sources know, ``until`` the last day of the list."""

    village: str
    apart: str
    applicants: int
    whole: Group
    known: Group
    thin: Group
    grades: tuple[int, ...]
    reasons: tuple[ReasonCount, ...]
    refused: tuple[Refused, ...]
    until: str
