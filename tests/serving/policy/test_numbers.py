"""Numbers that nobody can mean are found in their place, and a policy with them is refused."""

from __future__ import annotations

import pytest

from tests.serving.policy.documents import findings


@pytest.mark.parametrize(
    ("place", "change"),
    [
        ("tables.prices: p2024-1-year", lambda d: d["tables"]["prices"][6].update(rate_ppm=-182_000)),
        ("tables.limits: known-1", lambda d: d["tables"]["limits"][0].update(inflow_share_ppm=90_000_000)),
        ("tables.rate_caps: bank-24", lambda d: d["tables"]["rate_caps"][0].update(value=5_000_000)),
        ("offers", lambda d: d["offers"].update(valid_days=99_999_999)),
        ("offers", lambda d: d["offers"].update(valid_days=0)),
        ("offers", lambda d: d["offers"].update(line_months=600)),
        ("offers", lambda d: d["offers"].update(fee_ppm=-1)),
        ("limits.supports: tax", lambda d: d["limits"]["supports"][0].update(fen_per_unit=-5)),
        ("limits.debt_service", lambda d: d["limits"]["debt_service"].update(share_ppm=9_000_000)),
        ("random_approval", lambda d: d["random_approval"].update(share_ppm=2_000_000)),
        ("random_approval", lambda d: d["random_approval"].update(last=99)),
        ("random_approval", lambda d: d["random_approval"].update(monthly_budget=-1)),
    ],
)  # fmt: skip
def test_a_number_that_nobody_can_mean_is_refused_in_its_place(place, change) -> None:
    assert ("range", place) in {(one.code, one.place) for one in findings(change)}
