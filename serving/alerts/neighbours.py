"""Who stands beside a borrower: guarantors, the household, the village, as far as each may be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from features.definitions.plan import FeaturePlan
from features.timeline.door import Door
from features.timeline.events import EventTable
from serving.watch.book import Book

GUARANTEE, REGISTER = "guarantee", "population_register"


@dataclass(frozen=True, slots=True)
class Neighbours:
    """By row of a book: the village as the lake keeps it (None: not known, or not to be read), and who guarantees."""

    villages: tuple[str | None, ...]
    guarantors: Mapping[int, tuple[int, ...]]


def neighbours(plan: FeaturePlan, door: Door, book: Book, now: int) -> Neighbours:
    """Guarantors by the bank's own contracts; villages of those who allow their register to be read."""
    return Neighbours(_villages(plan, door, book, now), _guarantors(plan, door, book, now))


def _villages(plan: FeaturePlan, door: Door, book: Book, now: int) -> tuple[str | None, ...]:
    if REGISTER not in plan.contracts or not len(book.subject):
        return (None,) * len(book.subject)
    tables, _ = door.shares(plan.contracts, [REGISTER], book.subject)
    rows = _holding(tables[REGISTER], now) if REGISTER in tables else None
    lives = (
        {}
        if rows is None
        else dict(zip(rows.subject.tolist(), rows.columns["village"].tolist(), strict=True))
    )
    codes = [lives.get(subject, -1) for subject in book.subject.tolist()]
    return tuple(f"{code:x}" if code >= 0 else None for code in codes)


def _guarantors(plan: FeaturePlan, door: Door, book: Book, now: int) -> dict[int, tuple[int, ...]]:
    if GUARANTEE not in plan.contracts:
        return {}
    read = door.whole(plan.contracts, [GUARANTEE])
    if GUARANTEE not in read.tables:
        return {}
    rows = _holding(read.tables[GUARANTEE], now)
    columns = (
        rows.subject.tolist(),
        rows.columns["loan_id"].tolist(),
        rows.columns["guarantor_id_number"].tolist(),
    )
    of_loan: dict[int, set[int]] = {}
    of_borrower: dict[int, set[int]] = {}
    for subject, loan, guarantor in zip(*columns, strict=True):
        known = of_loan.setdefault(loan, set()) if loan >= 0 else of_borrower.setdefault(subject, set())
        known.add(guarantor)
    pairs = enumerate(zip(book.loan.tolist(), book.subject.tolist(), strict=True))
    found = {
        row: of_loan.get(loan, set()) | of_borrower.get(subject, set()) for row, (loan, subject) in pairs
    }
    return {row: tuple(sorted(who)) for row, who in found.items() if who}


def _holding(table: EventTable, now: int) -> EventTable:
    """What was known at a moment and true then, in order of beginning."""
    known = table.visible(now)
    held = known.take((known.valid_from <= now) & (now < known.valid_to))
    return held.take(np.argsort(held.valid_from, kind="stable"))
