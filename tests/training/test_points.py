"""Points say what the bundle says: their sum is its log-odds, within the rounding to whole points."""

from __future__ import annotations

from math import log

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training.engines import bundle_of
from tests.training.samples import SPECIAL, made_sample
from training.bundle import FIXED, Bins, Bundle, Line, Scorer
from training.points import PointScale, point_scale, point_table

SCALE = PointScale(600.0, 15.0, 40.0)


def test_base_points_stand_for_the_base_odds_and_more_points_double_them() -> None:
    good = -log(15) * FIXED
    assert SCALE.total(round(good)) == pytest.approx(600)
    assert SCALE.total(round(good - log(2) * FIXED)) == pytest.approx(640)
    assert SCALE.share(round(log(2) * FIXED)) == pytest.approx(-40)


def test_a_trained_scorecard_states_its_points_and_one_of_before_is_told_by_those_in_force() -> None:
    bundle = bundle_of("card")
    assert [bundle.notes[name] for name in ("base_points", "base_odds", "pdo")] == [600, 15, 40]
    old = msgspec.structs.replace(bundle, notes={})
    assert point_table(old) == point_table(bundle)
    other = msgspec.structs.replace(bundle, notes=bundle.notes | {"pdo": 20.0})
    assert point_scale(other) == PointScale(600, 15, 20)


def seat(bundle: Bundle, place: int, value: float, kind: int) -> int:
    """Which line of its feature a cell falls into, by reading the bins again; -1 where it is withheld."""
    bins = bundle.bins[place]
    if kind > 1:
        return -1
    if kind == 1:
        return len(bins.points)
    if value in bins.codes:
        return len(bins.points) + 1 + bins.codes.index(value)
    return 0 if bundle.columns[place].kind == "category" else sum(value >= edge for edge in bins.edges)


@given(st.integers(0, 399), st.lists(st.integers(0, 3), min_size=6, max_size=6))
@settings(max_examples=60, deadline=None)
def test_the_points_of_a_row_add_up_to_its_log_odds_within_half_a_point_a_line(row, kinds) -> None:
    bundle = bundle_of("card")
    table = point_table(bundle)
    chosen = made_sample(400, 9).matrix.select(tuple(column.name for column in bundle.columns))
    missing = np.maximum(chosen.missing[[row]], np.array([kinds[: len(bundle.columns)]], np.uint8))
    values = np.where(missing == 0, chosen.values[[row]], 0.0)
    total = table.start
    for place, column in enumerate(bundle.columns):
        at = seat(bundle, place, float(values[0, place]), int(missing[0, place]))
        own = [line for line in table.lines if line.feature == column.name]
        total += 0 if at < 0 else own[at].points
    exact = table.scale.total(int(Scorer(bundle, "").log_odds(values, missing)[0]))
    assert abs(total - exact) <= (len(bundle.columns) + 1) / 2


def test_every_bin_stands_there_with_its_text_and_counts() -> None:
    bundle = bundle_of("card")
    table = point_table(bundle)
    for place, column in enumerate(bundle.columns):
        own, bins = [line for line in table.lines if line.feature == column.name], bundle.bins[place]
        assert len(own) == len(bins.points) + 1 + len(bins.codes)
        assert own[len(bins.points)].bin == "no record"
        assert sum(line.goods + line.bads for line in own) == 900
    firsts = [line.feature for head, line in zip(table.heads, table.lines, strict=True) if head]
    assert firsts == [column.name for column in bundle.columns]
    texts = {line.bin for line in table.lines if line.feature == "special"}
    assert f"code {SPECIAL:.0f}" in texts
    up = [line for line in table.lines if line.feature == "up"]
    assert up[0].bin.startswith("under ")
    assert up[0].points > up[-2].points, "a larger value raises risk, and takes points away"


def test_a_category_is_told_by_its_texts_where_the_bundle_has_them() -> None:
    bundle = bundle_of("card")
    place = next(k for k, column in enumerate(bundle.columns) if column.kind == "category")
    name = bundle.columns[place].name

    def texts(bins: Bins) -> list[str]:
        changed = (*bundle.bins[:place], bins, *bundle.bins[place + 1 :])
        table = point_table(msgspec.structs.replace(bundle, bins=changed))
        return [line.bin for line in table.lines if line.feature == name]

    bins = bundle.bins[place]
    assert texts(bins)[:2] == ["any other", "no record"]
    assert texts(bins)[2:] == [f"category {code:.0f}" for code in bins.codes]
    labels = tuple(f"town {k}" for k in range(len(bins.codes)))
    assert texts(msgspec.structs.replace(bins, labels=labels))[2:] == list(labels)


def test_edges_are_told_to_the_yuan() -> None:
    bundle = bundle_of("card")
    bins = (Bins((12_345_678.0, 12_345_679.5), (1, 2, 3), 0),)
    table = point_table(msgspec.structs.replace(bundle, columns=bundle.columns[:1], bins=bins))
    assert [line.bin for line in table.lines] == [
        "under 12345678", "12345678 to under 12345679.5", "12345679.5 or more", "no record",
    ]  # fmt: skip


def test_a_feature_that_counts_in_proportion_is_told_by_its_rate() -> None:
    bundle = bundle_of("card")
    columns, bins = bundle.columns[:1], (Bins((), (0,), 0),)
    one = Line(-SCALE.logits * 3, 10.0, round(SCALE.logits * FIXED))
    table = point_table(msgspec.structs.replace(bundle, columns=columns, bins=bins, lines=(one,)))
    assert [(line.bin, line.points) for line in table.lines] == [
        ("+3 a unit from 10 on", 0), ("no record", -1),
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["booster", "blend", "logistic"])
def test_what_is_no_scorecard_has_no_points(kind) -> None:
    assert point_table(bundle_of(kind)) is None
