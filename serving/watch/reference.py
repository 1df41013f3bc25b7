"""The reference page of signals: each with its rule, where its threshold comes from, what to do and what is expected."""

from __future__ import annotations

from collections.abc import Iterable

from features.reference import GENERATED, table
from serving.watch.document import Condition, Signal, SignalsDocument, Trigger

_SIGNS = {"lt": "<", "le": "≤", "gt": ">", "ge": "≥", "eq": "="}


def signals_page(document: SignalsDocument) -> str:
    """Markdown of the signals of a document and of the features that it defines itself."""
    forty = sum(0 < signal.number <= 40 for signal in document.signals)
    lines = ["# Signals", "", GENERATED]
    optional = len(document.signals) - forty
    counts = f"{len(document.signals)} signals: {forty} of the list of forty and {optional} optional ones."
    lines += [f"{counts} How to read, try and change them: [signals](../signals.md).", ""]
    titles = ("#", "code", "信号", "signal", "group", "source", "basis", "playbook", "expects within")
    lines += table(titles, [_row(signal) for signal in document.signals])
    for signal in document.signals:
        lines += _section(signal)
    lines += _rule_of(document)
    lines += ["## Playbooks", ""]
    lines += table(
        ("code", "做法", "action"), [(f"`{code}`", t.zh, t.en) for code, t in document.playbooks.items()]
    )
    lines += ["## Features that signals alone read", "", "No model has them as columns.", ""]
    lines += table(
        ("feature", "dataset", "aggregate", "windows", "名称", "name", "why"), _definitions(document)
    )
    return "\n".join(lines).rstrip() + "\n"


def _rule_of(document: SignalsDocument) -> list[str]:
    """The rule that combines, where there is one."""
    rule_ = document.combination
    if rule_ is None:
        return []
    times = [f"`{one.signal}` from {one.at_least.value} on × {one.times:g}" for one in rule_.factors]
    return [
        "## Combination", "",
        f"- `early_pd` is `{rule_.model}`" + (", its odds times the factor of each signal that stands:" if times else ".")
        + (" " + ", ".join(times) if times else ""),
        f"- facts, which keep their levels: {', '.join(f'`{code}`' for code in rule_.facts)}",
        "- other early signals are yellow where `early_pd` is known",
        f"- budget: {rule_.budget:.1%} of the loans at 0 days past due get a new orange or red a month", "",
    ]  # fmt: skip


def _row(signal: Signal) -> tuple[str, ...]:
    months = f"{signal.expects.months} months" if signal.expects else ""
    return (
        str(signal.number), f"[`{signal.code}`](#{signal.code})", signal.zh, signal.en, signal.group.value, signal.source,
        ", ".join(signal.basis), f"`{signal.playbook}`", months,
    )  # fmt: skip


def _section(signal: Signal) -> list[str]:
    lines = [f"### {signal.code}", ""]
    lines += [f"- **{level.level}** where {rule(level)}" for level in signal.levels]
    if signal.months > 1:
        lines.append(f"- now and a month before ({signal.months} month ends in a row)")
    lines += [f"- evidence: {signal.evidence.zh} / {signal.evidence.en}"]
    if signal.expects:
        lines.append(f"- expects: {signal.expects.zh} / {signal.expects.en}")
    if signal.note:
        lines.append(f"- note: {signal.note.zh} / {signal.note.en}")
    return [*lines, ""]


def rule(level: Trigger) -> str:
    """A level's rule as one line."""
    parts = [_condition(condition) for condition in level.all]
    if level.any:
        clauses = [" and ".join(_condition(c) for c in clause.all) for clause in level.any]
        either = ", or ".join(clauses)
        parts.append(f"either {either}" if parts else either)
    return " and ".join(parts)


def _condition(condition: Condition) -> str:
    limit = f"{condition.value:g}"
    if condition.times:
        limit = f"{limit} × `{condition.times}`"
    elif condition.plus:
        limit = f"`{condition.plus}` + {limit}"
    return f"`{condition.feature}` {_SIGNS[condition.op]} {limit}"


def _definitions(document: SignalsDocument) -> Iterable[tuple[str, ...]]:
    for file in document.definitions:
        for each in file.features:
            windows = ", ".join(each.windows) if file.dataset else ", ".join(each.of)
            yield (
                f"`{each.name}`",
                file.dataset or "composed",
                each.aggregate,
                windows,
                each.zh,
                each.en,
                each.rationale,
            )
