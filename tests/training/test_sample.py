"""Splits: nobody stands on both sides, and nothing is learned from later than what it is judged on."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training.samples import made_sample
from training.sample import Sample, Unlearnable, cross_predict, folds, out_of_time

seeds = st.integers(0, 1000)


@given(seeds, st.sampled_from([None, 20, 90]), st.integers(2, 6))
@settings(max_examples=30, deadline=None)
def test_folds_hold_every_row_out_once_and_keep_groups_whole(seed, groups, count) -> None:
    sample = made_sample(300, seed, groups=groups)
    held_out = np.concatenate([test for _, test in folds(sample, count, seed)])
    assert sorted(held_out.tolist()) == list(range(300))
    for train, test in folds(sample, count, seed):
        assert len(train) + len(test) == 300
        assert not set(sample.group[train]) & set(sample.group[test])


@given(seeds)
@settings(max_examples=20, deadline=None)
def test_folds_of_single_rows_hold_equal_numbers_of_each_outcome(seed) -> None:
    sample = made_sample(403, seed)
    bads = [int(sample.target[test].sum()) for _, test in folds(sample, 5, seed)]
    sizes = [len(test) for _, test in folds(sample, 5, seed)]
    assert max(bads) - min(bads) <= 1
    assert max(sizes) - min(sizes) <= 1


def test_another_seed_deals_other_folds_and_the_same_seed_the_same() -> None:
    sample = made_sample(200)
    one, again, other = (folds(sample, 5, seed)[0][1].tolist() for seed in (1, 1, 2))
    assert one == again != other


@given(seeds, st.floats(0.1, 0.6))
@settings(max_examples=30, deadline=None)
def test_out_of_time_learns_from_earlier_rows_of_other_groups_only(seed, share) -> None:
    sample = made_sample(300, seed, groups=120)
    train, test, moment = out_of_time(sample, None, share)
    assert sample.time[train].max() < moment <= sample.time[test].min()
    assert not set(sample.group[train]) & set(sample.group[test])
    assert len(test) == (sample.time >= moment).sum()


def test_a_named_moment_is_taken_as_it_is() -> None:
    sample = made_sample(300)
    _, test, moment = out_of_time(sample, int(sample.time[100]), 0.5)
    assert (len(test), moment) == (200, sample.time[100])


@pytest.mark.parametrize("start", [0, 10**12])
def test_a_moment_with_nothing_before_or_after_it_is_refused(start) -> None:
    with pytest.raises(Unlearnable, match=r"Move `split\.start`"):
        out_of_time(made_sample(300), start, 0.3)


def test_a_prediction_out_of_fold_never_saw_its_own_row() -> None:
    sample = made_sample(200)
    seen = cross_predict(sample, lambda train, test: np.isin(test.time, train.time).astype(float), 5, 3)
    assert not seen.any()


def test_a_samples_digest_follows_its_values_its_gaps_and_its_outcomes() -> None:
    sample = made_sample(100)
    digests = {sample.digest(), made_sample(100).digest()}
    assert len(digests) == 1
    digests.add(replace(sample, target=1 - sample.target).digest())
    for name in ("values", "missing"):
        changed = getattr(sample.matrix, name).copy()
        changed[3, 5] += 1
        digests.add(replace(sample, matrix=replace(sample.matrix, **{name: changed})).digest())
    assert len(digests) == 4


def _panel(quarters: int, subjects: int = 40) -> Sample:
    """Every subject in every quarter, some of them bad in each."""
    sample = made_sample(quarters * subjects, groups=subjects)
    group = np.tile(np.arange(subjects), quarters)
    time = np.repeat(np.arange(quarters) * 90, subjects)
    return replace(sample, group=group, time=time, panel=True)


def test_folds_of_a_panel_are_blocks_of_time_with_about_as_many_bads() -> None:
    panel = _panel(20)
    parts = folds(panel, 5, 1)
    ends = [(int(panel.time[test].min()), int(panel.time[test].max())) for _, test in parts]
    assert all(one[1] < next_one[0] for one, next_one in pairwise(ends))
    assert sorted(np.concatenate([test for _, test in parts]).tolist()) == list(range(len(panel)))
    bads = [int(panel.target[test].sum()) for _, test in parts]
    assert max(bads) < 2 * min(bads)


def test_a_panel_of_too_few_times_is_cut_by_groups() -> None:
    panel = _panel(2)
    for train, test in folds(panel, 5, 1):
        assert not set(panel.group[train]) & set(panel.group[test])


def test_earlier_rows_of_a_panel_are_learned_from_but_those_under_embargo() -> None:
    panel = _panel(10)
    train, test, _ = out_of_time(panel, 450, 0.5, embargo=90)
    assert set(panel.time[train]) == {0, 90, 180, 270}
    assert set(panel.time[test]) == {450, 540, 630, 720, 810}
    assert set(panel.group[train]) == set(panel.group[test])
