"""A bundle is its bytes: the same scores everywhere, to the last bit, and none from bytes that changed."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.canonical import digest
from features.errors import Invalid
from features.matrix import FeatureMatrix, Missing
from tests.training.samples import made_sample
from training.bundle import FIXED, BrokenBundle, Scorer, dump_bundle, load_bundle
from training.cards import fit_cards
from training.documents import Bundle, MasterScale
from training.models import ModelName, Origin, master_scale, train
from training.sample import folds

ORIGIN = Origin("made", "credit_approval", "d" * 64, 1_700_000_000_000_000)
BOTH = pytest.mark.parametrize("name", list(ModelName))


@cache
def trained(name: ModelName) -> Bundle:
    return train(name, made_sample(900), ORIGIN)


@cache
def scorer(name: ModelName) -> Scorer:
    return load_bundle(dump_bundle(trained(name)))


def columns_of(name: ModelName, matrix: FeatureMatrix) -> tuple[np.ndarray, np.ndarray]:
    chosen = matrix.select(scorer(name).columns)
    return chosen.values, chosen.missing


@BOTH
def test_it_reads_back_as_it_was_written(name) -> None:
    data = dump_bundle(trained(name))
    found = load_bundle(data, digest(data))
    assert found.bundle == trained(name)
    assert dump_bundle(found.bundle) == data
    assert found.bundle_digest == digest(data)


@BOTH
def test_a_changed_byte_is_refused(name) -> None:
    data = dump_bundle(trained(name))
    for place in np.random.default_rng(0).integers(0, len(data), 25):
        changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        with pytest.raises(BrokenBundle, match="the digest is another"):
            load_bundle(changed, digest(data))


@BOTH
def test_a_changed_weight_is_refused_by_the_test_vectors_even_under_its_own_digest(name) -> None:
    bundle = trained(name)
    moved = msgspec.structs.replace(bundle, base=bundle.base + 1)
    with pytest.raises(BrokenBundle, match="test vector 0 gives another score"):
        load_bundle(dump_bundle(moved))


@pytest.mark.parametrize("data", [b"", b"{}", b"\x80pickle", b'{"schema": 1}'])
def test_what_is_no_bundle_is_refused(data) -> None:
    with pytest.raises(BrokenBundle, match="cannot be read"):
        load_bundle(data)


def test_a_schema_of_the_future_is_refused() -> None:
    bundle = msgspec.structs.replace(trained(ModelName.RATING), schema=4)
    with pytest.raises(BrokenBundle, match="schema 4 is not known"):
        load_bundle(dump_bundle(bundle))


@BOTH
def test_the_same_rows_give_the_same_bytes(name) -> None:
    assert dump_bundle(train(name, made_sample(900), ORIGIN)) == dump_bundle(trained(name))


def kinds(seed: int, shape: tuple[int, int]) -> np.ndarray:
    """Every kind of missing value at random, half of the cells present."""
    return np.random.default_rng(seed).choice([0, 0, 0, 1, 2, 3], shape).astype(np.uint8)


@BOTH
@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_base_and_contributions_are_the_score_exactly_and_neutral_kinds_are_exactly_nothing(
    name, seed
) -> None:
    values, _ = columns_of(name, made_sample(64, seed).matrix)
    missing = kinds(seed, values.shape)
    scores = scorer(name).score(np.where(missing == 0, values, 0.0), missing)
    assert (scores.base + scores.contributions.sum(axis=1) == scores.log_odds).all()
    assert (scores.contributions[missing > Missing.NO_RECORD] == 0).all()


@BOTH
@given(st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_a_row_scored_alone_is_the_row_of_the_batch_to_the_last_bit(name, seed) -> None:
    values, _ = columns_of(name, made_sample(30, seed).matrix)
    missing = kinds(seed, values.shape)
    values = np.where(missing == 0, values, 0.0)
    batch = scorer(name).score(values, missing)
    backwards = scorer(name).score(np.asfortranarray(values[::-1]), missing[::-1])
    for row in range(len(values)):
        alone = scorer(name).score(values[[row]], missing[[row]])
        assert alone.log_odds[0] == batch.log_odds[row] == backwards.log_odds[-1 - row]
        assert (alone.contributions[0] == batch.contributions[row]).all()
        assert alone.pd[0].tobytes() == batch.pd[row].tobytes() == backwards.pd[-1 - row].tobytes()


@BOTH
def test_nothing_known_at_all_gives_the_base(name) -> None:
    shape = (1, len(scorer(name).columns))
    for kind in (Missing.SOURCE_DOWN, Missing.NOT_AUTHORISED):
        scores = scorer(name).score(np.zeros(shape), np.full(shape, kind, dtype=np.uint8))
        assert scores.log_odds[0] == scores.base


def test_the_scorecards_bundle_is_the_scorecard() -> None:
    sample = made_sample(900)
    notes = trained(ModelName.RATING).notes
    values, missing = columns_of(ModelName.RATING, sample.matrix)
    ours = scorer(ModelName.RATING).score(values, missing).log_odds / FIXED
    floating = fit_cards(sample, folds(sample, 5, 11)).card.log_odds(sample.matrix)
    expected = notes["calibration_shift"] + notes["calibration_slope"] * floating
    assert ours == pytest.approx(expected, abs=1e-7)


@BOTH
def test_what_the_value_of_an_absent_cell_is_does_not_matter(name) -> None:
    values, _ = columns_of(name, made_sample(50).matrix)
    missing = kinds(1, values.shape)
    first = scorer(name).score(np.where(missing == 0, values, 0.0), missing)
    second = scorer(name).score(np.where(missing == 0, values, 1e6), missing)
    assert (first.log_odds == second.log_odds).all()


@BOTH
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_refused(name, value) -> None:
    values, missing = columns_of(name, made_sample(5).matrix)
    values = values.copy()
    values[2, 1] = value
    with pytest.raises(Invalid, match="not finite"):
        scorer(name).score(values, missing)


@BOTH
def test_another_number_of_columns_is_refused(name) -> None:
    values, missing = columns_of(name, made_sample(5).matrix)
    with pytest.raises(Invalid, match="columns, not"):
        scorer(name).score(values[:, 1:], missing[:, 1:])


def test_grades_begin_at_one_rise_with_pd_and_end_with_the_scale() -> None:
    scale = master_scale()
    assert scale.grade(np.array([0.0005, 0.0024999, 0.0025, 0.2, 0.99, 1.0])).tolist() == [
        1,
        1,
        2,
        10,
        10,
        10,
    ]
    assert len(scale.upper) == 10
    assert list(scale.upper) == sorted(scale.upper)


def test_a_pd_is_never_under_the_floor_of_the_scale() -> None:
    bundle = msgspec.structs.replace(
        trained(ModelName.RATING), base=-20 * FIXED, vectors=(), scale=MasterScale((0.01, 1.0), 0.0005)
    )
    values, missing = columns_of(ModelName.RATING, made_sample(5).matrix)
    scores = Scorer(bundle, "").score(values, missing)
    assert (scores.pd == 0.0005).all()
    assert (scores.grade == 1).all()


def test_a_model_kind_outside_the_statutory_list_is_refused() -> None:
    with pytest.raises(Invalid, match=r"'magic' is no kind of model.*risk_assessment"):
        train(ModelName.RATING, made_sample(200), replace(ORIGIN, model_kind="magic"))


def test_the_base_rate_of_the_population_moves_every_score_by_the_difference_of_the_logits() -> None:
    sample = made_sample(900)
    own = sample.target.mean()
    moved = train(ModelName.RATING, sample, ORIGIN, base_rate=0.05)
    expected = np.log(0.05 / 0.95) - np.log(own / (1 - own))
    assert (moved.base - trained(ModelName.RATING).base) / FIXED == pytest.approx(expected, abs=1e-8)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([Missing.SOURCE_DOWN, Missing.NOT_AUTHORISED]))
def test_on_a_card_a_source_that_is_not_read_changes_no_others_contribution(seed, kind) -> None:
    values, missing = columns_of(ModelName.RATING, made_sample(60).matrix)
    whole = scorer(ModelName.RATING).score(values, missing)
    silent = np.random.default_rng(seed).random(missing.shape[1]) < 0.5
    masked = np.where(silent, np.uint8(kind), missing)
    found = scorer(ModelName.RATING).score(np.where(silent, 0.0, values), masked)
    assert (found.contributions == np.where(silent, 0, whole.contributions)).all()
