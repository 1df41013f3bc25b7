"""A guardrail that is broken stops the challenger's arm by itself; a person lets it go on."""

from __future__ import annotations

from pathlib import Path

import msgspec

from serving.experiments import reading
from serving.experiments.comparing import Rail, Shown, Verdict
from serving.governance import committee
from serving.settings import Settings
from serving.stops import operations as stops
from serving.stops.model import AlreadyStopped, NothingToStop, Scope, StopKind


class Guarded(msgspec.Struct, frozen=True):
    """One experiment: whether its arm was stopped now, and why; ``reason`` is empty where nothing is broken."""

    experiment: str
    stopped: bool
    reason: str


def guard(settings: Settings, outcomes: Path | None = None) -> tuple[Guarded, ...]:
    """`yidai experiments guard`: stop the arm of each experiment in force whose guardrail is broken.

    What was decided before a person let an arm go on counts no more. Again, it stops nothing twice.

    Raises:
        NotPermitted: it takes who may read receipts and stop approvals.
        BrokenOutcome: a line of the file.
    """
    if not any(one.policy.document.experiments for one in committee.standing(settings)):
        return ()
    since = _resumed(settings)
    whole = reading.show(settings, outcomes=outcomes)
    return tuple(_guarded(settings, _of(settings, one, since, outcomes)) for one in whole.experiments)


def _resumed(settings: Settings) -> dict[str, int]:
    """When each arm was let go on last, in µs."""
    found: dict[str, int] = {}
    for one in stops.some(settings, ended=True):
        if one.kind is StopKind.ARM and one.ended_at is not None:
            found[one.name] = max(one.ended_at, found.get(one.name, 0))
    return found


def _of(settings: Settings, one: Shown, since: dict[str, int], outcomes: Path | None) -> Shown:
    if one.experiment not in since:
        return one
    later = reading.show(settings, since[one.experiment], None, outcomes)
    fresh = (each for each in later.experiments if each.experiment == one.experiment)
    return next(fresh, Shown(one.experiment, (), ()))


def _guarded(settings: Settings, one: Shown) -> Guarded:
    broken = [rail for rail in one.rails if rail.verdict is Verdict.BREACHED]
    if not broken:
        return Guarded(one.experiment, stopped=False, reason="")
    reason = "; ".join(map(_said, broken))
    try:
        stops.stop(settings, Scope(StopKind.ARM, one.experiment), reason)
    except (AlreadyStopped, NothingToStop):
        return Guarded(one.experiment, stopped=False, reason=reason)
    return Guarded(one.experiment, stopped=True, reason=reason)


def _said(rail: Rail) -> str:
    seen = 0.0 if rail.figure is None else rail.figure.value
    return f"guardrail: {rail.name} {seen:.3f}, bound {rail.bound:g}"
