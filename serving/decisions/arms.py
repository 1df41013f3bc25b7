"""Champion and challenger: which model decides about a subject, drawn once for the whole experiment."""

from __future__ import annotations

import hmac
from collections.abc import Collection
from functools import lru_cache

from serving.decisions.live import Live
from serving.decisions.schemas import Arm
from serving.policy.days import end_day, first_day
from serving.policy.experiment import Experiment

CHAMPION, CHALLENGER = "champion", "challenger"
ARM = "arm:"
"""Begins the names of stops of a challenger's arm; the experiment follows."""
ARM_KEY = "experiment arms"
"""The derived key by which arms are drawn: another than that of the random stream, so that neither tells the other."""


def arm_of(live: Live, key: bytes, subject_id: int, day: int, stops: Collection[str] = ()) -> Arm | None:
    """The arm of a subject in the experiment that runs on a day of China; None where none does.

    Without an active version of the challenger's model there is no experiment: everybody is with the champion. Nor is
    there one for the subjects of a challenger whose arm is among the ``stops``: the policy's model decides about them.
    """
    for one in live.policy.document.experiments:
        if _runs(one, day) and one.challenger in live.scorers:
            if in_challenge(key, one.id, subject_id, one.share_ppm):
                stopped = f"{ARM}{one.id}" in stops
                return None if stopped else Arm(one.id, CHALLENGER, one.challenger)
            return Arm(one.id, CHAMPION, live.model)
    return None


def in_challenge(key: bytes, experiment: str, subject_id: int, share_ppm: int) -> bool:
    """Whether a subject is with the challenger: by its HMAC, which does not change with time.

    A larger share takes more subjects and loses none of those that it had.
    """
    drawn = int.from_bytes(hmac.digest(key, f"{experiment}\0{subject_id}".encode(), "sha256")[:8], "big")
    return (drawn * 1_000_000) >> 64 < share_ppm


def _runs(one: Experiment, day: int) -> bool:
    first, end = _days(one.effective_from, one.effective_to)
    return first <= day < end


@lru_cache(maxsize=256)
def _days(first: str, end: str) -> tuple[int, int]:
    return first_day(first), end_day(end)
