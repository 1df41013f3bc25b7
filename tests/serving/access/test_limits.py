"""How often a tenant may ask, in theory and over HTTP."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.access.limits import RateExceeded, TenantLimits
from serving.services import _limits
from serving.settings import Settings
from tests.serving.world import Bank, asking, problem


class Time:
    """Seconds that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@given(
    rate=st.floats(0.5, 50),
    burst=st.integers(1, 20),
    steps=st.lists(st.floats(0, 3), min_size=1, max_size=60),
)
def test_over_any_stretch_no_more_pass_than_burst_and_rate_allow(rate, burst, steps) -> None:
    time, passed = Time(), []
    limits = TenantLimits(rate, burst, time)
    for step in steps:
        time.now += step
        try:
            limits.take("city")
            passed.append(time.now)
        except RateExceeded:
            continue
    for first, begin in enumerate(passed):
        for last in range(first, len(passed)):
            assert last - first + 1 <= burst + (passed[last] - begin) * rate + 1e-6


@given(st.floats(0.01, 50))
def test_after_the_seconds_that_a_refusal_names_it_passes(rate) -> None:
    time = Time()
    limits = TenantLimits(rate, 1, time)
    limits.take("city")
    with pytest.raises(RateExceeded) as refused:
        limits.take("city")
    time.now += refused.value.retry_after
    limits.take("city")


def test_a_clock_that_goes_back_gives_nothing_and_takes_nothing() -> None:
    time = Time()
    limits = TenantLimits(1, 2, time)
    limits.take("city")
    time.now = -100.0
    limits.take("city")
    with pytest.raises(RateExceeded):
        limits.take("city")


def test_the_workers_share_what_a_tenant_may() -> None:
    limits = _limits(Settings(tenant_rate=1.0, tenant_burst=10, workers=5))
    for _ in range(2):
        limits.take("city")
    with pytest.raises(RateExceeded) as refused:
        limits.take("city")
    assert refused.value.retry_after == 5


def test_a_tenant_over_its_limit_is_told_when_to_come_again_and_no_other_tenant_notices(bank: Bank) -> None:
    with asking(bank, replace(bank.settings, tenant_rate=0.01, tenant_burst=3), role="auditor") as auditor:
        for _ in range(3):
            assert auditor.ask("GET", "/v1/approvals").status_code == 200
        refused = auditor.ask("GET", "/v1/approvals")
        problem(refused, 429, "rate_exceeded")
        assert 90 <= int(refused.headers["Retry-After"]) <= 100
        problem(auditor.as_("integration_engineer").ask("POST", "/v1/decisions", content=b""), 429)
        assert auditor.as_("stranger").ask("GET", "/v1/approvals").status_code == 200
        for path in ("/health/live", "/health/ready", "/metrics"):
            assert auditor.http.get(path).status_code == 200
        assert 'code="rate_exceeded",status="429"' in auditor.http.get("/metrics").text
