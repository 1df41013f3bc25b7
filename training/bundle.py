"""A trained model as one JSON document, and its scorer: the only module of training that serving imports.

Scores are int64 in units of 1e-9 logit of bad. ``base`` and the contributions add up to the score
exactly, whatever the machine, because nothing is summed in floating point.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.canonical import canonical_bytes, digest
from features.errors import Integrity, Invalid
from features.matrix import Missing
from training.arrays import card_arrays, tree_arrays
from training.documents import MODEL_KINDS, Bins, Bundle, BundleColumn, Encoding, MasterScale, Tree, Vector
from training.trees import add_points, contribute

FIXED = 1_000_000_000
"""Fixed-point units of one logit."""

Int64 = NDArray[np.int64]


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
        self._card = card_arrays(bundle) if bundle.bins else None
        self._trees = tree_arrays(bundle) if bundle.trees else None
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


__all__ = [
    "FIXED", "MODEL_KINDS", "Bins", "BrokenBundle", "Bundle", "BundleColumn", "Encoding", "MasterScale", "Scorer",
    "Scores", "Tree", "Vector", "dump_bundle", "load_bundle", "with_vectors",
]  # fmt: skip
