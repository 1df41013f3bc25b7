"""Signals as data: which condition on which feature raises which level, and the sentence that proves it."""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.canonical import canonical_bytes
from features.contracts.load import convert, parse_yaml
from features.contracts.model import Text
from features.errors import Integrity, Invalid

SHIPPED = Path(__file__).with_name("signals.yaml")
"""The signals that Yidai ships."""
BOOK_VALUES = ("dpd", "overdue_yuan")
"""What the loan book itself tells, beside the features."""
SCHEMA = 1


class Level(StrEnum):
    """Severity, the gravest last."""

    YELLOW = "yellow"
    ORANGE = "orange"
    RED = "red"


class Operator(StrEnum):
    """Comparison of a feature with a threshold."""

    LT = "lt"
    LE = "le"
    GT = "gt"
    GE = "ge"
    EQ = "eq"


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One threshold; ``feature`` is a column of the plan or of the loan book (``dpd``, ``overdue_yuan``)."""

    feature: str
    op: Operator
    value: float


class Trigger(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The conditions, all of which raise this level."""

    level: Level
    all: tuple[Condition, ...]


class Signal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One signal; its ``levels`` are tried in order, so the gravest stands first."""

    code: str
    zh: str
    en: str
    source: str
    levels: tuple[Trigger, ...]
    evidence: Text
    action: Text

    @property
    def features(self) -> tuple[str, ...]:
        """The features that its conditions read."""
        return tuple(dict.fromkeys(c.feature for trigger in self.levels for c in trigger.all))


class SignalsDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All signals of a portfolio: one artifact of the registry."""

    schema: int
    signals: tuple[Signal, ...]


@dataclass(frozen=True, slots=True)
class Values:
    """Feature values of the watched borrowers: float64 [rows] by name, where they are known, and where they may not
    be read (nowhere, if a name is not there).
    """

    values: Mapping[str, NDArray[np.float64]]
    known: Mapping[str, NDArray[np.bool_]]
    refused: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)

    def told_of(self, name: str, row: int) -> str:
        """A value as a person reads it; NOT_AUTHORISED where it may not be read, a dash where nothing is known."""
        if name in self.refused and self.refused[name][row]:
            return "NOT_AUTHORISED"
        if not self.known[name][row]:
            return "–"
        value = float(self.values[name][row])
        return f"{value:,.0f}" if value.is_integer() else f"{value:,.1f}"


@dataclass(frozen=True, slots=True)
class Hit:
    """A signal on a row, with the sentences that a person can check."""

    row: int
    signal: str
    level: Level
    evidence_zh: str
    evidence_en: str
    action_zh: str
    action_en: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """Hits, and for how many rows each signal was skipped: because nothing is known of a variable, or because one may
    not be read.
    """

    hits: tuple[Hit, ...]
    skipped: Mapping[str, int]
    not_authorised: Mapping[str, int]
    blind: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    """The rows, bool [rows], on which a signal could not be told for either reason: neither a hit nor its absence."""


class BrokenSignal(Invalid):
    """A signal that cannot be evaluated."""

    def __init__(self, code: str, problem: str, remedy: str = "") -> None:
        super().__init__(problem, place=f"signal {code}", remedy=remedy)


def load_signals(path: Path, features: Iterable[str]) -> SignalsDocument:
    """Signals from YAML, every name checked against the features that there are.

    Raises:
        BrokenDocument, BrokenSignal: with the signal and what to mend.
    """
    document = convert(parse_yaml(path), SignalsDocument, path)
    check_shape(document)
    check_signals(document, features)
    return document


def read_signals(data: bytes) -> SignalsDocument:
    """The signals in these canonical bytes, as the registry keeps them.

    Raises:
        Integrity: not canonical, or no signals.
        BrokenSignal: one that could hit everyone or could not tell its evidence.
    """
    try:
        document = msgspec.json.decode(data, type=SignalsDocument)
        canonical = canonical_bytes(msgspec.json.decode(data))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Integrity(f"the signals cannot be read: {error}.") from error
    if canonical != data:
        raise Integrity(
            "the signals are not in canonical form.", remedy="Submit them with the command from their YAML."
        )
    check_shape(document)
    return document


def check_shape(document: SignalsDocument) -> None:
    """Everything about signals that can be told without knowing the features.

    Raises:
        BrokenSignal: with the signal and what to mend.
    """
    if document.schema != SCHEMA:
        raise BrokenSignal("schema", f"schema {document.schema} is not known.", f"Write schema: {SCHEMA}.")
    codes = [signal.code for signal in document.signals]
    for signal in document.signals:
        if codes.count(signal.code) > 1:
            raise BrokenSignal(signal.code, "its code stands twice.", "Rename one.")
        if not signal.levels or not all(trigger.all for trigger in signal.levels):
            raise BrokenSignal(
                signal.code, "a level without conditions would hit everyone.", "Add a condition."
            )
        graveness = [list(Level).index(trigger.level) for trigger in signal.levels]
        if graveness != sorted(set(graveness), reverse=True):
            raise BrokenSignal(signal.code, "its levels do not stand gravest first, each once.", "Sort them.")
        for text in (signal.evidence.zh, signal.evidence.en):
            if not _is_plain(text):
                raise BrokenSignal(
                    signal.code, f"its evidence {text!r} cannot be filled in.", "Write features as {name}."
                )


def check_signals(document: SignalsDocument, features: Iterable[str]) -> None:
    """Every name in conditions and evidence is a feature or a value of the loan book.

    Raises:
        BrokenSignal: with the signal and the name.
    """
    known = set(features)
    for signal in document.signals:
        told = (*_placeholders(signal.evidence.zh), *_placeholders(signal.evidence.en))
        for name in (*signal.features, *told):
            if name not in known:
                raise BrokenSignal(
                    signal.code, f"there is no feature {name!r}.", "Check the feature catalogue."
                )


def evaluate(document: SignalsDocument, values: Values) -> Outcome:
    """The gravest level of each signal on each row. A missing variable skips the signal, never reads as zero."""
    hits: list[Hit] = []
    skipped: dict[str, int] = {}
    not_authorised: dict[str, int] = {}
    blind: dict[str, NDArray[np.bool_]] = {}
    for signal in document.signals:
        known = np.logical_and.reduce([values.known[name] for name in signal.features])
        refused = _refused(signal, values, len(known))
        not_authorised[signal.code] = int((~known & refused).sum())
        skipped[signal.code] = int((~known & ~refused).sum())
        blind[signal.code] = ~known
        left = known.copy()
        for trigger in signal.levels:
            met = left & np.logical_and.reduce([_meets(condition, values) for condition in trigger.all])
            hits += [_hit(signal, trigger.level, int(row), values) for row in np.flatnonzero(met)]
            left &= ~met
    return Outcome(tuple(sorted(hits, key=lambda hit: (hit.row, hit.signal))), skipped, not_authorised, blind)


def _refused(signal: Signal, values: Values, rows: int) -> NDArray[np.bool_]:
    """The rows of which some variable of a signal may not be read, bool [rows]."""
    found = np.zeros(rows, dtype=bool)
    for name in signal.features:
        if name in values.refused:
            found |= values.refused[name]
    return found


def _meets(condition: Condition, values: Values) -> NDArray[np.bool_]:
    column = values.values[condition.feature]
    return np.asarray(getattr(column, f"__{condition.op.value}__")(condition.value), dtype=bool)


def _hit(signal: Signal, level: Level, row: int, values: Values) -> Hit:
    def sentence(text: str) -> str:
        return text.format(**{name: values.told_of(name, row) for name in _placeholders(text)})

    evidence = (sentence(signal.evidence.zh), sentence(signal.evidence.en))
    return Hit(row, signal.code, level, *evidence, signal.action.zh, signal.action.en)


def _placeholders(text: str) -> list[str]:
    return [name for _, name, _, _ in string.Formatter().parse(text) if name]


def _is_plain(text: str) -> bool:
    """Whether a text has a sentence and only placeholders of the form ``{name}``."""
    try:
        parts = list(string.Formatter().parse(text))
    except ValueError:
        return False
    return bool(text.strip()) and all(
        name is None or (name.isidentifier() and not spec and conversion is None)
        for _, name, spec, conversion in parts
    )
