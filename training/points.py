"""A scorecard as people read it: points of each bin, the points that double the odds, the base odds.

A total of ``base_points`` stands for ``base_odds`` goods to a bad; more points are better. The bundle counts in
log-odds of bad; points are told, rounded to whole ones, and never decide.
"""

from __future__ import annotations

from importlib.resources import files
from itertools import pairwise
from math import log

import msgspec

from features.contracts.documents import convert
from training.documents import Bins, Bundle, BundleColumn, Line

_FIXED = 1e9
"""Fixed-point units of one logit, as in ``training.bundle``."""


class PointScale(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """At ``base_points`` there are ``base_odds`` goods to a bad; ``pdo`` points more double the odds."""

    base_points: float
    base_odds: float
    pdo: float

    @property
    def logits(self) -> float:
        """Log-odds of bad that one point takes away."""
        return log(2.0) / self.pdo

    def share(self, contribution: int) -> float:
        """Points of a contribution to the log-odds of bad, in 1e-9 logits."""
        return -contribution / _FIXED / self.logits

    def total(self, log_odds: int) -> float:
        """Points of log-odds of bad, in 1e-9 logits."""
        return self.base_points + self.share(log_odds) - log(self.base_odds) / self.logits


class PointLine(msgspec.Struct, frozen=True):
    """One bin of a feature; ``goods`` and ``bads`` of the rows learned from, None where nobody counted."""

    feature: str
    zh: str
    en: str
    bin: str
    points: int
    goods: int | None
    bads: int | None


class PointTable(msgspec.Struct, frozen=True):
    """The points of every bin, those of a feature together; ``start`` is what they are added to."""

    scale: PointScale
    start: int
    lines: tuple[PointLine, ...]

    @property
    def heads(self) -> tuple[bool, ...]:
        """Which lines are the first of their feature."""
        names = [line.feature for line in self.lines]
        return tuple(name != before for name, before in zip(names, ["", *names], strict=False))

    @property
    def told(self) -> str:
        """What points mean, in a sentence or two."""
        s = self.scale
        return (
            f"A total of {s.base_points:g} points stands for {s.base_odds:g} goods to a bad, and {s.pdo:g} points more double "
            f"the odds (PDO). Everybody starts with {self.start}; what is withheld adds 0. Rounded to whole points, so that "
            "a total may be half a point a feature off; the model itself counts exactly."
        )


def point_scale(bundle: Bundle | None = None) -> PointScale:
    """The scale that a bundle's notes state, or the one in force for those that state none."""
    notes = {} if bundle is None else bundle.notes
    fields = PointScale.__struct_fields__
    if all(name in notes for name in fields):
        return PointScale(*(float(notes[name]) for name in fields))
    import yaml  # noqa: PLC0415 - only here

    text = (files("training") / "scales" / "master_scale.yaml").read_text(encoding="utf-8")
    return convert(yaml.safe_load(text)["points"], PointScale, "training/scales/master_scale.yaml")


def point_table(bundle: Bundle) -> PointTable | None:
    """The bundle in points; None where it is no scorecard."""
    if bundle.kind != "scorecard" or not bundle.bins:
        return None
    scale = point_scale(bundle)
    rules = bundle.lines or (None,) * len(bundle.columns)
    lines = [
        line
        for column, bins, rule in zip(bundle.columns, bundle.bins, rules, strict=True)
        for line in _of_column(column, bins, rule, scale)
    ]
    return PointTable(scale, round(scale.total(bundle.base)), tuple(lines))


def _of_column(column: BundleColumn, bins: Bins, rule: Line | None, scale: PointScale) -> list[PointLine]:
    """Present values, no record, codes: the order of a bundle's counts."""
    units = (*bins.points, bins.no_record + (rule.no_record if rule else 0), *bins.code_points)
    texts = (*_ranges(column, bins), "no record", *_codes(column, bins))
    if rule is not None and rule.slope:
        texts = (f"{-rule.slope / scale.logits:+g} a unit from {rule.centre:g} on", *texts[1:])
    counts = bins.counts or ((None, None),) * len(units)
    return [
        PointLine(column.name, column.zh, column.en, text, round(scale.share(unit)), *count)
        for text, unit, count in zip(texts, units, counts, strict=True)
    ]


def _ranges(column: BundleColumn, bins: Bins) -> tuple[str, ...]:
    if column.kind == "category":
        return ("any other",)
    if not bins.edges:
        return ("any value",)
    edges = [f"{edge:.12g}" for edge in bins.edges]
    return (f"under {edges[0]}", *(f"{a} to under {b}" for a, b in pairwise(edges)), f"{edges[-1]} or more")


def _codes(column: BundleColumn, bins: Bins) -> tuple[str, ...]:
    if not isinstance(bins.labels, msgspec.UnsetType):
        return bins.labels
    kind = "category" if column.kind == "category" else "code"
    return tuple(f"{kind} {code:.15g}" for code in bins.codes)
