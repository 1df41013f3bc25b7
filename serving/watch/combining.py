"""The model and the signals together: one early level of a loan, by a rule that is part of the signals document.

The odds of the warning model's PD times the factor of every signal that stands give ``early_pd``; a signal that reads it
raises the early level. Where it could be told, early signals that are no hard facts stay yellow: the rule has read them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from features.contracts.model import Text
from serving.watch.document import EARLY_PD, STANDING, Combination, Group, Signal, SignalsDocument
from serving.watch.raising import RANK, Raised, Values, effective, raised

Floats = NDArray[np.float64]


def told(document: SignalsDocument, values: Values, at: int | None = None) -> tuple[list[Raised], Values]:
    """What every signal says that is in effect ``at`` (the values' moment without it), the combined one among them,
    and the values with those of the rule.
    """
    strict = document.schema == 1
    signals = effective(document, values.as_of if at is None else at)
    rule = document.combination
    if rule is None:
        return [raised(signal, values, strict=strict) for signal in signals], values
    found = {signal.code: raised(signal, values) for signal in signals if not reads_rule(signal)}
    known = values.known.get(rule.model, np.zeros(values.rows, dtype=bool))
    values = _with_rule(rule, found, values, known)
    for signal in signals:
        if reads_rule(signal):
            found[signal.code] = raised(signal, values)
        elif signal.group is Group.EARLY and signal.code not in rule.facts:
            found[signal.code] = replace(found[signal.code], at_most_yellow=known)
    return [found[signal.code] for signal in signals], values


def reads_rule(signal: Signal) -> bool:
    """Whether a signal reads what the rule tells."""
    return EARLY_PD in signal.features


def combined(rule: Combination, ranks: Mapping[str, NDArray[np.int8]], pd: Floats) -> Floats:
    """The model's PD with the factors of the signals that stand at their level or a graver one (``ranks`` [rows] by
    signal, 1 to 3), rounded to 1e-9.
    """
    odds = pd / np.maximum(1.0 - pd, 1e-9)
    for factor in rule.factors:
        if factor.signal in ranks:
            odds = np.where(ranks[factor.signal] >= RANK[factor.at_least], odds * factor.times, odds)
    return np.asarray(np.round(odds / (1.0 + odds), 9))


def _with_rule(
    rule: Combination, found: Mapping[str, Raised], values: Values, known: NDArray[np.bool_]
) -> Values:
    if not known.any():
        return values
    ranks = {code: each.rank for code, each in found.items()}
    column = np.where(known, combined(rule, ranks, values.values[rule.model]), 0.0)
    standing = Standing([each for each in found.values() if each.signal.group is Group.EARLY])
    return replace(
        values, values={**values.values, EARLY_PD: column}, known={**values.known, EARLY_PD: known},
        texts={**values.texts, STANDING: standing},
    )  # fmt: skip


class Standing(Sequence[Text]):
    """The names of the early signals that stand on a row."""

    def __init__(self, found: Sequence[Raised]) -> None:
        """Keep what was raised."""
        self._found = found

    def __len__(self) -> int:
        """How many rows."""
        return len(self._found[0].level) if self._found else 0

    def __getitem__(self, row: int) -> Text:  # type: ignore[override]
        """The names, in the order of the document; `none` where none stands."""
        names = [Text(each.signal.zh, each.signal.en) for each in self._found if each.level[row] >= 0]
        return Text("、".join(n.zh for n in names) or "无", ", ".join(n.en for n in names) or "none")
