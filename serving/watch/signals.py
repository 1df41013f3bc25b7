"""Signals of a file or of the registry, checked; the one place from which the rest of ``serving`` takes them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from features.canonical import UNREADABLE, canonical_bytes
from features.contracts.documents import convert, parse_yaml
from features.errors import Integrity, Invalid
from serving.policy.findings import Finding
from serving.watch.analysis import findings
from serving.watch.document import (
    EARLY_PD,
    REASONS,
    SCHEMA,
    STANDING,
    Condition,
    Group,
    Level,
    Name,
    Operator,
    Signal,
    SignalsDocument,
    Trigger,
)
from serving.watch.evaluate import Hit, Outcome, Values, effective, evaluate

__all__ = [
    "BOOK_VALUES", "SCHEMA", "SHIPPED", "BrokenSignal", "Condition", "Group", "Hit", "Level", "Name", "Operator",
    "Outcome", "Signal", "SignalsDocument", "Trigger", "Values", "check_shape", "check_signals", "effective",
    "evaluate", "load_signals", "read_signals",
]  # fmt: skip

SHIPPED = Path(__file__).with_name("signals.yaml")
"""The signals that Yidai ships."""
OF_THE_BOOK = (
    "dpd", "overdue_yuan", "balance_yuan", "times_late", "mob", "limit_yuan", "interest_dpd", "interest_overdue_yuan",
)  # fmt: skip
"""What the loan book itself tells, beside the features: days past due, yuan overdue, principal owed in yuan, how often
an instalment was late, calendar months since the loan was drawn, yuan granted, days and yuan of interest due and not paid."""
OF_THE_WATCH = (
    "pd_now", "pd_grant", "grade_now", "grade_grant", "warning_pd_12m", "warning_decile", "guarantor_red", EARLY_PD,
    REASONS, STANDING,
)  # fmt: skip
"""What the watch tells: PD and grade (1 the best) now and at the grant, the warning model's PD of twelve months and its
tenth among what it learned from (10 the worst), how many of a borrower's guarantors have a red signal themselves, what the
rule makes of PD and signals; and in words, for evidence, the model's reasons and the early signals that stand."""
BOOK_VALUES = (*OF_THE_BOOK, *OF_THE_WATCH)
"""Names that signals may read beside the features."""


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
        BrokenSignal: one that could hit everyone, could not tell its evidence, or has a gap.
    """
    try:
        document = msgspec.json.decode(data, type=SignalsDocument)
        canonical = canonical_bytes(msgspec.json.decode(data))
    except UNREADABLE as error:
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
    _refuse(findings(document))


def check_signals(document: SignalsDocument, features: Iterable[str]) -> None:
    """Every name in conditions and evidence is a feature, one of the signals' own, or among ``BOOK_VALUES``.

    Raises:
        BrokenSignal: with the signal and the name.
    """
    _refuse(findings(document, [*features, *own_columns(document), *BOOK_VALUES]))


def own_columns(document: SignalsDocument) -> list[str]:
    """The columns that the document itself defines."""
    return [
        definition.name if window in {"all", "now"} else f"{definition.name}_{window}"
        for file in document.definitions
        for definition in file.features
        for window in (definition.windows if file.dataset else ("all",))
    ]


def _refuse(found: list[Finding]) -> None:
    if found:
        first, more = found[0], len(found) - 1
        told = f" ({more} more: `yidai signals check` lists all.)" if more else ""
        raise BrokenSignal(first.place, first.problem, first.remedy + told)
