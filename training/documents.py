"""The JSON document of a model: bins, trees, scale, origin, test vectors."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]

MODEL_KINDS = (
    "identity_authentication",
    "anti_fraud",
    "aml",
    "compliance",
    "risk_assessment",
    "risk_pricing",
    "credit_approval",
    "early_warning",
    "collection",
)
"""The statutory kinds of models (REG-IL-01)."""


class BundleColumn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One feature that the model reads, and how it is told."""

    name: str
    dataset: str
    sign: int
    zh: str
    en: str
    reason: str
    unit: str = ""
    kind: str = "numeric"
    absent_codes: tuple[float, ...] = ()
    """Special codes that the trees read as absent, so that a declared sign can hold."""


class Bins(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One column of a scorecard: contributions in fixed point.

    Bin k holds ``edges[k-1] <= x < edges[k]``. ``codes`` are special codes, or the categories of a
    category column, whose ``points`` then has one entry: that of an unseen category.
    """

    edges: tuple[float, ...]
    points: tuple[int, ...]
    no_record: int
    codes: tuple[float, ...] = ()
    code_points: tuple[int, ...] = ()
    counts: tuple[tuple[int, int], ...] = ()
    """Goods and bads of each bin, then of NO_RECORD, then of each code, for the report."""
    iv: float = 0.0
    labels: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    """Of a category whose contract lists its texts: that of each code."""


class Tree(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One tree; a child is a node number, or -1 - leaf. ``x <= threshold`` goes left."""

    columns: tuple[int, ...]
    thresholds: tuple[float, ...]
    missing_left: tuple[bool, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    cover: tuple[tuple[int, int], ...]
    leaves: tuple[float, ...]
    """Leaf values in fixed-point units, not yet rounded: the merged share of one fold's booster."""


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A column that counts in proportion: ``(x - centre) * slope`` logits, ``no_record`` in fixed point."""

    slope: float
    centre: float
    no_record: int = 0


class Encoding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A category as a number for the trees; ``other`` for an unseen one."""

    column: int
    codes: tuple[float, ...]
    values: tuple[float, ...]
    other: float


class MasterScale(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Upper PD bounds of the grades, ascending; the grade after the last is default."""

    upper: tuple[float, ...]
    floor: float = 0.0005

    def grade(self, pd: NDArray[np.float64]) -> Int64:
        """Grades 1 (best) to the number of bounds."""
        return 1 + np.minimum(np.searchsorted(self.upper, pd, side="right"), len(self.upper) - 1).astype(
            np.int64
        )


class Vector(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row and the score that it must give, checked whenever the bundle is loaded."""

    values: tuple[float, ...]
    missing: tuple[int, ...]
    log_odds: int


class Uncertainty(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far the log-odds may be off, in fixed-point units of one standard deviation.

    ``learning`` is what other samples of the same size would have taught; ``spreads`` how far the log-odds
    move, by root mean square, when a source of ``sources`` (the ``dataset`` of columns) is withheld, stretched
    together until they hold as often as stated. They add up in quadrature, times ``factor_ppm``, to the half
    width of an interval that holds with chance ``level_ppm``.
    """

    level_ppm: int
    factor_ppm: int
    learning: int
    sources: tuple[str, ...]
    spreads: tuple[int, ...]


class Horizon(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A horizon beside the model's own, as the log-odds ``shift + slope * log-odds of the score`` of a chance.

    Of a shorter one: that a default of the next longer horizon falls into its ``months``. Of a longer one: that
    who survives the next shorter horizon defaults in the part after it. ``slope`` is not negative.
    """

    months: int
    shift: float
    slope: float


class Bundle(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that a decision needs of a model, and what a validator asks of its origin."""

    schema: int
    portfolio: str
    model: str
    kind: str
    model_kind: str
    base: int
    columns: tuple[BundleColumn, ...]
    scale: MasterScale
    definitions_digest: str
    training_digest: str
    created_at: int
    bins: tuple[Bins, ...] = ()
    encodings: tuple[Encoding, ...] = ()
    trees: tuple[Tree, ...] = ()
    notes: dict[str, float | int | str] = msgspec.field(default_factory=dict)
    """Settings, development metrics, weights of the blend: what the report repeats."""
    vectors: tuple[Vector, ...] = ()
    lines: tuple[Line, ...] = ()
    """One a column, or none: an imported logistic regression."""
    seal: str = ""
    """SHA-256 of the bundle's own canonical bytes with an empty seal; bundles of before have none."""
    uncertainty: Uncertainty | msgspec.UnsetType = msgspec.UNSET
    """From schema 2 on."""
    curve: tuple[Horizon, ...] | msgspec.UnsetType = msgspec.UNSET
    """Other horizons, ascending; from schema 3 on, of models that warn."""
