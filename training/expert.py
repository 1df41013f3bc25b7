"""A scorecard whose weights people wrote, for where there are no labels yet, as the same bundle as any other.

Points are added to ``base_points``: at that sum there are ``base_odds`` goods to a bad, and ``pdo`` points more
double them. What is withheld counts 0 points, so 0 must be what an average applicant gets. Nothing is fitted:
the PD is as good as the odds that were written, and the bundle states no interval.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from itertools import pairwise
from math import isfinite, log
from pathlib import Path

import msgspec
import numpy as np

from features.calendar import instant
from features.canonical import canonical_bytes, code_of, digest
from features.contracts.documents import read_yaml
from features.contracts.model import Text
from features.errors import Invalid
from features.matrix import Column, ColumnKind
from training.bundle import FIXED, MODEL_KINDS, MOST, SCHEMA, Bins, Bundle, Line, with_vectors
from training.models import master_scale
from training.points import PointScale
from training.portfolio import Portfolio
from training.probes import covering_probes
from training.scorecard import bundle_column

EXPERT = "expert"
_NO_BINS = Bins((), (0,), 0)
_NO_LINE = Line(0.0, 0.0)


class ExpertFeature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One feature, by bins or in proportion; more points are better.

    ``points`` are those of ``x < edges[0]``, ``edges[0] <= x < edges[1]`` and so on; ``codes`` those of special
    codes, or of a category's texts, whose one entry of ``points`` is that of any other text. With ``weight``
    ``x`` counts ``(x - centre) * weight`` points instead. ``no_record`` are those of a department that knows
    nothing of the applicant.
    """

    feature: str
    no_record: float
    edges: tuple[float, ...] = ()
    points: tuple[float, ...] = ()
    codes: dict[str, float] = msgspec.field(default_factory=dict)
    weight: float | None = None
    centre: float = 0.0


class ExpertFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The weights; ``name`` is the model's and its slot's (bundle.NAME), ``basis`` why these weights."""

    schema: int
    name: str
    title: Text
    model_kind: str
    dated: str
    basis: str
    scale: PointScale
    features: tuple[ExpertFeature, ...]


class NoScorecard(Invalid):
    """Weights that are no scorecard."""

    def __init__(self, path: Path, where: str, problem: str, remedy: str) -> None:
        super().__init__(problem, place=f"{path}, {where}", remedy=remedy)


def read_expert(path: Path, portfolio: Portfolio) -> Bundle:
    """The bundle of a file of weights over a portfolio's features.

    Raises:
        BrokenDocument: the file is not there, or not of the shape.
        NoScorecard: with the feature, what is wrong and what to write.
    """
    file = read_yaml(path, ExpertFile)
    _check_file(file, path)
    known = {column.name: column for column in portfolio.plan.columns}
    columns = [_column(one, known, path) for one in file.features]
    for one, column in zip(file.features, columns, strict=True):
        _check_feature(one, column, path)
    unit = -file.scale.logits
    lines = any(one.weight is not None for one in file.features)
    base = -log(file.scale.base_odds)
    scale = msgspec.structs.asdict(file.scale)
    bundle = Bundle(
        SCHEMA, portfolio.name, file.name, "scorecard", file.model_kind, round(base * FIXED),
        tuple(bundle_column(column) for column in columns), master_scale(), portfolio.plan.digest,
        digest(canonical_bytes(file)), instant(file.dated),
        tuple(_bins(one, column, unit) for one, column in zip(file.features, columns, strict=True)),
        notes={"learner": EXPERT, "basis": file.basis, "rows": 0, "bads": 0, **scale},
        lines=tuple(_line(one, unit) for one in file.features) if lines else (),
    )  # fmt: skip
    probes = covering_probes(bundle)
    none = np.empty((0, len(columns)))
    return with_vectors(bundle, none, none.astype(np.uint8), (probes.values, probes.missing))


def _check_file(file: ExpertFile, path: Path) -> None:
    def refuse(where: str, problem: str, remedy: str) -> None:
        raise NoScorecard(path, where, problem, remedy)

    scale = file.scale
    if file.schema != 1:
        refuse("schema", f"{file.schema} is not known.", "Write schema: 1.")
    if file.model_kind not in MODEL_KINDS:
        refuse("model_kind", f"{file.model_kind!r} is no kind.", f"Choose of: {', '.join(MODEL_KINDS)}.")
    if not file.name.isidentifier() or not file.name.islower():
        refuse("name", f"{file.name!r} is no name of a model.", "Write small letters, digits and _.")
    if not file.basis.strip():
        refuse("basis", "it is empty.", "Write on what experience the weights rest: a second person asks.")
    if not all(isfinite(one) and one > 0 for one in (scale.base_odds, scale.pdo)):
        refuse("scale", "base_odds and pdo must be above 0.", "For instance base_odds: 20 and pdo: 40.")
    if not file.features:
        refuse("features", "there are none.", "Name at least one.")
    names = [one.feature for one in file.features]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        refuse(f"feature {twice[0]}", "it stands there twice.", "Merge its points into one entry.")


def _column(one: ExpertFeature, known: dict[str, Column], path: Path) -> Column:
    if one.feature in known:
        return known[one.feature]
    near = get_close_matches(one.feature, known, n=3)
    remedy = f"Did you mean {', '.join(near)}?" if near else "See `yidai features list`."
    raise NoScorecard(path, f"feature {one.feature}", "the portfolio has no such feature.", remedy)


def _check_feature(one: ExpertFeature, column: Column, path: Path) -> None:
    def refuse(problem: str, remedy: str) -> None:
        raise NoScorecard(path, f"feature {one.feature}", problem, remedy)

    numbers = (*one.edges, *one.points, *one.codes.values(), one.no_record, one.weight or 0.0, one.centre)
    if not all(map(isfinite, numbers)):
        refuse("a number is not finite.", "Write plain numbers.")
    if one.weight is not None:
        if one.points or one.edges or one.codes or column.kind is ColumnKind.CATEGORY or column.special_codes:
            refuse("a weight needs a plain numeric feature, without bins or codes.", "Give bins and points.")
        if column.sign * one.weight > 0:
            refuse(_against(column), "Turn the sign of its weight.")
        return
    if len(one.points) != len(one.edges) + 1:
        refuse(
            f"{len(one.points)} points for {len(one.edges)} edges.",
            f"Write {len(one.edges) + 1} points, or a weight.",
        )
    if any(a >= b for a, b in pairwise(one.edges)):
        refuse("its edges do not rise.", "Write them in ascending order.")
    if column.kind is ColumnKind.CATEGORY:
        _check_category(one, column, refuse_to=path)
        return
    if any(column.sign * (b - a) > 0 for a, b in pairwise(one.points)):
        refuse(_against(column), "Order its points by the declared sign.")
    missing = sorted(set(column.special_codes) ^ set(_numbers(one.codes, path, one.feature)))
    if missing:
        told = ", ".join(f"{code:g}" for code in missing)
        refuse(
            f"special codes and `codes` differ in {told}.",
            "Give every special code its points, and no other.",
        )


def _check_category(one: ExpertFeature, column: Column, *, refuse_to: Path) -> None:
    where = f"feature {one.feature}"
    if one.edges:
        raise NoScorecard(
            refuse_to, where, "a category has no edges.", "Give `codes` and one entry of `points`."
        )
    known = {text for _, text in column.labels}
    unknown = sorted(set(one.codes) - known) if known else []
    if unknown:
        remedy = f"Its codes: {', '.join(sorted(known))}."
        raise NoScorecard(refuse_to, where, f"{unknown[0]!r} is none of its codes.", remedy)


def _against(column: Column) -> str:
    worse = "raises" if column.sign > 0 else "lowers"
    return f"its points go against its sign: a larger value {worse} risk."


def _numbers(codes: Iterable[str], path: Path, feature: str) -> list[float]:
    try:
        return [float(text) for text in codes]
    except ValueError as error:
        raise NoScorecard(path, f"feature {feature}", f"{error}.", "A special code is a number.") from None


def _bins(one: ExpertFeature, column: Column, unit: float) -> Bins:
    """Contributions in fixed point; those of a weighted feature stand in its line."""
    if one.weight is not None:
        return _NO_BINS
    category = column.kind is ColumnKind.CATEGORY
    codes = sorted((float(code_of(k)) if category else float(k), v, k) for k, v in one.codes.items())
    return Bins(
        one.edges, tuple(_units(p, unit) for p in one.points), _units(one.no_record, unit),
        tuple(code for code, _, _ in codes), tuple(_units(points, unit) for _, points, _ in codes),
        labels=tuple(text for _, _, text in codes) if category else msgspec.UNSET,
    )  # fmt: skip


def _line(one: ExpertFeature, unit: float) -> Line:
    if one.weight is None:
        return _NO_LINE
    return Line(one.weight * unit, one.centre, _units(one.no_record, unit))


def _units(points: float, unit: float) -> int:
    return max(-MOST, min(MOST, round(points * unit * FIXED)))
