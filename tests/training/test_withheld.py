"""A withheld source adds nothing, leaves the score right on average, and widens what is said of it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import Integrity
from features.matrix import Missing
from tests.training.samples import made_sample
from tests.training.test_bundle import ORIGIN
from training.bundle import Bundle, Scorer, load_bundle, probability
from training.intervals import Widths
from training.models import ModelName, train
from training.sample import Sample
from training.scorecard import ScorecardSettings, fit_scorecard
from training.withheld import LEVEL

BOTH = pytest.mark.parametrize("name", list(ModelName))
OPTIONAL = ("one", "two", "three")


def sample_of(rows: int, seed: int = 0) -> Sample:
    """Sources of which any may be withheld, with much in each of them."""
    return replace(made_sample(rows, seed, strength=1.4), optional=OPTIONAL)


@cache
def trained(name: ModelName) -> Bundle:
    return train(name, sample_of(900), ORIGIN)


@cache
def plain(name: ModelName) -> Bundle:
    """The same rows, learned from as if nothing were ever withheld."""
    return train(name, replace(sample_of(900), optional=()), ORIGIN)


@cache
def scorer(name: ModelName) -> Scorer:
    return Scorer(trained(name), "")


def withheld(one: Scorer, sample: Sample, sources: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Values and kinds of a scorer's columns, these sources not authorised."""
    chosen = sample.matrix.select(one.columns)
    silent = np.isin(one.datasets, sources)
    missing = np.where(silent, Missing.NOT_AUTHORISED, chosen.missing).astype(np.uint8)
    return np.where(silent, 0.0, chosen.values), missing


def kinds(seed: int, rows: int, columns: int) -> np.ndarray:
    return np.random.default_rng(seed).choice([0, 0, 0, 1, 2, 3], (rows, columns)).astype(np.uint8)


@BOTH
def test_without_a_source_the_mean_pd_stays_right_and_unmasked_training_misses_it(name) -> None:
    fresh = sample_of(4000, seed=3)
    for sources in (("one",), OPTIONAL):
        values = {}
        for bundle in (trained(name), plain(name)):
            one = Scorer(bundle, "")
            score = one.log_odds(*withheld(one, fresh, sources))
            values[bundle is trained(name)] = probability(score, bundle.scale.floor).mean()
        actual = fresh.target.mean()
        assert abs(np.log(values[True] / actual)) < abs(np.log(values[False] / actual))
        assert values[True] == pytest.approx(actual, rel=0.13)


@BOTH
def test_neutral_points_change_no_score_of_a_row_that_is_fully_known(name, monkeypatch) -> None:
    moved, fresh = scorer(name), sample_of(200, seed=4)
    monkeypatch.setattr("training.withheld._share", lambda *_: 0.0)
    still = Scorer(train(name, sample_of(900), ORIGIN), "")
    both = [one.score(*withheld(one, fresh, ())) for one in (moved, still)]
    assert (both[0].log_odds == both[1].log_odds).all()
    assert moved.base > still.base


@BOTH
def test_every_source_has_a_spread_and_the_strong_one_the_largest(name) -> None:
    stated = trained(name).uncertainty
    assert not isinstance(stated, msgspec.UnsetType)
    assert stated.sources == tuple(sorted(OPTIONAL))
    assert min(stated.spreads) > 0
    assert stated.sources[int(np.argmax(stated.spreads))] == "one"
    assert stated.level_ppm == round(LEVEL * 1e6)


@BOTH
def test_what_is_fully_known_lies_in_the_withheld_interval_about_as_often_as_stated(name) -> None:
    fresh, one = sample_of(4000, seed=5), scorer(name)
    full = one.log_odds(*withheld(one, fresh, ()))
    struck = np.random.default_rng(1).random((len(fresh), 3)) < 0.5
    inside = np.empty(len(fresh), dtype=bool)
    for pattern in np.unique(struck, axis=0):
        rows = np.flatnonzero((struck == pattern).all(axis=1))
        sources = tuple(s for s, hit in zip(OPTIONAL, pattern, strict=True) if hit)
        values, missing = withheld(one, fresh.take(rows), sources)
        off = np.abs(one.log_odds(values, missing) - full[rows])
        inside[rows] = off <= one.half_width(missing, only_withheld=True)
    assert inside[struck.any(axis=1)].mean() == pytest.approx(LEVEL, abs=0.06)


@BOTH
@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_withholding_more_never_narrows_the_interval_and_always_widens_with_a_whole_source(
    name, seed
) -> None:
    one = scorer(name)
    before = kinds(seed, 30, len(one.columns))
    after = np.where(kinds(seed + 1, 30, len(one.columns)) > 1, Missing.SOURCE_DOWN, before).astype(np.uint8)
    narrow, wide = one.half_width(before), one.half_width(after)
    assert (wide >= narrow).all()
    new = [
        ((after > 1) & ~(before > 1).any(axis=1, where=own, keepdims=True))[:, own].any(axis=1)
        for own in (np.isin(one.datasets, [source]) for source in OPTIONAL)
    ]
    assert (wide[np.any(new, axis=0)] > narrow[np.any(new, axis=0)]).all()


@BOTH
@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_the_quick_score_is_the_score_and_the_worst_is_no_less_whatever_more_is_withheld(name, seed) -> None:
    one = scorer(name)
    values = sample_of(30, seed).matrix.select(one.columns).values
    before = kinds(seed, *values.shape)
    after = np.where(kinds(seed + 1, *values.shape) > 1, Missing.NOT_AUTHORISED, before).astype(np.uint8)
    first, second = (np.where(missing == 0, values, 0.0) for missing in (before, after))
    scores = one.score(first, before)
    assert (one.log_odds(first, before) == scores.log_odds).all()
    assert (scores.contributions[before > Missing.NO_RECORD] == 0).all()
    worst = one.log_odds(first, before, worst=True)
    assert (worst >= scores.log_odds).all()
    assert (one.log_odds(second, after, worst=True) >= worst).all()


@BOTH
def test_the_interval_surrounds_the_pd_and_is_as_wide_as_the_squares_say(name) -> None:
    one, stated = scorer(name), trained(name).uncertainty
    values, missing = withheld(one, sample_of(50, seed=6), ("two",))
    scores = one.score(values, missing)
    assert (scores.pd_low <= scores.pd).all()
    assert (scores.pd <= scores.pd_high).all()
    spread = stated.spreads[stated.sources.index("two")]
    expected = stated.factor_ppm / 1e6 * np.sqrt(stated.learning**2 + spread**2)
    assert one.half_width(missing) == pytest.approx(expected, rel=1e-4)


def test_masking_leaves_bins_alone_and_moves_weights_the_same_way_each_time() -> None:
    sample = sample_of(900)
    masked, again = fit_scorecard(sample), fit_scorecard(sample)
    bare = fit_scorecard(sample, ScorecardSettings(mask=False))
    assert masked.binned == bare.binned
    assert (masked.weights == again.weights).all()
    assert (masked.weights != bare.weights).all()


def test_a_sample_of_which_nothing_can_be_withheld_is_not_masked() -> None:
    one_source = replace(made_sample(600), optional=())
    masked, bare = fit_scorecard(one_source), fit_scorecard(one_source, ScorecardSettings(mask=False))
    assert (masked.weights == bare.weights).all()
    assert masked.intercept == bare.intercept


def test_a_spread_that_is_lacking_is_told() -> None:
    bundle = trained(ModelName.RATING)
    stated = msgspec.structs.replace(bundle.uncertainty, sources=("one", "two"), spreads=(1, 1))
    with pytest.raises(Integrity, match="no proper spread for three"):
        Widths.of(msgspec.structs.replace(bundle, uncertainty=stated))


def test_a_bundle_of_schema_1_is_read_scores_as_it_did_and_states_no_interval(request) -> None:
    data = (request.path.parent / "golden" / "bundle_1.json").read_bytes()
    known = "5d52464ddcd34ab1efa5884ea23c5fe26538616b3d7b23af7880458f7872dd89"
    old = load_bundle(data, known)
    assert old.bundle.schema == 1
    scores = old.score(
        np.array([v.values for v in old.bundle.vectors]), np.array([v.missing for v in old.bundle.vectors])
    )
    assert scores.log_odds.tolist() == [v.log_odds for v in old.bundle.vectors]
    assert scores.pd_low is None
    assert scores.pd_high is None
