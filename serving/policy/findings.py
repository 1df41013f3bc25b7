"""What is wrong with a policy: each finding with its place and what to mend."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from features.errors import Invalid


class Severity(StrEnum):
    """What a finding does to a policy."""

    ERROR = "error"
    """It may not be used."""
    WARNING = "warning"
    """A person should look."""


class Finding(msgspec.Struct, frozen=True):
    """One thing that is wrong. ``code`` is stable; ``place`` names the rule, segment, table and row, or field."""

    code: str
    severity: Severity
    place: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        """One paragraph."""
        return f"{self.place}: {self.problem} {self.remedy}".strip()


class BrokenPolicy(Invalid):
    """A policy that may not be used, with the place and what to mend."""

    def __init__(self, place: str, problem: str, remedy: str = "") -> None:
        super().__init__(problem, place=f"policy: {place}", remedy=remedy)


def error(code: str, place: str, problem: str, remedy: str) -> Finding:
    """A finding that refuses a policy."""
    return Finding(code, Severity.ERROR, place, problem, remedy)


def warning(code: str, place: str, problem: str, remedy: str) -> Finding:
    """A finding that does not."""
    return Finding(code, Severity.WARNING, place, problem, remedy)


def refuse(findings: Sequence[Finding]) -> None:
    """Nothing, where no finding is an error.

    Raises:
        BrokenPolicy: with the first error, and how many more there are.
    """
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    if not errors:
        return
    first, more = errors[0], len(errors) - 1
    told = f" ({more} more: `yidai policy check` lists all.)" if more else ""
    raise BrokenPolicy(first.place, first.problem, first.remedy + told)
