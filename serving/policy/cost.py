"""The rate that covers what a loan costs and is to earn."""

from __future__ import annotations

import math

from serving.policy.lending import Document


class Cost(Document, frozen=True, omit_defaults=True, kw_only=True):
    """What a loan costs and is to earn, in ppm a year of what is owed; a rate that covers it is whole ``step_ppm``.

    ``lgd_ppm`` is the part of a loan that a default loses: of the PD it gives the year's expected loss.
    """

    funding_ppm: int
    operating_ppm: int
    margin_ppm: int
    lgd_ppm: int
    step_ppm: int = 1_000

    def rate_ppm(self, pd: float) -> int:
        """The rate that covers all of it at a PD within a year."""
        loss = math.ceil(round(pd * self.lgd_ppm, 3))
        exact = self.funding_ppm + self.operating_ppm + self.margin_ppm + loss
        step = max(self.step_ppm, 1)  # a wrong one is found by the analysis
        return -(-exact // step) * step
