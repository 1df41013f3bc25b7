"""How large an experiment must be: held to simulations, and to what larger and smaller differences imply."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from features.errors import Invalid
from serving.cli import app
from serving.experiments.sizing import Plan, one_sample, sizes, two_samples
from training.rejects import rows_needed

TIMES = 20_000


def seen(first: tuple[int, float], second: tuple[int, float]) -> float:
    """How often a pooled z-test at 5 % tells two arms (size, rate) apart."""
    g = np.random.default_rng(11)
    (n, p), (m, q) = first, second
    a, b = g.binomial(n, p, TIMES), g.binomial(m, q, TIMES)
    pooled = (a + b) / (n + m)
    deviation = np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    return float((np.abs(a / n - b / m) > 1.959964 * deviation).mean())


@pytest.mark.parametrize("share", [0.5, 0.2, 0.05])
@pytest.mark.parametrize(("base", "other"), [(0.05, 0.0625), (0.1, 0.15), (0.6, 0.57)])
def test_arms_of_that_size_tell_the_difference_in_four_of_five_cases(base, other, share) -> None:
    champion, challenger = two_samples(base, other, share, level=0.05, power=0.8)
    assert challenger / (champion + challenger) == pytest.approx(share, abs=0.01)
    assert seen((champion, base), (challenger, other)) == pytest.approx(0.8, abs=0.03)
    assert seen((champion, base), (challenger, base)) == pytest.approx(0.05, abs=0.01)


@settings(max_examples=30, deadline=None)
@given(st.floats(0.01, 0.4), st.floats(1.1, 1.9), st.floats(0.05, 0.5))
def test_smaller_differences_smaller_arms_and_more_certainty_ask_for_more(base, factor, share) -> None:
    def needed(factor: float, share: float, power: float) -> int:
        return sum(two_samples(base, base * factor, share, level=0.05, power=power))

    assert needed(factor, share, 0.8) >= needed(factor + 0.05, share, 0.8)
    assert needed(factor, share, 0.9) >= needed(factor, share, 0.8)
    assert needed(factor, share / 2, 0.8) >= needed(factor, share, 0.8)


@settings(max_examples=30, deadline=None)
@given(st.floats(0.01, 0.4), st.floats(1.1, 1.9))
def test_a_random_stream_is_sized_as_the_report_on_the_refused_sizes_it(base, factor) -> None:
    assert one_sample(base, base * factor, level=0.05, power=0.8) == rows_needed(base, factor)


def test_applications_fill_the_arms_and_months_follow_from_the_volume() -> None:
    plan = Plan(0.05, approval=0.6, share=0.2, random_share=0.02, monthly=10_000, mature_months=12)
    stream, bad, approved = sizes(plan)
    assert stream.applications * 0.4 * 0.02 == pytest.approx(stream.first, rel=1e-3)
    assert bad.applications * 0.6 * 0.2 == pytest.approx(bad.second, rel=1e-3)
    assert bad.applications * 0.6 * 0.8 == pytest.approx(bad.first, rel=1e-3)
    assert approved.applications * 0.2 == pytest.approx(approved.second, rel=1e-3)
    for one, late in ((stream, 12), (bad, 12), (approved, 0)):
        assert one.months == one.applications / 10_000
        assert one.told_after == one.months + late
    assert {one.months for one in sizes(replace(plan, monthly=0))} == {None}


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"base": 0.0}, "--base"), ({"base": 1.0}, "--base"), ({"factor": 1.0}, "--factor"),
        ({"factor": 30.0}, "--factor"), ({"power": 1.0}, "--power"), ({"level": 0.0}, "--level"),
        ({"share": 1.0}, "--share"), ({"random_share": 0.0}, "--random-share"), ({"drop": 0.7}, "--drop"),
        ({"monthly": -1}, "--monthly"), ({"mature_months": -1}, "--mature"),
    ],
)  # fmt: skip
def test_a_figure_that_no_experiment_can_have_is_refused_with_its_place(changes, place) -> None:
    with pytest.raises(Invalid) as refused:
        sizes(replace(Plan(0.05), **changes))
    assert refused.value.place == place
    assert refused.value.remedy


def test_the_command_tells_a_table_and_a_document() -> None:
    asked = ["experiments", "size", "--base", "0.05", "--monthly", "10000"]
    told = CliRunner().invoke(app, [*asked, "--json"])
    assert told.exit_code == 0, told.output
    assert [one["question"] for one in json.loads(told.output)] == [one.question for one in sizes(Plan(0.05))]
    assert "tells nothing" in CliRunner().invoke(app, asked).output
