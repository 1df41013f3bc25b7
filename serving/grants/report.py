"""From the answers of a village to its report: sums, and thin files apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import median_low
from typing import Any

import msgspec

from serving.grants.model import Granted, Group, ReasonCount, Refused, Report

GRADES = 10


def granted_of(line: int, answer: bytes) -> Granted:
    """One answer of the API."""
    told: dict[str, Any] = msgspec.json.decode(answer)
    codes = tuple(str(reason["code"]) for reason in told["reasons"])
    return Granted(
        line, str(told["decision_id"]), str(told["outcome"]), str(told.get("segment", "")), int(told.get("grade", 0)),
        float(told.get("pd", 0.0)), int(told.get("limit_fen", 0)), codes,
    )  # fmt: skip


def report_of(
    village: str, apart: str, answers: Sequence[Granted], refused: Sequence[Refused], until: str
) -> Report:
    """The report of a village; the segment ``apart`` of the policy stands beside the others."""
    approved = [one for one in answers if one.outcome == "approve"]
    grades = Counter(one.grade for one in approved)
    reasons = Counter(code for one in answers if one.outcome != "approve" for code in set(one.reasons))
    return Report(
        village, apart, len(answers) + len(refused), group_of(answers), group_of([one for one in answers if one.segment != apart]),
        group_of([one for one in answers if one.segment == apart]),
        tuple(grades[grade] for grade in range(1, GRADES + 1)),
        tuple(ReasonCount(code, count) for code, count in sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))),
        tuple(sorted(refused, key=lambda one: one.line)), until,
    )  # fmt: skip


def group_of(answers: Sequence[Granted]) -> Group:
    """Some answers together."""
    outcomes = Counter(one.outcome for one in answers)
    approved = [one for one in answers if one.outcome == "approve"]
    limits = [one.limit_fen for one in approved]
    return Group(
        len(answers), outcomes["approve"], outcomes["refer"], outcomes["decline"], sum(limits),
        median_low(limits) if limits else 0, round(sum(one.pd for one in approved), 6),
    )  # fmt: skip
