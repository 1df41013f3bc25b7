"""The loss that is expected of a promise."""

from __future__ import annotations

_NANO, _PPM = 1_000_000_000, 1_000_000


def expected_loss(limit_fen: int, pd: float, lgd_ppm: int) -> int:
    """Limit x PD x loss given default in fen, rounded up; a PD counts to the billionth, as it is kept."""
    return -(-limit_fen * round(pd * _NANO) * lgd_ppm // (_NANO * _PPM))
