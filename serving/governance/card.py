"""A model card in Markdown: what a model is for, how good it is, where it must not be used, who said so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from features.calendar import iso
from serving.registry.governance import ModelEntry
from training.bundle import Bundle
from training.fairness_report import FairnessReport
from training.report import Report

MOST_FEATURES = 15
_SIGNS = {-1: "lowers risk", 0: "either way", 1: "raises risk"}


@dataclass(frozen=True, slots=True)
class Subject:
    """All that a card is written from; a part is None where there is none."""

    digest: str
    bundle: Bundle
    author: str
    entry: ModelEntry | None
    report: Report | None
    fairness: FairnessReport | None
    approvals: Sequence[tuple[str, str, str, int]]
    """Who, verdict, why, when (µs)."""
    promotions: Sequence[tuple[str, str, Sequence[str], str]]
    """When, what, gates waived, why."""


def model_card(subject: Subject) -> str:
    """The card's text."""
    parts = (
        _head(subject), _use(subject.entry), _figures(subject.report), _features(subject), _fairness(subject.fairness),
        _governance(subject), _origin(subject),
    )  # fmt: skip
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(subject: Subject) -> str:
    bundle = subject.bundle
    title = f"# {bundle.portfolio}.{bundle.model}"
    kind = bundle.model_kind.replace("_", " ")
    return (
        f"{title}\n\nBundle `{subject.digest}`; a {bundle.kind} of {len(bundle.columns)} features; statutory kind: {kind} "
        f"(REG-IL-01); made of data to {iso(bundle.created_at)[:10]}; submitted by {subject.author}."
    )


def _use(entry: ModelEntry | None) -> str:
    if entry is None:
        return "## Use\n\nNot in the inventory: nobody has said what it is for."
    lines = (("Tier", str(entry.tier)), ("Owner", entry.owner), ("Purpose", entry.purpose), ("Limits of use", entry.limits))  # fmt: skip
    return "## Use\n\n" + _table(("", ""), lines)


def _figures(report: Report | None) -> str:
    if report is None:
        return "## Figures\n\nThere is no validation report."
    m = report.metrics
    lines = [("AUC", str(m.auc)), ("KS", str(m.ks)), ("Brier", str(m.brier))]
    own = report.review.intervals if report.review else {}
    values = {"log_loss": m.log_loss, "ece": m.ece, "predicted_over_actual": m.predicted_over_actual}
    lines += [(name.replace("_", " "), str(own.get(name, f"{value:.4f}"))) for name, value in values.items()]
    if report.gap is not None:
        lines.append(("AUC over the scorecard's, paired", str(report.gap)))
    text = (
        f"## Figures\n\nOn {m.rows:,} rows with {m.bads:,} bad, {report.split}; in brackets 95 % intervals. Learned from "
        f"{report.learned_rows:,} rows.\n\n{_table(('figure', 'value'), lines)}"
    )
    if report.level is not None:
        text += f"\n\n{' '.join(report.level.told)}"
    if report.warnings:
        text += "\n\n### To look at\n\n" + "\n".join(f"- {one}" for one in report.warnings)
    return text


def _features(subject: Subject) -> str:
    if subject.report is not None:
        known = {line.name: f"{line.weight:.3f}" for line in subject.report.features}
    else:
        known = {}
    columns = sorted(subject.bundle.columns, key=lambda c: (-float(known.get(c.name, "0")), c.name))
    lines = [
        (f"`{c.name}`", f"{c.en} ({c.zh})", c.dataset, _SIGNS[c.sign], known.get(c.name, ""))
        for c in columns[:MOST_FEATURES]
    ]
    names = ("feature", "what it says", "source", "sign", "weight, logits")
    return f"## Strongest of {len(columns)} features\n\n" + _table(names, lines)


def _fairness(report: FairnessReport | None) -> str:
    if report is None:
        return "## Fairness\n\nIt was not tested."
    findings = "\n".join(f"- {one}" for one in report.findings) or "No finding."
    return f"## Fairness\n\n{report.period}; {report.rows:,} rows; groups by {', '.join(report.attributes)}.\n\n{findings}"


def _governance(subject: Subject) -> str:
    said = [(who, verdict, why, iso(at)[:16]) for who, verdict, why, at in subject.approvals]
    put = [(at, what, ", ".join(waived), why) for at, what, waived, why in subject.promotions]
    text = "## Governance\n\n" + (
        _table(("who", "verdict", "why", "when"), said) if said else "Nobody has approved it."
    )
    return text + (
        "\n\n" + _table(("when", "what", "gates waived", "why"), put) if put else "\n\nNever in force."
    )


def _origin(subject: Subject) -> str:
    bundle = subject.bundle
    lines = [
        ("definitions", f"`{bundle.definitions_digest}`"),
        ("training data", f"`{bundle.training_digest}`"),
    ]
    lines += [(key, f"{value:.6g}" if isinstance(value, float) else str(value)) for key, value in sorted(bundle.notes.items())]  # fmt: skip
    return "## Origin\n\n" + _table(("", ""), lines)


def _table(names: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rows = [names, ["---"] * len(names), *lines]
    return "\n".join(f"| {' | '.join(_cell(value) for value in row)} |" for row in rows)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")
