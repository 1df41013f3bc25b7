"""What a book's values say as hits: every signal, the rule that combines, and the sentence that proves each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from features.contracts.model import Text
from serving.watch.combining import told
from serving.watch.document import PLACEHOLDER, Expectation, Group, Level, SignalsDocument
from serving.watch.raising import LEVELS, Flags, Raised, Values, effective, raised

__all__ = ["Hit", "Outcome", "Values", "effective", "evaluate", "raised", "sentence"]


@dataclass(frozen=True, slots=True)
class Hit:
    """A signal on a row, with the sentences that a person can check, what to do, and what is expected by when."""

    row: int
    signal: str
    level: Level
    evidence_zh: str
    evidence_en: str
    action_zh: str
    action_en: str
    playbook: str = ""
    group: Group = Group.EARLY
    expects: Expectation | None = None
    steady: bool = False
    """Whether the rule that combines has weighed it: repetition says nothing more then."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Hits, and for how many rows each signal was skipped: because nothing is known of a variable, or because one may
    not be read.
    """

    hits: tuple[Hit, ...]
    skipped: Mapping[str, int]
    not_authorised: Mapping[str, int]
    blind: Mapping[str, Flags] = field(default_factory=dict)
    """The rows, bool [rows], on which a signal could not be told for either reason: neither a hit nor its absence."""


def evaluate(document: SignalsDocument, values: Values) -> Outcome:
    """The gravest level of each signal on each row. A missing variable skips the signal, never reads as zero."""
    found, values = told(document, values)
    hits = [
        _hit(document, one, row, LEVELS[rank - 1], values) for one in found for row, rank in _standing(one)
    ]
    return Outcome(
        tuple(sorted(hits, key=lambda hit: (hit.row, hit.signal))),
        {one.signal.code: int(one.skipped.sum()) for one in found},
        {one.signal.code: int(one.not_authorised.sum()) for one in found},
        {one.signal.code: one.skipped | one.not_authorised for one in found},
    )


def _standing(one: Raised) -> list[tuple[int, int]]:
    ranks, rows = one.rank, np.flatnonzero(one.level >= 0)
    return list(zip(rows.tolist(), ranks[rows].tolist(), strict=True))


def _hit(document: SignalsDocument, one: Raised, row: int, level: Level, values: Values) -> Hit:
    signal, steady = one.signal, one.at_most_yellow is not None and bool(one.at_most_yellow[row])
    action = signal.action or document.playbooks.get(signal.playbook) or Text("", "")
    zh, en = (sentence(getattr(signal.evidence, each), values, row, each) for each in ("zh", "en"))
    return Hit(
        row, signal.code, level, zh, en,
        action.zh, action.en, signal.playbook, signal.group, signal.expects,
        steady,
    )  # fmt: skip


def sentence(text: str, values: Values, row: int, language: str = "en") -> str:
    """A text with the values of a row filled in."""

    def told(found: re.Match[str]) -> str:
        if found[1] in values.texts:
            return str(getattr(values.texts[found[1]][row], language))
        return values.told_of(found[1], row, found[2] or "")

    return PLACEHOLDER.sub(told, text)
