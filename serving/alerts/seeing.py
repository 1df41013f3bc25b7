"""What a look at the book says, as sightings and as what was absent."""

from __future__ import annotations

from dataclasses import dataclass

from serving.alerts.neighbours import Neighbours
from serving.alerts.recording import STEADY, Recorded, Recorder, Run, Sighting
from serving.alerts.spreading import DERIVED, OF_A_VILLAGE, Around, spread
from serving.registry.documents import in_force
from serving.registry.model import Kind
from serving.store.session import Connection
from serving.watch.book import Book
from serving.watch.document import Group
from serving.watch.evaluate import Hit, Outcome

ON_TIME = {
    "contradicts_zh": "与还款记录不一致：该贷款目前无逾期。",
    "contradicts_en": "The payment record says otherwise: nothing is overdue on this loan.",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """A look at ``at`` (µs), by the clock at ``clock``; ``names`` are the bank's own numbers of the book's loans.

    ``whole`` says whether it was the whole book: then a loan that is not in it has ended, and its signals with it; else
    those that ``ended`` are named. Alerts of guarantors and households follow where it is said who stands ``beside`` the
    borrowers, those of villages after a look at the whole book.
    """

    book: Book
    outcome: Outcome
    names: tuple[str, ...]
    digest: str
    at: int
    clock: int
    whole: bool = True
    beside: Neighbours | None = None
    ended: tuple[str, ...] = ()


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
        None if seen.whole else (*seen.names, *seen.ended),
    )  # fmt: skip
    rules, books = (in_force(connection, kind, seen.clock) for kind in (Kind.HANDLING, Kind.PLAYBOOKS))
    recorder = Recorder(connection, tenant, rules, books)
    own = [hit for hit in seen.outcome.hits if hit.signal not in DERIVED and not _of_its_village(seen, hit)]
    done = recorder.record(run, [_sighting(seen, hit) for hit in own])
    if seen.beside is not None:
        for each in spread(recorder, run, Around(seen.book, seen.names, seen.beside, seen.outcome.hits)):
            done.raised, done.worsened = done.raised + each.raised, done.worsened + each.worsened
    return done


def _of_its_village(seen: Seen, hit: Hit) -> bool:
    """Whether a hit is told of the village instead of the loan."""
    known = seen.beside is not None and seen.beside.villages[hit.row] is not None
    return known and hit.signal == OF_A_VILLAGE


def _sighting(seen: Seen, hit: Hit) -> Sighting:
    row, book = hit.row, seen.book
    dpd, overdue = int(book.dpd[row]), int(book.overdue[row])
    said = {
        "zh": hit.evidence_zh, "en": hit.evidence_en, "action_zh": hit.action_zh, "action_en": hit.action_en,
    }  # fmt: skip
    if hit.steady:
        said |= {STEADY: "1"}
    if hit.expects is not None:
        said |= {"expects_zh": hit.expects.zh, "expects_en": hit.expects.en}
    if dpd == 0 and overdue == 0 and hit.group is not Group.REPAYMENT:
        said |= ON_TIME
    return Sighting(
        seen.names[row], int(book.subject[row]), hit.signal, hit.level, said, hit.playbook, dpd, overdue,
        None if seen.beside is None else seen.beside.villages[row],
        expects_months=None if hit.expects is None else hit.expects.months,
    )  # fmt: skip
