"""The booster: signs that hold, categories that never saw their own outcome, and the same model twice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from features.matrix import Missing
from tests.training.samples import SPECIAL, brute_auc, made_sample
from training.boosting import FOLDS, Booster, BoosterSettings, _ensemble, _Fitted, fit_booster, fold_boosters
from training.calibration import sigmoid
from training.candidates import Candidate, default_candidates
from training.inputs import ENCODING_PRIOR, encodings_of, out_of_fold_inputs
from training.sample import Sample, Unlearnable, folds
from training.validation import log_losses


@pytest.fixture(scope="module")
def sample() -> Sample:
    return made_sample(900)


@pytest.fixture(scope="module")
def booster(sample) -> Booster:
    return fit_booster(sample)


def test_it_ranks_rows_that_it_has_not_seen(booster) -> None:
    test = made_sample(1000, seed=1)
    assert brute_auc(test.target, booster.log_odds(test.matrix)) > 0.77


def test_a_declared_sign_holds_at_every_row_over_a_grid(sample, booster) -> None:
    rows = sample.matrix.take(np.arange(60))
    for name, sign in (("up", 1), ("down", -1)):
        place = rows.names.index(name)
        scores = []
        for value in np.linspace(-4, 4, 33):
            values = rows.values.copy()
            values[:, place] = value
            scores.append(booster.log_odds(replace(rows, values=values)))
        steps = sign * np.diff(np.array(scores), axis=0)
        assert steps.min() > -1e-12, name
        assert steps.max() > 0.01, name


def test_candidates_are_averaged_as_long_as_the_inner_log_loss_falls(sample, booster) -> None:
    together = log_losses(sample.target, sigmoid(booster.out_of_fold)).mean()
    assert booster.losses[booster.members[0]] == min(booster.losses.values())
    assert together <= booster.losses[booster.members[0]]
    assert set(booster.losses) == {one.name for one in default_candidates(900, 300, 900)}
    assert len(booster.boosters) == FOLDS * len(booster.members)


def test_a_candidate_joins_where_the_mean_with_it_is_better_and_only_there() -> None:
    generator = np.random.default_rng(3)
    target = (generator.random(2000) < 0.3).astype(np.int8)
    truth = np.where(target == 1, 1.0, -2.0)

    def fitted(name: str, scores: np.ndarray) -> _Fitted:
        return _Fitted(Candidate(name, {}, 1), (), 1, scores)

    first, second = (truth + generator.normal(0, 1.5, 2000) for _ in range(2))
    tried = [fitted("wrong", -4 * truth), fitted("first", first), fitted("second", second)]
    assert {one.candidate.name for one in _ensemble(target, tried)} == {"first", "second"}
    assert len(_ensemble(target, [fitted("one", first), fitted("same", first)])) == 1


def test_where_the_folds_make_too_many_trees_each_candidate_is_fitted_once_on_all_rows(
    sample, booster
) -> None:
    once = fit_booster(sample, BoosterSettings(most_trees=booster.trees - 1))
    assert len(once.boosters) == len(once.members)
    assert once.members == booster.members
    assert once.trees < 0.3 * booster.trees
    np.testing.assert_array_equal(once.out_of_fold, booster.out_of_fold)
    test = made_sample(1000, seed=1)
    apart = once.log_odds(test.matrix) - booster.log_odds(test.matrix)
    assert np.abs(apart.mean()) < 0.1
    assert np.corrcoef(once.log_odds(test.matrix), booster.log_odds(test.matrix))[0, 1] > 0.97


def test_a_fold_is_scored_by_what_has_not_seen_it(sample, booster) -> None:
    splits = folds(sample, FOLDS, BoosterSettings().seed)
    for own, (_, test) in zip(fold_boosters(booster, sample, splits), splits, strict=True):
        np.testing.assert_allclose(
            own.log_odds(sample.matrix.take(test)), booster.out_of_fold[test], atol=1e-9
        )


def test_out_of_fold_scores_are_worse_than_those_of_rows_that_were_seen(sample, booster) -> None:
    assert brute_auc(sample.target, booster.out_of_fold) < brute_auc(
        sample.target, booster.log_odds(sample.matrix)
    )


def test_the_same_rows_give_the_same_trees(sample, booster) -> None:
    again = fit_booster(sample)
    assert [one.model_to_string() for one in again.boosters] == [
        one.model_to_string() for one in booster.boosters
    ]


def test_a_categorys_number_never_saw_the_outcome_of_its_own_fold(sample) -> None:
    splits = folds(sample, FOLDS, 11)
    signs = tuple(column.sign for column in sample.matrix.columns)
    place = sample.matrix.names.index("kind")
    before = out_of_fold_inputs(sample, splits, encodings_of(sample.matrix, sample.target), signs)[:, place]
    train, test = splits[0]
    flipped = sample.target.copy()
    flipped[test] = 1 - flipped[test]
    other = replace(sample, target=flipped)
    after = out_of_fold_inputs(other, splits, encodings_of(other.matrix, flipped), signs)[:, place]
    assert (before[test] == after[test]).all()
    assert (before[train] != after[train]).all()


def test_a_categorys_number_is_its_bad_rate_shrunk_to_the_mean(sample) -> None:
    (encoding,) = encodings_of(sample.matrix, sample.target)
    rate = sample.target.mean()
    for code, value in zip(encoding.codes, encoding.values, strict=True):
        own = sample.target[sample.matrix.values[:, encoding.column] == code]
        assert value == pytest.approx(
            (own.sum() + ENCODING_PRIOR * rate) / (len(own) + ENCODING_PRIOR), abs=1e-8
        )
    assert encoding.other == pytest.approx(rate, abs=1e-8)


def test_a_special_code_of_a_signed_column_is_absent_for_the_trees_and_of_a_free_one_a_value() -> None:
    sample = made_sample(300)
    place = sample.matrix.names.index("special")
    columns = list(sample.matrix.columns)
    columns[place] = replace(columns[place], sign=1)
    signed = replace(sample.matrix, columns=tuple(columns))
    coded = sample.matrix.values[:, place] == SPECIAL
    for matrix, absent in ((sample.matrix, False), (signed, True)):
        changed = replace(sample, matrix=matrix)
        signs = tuple(column.sign for column in matrix.columns)
        inputs = out_of_fold_inputs(changed, folds(changed, FOLDS, 11), (), signs)
        assert np.isnan(inputs[coded, place]).all() == absent


def test_what_is_absent_for_any_reason_is_nan_for_the_trees(sample) -> None:
    missing = sample.matrix.missing.copy()
    missing[:4, 0] = Missing.NO_RECORD, Missing.SOURCE_DOWN, Missing.NOT_AUTHORISED, Missing.PRESENT
    changed = replace(sample, matrix=replace(sample.matrix, missing=missing))
    signs = tuple(column.sign for column in sample.matrix.columns)
    inputs = out_of_fold_inputs(changed, folds(changed, FOLDS, 11), (), signs)
    assert np.isnan(inputs[:4, 0]).tolist() == [True, True, True, False]


def test_a_sign_is_inferred_where_every_fold_rises_and_not_from_noise() -> None:
    sample = made_sample(6000, strength=1.5)
    columns = tuple(replace(column, sign=0) for column in sample.matrix.columns)
    quick = Candidate("quick", default_candidates(6000, 2000, 6000)[0].parameters, 5)
    fitted = fit_booster(
        replace(sample, matrix=replace(sample.matrix, columns=columns)), BoosterSettings((quick,))
    )
    signs = dict(zip(sample.matrix.names, fitted.signs, strict=True))
    assert (signs["up"], signs["down"], signs["noise"]) == (1, -1, 0)


@pytest.mark.parametrize(("rows", "bads"), [(300, 40), (3000, 500), (100_000, 7000)])
def test_no_candidate_grows_a_tree_that_cannot_be_tabulated(rows, bads) -> None:
    assert all(one.parameters["num_leaves"] <= 8 for one in default_candidates(rows, bads, rows))


def test_columns_that_are_constant_or_that_nobody_has_do_no_harm(sample) -> None:
    values, missing = sample.matrix.values.copy(), sample.matrix.missing.copy()
    values[:, 5], values[:, 3], missing[:, 3] = 2.0, 0.0, Missing.NO_RECORD
    changed = replace(sample, matrix=replace(sample.matrix, values=values, missing=missing))
    assert np.isfinite(fit_booster(changed).out_of_fold).all()


@pytest.mark.parametrize("rows", [10, 49])
def test_too_few_rows_are_refused(sample, rows) -> None:
    with pytest.raises(Unlearnable, match="rows are too few"):
        fit_booster(sample.take(np.arange(rows)))


def test_deep_trees_are_tried_on_many_groups_and_not_on_many_rows_of_few() -> None:
    names = [{one.name for one in default_candidates(20_000, 300, groups)} for groups in (20_000, 900)]
    assert names == [{"small", "scattered", "shallow", "deep"}, {"small", "scattered", "shallow"}]
