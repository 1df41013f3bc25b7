"""Calls of records that are checked and stored together: what each of them sent, and what is told to each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.contracts.model import Contract
from features.timeline.feed import CheckedFeed, Finding, check_feed
from serving.access.model import Authority
from serving.records.lines import Lines, joined

Flags = NDArray[np.bool_]


class LineReport(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one line: accepted, repeated, held (it has no valid number, and waits until it is known whose it
    is), or quarantined, then with its findings.
    """

    line: int
    status: str
    findings: tuple[dict[str, str], ...] = ()


class SendReport(msgspec.Struct, frozen=True):
    """What became of a call; ``last`` is the number of its latest record, or where it brought none that was new the number
    of the latest that is stored now.
    """

    dataset: str
    accepted: int
    repeated: int
    quarantined: int
    last: int
    lines: tuple[LineReport, ...]
    held: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    """What one call sent; ``name`` stands for a file's."""

    authority: Authority
    contract: Contract
    name: str
    lines: Lines


@dataclass(frozen=True, slots=True)
class Checked:
    """Calls of one dataset as one feed. ``findings`` are each call's own, under its lines; ``came`` is the call of each
    row, and ``numbers`` the row's line there.
    """

    contract: Contract
    calls: Sequence[Call]
    feed: CheckedFeed
    findings: list[list[Finding]]
    came: NDArray[np.int64]
    numbers: NDArray[np.int64]

    @property
    def held(self) -> NDArray[np.int64]:
        """The rows that are held."""
        return np.empty(0, dtype=np.int64) if self.feed.held is None else self.feed.held.lines

    def quarantined(self, place: int) -> int:
        """How many of a call's lines are in quarantine."""
        return len({finding.line for finding in self.findings[place]})

    def accepted(self, place: int, fresh: Flags) -> int:
        """How many of a call's rows are among those that are new, bool [good rows]."""
        return int((fresh & (self.came[self.feed.lines] == place)).sum())

    def held_of(self, place: int) -> int:
        """How many of a call's rows are held."""
        return int((self.came[self.held] == place).sum())

    def report(self, place: int, fresh: Flags, before: int, last: int) -> SendReport:
        """What a call is told. Its part's new rows have the numbers after ``before``; ``last`` is that of the group."""
        own = self.came[self.feed.lines] == place
        good = self.numbers[self.feed.lines[own]].tolist()
        held = self.numbers[self.held[self.came[self.held] == place]].tolist()
        status = dict(
            zip(good, ("accepted" if new else "repeated" for new in fresh[own].tolist()), strict=True)
        )
        told: dict[int, list[dict[str, str]]] = {}
        for f in self.findings[place]:
            told.setdefault(f.line, []).append(
                {"field": f.field, "value_class": f.value_class, "remedy": f.remedy}
            )
        lines = [LineReport(line, text) for line, text in (status | dict.fromkeys(held, "held")).items()]
        lines += [LineReport(line, "quarantined", tuple(each)) for line, each in told.items()]
        lines.sort(key=lambda each: each.line)
        new = int(fresh[own].sum())
        last = before + int(np.flatnonzero(own[fresh])[-1]) + 1 if new else last
        return SendReport(
            self.contract.dataset, new, len(good) - new, len(told), last, tuple(lines), len(held)
        )


def check_calls(calls: Sequence[Call]) -> list[Checked]:
    """The calls of each dataset, checked as one feed is."""
    of: dict[str, list[Call]] = {}
    for call in calls:
        of.setdefault(call.contract.dataset, []).append(call)
    return [_checked(each) for _, each in sorted(of.items())]


def _checked(calls: Sequence[Call]) -> Checked:
    contract, raw = calls[0].contract, joined([call.lines for call in calls])
    feed = check_feed(contract, raw, "", hold=True)
    came = np.repeat(np.arange(len(calls)), [len(call.lines.numbers) for call in calls])
    numbers = np.array([number for call in calls for number in call.lines.numbers], dtype=np.int64)
    findings = [list(call.lines.findings) for call in calls]
    for each in feed.findings:
        place = int(came[each.line])
        own = msgspec.structs.replace(each, file=calls[place].name, line=int(numbers[each.line]))
        findings[place].append(own)
    return Checked(contract, calls, feed, findings, came, numbers)
