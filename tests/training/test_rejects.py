"""Answers about the refused: who is selected by what the model sees, the stream that is selected by nobody, power."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.matrix import FeatureMatrix
from tests.training.samples import made_sample
from training.labels import Outcome
from training.population import Rows
from training.rejects import Applicants, Method, answers, applicants_of, bad_rate, reject_band, rows_needed
from training.sample import Sample, Unlearnable


def refused_by_what_is_not_seen(rows: int = 6000) -> tuple[Applicants, Sample]:
    """The old policy saw ``down`` wholly and refused by it; the features that are left tell little of it.

    Returned beside the applicants are the refused with the outcomes that nobody saw.
    """
    sample = made_sample(rows, seed=3, strength=1.5)
    hidden = sample.matrix.values[:, 0] + 0.3 * np.random.default_rng(0).normal(size=rows)
    kept = tuple(name for name in sample.matrix.names if name != "up")
    seen = replace(sample, matrix=sample.matrix.select(kept))
    taken = hidden < 0.3
    truth = seen.take(~taken)
    some = np.random.default_rng(1).permutation(len(truth))[: len(truth) // 5]
    return Applicants(seen.take(taken), truth.matrix, truth.take(some)), truth


@pytest.fixture(scope="module")
def made() -> tuple[Applicants, Sample]:
    return refused_by_what_is_not_seen()


def test_only_the_random_stream_learns_that_the_refused_are_worse(made) -> None:
    applicants, truth = made
    rate = truth.target.mean()
    told = {method: predict(truth.matrix).mean() for method, predict in answers(applicants).items()}
    assert set(told) == set(Method)
    assert rate > 1.5 * told[Method.NONE]
    for method in (Method.PARCELLING, Method.FUZZY, Method.WEIGHTS):
        assert abs(told[method] - told[Method.NONE]) < 0.25 * told[Method.NONE]
    assert told[Method.RANDOM] > 1.15 * max(p for m, p in told.items() if m is not Method.RANDOM)


def test_the_band_holds_every_answer_and_the_stream_holds_the_truth(made) -> None:
    applicants, truth = made
    found = reject_band(applicants)
    assert found.rows == len(truth)
    assert found.refused == (min(x.refused for x in found.lines), max(x.refused for x in found.lines))
    assert found.approved == (min(x.approved for x in found.lines), max(x.approved for x in found.lines))
    assert found.refused[0] < found.refused[1]
    assert found.observed is not None
    assert found.observed.low < truth.target.mean() < found.observed.high
    assert found.needed == rows_needed(found.lines[-1].refused)
    assert found == reject_band(applicants)


def test_without_a_stream_its_answer_is_not_made_up(made) -> None:
    applicants, _ = made
    found = reject_band(replace(applicants, random=None))
    assert [line.method for line in found.lines] == [m.value for m in Method if m is not Method.RANDOM]
    assert (found.random_rows, found.observed) == (0, None)


def test_weights_do_not_depend_on_what_is_alike() -> None:
    sample = made_sample(3000)
    half = np.arange(3000) % 2 == 0
    found = answers(Applicants(sample.take(half), sample.matrix.take(~half)))
    gap = np.abs(found[Method.WEIGHTS](sample.matrix) - found[Method.NONE](sample.matrix))
    assert gap.mean() < 0.05


def rows_of(*, random: bool, bads: bool = True) -> Rows:
    """A third refused, a twentieth of the others at random, the last tenth not ripe."""
    sample = made_sample(900)
    place = np.arange(900)
    refused, stream = place % 3 == 0, place % 20 == 1
    outcome = np.where(refused, Outcome.UNDRAWN, sample.target * bads)
    outcome = np.where(place < 810, outcome, Outcome.IMMATURE).astype(np.int8)
    return Rows(
        sample.matrix,
        place,
        sample.time,
        place,
        outcome,
        place,
        stream & ~refused if random else None,
        None,
        refused,
    )


def test_the_applicants_of_a_portfolio_are_taken_apart() -> None:
    rows = rows_of(random=True)
    found = applicants_of(rows, ("up", "kind"))
    assert found is not None
    assert found.accepted.matrix.names == ("up", "kind")
    assert found.random is not None
    assert len(found.accepted) + len(found.random) == rows.labelled().sum() == 540
    assert len(found.random) == 27
    assert len(found.refused.values) == 270
    plain = applicants_of(rows_of(random=False), ("up",))
    assert plain is not None
    assert (plain.random, len(plain.accepted)) == (None, 540)


def test_a_portfolio_that_does_not_say_who_was_refused_or_has_no_bads_is_not_asked() -> None:
    assert applicants_of(replace(rows_of(random=True), refused=None), ("up",)) is None
    assert applicants_of(rows_of(random=True, bads=False), ("up",)) is None


def test_accepted_who_cannot_teach_are_refused() -> None:
    sample = made_sample(300)
    goods = sample.take(sample.target == 0)
    with pytest.raises(Unlearnable, match="0 bads"):
        answers(Applicants(goods, sample.matrix))


def test_nobody_refused_leaves_what_the_accepted_say() -> None:
    sample = made_sample(300)
    none = FeatureMatrix(sample.matrix.columns, sample.matrix.values[:0], sample.matrix.missing[:0])
    assert list(answers(Applicants(sample, none))) == [Method.NONE]


@settings(max_examples=30, deadline=None)
@given(st.floats(0.01, 0.5), st.floats(1.1, 1.9))
def test_more_outcomes_tell_smaller_differences(rate, factor) -> None:
    assert rows_needed(rate, factor) >= rows_needed(rate, factor + 0.05)
    assert rows_needed(rate, factor, power=0.9) >= rows_needed(rate, factor)


@pytest.mark.parametrize(("rate", "factor"), [(0.1, 1.25), (0.2, 1.5), (0.05, 1.25)])
def test_a_stream_of_that_size_finds_the_difference_in_four_of_five_cases(rate, factor) -> None:
    count = rows_needed(rate, factor)
    g = np.random.default_rng(7)
    limit = 1.96 * np.sqrt(rate * (1 - rate) / count)
    found = np.abs(g.binomial(count, rate * factor, 20_000) / count - rate) > limit
    assert found.mean() == pytest.approx(0.8, abs=0.03)
    none = np.abs(g.binomial(count, rate, 20_000) / count - rate) > limit
    assert none.mean() == pytest.approx(0.05, abs=0.02)


@pytest.mark.parametrize(
    ("rate", "factor"), [(0.0, 1.25), (1.0, 1.25), (0.1, 1.0)], ids=["none", "all", "same"]
)
def test_what_no_size_can_tell_is_refused(rate, factor) -> None:
    with pytest.raises(Unlearnable, match="no size tells"):
        rows_needed(rate, factor)


def test_the_interval_of_a_rate_holds_as_often_as_stated() -> None:
    draws = np.random.default_rng(2).binomial(200, 0.1, 4000)
    held = [(one := bad_rate(int(bads), 200)).low <= 0.1 <= one.high for bads in draws]
    assert np.mean(held) == pytest.approx(0.95, abs=0.015)
