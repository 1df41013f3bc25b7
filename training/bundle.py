"""A trained model as one JSON document, and its scorer: the only module of training that serving imports.

Scores are int64 in units of 1e-9 logit of bad. ``base`` and the contributions add up to the score
exactly, whatever the machine, because nothing is summed in floating point.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.canonical import canonical_bytes, digest
from features.errors import Integrity, Invalid
from features.matrix import Missing
from training.trees import MAX_NODES, add_points, contribute, tabulate

FIXED = 1_000_000_000
"""Fixed-point units of one logit."""

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

Int64 = NDArray[np.int64]


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


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of n rows over p columns; ``base + contributions.sum(1) == log_odds`` exactly."""

    log_odds: Int64
    contributions: Int64
    base: int
    pd: NDArray[np.float64]
    grade: Int64


class BrokenBundle(Integrity):
    """Bytes that are not a bundle, or a bundle that no longer gives the scores it was made with."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem, place="model bundle", remedy="Take the bundle from the registry again.")


def dump_bundle(bundle: Bundle) -> bytes:
    """Canonical bytes of a bundle, its test vectors filled in if there are none."""
    return canonical_bytes(bundle)


def load_bundle(data: bytes, expected_digest: str | None = None) -> Scorer:
    """The scorer in these bytes, after its test vectors were scored.

    Raises:
        BrokenBundle: another digest, not a bundle, or other scores than when it was made.
    """
    if expected_digest is not None and digest(data) != expected_digest:
        raise BrokenBundle("its bytes have changed: the digest is another.")
    try:
        bundle = msgspec.json.decode(data, type=Bundle)
    except msgspec.DecodeError as error:
        raise BrokenBundle(f"it cannot be read: {error}.") from error
    if bundle.schema != 1:
        raise BrokenBundle(f"schema {bundle.schema} is not known.")
    scorer = Scorer(bundle, digest(data))
    scorer.verify()
    return scorer


class Scorer:
    """Scores rows of a bundle's columns; holds no state but the bundle."""

    def __init__(self, bundle: Bundle, bundle_digest: str) -> None:
        self.bundle = bundle
        self.bundle_digest = bundle_digest
        self.kind = bundle.kind
        self.columns = tuple(column.name for column in bundle.columns)
        self.reasons = tuple(column.reason for column in bundle.columns)
        self.datasets = tuple(column.dataset for column in bundle.columns)
        self._card = _card_arrays(bundle) if bundle.bins else None
        self._trees = _tree_arrays(bundle) if bundle.trees else None
        self.base = bundle.base + (int(self._trees[-1].sum()) if self._trees else 0)

    def score(self, values: NDArray[np.float64], missing: NDArray[np.uint8]) -> Scores:
        """Score ``values`` float64 [n, p] with ``missing`` uint8 [n, p], columns as in ``columns``.

        ``SOURCE_DOWN`` and ``NOT_AUTHORISED`` contribute exactly 0.

        Raises:
            Invalid: another number of columns, or a value that is not finite.
        """
        values = np.ascontiguousarray(values, dtype=np.float64)
        missing = np.ascontiguousarray(missing, dtype=np.uint8)
        if values.shape != missing.shape or values.shape[1] != len(self.columns):
            raise Invalid(f"the model reads {len(self.columns)} columns, not {values.shape[1]}.")
        if not np.isfinite(values).all():
            raise Invalid(
                "a feature value is not finite.", remedy="Absent values are 0 with their kind in `missing`."
            )
        contributions = np.zeros(values.shape, dtype=np.int64)
        if self._card is not None:
            add_points(values, missing, *self._card, contributions)
        if self._trees is not None:
            self._add_trees(values, missing, contributions)
        log_odds = self.base + contributions.sum(axis=1)
        pd = np.round(1.0 / (1.0 + np.exp(-log_odds / FIXED)), 9)
        pd = np.maximum(pd, self.bundle.scale.floor)
        return Scores(log_odds, contributions, self.base, pd, self.bundle.scale.grade(pd))

    def verify(self) -> None:
        """Score the test vectors.

        Raises:
            BrokenBundle: one gives another score.
        """
        for number, vector in enumerate(self.bundle.vectors):
            scores = self.score(np.array([vector.values]), np.array([vector.missing], dtype=np.uint8))
            if int(scores.log_odds[0]) != vector.log_odds:
                raise BrokenBundle(f"test vector {number} gives another score than when it was made.")

    def _add_trees(self, values: NDArray[np.float64], missing: NDArray[np.uint8], out: Int64) -> None:
        inputs = np.where(missing == Missing.PRESENT, values, np.nan)
        for place, column in enumerate(self.bundle.columns):
            if column.absent_codes:
                inputs[np.isin(inputs[:, place], column.absent_codes), place] = np.nan
        for encoding in self.bundle.encodings:
            inputs[:, encoding.column] = _encode(encoding, inputs[:, encoding.column])
        neutral = (missing > Missing.NO_RECORD).astype(np.uint8)
        assert self._trees is not None
        contribute(np.ascontiguousarray(inputs), neutral, *self._trees, out)


def with_vectors(bundle: Bundle, values: NDArray[np.float64], missing: NDArray[np.uint8]) -> Bundle:
    """The bundle with these rows as its test vectors, the neutral kinds among them."""
    scorer = Scorer(bundle, "")
    masked = missing.copy()
    masked[1::3] = np.where(np.arange(missing.shape[1]) % 2 == 0, Missing.SOURCE_DOWN, masked[1::3])
    masked[2::3, ::2] = Missing.NO_RECORD
    plain = np.where(masked == Missing.PRESENT, values, 0.0)
    scores = scorer.score(plain, masked)
    vectors = tuple(
        Vector(tuple(row.tolist()), tuple(kinds.tolist()), int(score))
        for row, kinds, score in zip(plain, masked, scores.log_odds, strict=True)
    )
    return msgspec.structs.replace(bundle, vectors=vectors)


def _encode(encoding: Encoding, values: NDArray[np.float64]) -> NDArray[np.float64]:
    codes = np.array(encoding.codes)
    place = np.minimum(np.searchsorted(codes, values), max(len(codes) - 1, 0))
    known = codes[place] == values if len(codes) else np.zeros(len(values), dtype=bool)
    encoded = np.where(known, np.array([*encoding.values, 0.0])[place], encoding.other)
    return np.where(np.isnan(values), np.nan, encoded)


def _padded(rows: list[tuple[float, ...]], kind: type, fill: float = 0) -> NDArray[np.generic]:
    out: NDArray[np.generic] = np.full(
        (len(rows), max((len(row) for row in rows), default=1) or 1), fill, dtype=kind
    )
    for place, row in enumerate(rows):
        out[place, : len(row)] = row
    return out


def _card_arrays(bundle: Bundle) -> tuple[NDArray[np.generic], ...]:
    bins = bundle.bins
    is_category = [int(column.kind == "category") for column in bundle.columns]
    counts = np.array([[len(b.edges), c] for b, c in zip(bins, is_category, strict=True)], dtype=np.int64)
    return (
        counts,
        _padded([b.edges for b in bins], np.float64),
        _padded([b.points for b in bins], np.int64),
        _padded([b.codes for b in bins], np.float64),
        _padded([b.code_points for b in bins], np.int64),
        np.array([b.no_record for b in bins], dtype=np.int64),
        np.array([len(b.codes) for b in bins], dtype=np.int64),
    )


def _tree_arrays(bundle: Bundle) -> tuple[NDArray[np.generic], ...]:
    trees = bundle.trees
    if any(len(tree.columns) > MAX_NODES for tree in trees):
        raise BrokenBundle(f"a tree has more than {MAX_NODES} comparisons.")
    players = [tuple(dict.fromkeys(tree.columns)) for tree in trees]
    counts = np.array([len(tree.columns) for tree in trees], dtype=np.int64)
    sizes = np.array([len(columns) for columns in players], dtype=np.int64)
    seats = [tuple(own.index(c) for c in tree.columns) for tree, own in zip(trees, players, strict=True)]
    cover = np.ones((len(trees), MAX_NODES, 2))
    for place, tree in enumerate(trees):
        cover[place, : len(tree.cover)] = tree.cover
    left, right = _padded([t.left for t in trees], np.int64), _padded([t.right for t in trees], np.int64)
    leaves = _padded([t.leaves for t in trees], np.float64)
    player = _padded(seats, np.int64)  # type: ignore[arg-type]
    tables = np.zeros((len(trees), 1 << int(counts.max()), MAX_NODES), dtype=np.int64)
    bases = np.zeros(len(trees), dtype=np.int64)
    tabulate(counts, sizes, left, right, cover, leaves, player, _WEIGHTS, tables, bases)
    return (
        counts, sizes, _padded([t.columns for t in trees], np.int64), _padded([t.thresholds for t in trees], np.float64),
        _padded([t.missing_left for t in trees], np.uint8), left, right, cover, leaves, player,
        _padded([tuple(map(float, own)) for own in players], np.int64), _WEIGHTS, tables, bases,
    )  # fmt: skip


def _shapley_weights() -> NDArray[np.float64]:
    """Weight of a coalition of k among n players: 1 / (n C(n-1, k))."""
    weights = np.zeros((MAX_NODES + 1, MAX_NODES + 1))
    for n in range(1, MAX_NODES + 1):
        for k in range(n):
            weights[n, k] = 1.0 / (n * comb(n - 1, k))
    return weights


_WEIGHTS = _shapley_weights()
