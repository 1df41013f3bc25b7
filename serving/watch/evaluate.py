"""What a book's values say as hits: every signal, the rule that combines, and the sentence that proves each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat

import numpy as np

from features.contracts.model import Text
from serving.watch.combining import told
from serving.watch.document import PLACEHOLDER, Expectation, Group, Level, SignalsDocument
from serving.watch.raising import LEVELS, Flags, Raised, Values, effective, raised

__all__ = ["Hit", "Outcome", "Values", "effective", "evaluate", "raised", "sentence", "sentences"]


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
    hits = [hit for one in found for hit in _hits(document, one, values)]
    return Outcome(
        tuple(sorted(hits, key=lambda hit: (hit.row, hit.signal))),
        {one.signal.code: int(one.skipped.sum()) for one in found},
        {one.signal.code: int(one.not_authorised.sum()) for one in found},
        {one.signal.code: one.skipped | one.not_authorised for one in found},
    )


def _hits(document: SignalsDocument, one: Raised, values: Values) -> list[Hit]:
    signal, rows = one.signal, np.flatnonzero(one.level >= 0)
    action = signal.action or document.playbooks.get(signal.playbook) or Text("", "")
    steady = np.zeros(len(rows), dtype=bool) if one.at_most_yellow is None else one.at_most_yellow[rows]
    zh, en = (sentences(getattr(signal.evidence, each), values, rows.tolist(), each) for each in ("zh", "en"))
    return [
        Hit(
            row, signal.code, LEVELS[rank - 1], in_zh, in_en, action.zh, action.en, signal.playbook, signal.group,
            signal.expects, settled,
        )
        for row, rank, in_zh, in_en, settled in zip(
            rows.tolist(), one.rank[rows].tolist(), zh, en, steady.tolist(), strict=True
        )
    ]  # fmt: skip


def sentence(text: str, values: Values, row: int, language: str = "en") -> str:
    """A text with the values of a row filled in."""
    return sentences(text, values, [row], language)[0]


def sentences(text: str, values: Values, rows: Sequence[int], language: str = "en") -> list[str]:
    """A text with the values of each of these rows filled in."""
    literal, *rest = PLACEHOLDER.split(text)
    parts: list[Iterable[str]] = [repeat(literal, len(rows))]
    for name, form, after in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
        if name in values.texts:
            parts.append([str(getattr(values.texts[name][row], language)) for row in rows])
        else:
            parts.append(values.told_of(name, rows, form or ""))
        parts.append(repeat(after, len(rows)))
    return ["".join(each) for each in zip(*parts, strict=True)]
