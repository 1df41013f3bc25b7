"""What follows for a borrower from the signals of others: a guarantor with a red signal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import msgspec
import numpy as np

from features.calendar import NULL
from features.contracts.model import Contract
from features.timeline.door import Door
from features.timeline.events import EventTable
from serving.watch.book import Book
from serving.watch.document import Level, SignalsDocument
from serving.watch.evaluate import Outcome, Values, evaluate

GUARANTEE, VALUE = "guarantee", "guarantor_red"


def with_guarantors(
    document: SignalsDocument,
    book: Book,
    values: Values,
    outcome: Outcome,
    contracts: Mapping[str, Contract],
    door: Door,
) -> Outcome:
    """The same outcome with the signals on guarantors, whose own red signals must be known first.

    Only guarantors who are borrowers are seen; where no guarantee was ever delivered the signals stay skipped.
    """
    linked = tuple(signal for signal in document.signals if VALUE in signal.reads)
    if not linked or VALUE in values.values or GUARANTEE not in contracts or not door.delivered(GUARANTEE):
        return outcome
    named = {signal.code for signal in linked}
    red = {
        int(book.subject[hit.row])
        for hit in outcome.hits
        if hit.level is Level.RED and hit.signal not in named
    }
    column = red_guarantors(door.events(contracts[GUARANTEE]), book, red, values.as_of or 0)
    known = {**values.known, VALUE: np.ones(len(column), dtype=bool)}
    again = evaluate(
        msgspec.structs.replace(document, signals=linked),
        replace(values, values={**values.values, VALUE: column}, known=known),
    )
    hits = [hit for hit in outcome.hits if hit.signal not in named]
    return Outcome(
        tuple(sorted([*hits, *again.hits], key=lambda hit: (hit.row, hit.signal))),
        {**outcome.skipped, **again.skipped},
        {**outcome.not_authorised, **again.not_authorised},
        {**outcome.blind, **again.blind},
    )


def red_guarantors(guarantees: EventTable, book: Book, red: set[int], now: int) -> np.ndarray:
    """How many guarantors of each loan's borrower are in ``red``, float64 [loans]; a guarantee of one loan counts for
    that loan alone.
    """
    held = guarantees.visible(now)
    held = held.take((held.valid_from < now) & (now < held.valid_to))
    who, loan = held.columns["guarantor_id_number"], held.columns["loan_id"]
    found: dict[tuple[int, int], set[int]] = {}
    for borrower, about, guarantor in zip(held.subject.tolist(), loan.tolist(), who.tolist(), strict=True):
        if guarantor in red:
            found.setdefault((borrower, about), set()).add(guarantor)
    return np.array(
        [
            len(found.get((subject, loan), set()) | found.get((subject, NULL), set()))
            for subject, loan in zip(book.subject.tolist(), book.loan.tolist(), strict=True)
        ],
        dtype=np.float64,
    )
