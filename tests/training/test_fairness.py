"""Figures of fairness against fairlearn and by hand, their intervals against chance, and proxies that are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fairlearn.metrics import MetricFrame, selection_rate, true_positive_rate
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import mutual_info_score

from tests.training.samples import made_sample, matrix_of
from training.alternatives import TOLERANCE, Held, gain, search, worst_impact
from training.bundle import Scorer
from training.fairness import Attribute, Judgement, bins_of, compare_groups, entropy_share, find_proxies
from training.models import ModelName, Origin, train

ORIGIN = Origin("made", "credit_approval", "d" * 64, 0)


def judgement(rows: int = 3000, seed: int = 0, lift: float = 0.0) -> tuple[Judgement, Attribute]:
    """Rows of three groups; ``lift`` raises the log-odds of the second without raising its risk."""
    g = np.random.default_rng(seed)
    place = g.choice([0, 1, 2, -1], rows, p=[0.55, 0.25, 0.15, 0.05])
    risk = g.normal(-2.5, 1.0, rows)
    target = (g.random(rows) < 1 / (1 + np.exp(-risk))).astype(np.int8)
    target[g.random(rows) < 0.2] = -1
    log_odds = risk + lift * (place == 1)
    pd = 1 / (1 + np.exp(-log_odds))
    grade = 1 + np.searchsorted([0.05, 0.1, 0.2], pd)
    cluster = g.integers(0, rows // 2, rows)
    judged = Judgement(log_odds, pd, grade, 40_000.0 + 20_000.0 * grade, target, cluster, grade <= 3)
    return judged, Attribute("made", ("large", "lifted", "small"), place)


def test_rates_and_gaps_are_fairlearns() -> None:
    judged, attribute = judgement()
    known = attribute.place >= 0
    theirs = MetricFrame(
        metrics=selection_rate, y_true=judged.approved[known], y_pred=judged.approved[known].astype(int),
        sensitive_features=attribute.place[known],
    ).by_group  # fmt: skip
    seen = known & (judged.target >= 0)
    goods = MetricFrame(
        metrics=true_positive_rate, y_true=1 - judged.target[seen], y_pred=judged.approved[seen].astype(int),
        sensitive_features=attribute.place[seen],
    ).by_group  # fmt: skip
    for one, place in zip(compare_groups(judged, [attribute]), (1, 2), strict=True):
        assert one.approved.value == pytest.approx(theirs[place])
        assert one.impact.value == pytest.approx(theirs[place] / theirs[0])
        assert one.opportunity.value == pytest.approx(goods[place] - goods[0])


def test_every_figure_is_the_one_of_its_definition() -> None:
    judged, attribute = judgement(lift=0.6)
    found = compare_groups(judged, [attribute], loss=0.45)[0]
    own, other = attribute.place == 1, attribute.place == 0
    assert (found.group, found.reference, found.rows) == ("lifted", "large", own.sum())
    spread = np.sqrt((judged.log_odds[own].var() + judged.log_odds[other].var()) / 2)
    assert found.smd.value == pytest.approx(
        (judged.log_odds[own].mean() - judged.log_odds[other].mean()) / spread
    )
    seen = own & (judged.target >= 0)
    assert found.bads == (judged.target[own] == 1).sum()
    assert found.calibration.value == pytest.approx(judged.pd[seen].sum() / found.bads)
    assert found.price_gap_ppm.value == pytest.approx(0.0, abs=1e-6)
    paid = [
        (judged.rate_ppm - 0.45e6 * (judged.target == 1))[
            rows & judged.approved & (judged.target >= 0)
        ].mean()
        for rows in (own, other)
    ]
    assert found.premium_gap_ppm.value == pytest.approx(paid[0] - paid[1])


def test_a_price_that_differs_within_a_grade_is_found() -> None:
    judged, attribute = judgement()
    dearer = replace(judged, rate_ppm=judged.rate_ppm + 7_000.0 * (attribute.place == 2))
    small = compare_groups(dearer, [attribute])[1]
    assert small.price_gap_ppm.value == pytest.approx(7_000.0)
    assert any("price" in text for text in small.findings)


def test_a_group_whose_score_is_raised_for_nothing_is_found() -> None:
    judged, attribute = judgement(rows=6000, lift=1.2)
    lifted, small = compare_groups(judged, [attribute])
    assert {text.split()[0] for text in lifted.findings} >= {"smd", "opportunity", "calibration"}
    assert "within chance" not in " ".join(lifted.findings)
    assert small.findings == ()


def test_intervals_hold_about_as_often_as_they_say() -> None:
    inside = []
    for seed in range(60):
        judged, attribute = judgement(rows=1200, seed=seed)
        for one in compare_groups(judged, [attribute]):
            inside.append(one.impact.low <= 1.0 <= one.impact.high)
            inside.append(one.smd.low <= 0.0 <= one.smd.high)
    assert 0.88 <= np.mean(inside) <= 0.99


def test_a_group_of_few_gets_no_verdict_and_an_attribute_of_one_group_no_line() -> None:
    judged, _ = judgement(rows=200)
    few = Attribute("few", ("many", "few"), (np.arange(200) < 12).astype(np.int64))
    assert compare_groups(judged, [few])[0].findings == ("12 rows are too few for a verdict",)
    assert compare_groups(judged, [Attribute("one", ("all",), np.zeros(200, dtype=np.int64))]) == ()
    nobody = Attribute("none", ("a", "b"), np.full(200, -1))
    assert compare_groups(judged, [nobody]) == ()
    assert entropy_share(np.zeros(200, dtype=np.int64), nobody) == 0.0


@given(st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_information_is_scikit_learns_less_what_chance_shows(seed) -> None:
    g = np.random.default_rng(seed)
    place = g.integers(0, 3, 400)
    values = np.where(g.random(400) < 0.5, place, g.integers(0, 6, 400)).astype(float)
    binned = bins_of(values, np.zeros(400, dtype=np.uint8))
    shares = np.bincount(place) / 400
    chance = (len(np.unique(binned)) - 1) * (len(np.unique(place)) - 1) / 800
    expected = (mutual_info_score(binned, place) - chance) / -(shares * np.log(shares)).sum()
    assert entropy_share(binned, Attribute("a", ("x", "y", "z"), place)) == pytest.approx(max(expected, 0.0))


def test_a_proxy_is_told_from_noise_and_brings_its_reason() -> None:
    g = np.random.default_rng(0)
    place = g.integers(0, 2, 4000)
    gaps = np.where(g.random(4000) < 0.4 * place, np.nan, g.normal(size=4000))
    matrix = matrix_of(
        {
            "same": place + 0.0,
            "near": place + g.normal(0, 1, 4000),
            "noise": g.normal(size=4000),
            "gaps": gaps,
        }
    )
    found = find_proxies(matrix, [Attribute("a", ("x", "y"), place)], {"near": "It pays the instalment."})
    assert [one.feature for one in found][:1] == ["same"]
    assert {one.feature for one in found} == {"same", "near", "gaps"}
    assert found[0].share == pytest.approx(1.0, abs=0.01)
    assert {one.feature: one.rationale for one in found}["near"] == "It pays the instalment."


def world(harm: float) -> tuple[Scorer, object, Held]:
    """A model over a feature that tells the group; ``harm`` is how much the group itself moves that feature."""
    sample = made_sample(3000, seed=4)
    g = np.random.default_rng(1)
    place = g.integers(0, 2, 3000)
    values = sample.matrix.values.copy()
    values[:, 1] = values[:, 1] * 0.3 - harm * place
    sample = replace(sample, matrix=replace(sample.matrix, values=values))
    learned, rest = sample.take(np.arange(1500)), np.arange(1500, 3000)
    scorer = Scorer(train(ModelName.RATING, learned, ORIGIN), "")
    attribute = Attribute("a", ("x", "y"), place[rest])
    return scorer, learned, Held(sample.matrix.take(rest), sample.target[rest], (attribute,), rest, 0.6)


def test_an_alternative_that_costs_little_and_brings_much_is_found() -> None:
    scorer, learned, held = world(harm=1.0)
    choice = search(scorer, learned, held)
    by_name = {one.name: one for one in choice.candidates}
    model, chosen = choice.candidates[0], by_name[choice.chosen]
    assert chosen.auc >= model.auc - TOLERANCE
    near = max(one.impact for one in choice.candidates if one.auc >= model.auc - TOLERANCE)
    assert chosen.impact == near or "chance alone" in choice.reason or "none raises" in choice.reason
    assert max(one.impact for one in choice.candidates) > model.impact
    for one in choice.candidates:
        better = [o for o in choice.candidates if o.auc >= one.auc and o.impact >= one.impact and o != one]
        strictly = [o for o in better if (o.auc, o.impact) != (one.auc, one.impact)]
        assert one.on_front == (not strictly)


def test_where_no_alternative_brings_anything_the_model_is_kept_and_says_why() -> None:
    scorer, learned, held = world(harm=0.0)
    noise = Attribute("a", ("x", "y"), np.zeros(1500, dtype=np.int64))
    choice = search(scorer, learned, replace(held, attributes=(noise,)))
    assert choice.chosen == "the model itself"
    assert "none raises the worst impact ratio of 1.000" in choice.reason


def test_the_worst_ratio_is_by_hand() -> None:
    score = np.arange(100.0)
    attribute = Attribute("a", ("x", "y"), np.array([0] * 60 + [1] * 40))
    assert worst_impact(score, [attribute], 0.5) == 0.0
    assert worst_impact(score, [attribute], 0.8) == pytest.approx((20 / 40) / (60 / 60))
    assert worst_impact(-score, [attribute], 0.7) == pytest.approx((30 / 60) / (40 / 40))


def test_a_gain_that_chance_explains_is_told_from_one_that_it_does_not() -> None:
    _, _, held = world(harm=0.0)
    place = held.attributes[0].place
    g = np.random.default_rng(0)
    fair, unfair = g.normal(size=1500), g.normal(size=1500) + 1.0 * place
    assert gain(fair, unfair, held).low > 0.1
    also = gain(fair, fair + g.normal(0, 0.01, 1500), held)
    assert also.low < 0 < also.high
    assert gain(fair, fair, held).value == 0.0


def test_an_alternative_is_chosen_where_a_feature_only_tells_the_group() -> None:
    sample = made_sample(4000, seed=4)
    g = np.random.default_rng(1)
    place = g.integers(0, 2, 4000)
    values, target = sample.matrix.values.copy(), sample.target.copy()
    values[:, 5] = place + g.normal(0, 0.3, 4000)
    early = np.arange(4000) < 2000
    target[early & (place == 1) & (g.random(4000) < 0.25)] = 1  # past decisions, not risk
    sample = replace(sample, matrix=replace(sample.matrix, values=values), target=target)
    learned, rest = sample.take(early), np.flatnonzero(~early)
    scorer = Scorer(train(ModelName.RATING, learned, ORIGIN), "")
    held = Held(sample.matrix.take(rest), target[rest], (Attribute("a", ("x", "y"), place[rest]),), rest, 0.6)
    choice = search(scorer, learned, held)
    assert choice.chosen != "the model itself"
    chosen = next(one for one in choice.candidates if one.name == choice.chosen)
    assert chosen.impact > choice.candidates[0].impact + 0.1
    assert "new rows must confirm it" in choice.reason
