"""What a back-test of a draft runs, and how its page shows what was found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from features.canonical import digest
from features.errors import Conflict
from features.terminal import Step
from serving.access.model import Permission
from serving.console.asking import Visit
from serving.console.pages import language_of
from serving.console.pictures import picture
from serving.console.trials import Trial, Trials, TrialState
from serving.console.words import named, say
from serving.governance.drafts import Draft
from serving.policy.load import read_policy
from serving.registry.model import Kind
from serving.swaps.model import Backtest, Expected
from serving.swaps.reading import try_draft as try_policy
from serving.watch import trying
from serving.watch.backtest import Line
from serving.watch.signals import read_signals

TRIED = frozenset({Kind.POLICY, Kind.SIGNALS})
"""The kinds that past months can be asked about."""
PORTFOLIO = "city"
MOST_BARS = 12


class NothingBefore(Conflict):
    """A draft to be tried beside what is in force, and nothing is."""

    def __init__(self) -> None:
        super().__init__(
            "nothing is in force beside which it could be tried.", remedy="The first version is tried by nobody: submit it."
        )  # fmt: skip


class OthersLake(Conflict):
    """A tenant whose applications are not in this installation's lake."""

    def __init__(self) -> None:
        super().__init__(
            "the past applications of this installation are another bank's.",
            remedy="Submit it without a back-test.",
        )


def trials_of(visit: Visit) -> Trials:
    """The back-tests of this process."""
    held: Trials = visit.request.app.state.trials
    return held


def begin_trial(visit: Visit, draft: Draft, before: bytes | None) -> Trial:
    """Try a draft beside what is in force.

    Raises:
        NothingBefore, OthersLake: it cannot be.
        TrialWaits: one of the same person has not begun.
    """
    if before is None:
        raise NothingBefore
    settings, database = visit.services.settings, visit.request.app.state.database
    asker, after = visit.authority(Permission.SUBMIT), draft.data
    assert after is not None
    if asker.tenant != settings.tenant:
        raise OthersLake

    def policies(step: Step) -> Backtest:
        pair = (read_policy(before), read_policy(after))
        return try_policy(settings, database, asker, pair, PORTFOLIO, step)

    def signals(step: Step) -> Any:
        pair = [trying.Version(digest(each), read_signals(each)) for each in (before, after)]
        return trying.try_draft(settings, database, asker, pair, PORTFOLIO, step)

    trial = Trial(asker.tenant, asker.actor.name, draft.kind, draft.text, visit.services.clock())
    return trials_of(visit).begin(trial, policies if draft.kind is Kind.POLICY else signals)


def shown_trial(visit: Visit, trial: Trial) -> dict[str, Any]:
    """What a page needs of a back-test beside the back-test itself."""
    if trial.state is not TrialState.DONE:
        return {}
    if trial.kind is Kind.POLICY:
        return _policy(visit, trial.found)
    before, after = trial.found
    bars = [
        (line.code, _graver(earlier), _graver(line))
        for line, earlier in _pairs(before.lines, after.lines)
        if _graver(line) or _graver(earlier)
    ]
    title = say(language_of(visit.request), "policy.new_alerts")
    address = picture(visit, Permission.SUBMIT, draw_pairs, bars, title, "~s") if bars else ""
    return {
        "before": before,
        "after": after,
        "pictures": {"alerts_picture": address} if address else {},
    }


def _pairs(before: Sequence[Line], after: Sequence[Line]) -> list[tuple[Line, Line | None]]:
    earlier = {line.code: line for line in before}
    return [(line, earlier.get(line.code)) for line in after]


def _graver(line: Line | None) -> float:
    return line.orange + line.red if line else 0.0


def _policy(visit: Visit, found: Backtest) -> dict[str, Any]:
    language, may = language_of(visit.request), Permission.SUBMIT
    segments = [(s.segment, s.approved_before / s.rows, s.approved_after / s.rows) for s in found.segments]
    reasons = [(r.code, float(r.before), float(r.after)) for r in found.reasons[:MOST_BARS]]
    shown = {
        "segments_picture": picture(visit, may, draw_pairs, segments, named(language, "outcome", "approve"), "%"),
        "reasons_picture": picture(visit, may, draw_pairs, reasons, say(language, "policy.applications"), "~s"),
    }  # fmt: skip
    return {"found": found, "pictures": shown, "rate": rate}


def rate(expected: Expected) -> str:
    """The bad rate of some applicants with what the rejects' inference leaves open."""
    if not expected.rows:
        return "–"
    low, high = expected.low / expected.rows, expected.high / expected.rows
    return f"{expected.rate:.2%}" + ("" if low == high else f" ({low:.2%} – {high:.2%})")


def draw_pairs(lines: Sequence[tuple[str, float, float]], title: str, form: str) -> str:
    """Two bars a line, before and after."""
    from training.charts import pairs_chart  # noqa: PLC0415 - seconds

    return pairs_chart(lines, title, form)
