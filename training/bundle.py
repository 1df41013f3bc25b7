"""A trained model as one JSON document, and its scorer: the only module of training that serving imports.

Scores are int64 in units of 1e-9 logit of bad. ``base`` and the contributions add up exactly: no sum is in floating point.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.canonical import UNREADABLE, canonical_bytes, digest
from features.errors import Integrity, Invalid
from features.matrix import Missing
from training.arrays import card_arrays, tree_arrays
from training.documents import (
    MODEL_KINDS,
    Bins,
    Bundle,
    BundleColumn,
    Encoding,
    Horizon,
    Line,
    MasterScale,
    Tree,
    Uncertainty,
    Vector,
)
from training.intervals import Widths
from training.lookup import add_points
from training.recurring import Explainer
from training.trees import add_values

FIXED = 1_000_000_000
"""Fixed-point units of one logit."""
MOST = 1_000_000 * FIXED
"""No line of a column adds more than this."""
_FAR = 64.0
"""Logits beyond which a PD is 0 or 1 after rounding."""

SCHEMA = 2
SCHEMA_OF_CURVES = 3
"""Of the bundles that tell PDs of shorter horizons too."""
READABLE = (1, 2, 3)
"""Schema 1 states no interval."""

Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of n rows over p columns; ``base + contributions.sum(1) == log_odds`` exactly.

    ``pd_low`` and ``pd_high`` are the ends of the interval that the bundle states; None where it states none.
    """

    log_odds: Int64
    contributions: Int64
    base: int
    pd: NDArray[np.float64]
    grade: Int64
    pd_low: NDArray[np.float64] | None = None
    pd_high: NDArray[np.float64] | None = None


class BrokenBundle(Integrity):
    """Bytes that are not a bundle, or a bundle that no longer gives the scores it was made with."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem, place="model bundle", remedy="Take the bundle from the registry again.")


def dump_bundle(bundle: Bundle) -> bytes:
    """Canonical bytes of a bundle, under its seal."""
    blank = canonical_bytes(msgspec.structs.replace(bundle, seal=""))
    return _with_seal(blank, "", digest(blank))


def load_bundle(data: bytes, expected_digest: str | None = None) -> Scorer:
    """The scorer in these bytes, after its seal was looked at and its test vectors were scored.

    Raises:
        BrokenBundle: another digest or seal, not a bundle, or other scores than when it was made.
    """
    if expected_digest is not None and digest(data) != expected_digest:
        raise BrokenBundle("its bytes have changed: the digest is another.")
    try:
        bundle = msgspec.json.decode(data, type=Bundle)
    except UNREADABLE as error:
        raise BrokenBundle(f"it cannot be read: {error}.") from error
    if bundle.schema not in READABLE:
        raise BrokenBundle(f"schema {bundle.schema} is not known.")
    if bundle.seal and digest(_with_seal(data, bundle.seal, "")) != bundle.seal:
        raise BrokenBundle("its content has changed: its seal is of another.")
    try:
        (scorer := Scorer(bundle, digest(data))).verify()
    except (ValueError, LookupError, TypeError, ArithmeticError) as error:
        raise BrokenBundle(f"its parts do not fit each other: {error}.") from error
    return scorer


class Scorer:
    """Scores rows of a bundle's columns; what it keeps beside the bundle changes no answer."""

    def __init__(self, bundle: Bundle, bundle_digest: str) -> None:
        self.bundle = bundle
        self.bundle_digest = bundle_digest
        self.kind = bundle.kind
        self.columns = tuple(column.name for column in bundle.columns)
        self.reasons = tuple(column.reason for column in bundle.columns)
        self.datasets = tuple(column.dataset for column in bundle.columns)
        self._card = card_arrays(bundle) if bundle.bins else None
        self._trees = tree_arrays(bundle) if bundle.trees else None
        self._explainer = Explainer(self._trees) if self._trees else None
        self.base = bundle.base + (self._trees.base if self._trees else 0)
        self._absent = [(k, c.absent_codes) for k, c in enumerate(bundle.columns) if c.absent_codes]
        self._widths = Widths.of(bundle)

    def score(self, values: NDArray[np.float64], missing: NDArray[np.uint8]) -> Scores:
        """Score ``values`` float64 [n, p] with ``missing`` uint8 [n, p], columns as in ``columns``.

        ``SOURCE_DOWN`` and ``NOT_AUTHORISED`` contribute exactly 0.

        Raises:
            Invalid: another number of columns, or a value that is not finite.
        """
        values, missing = self._checked(values, missing)
        contributions = self._apart_from_trees(values, missing)
        if self._explainer is not None:
            neutral = (missing > Missing.NO_RECORD).astype(np.uint8)
            self._explainer.add(self.tree_inputs(values, missing), neutral, contributions)
        log_odds = self.base + contributions.sum(axis=1)
        floor, width = self.bundle.scale.floor, self.half_width(missing)
        pd = probability(log_odds, floor)
        scores = Scores(log_odds, contributions, self.base, pd, self.bundle.scale.grade(pd))
        if width is None:
            return scores
        low, high = probability(log_odds - width, floor), probability(log_odds + width, floor)
        return replace(scores, pd_low=low, pd_high=high)

    def log_odds(
        self, values: NDArray[np.float64], missing: NDArray[np.uint8], *, worst: bool = False
    ) -> Int64:
        """``score(...).log_odds`` int64 [n] without contributions, which is quick where much is withheld.

        With ``worst`` a withheld column counts as the value that would raise the risk most: withholding more
        of the same row never gives less.
        """
        values, missing = self._checked(values, missing)
        out = self.bundle.base + self._apart_from_trees(values, missing).sum(axis=1)
        withheld = missing > Missing.NO_RECORD
        if self._trees is not None:
            inputs, neutral = self.tree_inputs(values, missing), withheld.astype(np.uint8)
            add_values(inputs, neutral, *self._trees.add_values, int(worst), out)
        if worst:
            out += np.where(withheld, _most(self.bundle), 0).sum(axis=1)
        return np.asarray(out)

    def half_width(self, missing: NDArray[np.uint8], *, only_withheld: bool = False) -> Int64 | None:
        """Half width int64 [n] of the interval about the log-odds; None where the bundle states none.

        With ``only_withheld`` without what is uncertain even when everything is known.
        """
        return None if self._widths is None else self._widths.half(missing, only_withheld=only_withheld)

    def _checked(
        self, values: NDArray[np.float64], missing: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
        values = np.ascontiguousarray(values, dtype=np.float64)
        missing = np.ascontiguousarray(missing, dtype=np.uint8)
        if values.shape != missing.shape or values.shape[1] != len(self.columns):
            raise Invalid(f"the model reads {len(self.columns)} columns, not {values.shape[1]}.")
        if not np.isfinite(values).all():
            raise Invalid(
                "a feature value is not finite.", remedy="Absent values are 0 with their kind in `missing`."
            )
        return values, missing

    def _apart_from_trees(self, values: NDArray[np.float64], missing: NDArray[np.uint8]) -> Int64:
        """Contributions of points and lines."""
        contributions = np.zeros(values.shape, dtype=np.int64)
        if self._card is not None:
            add_points(values, missing, *self._card, contributions)
        if self.bundle.lines:
            _add_lines(values, missing, self.bundle.lines, contributions)
        return contributions

    def verify(self) -> None:
        """Score the test vectors.

        Raises:
            BrokenBundle: one gives another score.
        """
        vectors, width = self.bundle.vectors, len(self.columns)
        if any(len(one.values) != width or len(one.missing) != width for one in vectors):
            raise BrokenBundle(f"a test vector has not the {width} columns of the model.")
        if not vectors:
            return
        missing = np.array([one.missing for one in vectors], dtype=np.uint8)
        found = self.score(np.array([one.values for one in vectors]), missing).log_odds
        other = np.flatnonzero(found != [one.log_odds for one in vectors])
        if len(other):
            raise BrokenBundle(f"test vector {other[0]} gives another score than when it was made.")

    def tree_inputs(self, values: NDArray[np.float64], missing: NDArray[np.uint8]) -> NDArray[np.float64]:
        """What the trees compare, float64 [n, p]: NaN where absent, categories as numbers."""
        inputs = np.where(missing == Missing.PRESENT, values, np.nan)
        for place, codes in self._absent:
            inputs[np.isin(inputs[:, place], codes), place] = np.nan
        for encoding in self.bundle.encodings:
            inputs[:, encoding.column] = _encode(encoding, inputs[:, encoding.column])
        return np.ascontiguousarray(inputs)


def probability(log_odds: Int64, floor: float) -> NDArray[np.float64]:
    """PD of scores (1e-9 logits), rounded to 1e-9, at least the floor of the scale."""
    logits = np.clip(log_odds / FIXED, -_FAR, _FAR)
    return np.maximum(np.round(1.0 / (1.0 + np.exp(-logits)), 9), floor)


def with_vectors(
    bundle: Bundle,
    values: NDArray[np.float64],
    missing: NDArray[np.uint8],
    covering: tuple[NDArray[np.float64], NDArray[np.uint8]] | None = None,
) -> Bundle:
    """The bundle, sealed, with these rows as its test vectors, the neutral kinds among them.

    ``covering`` are further values and kinds of missing value, taken as they are: see ``training.probes``.
    """
    scorer = Scorer(bundle, "")
    masked = missing.copy()
    masked[1::3] = np.where(np.arange(missing.shape[1]) % 2 == 0, Missing.SOURCE_DOWN, masked[1::3])
    masked[2::3, ::2] = Missing.NO_RECORD
    plain = np.where(masked == Missing.PRESENT, values, 0.0)
    if covering is not None:
        plain, masked = np.vstack([plain, covering[0]]), np.vstack([masked, covering[1]])
    vectors = vectors_of(scorer, plain, masked)
    return resealed(msgspec.structs.replace(bundle, vectors=vectors))


def resealed(bundle: Bundle) -> Bundle:
    """The bundle under the seal of its content."""
    found = msgspec.structs.replace(bundle, seal="")
    return msgspec.structs.replace(found, seal=digest(canonical_bytes(found)))


def vectors_of(scorer: Scorer, values: NDArray[np.float64], missing: NDArray[np.uint8]) -> tuple[Vector, ...]:
    """These rows with the scores that they get."""
    scores = scorer.score(values, missing).log_odds
    return tuple(
        Vector(tuple(row.tolist()), tuple(kinds.tolist()), int(score))
        for row, kinds, score in zip(values, missing, scores, strict=True)
    )


def _with_seal(data: bytes, old: str, new: str) -> bytes:
    """The bytes with another seal: the last one, since nothing after it holds a text."""
    head, _, tail = data.rpartition(f'"seal":"{old}"'.encode())
    return head + f'"seal":"{new}"'.encode() + tail


def _most(bundle: Bundle) -> Int64:
    """The most that points and line of each column can add, int64 [columns]; not less than withheld, which is 0."""
    most = np.zeros(len(bundle.columns), dtype=np.int64)
    if bundle.bins:
        most += np.array([max(0, *b.points, b.no_record, *b.code_points) for b in bundle.bins])
    if bundle.lines:
        most += np.array([max(MOST if line.slope else 0, line.no_record, 0) for line in bundle.lines])
    return most


def _add_lines(
    values: NDArray[np.float64], missing: NDArray[np.uint8], lines: tuple[Line, ...], out: Int64
) -> None:
    """Add each column's proportion to ``out``: three roundings in IEEE arithmetic, the same everywhere."""
    for place, line in enumerate(lines):
        with np.errstate(over="ignore"):
            units = np.rint((values[:, place] - line.centre) * line.slope * float(FIXED))
        present = np.clip(units, -MOST, MOST).astype(np.int64)
        kind = missing[:, place]
        absent = np.where(kind == Missing.NO_RECORD, line.no_record, 0)
        out[:, place] += np.where(kind == Missing.PRESENT, present, absent)


def _encode(encoding: Encoding, values: NDArray[np.float64]) -> NDArray[np.float64]:
    codes = np.array(encoding.codes)
    place = np.minimum(np.searchsorted(codes, values), max(len(codes) - 1, 0))
    known = codes[place] == values if len(codes) else np.zeros(len(values), dtype=bool)
    encoded = np.where(known, np.array([*encoding.values, 0.0])[place], encoding.other)
    return np.where(np.isnan(values), np.nan, encoded)


__all__ = [
    "FIXED", "MODEL_KINDS", "SCHEMA", "Bins", "BrokenBundle", "Bundle", "BundleColumn", "Encoding", "Horizon", "Line",
    "MasterScale", "Scorer", "Scores", "Tree", "Uncertainty", "Vector", "dump_bundle", "load_bundle",
    "probability", "resealed", "vectors_of", "with_vectors",
]  # fmt: skip
