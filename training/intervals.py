"""How wide a bundle says that a score is: integers, so that withholding one more source never narrows it."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.errors import Integrity
from features.matrix import Missing
from training.documents import Bundle

Int64 = NDArray[np.int64]
COARSE = 1_000
"""Variances are summed in units of (1e-6 logit)², which keeps them within int64."""


@dataclass(frozen=True, slots=True)
class Widths:
    """``order`` int64 [columns] sorts columns by source, ``starts`` where each source begins in it.

    ``variances`` int64 [sources] and ``base`` in squares of ``COARSE`` units; ``factor`` times a deviation.
    """

    order: Int64
    starts: Int64
    variances: Int64
    base: int
    factor: float

    @staticmethod
    def of(bundle: Bundle) -> Widths | None:
        """The widths that a bundle states; None where it states none.

        Raises:
            Integrity: a column's source has no spread.
        """
        stated = bundle.uncertainty
        if isinstance(stated, msgspec.UnsetType):
            return None
        known = dict(zip(stated.sources, stated.spreads, strict=False))
        lacking = {column.dataset for column in bundle.columns} - known.keys()
        if lacking or min(stated.learning, stated.factor_ppm, *stated.spreads) < 0:
            problem = f"its uncertainty has no proper spread for {', '.join(sorted(lacking)) or 'a source'}."
            raise Integrity(problem, place="model bundle", remedy="Take the bundle from the registry again.")
        names = np.array([column.dataset for column in bundle.columns])
        order = np.argsort(names, kind="stable")
        sources, starts = np.unique(names[order], return_index=True)
        spreads = np.array([known[str(name)] for name in sources], dtype=np.int64)
        factor = stated.factor_ppm / 1_000_000 * COARSE
        return Widths(order, starts, (spreads // COARSE) ** 2, (stated.learning // COARSE) ** 2, factor)

    def half(self, missing: NDArray[np.uint8], *, only_withheld: bool = False) -> Int64:
        """Half width of each row's interval, int64 [n] in fixed-point units of the log-odds."""
        base = 0 if only_withheld else self.base
        withheld = missing > Missing.NO_RECORD
        total = np.full(len(missing), base, dtype=np.int64)
        if withheld.any():
            total += np.logical_or.reduceat(withheld[:, self.order], self.starts, axis=1) @ self.variances
        return np.rint(np.sqrt(total) * self.factor).astype(np.int64)
