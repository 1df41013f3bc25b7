"""Alerts that follow from other alerts: of guarantors, of a household, of a village."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from serving.alerts.machine import point_of, rank
from serving.alerts.neighbours import Neighbours
from serving.alerts.recording import Recorded, Recorder, Run, Sighting
from serving.alerts.storing import Scope
from serving.store.session import Connection
from serving.watch.book import Book
from serving.watch.document import Level
from serving.watch.evaluate import Hit

GUARANTOR, HOUSEHOLD, VILLAGE = "guarantor_weak", "household_alert", "village_alert"
DERIVED = frozenset({GUARANTOR, HOUSEHOLD, VILLAGE})
"""Signals that follow from other alerts, and spread no further."""
OF_A_VILLAGE = "disaster_epidemic"
"""The signal that hits a village: one alert with its loans, not one each."""
MOST_LOANS = 50
_REDS = """
SELECT DISTINCT ON (subject_id) subject_id, alert_id FROM alert
WHERE scope = 'loan' AND state <> 'released' AND level = 'red' AND signal <> ALL (%s)
ORDER BY subject_id, raised_at, alert_id"""
_HOUSEHOLDS = """
SELECT subject_id, household FROM subject_timeline WHERE household IS NOT NULL AND subject_id = ANY (%s)"""
_SEVERAL = """
SELECT village, array_agg(DISTINCT loan ORDER BY loan) FROM alert
WHERE scope = 'loan' AND state <> 'released' AND village IS NOT NULL AND raised_at >= %s AND raised_at <= %s
GROUP BY village HAVING count(DISTINCT subject_id) >= %s ORDER BY village"""
_SAID = {
    GUARANTOR: {
        "zh": "本笔贷款的一名保证人在本行的贷款出现红色预警。",
        "en": "A guarantor of this loan has a loan at this bank with a red alert.",
        "action_zh": "复核担保，必要时要求补充担保。", "action_en": "Review the security and ask for more where needed.",
    },
    HOUSEHOLD: {
        "zh": "同户借款人在本行的贷款出现红色预警。",
        "en": "A loan at this bank of a borrower of the same household has a red alert.",
        "action_zh": "复核还款来源，不得透露他人信息。", "action_en": "Review what this loan is repaid from; tell nobody of another's data.",
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Around:
    """A look at the book, or at some loans of it, with who stands beside each borrower."""

    book: Book
    names: Sequence[str]
    beside: Neighbours
    hits: Sequence[Hit]


def spread(recorder: Recorder, run: Run, around: Around) -> tuple[Recorded, ...]:
    """Raise what follows from the red alerts that are open, and after a look at the whole book what follows for villages:
    from several alerts in one, and from what struck it.
    """
    linked = Run(run.at, run.clock, run.digest, lambda signal: signal in DERIVED, loans=run.loans)
    first = recorder.record(
        linked, [*_guaranteed(recorder.connection, around), *_shared(recorder.connection, around)]
    )
    if run.loans is not None:
        return (first,)
    known = set(around.beside.villages)
    villages = Run(
        run.at, run.clock, run.digest, lambda _: True, lambda village, _: 0 if village in known else None,
        scope=Scope.VILLAGE,
    )  # fmt: skip
    least = recorder.rules.village_alerts.least
    return first, recorder.record(villages, [*_struck(around), *_several(recorder.connection, run.at, least)])


def _reds(connection: Connection) -> dict[int, UUID]:
    """A red alert of each subject that has one of its own."""
    return dict(connection.execute(_REDS, (sorted(DERIVED),)).fetchall())


def _guaranteed(connection: Connection, around: Around) -> Iterator[Sighting]:
    reds = _reds(connection)
    for row, guarantors in around.beside.guarantors.items():
        own = int(around.book.subject[row])
        cause = next((reds[who] for who in guarantors if who in reds and who != own), None)
        if cause is not None:
            yield _linked(around, row, GUARANTOR, Level.ORANGE, cause)


def _shared(connection: Connection, around: Around) -> Iterator[Sighting]:
    """Of a household only this is told: that one of its borrowers' loans at this bank is in alert."""
    reds = _reds(connection)
    subjects = sorted({*around.book.subject.tolist(), *reds})
    lives: Mapping[int, int] = dict(connection.execute(_HOUSEHOLDS, (subjects,)).fetchall())
    by_household: dict[int, list[tuple[int, UUID]]] = {}
    for who in sorted(reds.keys() & lives.keys()):
        by_household.setdefault(lives[who], []).append((who, reds[who]))
    for row, own in enumerate(around.book.subject.tolist()):
        others = [cause for who, cause in by_household.get(lives.get(own, -1), []) if who != own]
        if others:
            yield _linked(around, row, HOUSEHOLD, Level.YELLOW, others[0])


def _linked(around: Around, row: int, signal: str, level: Level, cause: UUID) -> Sighting:
    book = around.book
    return Sighting(
        around.names[row], int(book.subject[row]), signal, level, _SAID[signal], "linked_review", int(book.dpd[row]),
        int(book.overdue[row]), around.beside.villages[row], cause=cause,
    )  # fmt: skip


def _struck(around: Around) -> Iterator[Sighting]:
    """Villages that a signal of a village hit, with their loans."""
    found: dict[str, list[Hit]] = {}
    for hit in around.hits:
        village = around.beside.villages[hit.row]
        if hit.signal == OF_A_VILLAGE and village is not None:
            found.setdefault(village, []).append(hit)
    for village, hits in sorted(found.items()):
        gravest = max(hits, key=lambda hit: rank(hit.level))
        said = {
            "zh": gravest.evidence_zh, "en": gravest.evidence_en, "action_zh": gravest.action_zh,
            "action_en": gravest.action_en, "loans": _listed([around.names[hit.row] for hit in hits]),
        }  # fmt: skip
        yield Sighting(village, None, OF_A_VILLAGE, gravest.level, said, gravest.playbook, village=village)


def _several(connection: Connection, at: int, least: int) -> Iterator[Sighting]:
    """Villages with alerts of several borrowers that were raised within this month."""
    for village, loans in connection.execute(_SEVERAL, (point_of(at, before=1), at, least)).fetchall():
        said = {
            "zh": f"本月同村 {len(loans)} 笔贷款出现预警。",
            "en": f"{len(loans)} loans of this village were in alert within the month.",
            "action_zh": "分组走访。", "action_en": "Visit them in groups.", "loans": _listed(loans),
        }  # fmt: skip
        yield Sighting(village, None, VILLAGE, Level.ORANGE, said, "village_visit", village=village)


def _listed(loans: Sequence[str]) -> str:
    """Loans by the bank's own numbers, the first so many."""
    return ", ".join(sorted(set(loans))[:MOST_LOANS])
