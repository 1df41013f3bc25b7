"""What features hand to models: a matrix of values, why some are missing, and what each column means."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum

import numpy as np
from numpy.typing import NDArray


class Missing(IntEnum):
    """Why a value is absent; the kinds never share a bin."""

    PRESENT = 0
    NO_RECORD = 1
    """The department knows nothing of the subject: information, learned."""
    SOURCE_DOWN = 2
    """The department did not answer: no information, neutral in every score."""
    NOT_AUTHORISED = 3
    """No consent: no inference allowed, neutral in every score."""


class ColumnKind(StrEnum):
    """How a model may read a column."""

    NUMERIC = "numeric"
    CATEGORY = "category"


@dataclass(frozen=True, slots=True)
class Column:
    """One feature column.

    ``sign`` is the effect on risk that the model must keep: -1 a larger value lowers risk, +1 it
    raises risk, 0 free. ``special_codes`` are reserved values with a meaning of their own.
    ``reason`` is the code of the reason under which its contribution is told to an applicant.
    """

    name: str
    dataset: str
    kind: ColumnKind = ColumnKind.NUMERIC
    sign: int = 0
    zh: str = ""
    en: str = ""
    unit: str = ""
    rationale: str = ""
    reason: str = ""
    special_codes: tuple[float, ...] = ()
    labels: tuple[tuple[int, str], ...] = ()
    """For a category: its codes (``features.canonical.code_of``) with their texts, where known."""


@dataclass(frozen=True, slots=True)
class FeatureMatrix:
    """``values`` float64 [rows, columns]; ``missing`` uint8 of the same shape, see ``Missing``.

    Where ``missing`` is not ``PRESENT`` the value is 0.0 and means nothing. A category's value is its
    48-bit code as a float.
    """

    columns: tuple[Column, ...]
    values: NDArray[np.float64]
    missing: NDArray[np.uint8]

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(column.name for column in self.columns)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> FeatureMatrix:
        """The chosen rows, all columns."""
        return FeatureMatrix(self.columns, self.values[rows], self.missing[rows])

    def column(self, place: int) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
        """Values and missing kinds of one column, side by side: looked at often they are in reach."""
        return np.ascontiguousarray(self.values[:, place]), np.ascontiguousarray(self.missing[:, place])

    def select(self, names: tuple[str, ...]) -> FeatureMatrix:
        """The named columns, in that order."""
        at = {name: position for position, name in enumerate(self.names)}
        picked = [at[name] for name in names]
        chosen = tuple(self.columns[position] for position in picked)
        return FeatureMatrix(chosen, self.values[:, picked], self.missing[:, picked])
