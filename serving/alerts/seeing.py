"""What a look at the book says, as sightings and as what was absent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from serving.alerts.handling import handling, playbooks
from serving.alerts.recording import Recorded, Recorder, Run, Sighting
from serving.store.session import Connection
from serving.watch.book import Book
from serving.watch.document import Group
from serving.watch.evaluate import Hit, Outcome

DERIVED = frozenset({"household_alert", "village_alert"})
"""Signals that follow from other alerts."""
ON_TIME = {
    "contradicts_zh": "与还款记录不一致：该贷款目前无逾期。",
    "contradicts_en": "The payment record says otherwise: nothing is overdue on this loan.",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """A look at ``at`` (µs), by the clock at ``clock``; ``names`` are the bank's own numbers of the book's loans.

    ``whole`` says whether it was the whole book: then a loan that is not in it has ended, and its signals with it.
    """

    book: Book
    outcome: Outcome
    names: tuple[str, ...]
    digest: str
    at: int
    clock: int
    whole: bool = True


def record_seen(connection: Connection, tenant: str, seen: Seen) -> Recorded:
    """Bring the alerts of the loans up to a look at them, in the caller's transaction."""
    rows = {name: row for row, name in enumerate(seen.names)}

    def absent(loan: str, signal: str) -> int | None:
        row, blind = rows.get(loan), seen.outcome.blind.get(signal)
        if row is None:
            return 0
        return None if blind is None or blind[row] else 0

    run = Run(
        seen.at, seen.clock, seen.digest, lambda signal: signal not in DERIVED, absent,
        None if seen.whole else seen.names,
    )  # fmt: skip
    recorder = Recorder(connection, tenant, handling(), playbooks())
    return recorder.record(run, [_sighting(seen, hit) for hit in seen.outcome.hits])


def _sighting(seen: Seen, hit: Hit) -> Sighting:
    row, book = hit.row, seen.book
    dpd, overdue = int(book.dpd[row]), int(book.overdue[row])
    said = {
        "zh": hit.evidence_zh, "en": hit.evidence_en, "action_zh": hit.action_zh, "action_en": hit.action_en,
    }  # fmt: skip
    if hit.expects is not None:
        said |= {"expects_zh": hit.expects.zh, "expects_en": hit.expects.en}
    if dpd == 0 and overdue == 0 and hit.group is not Group.REPAYMENT:
        said |= ON_TIME
    return Sighting(
        seen.names[row], int(book.subject[row]), hit.signal, hit.level, said, hit.playbook, dpd, overdue,
        _of(book, "village", row), _of(book, "product", row),
        expects_months=None if hit.expects is None else hit.expects.months,
    )  # fmt: skip


def _of(book: Book, name: str, row: int) -> str | None:
    """What the book tells of a loan, where it tells such a thing."""
    column: Any = getattr(book, name, None)
    told = None if column is None else column[row]
    return str(told) if told else None
