"""What a command fits: the calibrated card, the booster, and their blend where bads are few."""

from __future__ import annotations

import numpy as np
import pytest

from features.errors import Invalid
from features.matrix import Missing
from tests.training.samples import brute_auc, made_sample
from tests.training.test_bundle import ORIGIN
from training import models
from training.bundle import FIXED, Scorer
from training.calibration import Calibration
from training.cards import fit_cards
from training.models import ModelName, predictor, train
from training.sample import folds


def scored(bundle, sample):
    scorer = Scorer(bundle, "")
    chosen = sample.matrix.select(scorer.columns)
    return scorer.score(chosen.values, chosen.missing)


def test_a_blend_is_the_weighted_sum_of_booster_and_card_and_still_adds_up(monkeypatch) -> None:
    sample = made_sample(400)
    parts = {}
    for weights in ((1.0, 0.0), (0.0, 1.0), (0.6, 0.5)):
        monkeypatch.setattr(models, "_weights", lambda *_, w=weights: Calibration(w, 0.1, 1.0, 0.9))
        parts[weights] = scored(train(ModelName.RISK, sample, ORIGIN), sample)
    booster, card, both = ((parts[w].log_odds / FIXED - 0.1) for w in parts)
    assert both == pytest.approx(0.6 * booster + 0.5 * card, abs=1e-6)
    assert card == pytest.approx(
        fit_cards(sample, folds(sample, 5, 11)).card.log_odds(sample.matrix), abs=1e-6
    )
    blend = parts[0.6, 0.5]
    assert (blend.base + blend.contributions.sum(axis=1) == blend.log_odds).all()


@pytest.mark.parametrize("rows", [400, 3600])
def test_a_blend_is_kept_only_where_held_out_rows_are_told_better(rows) -> None:
    notes = train(ModelName.RISK, made_sample(rows), ORIGIN).notes
    blended = (notes["weight_booster"], notes["weight_scorecard"]) != (1.0, 0.0)
    assert blended == (notes["log_loss_blend"] < notes["log_loss_booster"])


def test_a_calibration_is_kept_only_where_held_out_rows_are_told_better() -> None:
    for seed in range(4):
        notes = train(ModelName.RATING, made_sample(300, seed), ORIGIN).notes
        changed = (notes["calibration_slope"], notes["calibration_shift"]) != (1.0, 0.0)
        assert changed == (notes["log_loss_calibrated"] < notes["log_loss_scorecard"])


def test_a_part_that_cannot_teach_a_card_predicts_the_bad_rate() -> None:
    sample = made_sample(90)
    bads = np.flatnonzero(sample.target == 1)
    chosen = np.sort(np.concatenate([bads[:11], np.flatnonzero(sample.target == 0)]))
    small = sample.take(chosen)
    odds = fit_cards(small, folds(small, 5, 11)).out_of_fold
    rate = 1 / (1 + np.exp(-odds))
    assert np.allclose(rate, small.target.mean(), atol=0.06)


def test_a_predictor_scores_through_the_bundle_itself() -> None:
    sample, test = made_sample(500), made_sample(200, seed=1)
    pd = predictor(ModelName.RATING, ORIGIN)(sample, test)
    assert (pd == scored(train(ModelName.RATING, sample, ORIGIN), test).pd).all()
    assert brute_auc(test.target, pd) > 0.7


def test_whole_sources_may_be_silent_and_a_score_is_still_given() -> None:
    bundle, test = train(ModelName.RISK, made_sample(500), ORIGIN), made_sample(50, seed=1)
    scorer = Scorer(bundle, "")
    chosen = test.matrix.select(scorer.columns)
    missing = chosen.missing.copy()
    silent = np.array([dataset == "one" for dataset in scorer.datasets])
    missing[:, silent] = Missing.SOURCE_DOWN
    scores = scorer.score(chosen.values, missing)
    assert not scores.contributions[:, silent].any()
    assert np.isfinite(scores.pd).all()


def test_the_bundle_says_of_which_data_and_definitions_it_was_made() -> None:
    sample = made_sample(300)
    bundle = train(ModelName.RATING, sample, ORIGIN)
    assert bundle.training_digest == sample.digest()
    assert (bundle.definitions_digest, bundle.created_at) == (ORIGIN.definitions_digest, ORIGIN.created_at)
    assert (bundle.notes["rows"], bundle.notes["bads"]) == (300, sample.bads)


def test_too_few_rows_are_refused_before_anything_is_fitted() -> None:
    with pytest.raises(Invalid, match="rows are too few"):
        train(ModelName.RISK, made_sample(30), ORIGIN)
