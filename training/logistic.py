"""A logistic regression as a JSON document: numbers that anybody can read, written where it was fitted.

``logistic_document`` takes scikit-learn's own objects by their public attributes, so that the model's owner
needs to send a text file and never a pickle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import msgspec

from features.canonical import code_of
from features.errors import Invalid
from training.bundle import FIXED, Bins, Line


class LogisticColumn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A number: ``coefficient * (x - mean) / scale``. ``absent`` is the value that stands for no record."""

    name: str
    coefficient: float
    mean: float = 0.0
    scale: float = 1.0
    absent: float | None = None


class LogisticCategory(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A category: the coefficient of each text, of any other text, and of no record."""

    name: str
    levels: dict[str, float]
    unseen: float = 0.0
    absent: float = 0.0


class LogisticFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Log-odds of bad: the intercept and what the columns add."""

    schema: int
    kind: str
    intercept: float
    columns: tuple[LogisticColumn, ...] = ()
    categories: tuple[LogisticCategory, ...] = ()


class BadCoefficients(Invalid):
    """A document, or a fitted model, from which no bundle can be made."""

    def __init__(self, place: Path | str, problem: str, remedy: str) -> None:
        super().__init__(problem, place=str(place), remedy=remedy)


@dataclass(frozen=True, slots=True)
class LogisticParts:
    """One line and bin a column, categories after numbers; ``base`` in 1e-9 logits; ``signs`` as fitted."""

    lines: tuple[Line, ...]
    bins: tuple[Bins, ...]
    signs: tuple[int, ...]
    base: int


def logistic_document(
    model: Any, names: Sequence[str], *, scaler: Any = None, imputer: Any = None, bad: object = 1
) -> dict[str, Any]:
    """The document of a fitted ``LogisticRegression`` over these columns, ready for ``json.dump``.

    ``scaler`` is the ``StandardScaler`` before it and ``imputer`` the ``SimpleImputer`` before that; both
    may be left out. ``bad`` is the class that means a bad outcome. One-hot columns of categories are written
    by hand, as ``categories``.

    Raises:
        BadCoefficients: not two classes, ``bad`` is none of them, or another number of names.
    """
    classes = list(model.classes_)
    if len(classes) != 2 or bad not in classes:
        raise BadCoefficients(
            "model", f"its classes are {classes}.", "Pass the class of the bad outcome as `bad`."
        )
    coefficients = [float(value) for value in model.coef_[0]]
    if len(names) != len(coefficients):
        problem = f"{len(names)} names for {len(coefficients)} coefficients."
        raise BadCoefficients("model", problem, "Pass one name a column, in order.")
    sign = 1.0 if classes[1] == bad else -1.0

    def given(source: Any, attribute: str, otherwise: float | None) -> list[Any]:
        held = getattr(source, attribute, None)
        return [otherwise] * len(names) if held is None else [float(value) for value in held]

    absent = given(imputer, "statistics_", None)
    rows = zip(
        names, coefficients, given(scaler, "mean_", 0.0), given(scaler, "scale_", 1.0), absent, strict=True
    )
    columns = [
        {"name": name, "coefficient": sign * weight, "mean": mean, "scale": scale}
        | ({} if stands is None else {"absent": stands})
        for name, weight, mean, scale, stands in rows
    ]
    intercept = sign * float(model.intercept_[0])
    return {"schema": 1, "kind": "logistic_regression", "intercept": intercept, "columns": columns}


def logistic_parts(found: LogisticFile, path: Path) -> LogisticParts:
    """The document in the parts of a bundle.

    Raises:
        BadCoefficients: another kind or schema, a scale of 0, numbers that are not finite, or a column that
            says nothing of absent values.
    """
    if found.schema != 1 or found.kind != "logistic_regression":
        problem = f"schema {found.schema}, kind {found.kind!r} is not known."
        raise BadCoefficients(path, problem, "Write schema 1, kind logistic_regression.")
    if not found.columns and not found.categories:
        raise BadCoefficients(path, "it has no columns.", "Write `columns` or `categories`.")
    lines = [_line(column, path) for column in found.columns] + [Line(0.0, 0.0)] * len(found.categories)
    bins = [Bins((), (0,), 0)] * len(found.columns) + [_bins(one) for one in found.categories]
    signs = [(c.coefficient > 0) - (c.coefficient < 0) for c in found.columns] + [0] * len(found.categories)
    _finite(found, path)
    return LogisticParts(tuple(lines), tuple(bins), tuple(signs), round(found.intercept * FIXED))


def _line(column: LogisticColumn, path: Path) -> Line:
    place = f"{path}, column {column.name}"
    if column.scale == 0:
        raise BadCoefficients(place, "its scale is 0.", "Leave out a column that is constant.")
    if column.absent is None:
        remedy = "Write `absent`: the value that stands for no record, as in training."
        raise BadCoefficients(place, "it says nothing of absent values.", remedy)
    slope = column.coefficient / column.scale
    return Line(slope, column.mean, round((column.absent - column.mean) * slope * FIXED))


def _bins(category: LogisticCategory) -> Bins:
    fixed = sorted((float(code_of(text)), round(value * FIXED)) for text, value in category.levels.items())
    return Bins(
        (), (round(category.unseen * FIXED),), round(category.absent * FIXED),
        tuple(code for code, _ in fixed), tuple(points for _, points in fixed),
    )  # fmt: skip


def _finite(found: LogisticFile, path: Path) -> None:
    tables: list[Mapping[str, float]] = [one.levels for one in found.categories]
    numbers = [found.intercept, *(value for table in tables for value in table.values())]
    numbers += [value for c in found.columns for value in (c.coefficient, c.mean, c.scale, c.absent or 0.0)]
    if not all(map(isfinite, numbers)):
        raise BadCoefficients(path, "a number in it is not finite.", "Fit the model again.")
