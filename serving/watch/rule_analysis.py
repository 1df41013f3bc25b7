"""What can be told to be wrong with the rule that combines the model and the signals, before it runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from serving.policy.findings import Finding, error
from serving.watch.document import EARLY_PD, SCHEMA, Combination, Group, Name, SignalsDocument

PLACE = "combination"
MODELS = ("warning_pd_12m", "pd_now")
"""PDs that the rule may begin with."""
LEAST, MOST = 0.1, 10.0
"""Times of the odds; what lies beyond would let one signal decide alone, which a fact of the list does openly."""


def of_rule(document: SignalsDocument) -> Iterator[Finding]:
    """All that is wrong with it."""
    readers = [signal for signal in document.signals if EARLY_PD in signal.features]
    rule = document.combination
    if rule is None:
        for signal in readers:
            yield _wrong(
                f"it has none, but {signal.code} reads {EARLY_PD}.", "Add `combination`, from schema 3 on."
            )
        return
    if document.schema < SCHEMA:
        yield _wrong(f"schema {document.schema} knows none.", f"Write schema: {SCHEMA}.")
    if not readers:
        yield _wrong(
            f"no signal reads {EARLY_PD}: early signals would stay yellow and nothing warn.", "Add one."
        )
    for signal in readers:
        if signal.months > 1 or signal.group is not Group.EARLY or any(map(_elsewhere, signal.reads)):
            yield _wrong(f"{signal.code} is no early signal of {EARLY_PD} at one moment.", "Write it as one.")
    yield from _figures(rule)
    yield from _signals(document, rule)


def _elsewhere(name: str) -> bool:
    parsed = Name.parse(name)
    return parsed.base == EARLY_PD and (parsed.months > 0 or parsed.grant)


def _figures(rule: Combination) -> Iterator[Finding]:
    if not 0 < rule.budget < 1:
        yield _wrong(f"a budget of {rule.budget:g} is no share of loans.", "Write one such as 0.02.")
    if rule.model not in MODELS:
        yield _wrong(f"{rule.model!r} is no PD of a model.", f"Take one of: {', '.join(MODELS)}.")
    for factor in rule.factors:
        if not LEAST <= factor.times <= MOST:
            problem = f"{factor.signal} would multiply the odds by {factor.times:g}."
            yield _wrong(problem, f"Keep it between {LEAST:g} and {MOST:g}, or make it one of `facts`.")


def _signals(document: SignalsDocument, rule: Combination) -> Iterator[Finding]:
    groups = {signal.code: signal for signal in document.signals}
    for code in (*rule.facts, *(factor.signal for factor in rule.factors)):
        if code not in groups:
            yield _wrong(f"there is no signal {code!r}.", "Name one of the document.")
        elif EARLY_PD in groups[code].features:
            yield _wrong(f"{code} reads what the rule tells.", "Take it out.")
    for code in rule.facts:
        if code in groups and groups[code].group is not Group.EARLY:
            yield _wrong(f"{code} is no early signal and keeps its level anyway.", "Take it out of `facts`.")
    twice = Counter((factor.signal, factor.at_least) for factor in rule.factors)
    for (code, level), count in twice.items():
        if count > 1:
            yield _wrong(f"{code} has {count} factors at {level.value}.", "Keep one.")


def _wrong(problem: str, remedy: str) -> Finding:
    return error("signals", PLACE, problem, remedy)
