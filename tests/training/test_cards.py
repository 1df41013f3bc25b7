"""Which scorecard is chosen, and that a weight a bin keeps what a bank declared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.matrix import Missing
from tests.training.samples import brute_auc, made_sample
from training.binning import BinSettings
from training.cards import FINE, candidates, describe, fit_cards
from training.masking import is_optional
from training.sample import folds
from training.scorecard import Form, Scorecard, ScorecardSettings, bin_sample, fit_scorecard, weigh

BINS = ScorecardSettings(FINE, Form.BINS, 0.1)


def test_the_chosen_card_is_the_first_near_the_least_loss_and_predicts_rows_that_its_parts_have_not_seen() -> (
    None
):
    sample = made_sample(600)
    splits = folds(sample, 5, 11)
    cards = fit_cards(sample, splits)
    chosen = describe(cards.settings)
    assert cards.losses[chosen] <= min(cards.losses.values()) * 1.05
    names = [describe(one) for one in candidates(sample)]
    assert cards.losses[chosen] < min([np.inf, *(cards.losses[one] for one in names[: names.index(chosen)])])
    assert set(cards.losses) == {describe(one) for one in candidates(sample)}
    for part, (train, test) in zip(cards.parts, splits, strict=True):
        again = weigh(sample.take(train), bin_sample(sample.take(train), cards.settings.bins), cards.settings)
        assert isinstance(part, Scorecard)
        assert cards.out_of_fold[test] == pytest.approx(again.log_odds(sample.matrix.take(test)), abs=1e-12)


def test_a_weight_a_bin_is_not_tried_where_a_source_may_be_withheld() -> None:
    sample = made_sample(400)
    dataset = sample.matrix.columns[0].dataset
    assert is_optional(dataset, (dataset,))
    forms = {one.form for one in candidates(replace(sample, optional=(dataset,)))}
    assert forms == {Form.EVIDENCE}
    assert Form.BINS in {one.form for one in candidates(sample)}


def test_weighing_bins_ranks_rows_that_it_has_not_seen() -> None:
    card, test = fit_scorecard(made_sample(1500), BINS), made_sample(1000, seed=1)
    assert brute_auc(test.target, card.log_odds(test.matrix)) > 0.77


@given(st.integers(0, 30))
@settings(max_examples=8, deadline=None)
def test_weighed_bins_keep_the_declared_order(seed) -> None:
    card = fit_scorecard(made_sample(300, seed), BINS)
    for column, fitted in zip(card.columns, card.binned, strict=True):
        steps = np.diff(fitted.woe) * column.sign
        assert (steps >= -1e-12).all(), column.name


def test_weighed_bins_average_to_nothing_and_neutral_cells_add_nothing() -> None:
    sample = made_sample()
    card = fit_scorecard(sample, BINS)
    assert card.log_odds(sample.matrix).mean() == pytest.approx(card.base, abs=1e-9)
    down = replace(sample.matrix, missing=np.full_like(sample.matrix.missing, Missing.SOURCE_DOWN))
    assert card.log_odds(down) == pytest.approx(card.base, abs=1e-12)


def test_the_weights_are_those_of_the_penalised_likelihood() -> None:
    sample = made_sample(400)
    chosen = tuple(column.name for column in sample.matrix.columns if not column.sign)
    sample = replace(sample, matrix=sample.matrix.select(chosen))
    own = bin_sample(sample, BinSettings())
    card = weigh(sample, own, ScorecardSettings(form=Form.BINS, strength=0.1))
    error = sample.target - 1 / (1 + np.exp(-_raw(card, sample)))
    for place, fitted in enumerate(card.binned):
        values = sample.matrix.select((card.columns[place].name,))
        points = fitted.transform(values.values[:, 0], values.missing[:, 0])
        for weight in {*fitted.woe} - {0.0}:
            assert error[points == weight].sum() == pytest.approx(weight / 0.1, abs=0.05)


def _raw(card: Scorecard, sample) -> np.ndarray:
    at = {name: place for place, name in enumerate(sample.matrix.names)}
    total = np.full(len(sample), card.intercept)
    for column, fitted in zip(card.columns, card.binned, strict=True):
        place = at[column.name]
        total += fitted.transform(sample.matrix.values[:, place], sample.matrix.missing[:, place])
    return total
