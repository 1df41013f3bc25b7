"""Whole sources withheld at random, as consents and outages withhold them: what learning by masking draws from.

A source is a dataset or a view of one (``firm@owner``). Whatever is composed of a withheld source is
withheld with it, and a dataset takes its views along: the same department answers for both.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Flags = NDArray[np.bool_]

MASKED_ROWS = 0.5
"""Share of the rows from which anything is withheld while a scorecard is fitted."""
MASKED_SOURCES = 0.25
"""Share of the optional sources that such a row lacks."""


def is_optional(dataset: str, optional: Iterable[str]) -> bool:
    """Whether a column of this ``dataset`` (``tax_filing+vat_invoice`` has two) can be withheld."""
    return not set(dataset.split("+")).isdisjoint(optional)


def reach(sources: Sequence[str], datasets: Sequence[str]) -> Flags:
    """Which columns, named by their ``dataset``, fall silent with each source: bool [sources, columns]."""
    found = np.zeros((len(sources), len(datasets)), dtype=bool)
    for place, dataset in enumerate(datasets):
        parts = dataset.split("+")
        names = {*parts, *(part.partition("@")[0] for part in parts)}
        found[:, place] = [source in names for source in sources]
    return found


def silenced(struck: Flags, reached: Flags) -> Flags:
    """Which columns fall silent in each row: ``struck`` [rows, sources] of those that ``reached`` [sources, columns] tells.

    The product of the two, without a multiplication of flags, which no library of numbers hurries.
    """
    out = np.zeros((len(struck), reached.shape[1]), dtype=bool)
    for source, columns in enumerate(reached):
        out[:, columns] |= struck[:, source, None]
    return out


def strike(
    generator: np.random.Generator, rows: int, sources: int, share: float | NDArray[np.float64]
) -> Flags:
    """Sources withheld from each row, bool [rows, sources], each with chance ``share`` (one, or [rows, 1])."""
    return np.asarray(generator.random((rows, sources)) < share)


def strike_some(generator: np.random.Generator, rows: int, sources: int) -> Flags:
    """As ``strike``, from ``MASKED_ROWS`` of the rows each source with chance ``MASKED_SOURCES``."""
    lacking = generator.random((rows, 1)) < MASKED_ROWS
    return strike(generator, rows, sources, np.where(lacking, MASKED_SOURCES, 0.0))
