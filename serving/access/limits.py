"""How often a tenant may ask: a bucket of tokens for each, in each process."""

from __future__ import annotations

import math
from collections.abc import Callable
from time import monotonic

from features.errors import TooMany


class RateExceeded(TooMany):
    """A tenant whose bucket is empty; what it sent was not looked at."""

    def __init__(self, tenant: str, seconds: float) -> None:
        super().__init__(
            f"tenant {tenant} sends more requests than it may; this one was not looked at.",
            remedy="Send the same request again after Retry-After; YIDAI_TENANT_RATE and YIDAI_TENANT_BURST are the limits.",
        )
        self.retry_after = max(1, math.ceil(seconds))


class TenantLimits:
    """``burst`` requests at once and ``rate`` a second after that, for each tenant; no tenant takes from another."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = monotonic) -> None:
        self._rate = rate
        self._burst = max(1.0, burst)
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, tenant: str) -> None:
        """Count one request.

        Raises:
            RateExceeded: none is left; it says when there is one.
        """
        now = self._clock()
        left, at = self._left.get(tenant, (self._burst, now))
        left = min(self._burst, left + max(0.0, now - at) * self._rate)
        if left < 1:
            self._left[tenant] = left, now
            raise RateExceeded(tenant, (1 - left) / self._rate)
        self._left[tenant] = left - 1, now
