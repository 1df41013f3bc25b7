"""A bundle with everything that a scorer of another hand needs to be held against: rows and their exact scores."""

from __future__ import annotations

import msgspec

from training.bounds import grade_bounds
from training.bundle import Bundle, Scorer
from training.probes import boundary_probes

ARITHMETIC = (
    "log_odds = base + sum over columns + sum over trees, int64, in 1e-9 logits. A column of missing kind 0 adds its "
    "code's points, else those of the bin with edges[k-1] <= x < edges[k], plus rint((x - centre) * slope * 1e9) "
    "where there are lines; of kind 1 its no_record; of kinds 2 and 3 nothing. A category has no edges: points[0] is "
    "that of an unseen one. Trees read NaN where a column is absent or holds one of its absent_codes, the number of "
    "its encoding where it is a category; x <= threshold goes left, NaN where missing_left is true; at a column of "
    "kind 2 or 3 both sides are averaged by cover. Each tree's value is rounded to an integer, halves to even, "
    "before it is added. A grade is 1 + the number of grade_bounds that log_odds reaches."
)


class ExportVector(msgspec.Struct, frozen=True):
    """One row in the order of the bundle's columns, and what the scorer says of it."""

    values: tuple[float, ...]
    missing: tuple[int, ...]
    log_odds: int
    pd: float
    grade: int


class BundleExport(msgspec.Struct, frozen=True):
    """``unreached_leaves`` lie behind comparisons that no row can pass together."""

    schema: int
    digest: str
    arithmetic: str
    grade_bounds: tuple[int, ...]
    unreached_leaves: int
    bundle: Bundle
    vectors: tuple[ExportVector, ...]


def export_json(scorer: Scorer) -> bytes:
    """The bundle with vectors that stand on and beside every bound and reach every bin, code and leaf."""
    probes = boundary_probes(scorer.bundle)
    scores = scorer.score(probes.values, probes.missing)
    rows = zip(
        probes.values.tolist(), probes.missing.tolist(), scores.log_odds.tolist(), scores.pd.tolist(),
        scores.grade.tolist(), strict=True,
    )  # fmt: skip
    vectors = tuple(ExportVector(tuple(v), tuple(m), score, pd, grade) for v, m, score, pd, grade in rows)
    whole = BundleExport(
        1, scorer.bundle_digest, ARITHMETIC, grade_bounds(scorer.bundle.scale), probes.unreached, scorer.bundle,
        vectors,
    )  # fmt: skip
    return msgspec.json.encode(whole)
