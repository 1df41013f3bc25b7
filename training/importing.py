"""Models of other makers as challengers: a LightGBM text file, or a logistic regression written as JSON.

A file never runs code: no pickle is read. What cannot be carried over exactly is refused with its place.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from features.canonical import UNREADABLE, code_of, digest
from features.contracts.documents import BrokenDocument, read_yaml
from features.errors import Invalid
from features.matrix import Column, ColumnKind
from training.bundle import MODEL_KINDS, Bundle, BundleColumn, Encoding, Scorer, with_vectors
from training.lightgbm_text import read_lightgbm
from training.logistic import LogisticFile, logistic_parts
from training.models import master_scale
from training.portfolio import Portfolio
from training.probes import covering_probes
from training.scorecard import bundle_column

CHALLENGER = "challenger"


class MappedColumn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A column of the source as a feature of the portfolio.

    ``reason`` is the code under which its contribution is told; the definition's own without it. For a
    category that the source read as numbers, ``codes`` are those numbers by text and ``unseen`` the number
    of any other text.
    """

    feature: str
    reason: str = ""
    codes: dict[str, float] = msgspec.field(default_factory=dict)
    unseen: float | None = None


class ReasonsFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``reasons.yaml``: the features and reasons of a source's columns, by the source's names."""

    schema: int
    columns: dict[str, MappedColumn]


class NotImportable(Invalid):
    """A model, or a map of its columns, that cannot become a bundle."""

    def __init__(self, place: Path | str, problem: str, remedy: str) -> None:
        super().__init__(problem, place=str(place), remedy=remedy)


@dataclass(frozen=True, slots=True)
class _Source:
    """A source's columns, in the order of its numbers, as the portfolio's; ``encodings`` of its categories."""

    columns: tuple[BundleColumn, ...]
    kinds: tuple[ColumnKind, ...]
    encodings: tuple[Encoding, ...]


def import_model(path: Path, portfolio: Portfolio, reasons: Path, name: str = CHALLENGER) -> Bundle:
    """A bundle that gives the source's predictions, PD within 1e-9 and the rounding of each tree.

    Raises:
        NotImportable: neither kind of file, a column without a feature, or a part that has no counterpart.
        BrokenDocument: reasons.yaml is not what it should be.
    """
    if not path.is_file():
        raise NotImportable(
            path, "there is no such file.", "Name what Booster.save_model wrote, or a JSON file."
        )
    data = path.read_bytes()
    mapped = read_yaml(reasons, ReasonsFile)
    if mapped.schema != 1:
        raise BrokenDocument(reasons, f"schema {mapped.schema} is not known.", "Write schema: 1.")
    blank = Bundle(
        1, portfolio.name, name, "imported", portfolio.file.model_kind, 0, (), master_scale(),
        portfolio.plan.digest, digest(data), 0, notes={"source": path.name, "source_digest": digest(data)},
    )  # fmt: skip
    if blank.model_kind not in MODEL_KINDS:
        raise NotImportable(
            portfolio.folder, f"{blank.model_kind!r} is no kind of model.", "Mend model_kind."
        )
    if data.lstrip()[:1] == b"{":
        bundle = _logistic(path, data, portfolio, mapped, reasons, blank)
    elif data.startswith(b"tree"):
        bundle = _lightgbm(path, portfolio, mapped, reasons, blank)
    else:
        raise NotImportable(
            path, "it is neither a LightGBM text model nor a JSON document.",
            "Write it with Booster.save_model, or with training.logistic.logistic_document; pickles are never read.",
        )  # fmt: skip
    probes = covering_probes(bundle)
    return with_vectors(bundle, probes.values[:0], probes.missing[:0], (probes.values, probes.missing))


def _lightgbm(path: Path, portfolio: Portfolio, mapped: ReasonsFile, reasons: Path, blank: Bundle) -> Bundle:
    found = read_lightgbm(path)
    used = sorted({column for tree in found.trees for column in tree.columns})
    source = _mapped([found.names[place] for place in used], portfolio, mapped, reasons)
    seat = {place: number for number, place in enumerate(used)}
    trees = tuple(
        msgspec.structs.replace(tree, columns=tuple(seat[place] for place in tree.columns))
        for tree in found.trees
    )
    encoded = {encoding.column for encoding in source.encodings}
    for number, kind in enumerate(source.kinds):
        if kind is ColumnKind.CATEGORY and number not in encoded:
            raise NotImportable(
                reasons, f"{source.columns[number].name} is a category, and the source reads numbers.",
                "Write its `codes`: the source's number of each text, and `unseen`.",
            )  # fmt: skip
    notes = blank.notes | {"learner": "imported LightGBM", "trees": found.source_trees}
    bundle = msgspec.structs.replace(
        blank, columns=source.columns, trees=trees, encodings=source.encodings, base=found.base, notes=notes
    )
    _compare(bundle, path, used)
    return bundle


def _compare(bundle: Bundle, path: Path, used: list[int]) -> None:
    """Score rows that reach every leaf by both, and refuse a difference beyond the rounding of the trees."""
    import lightgbm as lgb  # noqa: PLC0415 - seconds that only an import pays

    scorer, probes = Scorer(bundle, ""), covering_probes(bundle)
    booster = lgb.Booster(model_file=str(path))
    rows = np.full((len(probes.values), booster.num_feature()), np.nan)
    rows[:, used] = scorer.tree_inputs(probes.values, probes.missing)
    theirs = np.asarray(booster.predict(rows))
    ours = scorer.score(probes.values, probes.missing).log_odds / 1e9
    most = (len(bundle.trees) / 2 + 1) * 1e-9
    difference = float(np.abs(1 / (1 + np.exp(-ours)) - theirs).max())
    if difference > most:
        raise NotImportable(
            path, f"read as a bundle it predicts otherwise, by {difference:.2g}.", "Train it again here."
        )


def _logistic(
    path: Path, data: bytes, portfolio: Portfolio, mapped: ReasonsFile, reasons: Path, blank: Bundle
) -> Bundle:
    try:
        found = msgspec.json.decode(data, type=LogisticFile)
    except UNREADABLE as error:
        remedy = "Write it with training.logistic.logistic_document."
        raise NotImportable(path, f"it is no logistic regression: {error}.", remedy) from None
    names = [*(c.name for c in found.columns), *(c.name for c in found.categories)]
    source = _mapped(names, portfolio, mapped, reasons)
    for number, kind in enumerate(source.kinds):
        expected = ColumnKind.NUMERIC if number < len(found.columns) else ColumnKind.CATEGORY
        if kind is not expected:
            problem = f"{names[number]} is a {expected.value} there, and {source.columns[number].name} a {kind.value}."
            raise NotImportable(path, problem, "Map it to a feature of its kind.")
    parts = logistic_parts(found, path)
    columns = tuple(
        msgspec.structs.replace(column, sign=sign)
        for column, sign in zip(source.columns, parts.signs, strict=True)
    )
    notes = blank.notes | {"learner": "imported logistic regression"}
    return msgspec.structs.replace(
        blank, columns=columns, lines=parts.lines, bins=parts.bins, base=parts.base, notes=notes
    )


def _mapped(names: Iterable[str], portfolio: Portfolio, mapped: ReasonsFile, reasons: Path) -> _Source:
    known = {column.name: column for column in portfolio.plan.columns}
    columns: list[BundleColumn] = []
    kinds: list[ColumnKind] = []
    encodings: list[Encoding] = []
    for number, name in enumerate(names):
        if name not in mapped.columns:
            raise NotImportable(reasons, f"the source's column {name!r} is not in it.", "Give it a feature.")
        entry = mapped.columns[name]
        if entry.feature not in known:
            problem = f"{entry.feature!r}, for {name}, is no feature of portfolio {portfolio.name}."
            raise NotImportable(reasons, problem, "`yidai features list` shows them.")
        column = known[entry.feature]
        if any(column.name == other.name for other in columns):
            raise NotImportable(reasons, f"{entry.feature} stands for two columns.", "Give each its own.")
        columns.append(_bundle_column(column, entry, portfolio, reasons))
        kinds.append(column.kind)
        if entry.codes:
            encodings.append(_encoding(number, entry, reasons))
    return _Source(tuple(columns), tuple(kinds), tuple(encodings))


def _bundle_column(column: Column, entry: MappedColumn, portfolio: Portfolio, reasons: Path) -> BundleColumn:
    """The feature as the bundle tells it; special codes are read as the source read them, as plain values."""
    if entry.reason and entry.reason not in portfolio.plan.reasons:
        codes = ", ".join(sorted(portfolio.plan.reasons))
        raise NotImportable(
            reasons, f"{entry.reason!r} is no reason of the definitions.", f"Reasons: {codes}."
        )
    return msgspec.structs.replace(
        bundle_column(column), sign=0, absent_codes=(), reason=entry.reason or column.reason
    )


def _encoding(number: int, entry: MappedColumn, reasons: Path) -> Encoding:
    if entry.unseen is None:
        raise NotImportable(
            reasons, f"{entry.feature} has codes and no `unseen`.", "Write the number of any other text."
        )
    pairs = sorted((float(code_of(text)), value) for text, value in entry.codes.items())
    return Encoding(number, tuple(c for c, _ in pairs), tuple(v for _, v in pairs), entry.unseen)
