"""PDs of several horizons never fall with the horizon, rise with the score, and follow what happened."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training.samples import made_sample
from tests.training.test_bundle import ORIGIN
from training.bundle import FIXED, BrokenBundle, Bundle, Horizon, Scorer, dump_bundle, load_bundle
from training.curve import Window, horizon_months, horizon_pd, with_curve
from training.models import ModelName, train


@cache
def plain() -> Bundle:
    """A model of 4,000 rows."""
    return train(ModelName.RATING, made_sample(4000), ORIGIN)


def with_horizons(curve: tuple[Horizon, ...], own: int) -> Bundle:
    return msgspec.structs.replace(plain(), curve=curve, notes={"horizon_months": own})


slopes = st.floats(0, 5)
shifts = st.floats(-20, 20)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(shifts, slopes), min_size=2, max_size=2),
    st.sampled_from([3, 6, 12]),
    st.lists(st.integers(-80 * FIXED, 80 * FIXED), min_size=2, max_size=30),
)
def test_pds_rise_with_the_horizon_and_with_the_score(parts, own, scores) -> None:
    others = [months for months in (3, 6, 12) if months != own]
    curve = tuple(Horizon(m, shift, slope) for m, (shift, slope) in zip(others, parts, strict=True))
    pd = horizon_pd(with_horizons(curve, own), np.sort(np.array(scores)))
    assert pd.shape == (len(scores), 3)
    assert ((pd >= 0) & (pd <= 1)).all()
    assert (np.diff(pd, axis=1) >= 0).all()
    assert (np.diff(pd, axis=0) >= 0).all()


@pytest.mark.parametrize("own", [3, 6, 12])
def test_the_curve_tells_how_many_default_within_each_horizon(own) -> None:
    sample = made_sample(4000)
    g = np.random.default_rng(3)
    # a month of default from 1 to 12 for a third more rows than turn bad within the own horizon
    month = np.where(sample.target == 1, g.integers(1, own + 1, 4000), 99)
    later = (sample.target == 0) & (g.random(4000) < 0.1)
    month[later] = g.integers(own + 1, 25, later.sum())
    known = np.arange(4000) < 3500
    windows = [Window(m, month <= m, known | (m <= own)) for m in (3, 6, 12)]
    bundle = with_curve(plain(), "warning", sample, windows, own)
    assert horizon_months(bundle) == (3, 6, 12)
    scorer = Scorer(bundle, "")
    chosen = sample.matrix.select(scorer.columns)
    pd = horizon_pd(bundle, scorer.score(chosen.values, chosen.missing).log_odds)
    rates = [(month[:3500] <= m).mean() for m in (3, 6, 12)]
    assert pd.mean(axis=0) == pytest.approx(rates, abs=0.02)
    assert all(a < b for a, b in pairwise(pd.mean(axis=0)))


def test_what_is_not_known_yet_teaches_nothing() -> None:
    sample = made_sample(4000)
    known = np.arange(4000) < 2000
    bad = sample.target == 1
    told, untold = bad.copy(), bad.copy()
    untold[2000:] = True
    curves = []
    for late in (told, untold):
        windows = [Window(3, bad & (np.arange(4000) % 3 == 0), known | True), Window(6, bad, known | True)]
        curves.append(with_curve(plain(), "w", sample, [*windows, Window(12, late, known)], 6).curve)
    assert curves[0] == curves[1]


def test_a_curve_is_sealed_read_again_and_bound_to_its_schema() -> None:
    sample = made_sample(4000)
    bad = sample.target == 1
    early = bad & (np.arange(4000) % 2 == 0)
    everything = np.ones(4000, dtype=bool)
    bundle = with_curve(
        plain(), "warning", sample, [Window(3, early, everything), Window(12, bad, everything)], 12
    )
    again = load_bundle(dump_bundle(bundle)).bundle
    assert again == bundle
    assert (again.model, again.schema) == ("warning", 3)
    score = np.array([-3 * FIXED, 0, FIXED])
    assert (horizon_pd(again, score)[:, 1] == horizon_pd(plain(), score)[:, 0]).all()
    forged = dump_bundle(bundle).replace(b'"slope":', b'"slope":1', 1)
    with pytest.raises(BrokenBundle, match="content has changed"):
        load_bundle(forged)


def test_few_defaults_on_one_side_give_a_flat_share() -> None:
    sample = made_sample(4000)
    bad = sample.target == 1
    early = np.zeros(4000, dtype=bool)
    early[np.flatnonzero(bad)[:3]] = True
    everything = np.ones(4000, dtype=bool)
    windows = [Window(3, early, everything), Window(12, bad, everything)]
    (one,) = with_curve(plain(), "warning", sample, windows, 12).curve
    assert one.slope == 0.0
    share = 4 / (bad.sum() + 2)
    assert one.shift == pytest.approx(np.log(share / (1 - share)), abs=1e-8)
