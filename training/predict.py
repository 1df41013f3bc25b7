"""Scoring a file that no model has seen: each row with its own key as it was written, a PD, a grade, reasons.

The file has the columns of the contract of the portfolio's population; the label's may be empty or missing.
A row that breaks the contract is reported with its line, and the others are scored.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.contracts.model import Contract, Field, FieldType, Text
from features.errors import Conflict, Invalid
from features.files import put_file
from features.identity.vault import MemoryVault
from features.matrix import FeatureMatrix
from features.timeline.feed import Finding
from features.timeline.ingest import ingest_source, load_rows, quarantine
from features.timeline.lake import Lake
from features.timeline.source import read_source
from features.timeline.text import RawTable, read_text
from training.bundle import FIXED, Scorer, Scores, load_bundle
from training.population import private_door, read_people
from training.portfolio import ColumnLabel, Portfolio

MOST_REASONS = 4
LINE = "__line__"
"""A field that the reader adds, so that each row finds its line again."""
_REPEATED = "the same key stands in a later line"


class NoSuchModel(Invalid):
    """A model that is neither trained nor a file."""

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__(
            f"there is no model {name!r}: it is no file, and {folder} holds no bundle.",
            place="--model",
            remedy="Train it first with `yidai train`, or name a bundle.json.",
        )


class OtherFeatures(Conflict):
    """A bundle that reads other features than the portfolio computes today."""

    def __init__(self, portfolio: str, bundle: str) -> None:
        super().__init__(
            f"the model was trained on other definitions of features than {portfolio} has now.",
            place=bundle,
            remedy="Train it again, or name the portfolio that it was trained on.",
        )


class NothingToScore(Invalid):
    """A file of which every row breaks its contract."""

    def __init__(self, path: Path, findings: Sequence[Finding]) -> None:
        first = findings[0] if findings else None
        example = f" Line {first.line}, {first.field or 'whole line'}: {first.value_class}." if first else ""
        super().__init__(
            f"it has no row that can be scored.{example}", place=str(path),
            remedy=first.remedy if first else "Send a header and at least one row.",
        )  # fmt: skip


class NeedsVault(Invalid):
    """A portfolio whose subjects only the service knows."""

    def __init__(self, portfolio: str) -> None:
        super().__init__(
            f"portfolio {portfolio} reads the lake, whose subjects are pseudonyms.",
            place="--portfolio",
            remedy="Ask the service for a decision (POST /v1/decisions); a file can be scored by a portfolio "
            "that brings its own data.",
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """One scored row: its key as it was written, and up to four reasons that raised its risk.

    ``interval`` are the ends of the PD's interval; None where the model states none.
    """

    line: int
    key: tuple[str, ...]
    pd: float
    grade: int
    reasons: tuple[Text, ...]
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Predicted:
    """The answers in the order of the file; ``key_names`` head the key's columns."""

    key_names: tuple[str, ...]
    answers: tuple[Answer, ...]
    findings: tuple[Finding, ...]
    model: str
    digest: str


def find_model(portfolio: Portfolio, name: str, models: Path) -> Scorer:
    """The scorer of a bundle's path, or of the newest trained bundle of that name under ``models``.

    Raises:
        NoSuchModel: neither is there.
        OtherFeatures: the bundle was trained on other definitions.
        BrokenBundle: its bytes are not a bundle.
    """
    path = Path(name)
    if not path.is_file():
        folder = models / portfolio.name / name
        found = sorted(folder.glob("*/bundle.json"), key=lambda one: (one.stat().st_mtime_ns, one))
        if not found:
            raise NoSuchModel(name, folder)
        path = found[-1]
    scorer = load_bundle(path.read_bytes())
    if scorer.bundle.definitions_digest != portfolio.plan.digest:
        raise OtherFeatures(portfolio.name, str(path))
    return scorer


def predict_file(portfolio: Portfolio, scorer: Scorer, path: Path, data: Path | None = None) -> Predicted:
    """Score every good row of a file.

    ``data`` is the folder of the portfolio's other datasets, if it has any and it is not the one it names.

    Raises:
        UnreadableFeed: no such file, no text, or a column of the contract is missing.
        NothingToScore: no row keeps the contract.
        NeedsVault: the portfolio lives in the lake.
    """
    if portfolio.file.use_lake:
        raise NeedsVault(portfolio.name)
    contract = _contract(portfolio)
    raw = _raw(portfolio, contract, path, data)
    with TemporaryDirectory(prefix="yidai-") as scratch:
        lake = Lake(Path(scratch))
        matrix, lines, findings = _read(portfolio, contract, lake, raw, path, data)
    key_names = (contract.subject_field, *(name for name in contract.key if name != contract.subject_field))
    keys = _keys(raw, key_names)
    chosen = matrix.select(scorer.columns)
    scores = scorer.score(chosen.values, chosen.missing)
    texts = _Reasons(scorer, portfolio)
    answers = [
        Answer(line, keys[line], float(pd), int(grade), texts.of(shares), interval)
        for line, pd, grade, shares, interval in zip(
            lines.tolist(), scores.pd, scores.grade, scores.contributions, _intervals(scores), strict=True
        )
    ]
    return Predicted(
        key_names, tuple(sorted(answers, key=lambda one: one.line)), findings,
        f"{portfolio.name}.{scorer.bundle.model}", scorer.bundle_digest,
    )  # fmt: skip


def _raw(portfolio: Portfolio, contract: Contract, path: Path, data: Path | None) -> RawTable:
    if contract.source is None:
        return read_text(path)
    joins = len(contract.source.tables) > 1
    return read_source(contract.source, portfolio.data_folder(data) if joins else path.parent, path)[0][1]


def _intervals(scores: Scores) -> list[tuple[float, float] | None]:
    if scores.pd_low is None or scores.pd_high is None:
        return [None] * len(scores.pd)
    return list(zip(scores.pd_low.tolist(), scores.pd_high.tolist(), strict=True))


def write_answers(predicted: Predicted, path: Path) -> None:
    """The answers as CSV, whole or not at all: key, pd and its interval, grade, reasons in two languages.

    Raises:
        Invalid: the folder is not there or may not be written.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*predicted.key_names, "pd", "pd_low", "pd_high", "grade", "reasons_zh", "reasons_en"])
    for one in predicted.answers:
        told = ("; ".join(r.zh for r in one.reasons), "; ".join(r.en for r in one.reasons))
        ends = [f"{end:.9f}" for end in one.interval] if one.interval else ["", ""]
        writer.writerow([*one.key, f"{one.pd:.9f}", *ends, one.grade, *told])
    put_file(path, text.getvalue().encode(), "the answers")


class _Reasons:
    """Groups of features with their texts: by reason, or one a feature where there is one reason only."""

    def __init__(self, scorer: Scorer, portfolio: Portfolio) -> None:
        columns = scorer.bundle.columns
        by_reason = len({column.reason for column in columns}) > 1
        names = [column.reason if by_reason else column.name for column in columns]
        self._names = list(dict.fromkeys(names))
        self._of = np.array([self._names.index(name) for name in names], dtype=np.intp)
        told = {c.name: Text(c.zh or c.name, c.en or c.name) for c in columns}
        self._texts = [portfolio.plan.reasons[name] if by_reason else told[name] for name in self._names]

    def of(self, contributions: NDArray[np.int64]) -> tuple[Text, ...]:
        """Texts of the groups that raised the risk most."""
        groups = np.zeros(len(self._names), dtype=np.int64)
        np.add.at(groups, self._of, contributions)
        order = np.argsort(-groups, kind="stable")[:MOST_REASONS]
        return tuple(self._texts[place] for place in order if groups[place] > FIXED // 1000)


def _contract(portfolio: Portfolio) -> Contract:
    """The contract of the population without its label, and with the line of each row."""
    contract = portfolio.contracts[portfolio.file.population.dataset]
    label = portfolio.file.label.field if isinstance(portfolio.file.label, ColumnLabel) else ""
    fields = tuple(field for field in contract.fields if field.name != label)
    return msgspec.structs.replace(contract, fields=(*fields, Field(LINE, FieldType.INTEGER)))


def _read(
    portfolio: Portfolio, contract: Contract, lake: Lake, raw: RawTable, path: Path, data: Path | None
) -> tuple[FeatureMatrix, NDArray[np.int64], tuple[Finding, ...]]:
    """Features of the file's good rows, their lines, and what became of the others."""
    vault = MemoryVault()
    numbered = raw.table.append_column(LINE, pa.array([str(line) for line in raw.lines], pa.string()))
    with lake.writing():
        report = load_rows(contract, path.name, RawTable(numbered, raw.lines, raw.broken), vault, lake)
    findings = [finding for finding in quarantine(lake) if finding.field != LINE]
    if not report.loaded:
        raise NothingToScore(path, findings)
    others = [one for name, one in portfolio.contracts.items() if name != contract.dataset]
    folder = portfolio.data_folder(data) if others else path.parent
    for other in others:
        ingest_source(other, folder, vault, lake)
    contracts = portfolio.contracts | {contract.dataset: contract}
    door = private_door(portfolio, lake)
    read = door.whole(contracts, {*portfolio.plan.datasets, *contracts}, needed=[contract.dataset])
    people, as_of, request = read_people(portfolio, read.tables)
    masked = {name: read.left_out[name] for name in portfolio.plan.datasets if name in read.left_out}
    matrix = portfolio.plan.build(read.tables, people.subject, as_of, masked, request)
    lines = people.columns[LINE]
    lost = np.setdiff1d(raw.lines, [*lines.tolist(), *(finding.line for finding in findings)])
    findings += [
        Finding(contract.dataset, path.name, int(line), "", _REPEATED, "Send each row once.") for line in lost
    ]
    return matrix, lines, tuple(sorted(findings, key=lambda one: (one.line, one.field)))


def _keys(raw: RawTable, names: Sequence[str]) -> dict[int, tuple[str, ...]]:
    columns = [raw.table[name].to_pylist() for name in names]
    return {int(line): tuple(parts) for line, *parts in zip(raw.lines, *columns, strict=True)}
