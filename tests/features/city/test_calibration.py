"""The filter's risk is what happens, over all applicants; and nothing ranks as well as the truth."""

from __future__ import annotations

import numpy as np
import pytest

from features.city.parameters import BEYOND, WARM_UP, economy
from tests.features.city.lives import draw_regime, town

PATHS, HOUSEHOLDS, MONTHS = 40, 110, 30
Floats = np.ndarray


def auc(bad: Floats, risk: Floats) -> float:
    """P(a bad one has the higher risk), ties halved."""
    order = np.argsort(risk, kind="stable")
    ranks = np.empty(len(risk))
    _, first, counts = np.unique(risk[order], return_index=True, return_counts=True)
    ranks[order] = np.repeat(first + (counts + 1) / 2, counts)
    bads = int(bad.sum())
    return float((ranks[bad].sum() - bads * (bads + 1) / 2) / (bads * (len(bad) - bads)))


@pytest.fixture(scope="module")
def applicants() -> dict[str, Floats]:
    """Applications of 4,400 households in 40 economies, each with a path of its own: the filter does not know its future."""
    plain, generator = economy(), np.random.default_rng(17)
    parts = []
    for path in range(PATHS):
        regime = draw_regime(plain, WARM_UP + MONTHS + BEYOND, generator)
        a = town(HOUSEHOLDS, MONTHS, path, regime=regime).applications
        parts.append((np.full(len(a.bad), path), a.bad, a.filter_risk, a.true_risk, a.approved))
    names = ("path", "bad", "filter", "true", "approved")
    return {name: np.concatenate([part[k] for part in parts]) for k, name in enumerate(names)}


def surplus(applicants: dict[str, Floats], rows: Floats, scale: float = 1.0) -> float:
    """Bads beyond the expected, in standard errors between paths (shared shocks make applicants alike)."""
    gap = applicants["bad"] - scale * applicants["filter"]
    by_path = np.bincount(applicants["path"][rows], weights=gap[rows], minlength=PATHS)
    return float(by_path.sum() / np.sqrt((by_path**2).sum()))


def test_the_filter_is_calibrated_in_every_decile_of_all_applicants(applicants) -> None:
    order = np.argsort(applicants["filter"])
    for decile in np.array_split(order, 10):
        assert abs(surplus(applicants, decile)) < 3.5
    assert abs(surplus(applicants, order)) < 2.5


def test_a_risk_a_fifth_too_high_or_too_low_would_be_noticed(applicants) -> None:
    everyone = np.arange(len(applicants["bad"]))
    assert surplus(applicants, everyone, 1.2) < -3
    assert surplus(applicants, everyone, 0.8) > 3


def test_what_the_officer_saw_beyond_the_records_shows_in_the_outcomes(applicants) -> None:
    """The officer saw more than the filter, so each group is off in its own direction, and both together are not."""
    granted = np.flatnonzero(applicants["approved"])
    refused = np.flatnonzero(~applicants["approved"])
    assert surplus(applicants, refused) > surplus(applicants, granted)


def test_the_truth_ranks_better_than_the_filter_and_the_filter_far_from_perfectly(applicants) -> None:
    bad = applicants["bad"]
    assert auc(bad, applicants["true"]) > auc(bad, applicants["filter"])
    assert 0.72 < auc(bad, applicants["filter"]) < 0.90


def test_the_monthly_risk_is_calibrated_too() -> None:
    """Over all households, not only those that apply: P(a trigger within a year)."""
    plain, generator, gaps = economy(), np.random.default_rng(3), []
    for path in range(30):
        regime = draw_regime(plain, WARM_UP + 12 + BEYOND, generator)
        made = town(120, 12, path, regime=regime)
        ahead = made.lives.trigger[:, WARM_UP + 12 : WARM_UP + 24].any(axis=1)
        gaps.append([(ahead - risk[:, -1]).sum() for risk in (made.monthly.filtered, made.monthly.true)])
    for gap in np.array(gaps).T:
        assert abs(gap.sum()) / np.sqrt((gap**2).sum()) < 3
