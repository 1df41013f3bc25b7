"""What a run of the watch saw becomes alerts: raised, graver, quiet again. Again, late or out of order changes nothing twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from features.calendar import DAY, months_before
from serving.access.repository import new_id
from serving.alerts import storing
from serving.alerts.handling import Handling, Playbooks
from serving.alerts.machine import (
    AlertState,
    Observation,
    Point,
    Standing,
    merged,
    rank,
    seen,
    standing,
)
from serving.alerts.storing import Kept, Scope
from serving.store.session import Connection
from serving.watch.signals import Level

Key = tuple[str, str]
"""A loan (or a village) by its name, and a signal."""


STEADY = "steady"
"""In what is said of a hit: the rule that combines has weighed it, so that it does not escalate by repetition."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A signal that hit: ``about`` is the bank's number of the loan, or the village's name.

    ``said`` holds the sentences under ``zh``, ``en``, ``action_zh``, ``action_en`` and, where the signal tells them,
    ``expects_zh``, ``expects_en``, ``contradicts_zh`` and ``contradicts_en``; with ``steady`` repetition does not escalate it.
    ``overdue_fen`` is what is overdue.
    """

    about: str
    subject: int | None
    signal: str
    level: Level
    said: Mapping[str, str]
    playbook: str = ""
    dpd: int = 0
    overdue_fen: int = 0
    village: str | None = None
    product: str | None = None
    cause: UUID | None = None
    expects_months: int | None = None

    @property
    def key(self) -> Key:
        """What the alert is of."""
        return self.about, self.signal


def told_absent(_: str, __: str) -> int:
    """Everything that did not hit was absent."""
    return 0


@dataclass(frozen=True, slots=True)
class Run:
    """A look at ``at`` (µs), by the clock at ``clock``. ``loans`` are those that were looked at, None for the whole book.

    ``absent`` says of a loan and a signal that did not hit whether it was absent (0) or could not be told (None).
    Alerts of other signals than ``family`` names are none of this run's business.
    """

    at: int
    clock: int
    digest: str
    family: Callable[[str], bool]
    absent: Callable[[str, str], int | None] = told_absent
    loans: Sequence[str] | None = None
    scope: Scope = Scope.LOAN


@dataclass(slots=True)
class Recorded:
    """What a run changed: alerts that are new, and those whose level rose."""

    raised: int = 0
    worsened: int = 0
    reds: list[UUID] = field(default_factory=list)
    """Alerts that became red."""


@dataclass(slots=True)
class Recorder:
    """Records runs in the caller's transaction."""

    connection: Connection
    tenant: str
    rules: Handling
    books: Playbooks

    def record(self, run: Run, sightings: Iterable[Sighting]) -> Recorded:
        """Bring the alerts up to what a run saw."""
        hits = {each.key: each for each in sightings}
        storing.lock(self.connection, self.tenant, run.loans)
        kept = {each.key: each for each in storing.open_alerts(self.connection, run.scope, run.loans)}
        kept = {key: each for key, each in kept.items() if run.family(each.signal)}
        done = Recorded()
        writes = storing.Writes()
        for key, alert in sorted(kept.items()):
            self._follow(run, alert, hits.get(key), writes, done)
        self._raise(run, [each for key, each in sorted(hits.items()) if key not in kept], writes, done)
        writes.write(self.connection, self.tenant)
        return done

    def _follow(
        self, run: Run, alert: Kept, hit: Sighting | None, writes: storing.Writes, done: Recorded
    ) -> None:
        """One more look at an alert that is open. What is older than its beginning is not its own."""
        if run.at <= alert.after_at:
            return
        told = run.absent(*alert.key) if hit is None else rank(hit.level)
        each = seen(Observation(run.at, told, hit.dpd if hit else 0))
        known = alert.points.get(each.point)
        new = each if known is None else merged(known, each)
        steady = STEADY in (alert.evidence if hit is None else hit.said)
        before = _standing(alert.points, steady=steady)
        if new != known:
            writes.points.append((alert.alert_id, new))
        after = _standing({**alert.points, new.point: new}, steady=steady)
        changes = self._changes(run, alert, before, after)
        changes |= _said(run, alert, hit, self._all(hit) if hit else {}, risen="level" in changes)
        if changes:
            writes.update(alert, changes)
            self._tell(run, alert, after, changes, writes)
        if "level" in changes:
            done.worsened += 1
            done.reds += [alert.alert_id] if after.level is Level.RED else []

    def _changes(self, run: Run, alert: Kept, before: Standing, after: Standing) -> dict[str, Any]:
        """The columns that a look changes."""
        told = {
            "state": after.state.value, "coverage": after.coverage.value, "points": after.streak, "quiet": after.quiet,
            "band": after.band,
        }  # fmt: skip
        changes: dict[str, Any] = {name: value for name, value in told.items() if alert.column(name) != value}
        if rank(after.level) > rank(Level(alert.level)):
            due = self.rules.due_at(after.level, run.clock)
            changes |= {"level": after.level.value, "due_at": due, "handled_at": None, "late": 0}
            changes |= {"snoozed_until": None}
        if after.disposal is not None and before.disposal is None:
            due = self.rules.disposal_at(run.clock)
            changes |= {"disposal_due": due, "handled_at": None}
            changes["due_at"] = min(due, changes.get("due_at", alert.due_at if not alert.handled_at else due))
        if changes.get("state") == AlertState.PENDING_RELEASE:
            changes |= {"due_at": self.rules.due_at(after.level, run.clock), "handled_at": None, "late": 0}
        elif "state" in changes and alert.proposal == "release":
            changes |= {"proposal": None, "proposed_by": None}
        return changes

    def _tell(
        self, run: Run, alert: Kept, after: Standing, changes: Mapping[str, Any], writes: storing.Writes
    ) -> None:
        """Events of what a person should know."""
        kinds = [
            ("escalated", "level" in changes),
            ("disposal_required", "disposal_due" in changes),
            ("quiet", changes.get("state") == AlertState.PENDING_RELEASE),
            (
                "back",
                alert.state == AlertState.PENDING_RELEASE and after.state is not AlertState.PENDING_RELEASE,
            ),
            ("ongoing", alert.state == AlertState.NEW and changes.get("state") == AlertState.ONGOING),
        ]
        for kind in (name for name, happened in kinds if happened):
            writes.event(
                alert.alert_id, run.clock, kind, run.digest, alert.level, after.level.value, alert.state,
                after.state.value, {"as_of": run.at, "points": after.streak},
            )  # fmt: skip

    def _raise(self, run: Run, hits: Sequence[Sighting], writes: storing.Writes, done: Recorded) -> None:
        """Alerts of signals that hit where none was open; one that a person released begins anew with a later hit."""
        released = storing.last_released(self.connection, run.scope, [hit.key for hit in hits])
        fresh = [hit for hit in hits if run.at > released.get(hit.key, -1)]
        abouts = sorted({_about(hit) for hit in fresh})
        cases = storing.cases(self.connection, self.tenant, abouts, run.clock)
        for hit in fresh:
            first = seen(Observation(run.at, rank(hit.level), hit.dpd))
            after = _standing({first.point: first})
            case_id, assignee = cases[_about(hit)]
            row = self._row(run, hit, after) | {"case_id": case_id, "assignee": assignee}
            row |= {"after_at": released.get(hit.key, -1)}
            writes.alerts.append(row)
            writes.points.append((row["alert_id"], first))
            detail = {"as_of": run.at}
            writes.event(
                row["alert_id"],
                run.clock,
                "raised",
                run.digest,
                None,
                row["level"],
                None,
                row["state"],
                detail,
            )
            done.raised += 1
            done.reds += [row["alert_id"]] if after.level is Level.RED else []

    def _row(self, run: Run, hit: Sighting, after: Standing) -> dict[str, Any]:
        level, book = after.level, self.books.of(hit.playbook, hit.signal)
        return {
            "alert_id": new_id(), "scope": run.scope.value, "loan": hit.about, "subject_id": hit.subject,
            "signal": hit.signal, "level": level.value, "state": after.state.value, "coverage": after.coverage.value,
            "points": after.streak, "quiet": after.quiet, "band": after.band, "seen_at": run.at,
            "evidence": self._all(hit), "evidence_at": run.at, "signals_digest": run.digest, "dpd": hit.dpd,
            "overdue_fen": hit.overdue_fen, "playbook": book.code,
            "expects_by": self._expects_by(run, hit), "village": hit.village,
            "product": hit.product, "cause_id": hit.cause,
            "owner": self.rules.owner(hit.village, hit.product, level, hit.signal), "raised_at": run.at,
            "updated_at": run.at, "due_at": self.rules.due_at(level, run.clock),
        }  # fmt: skip

    def _expects_by(self, run: Run, hit: Sighting) -> int:
        """By when (µs) what a signal expects has happened, or else what its playbook expects."""
        if hit.expects_months is not None:
            return months_before(run.clock, -hit.expects_months)
        return run.clock + self.books.of(hit.playbook, hit.signal).within_days * DAY

    def _all(self, hit: Sighting) -> dict[str, str]:
        """What is said of a hit, with what its playbook expects where the signal expects nothing."""
        book = self.books.of(hit.playbook, hit.signal)
        return {"expects_zh": book.expects.zh, "expects_en": book.expects.en} | dict(hit.said)


def _standing(points: Mapping[int, Point], *, steady: bool = False) -> Standing:
    found = standing([points[point] for point in sorted(points)], steady=steady)
    assert found is not None
    return found


def _about(hit: Sighting) -> str:
    return f"village:{hit.about}" if hit.subject is None else f"subject:{hit.subject}"


def _said(
    run: Run, alert: Kept, hit: Sighting | None, said: Mapping[str, str], *, risen: bool
) -> dict[str, Any]:
    """The newest sentences, and where the loan stood when it was last looked at."""
    changes: dict[str, Any] = {}
    if hit is not None and (run.at > alert.evidence_at or risen) and said != alert.evidence:
        changes |= {"evidence": dict(said), "evidence_at": run.at, "signals_digest": run.digest}
    if hit is not None and run.at >= alert.seen_at:
        changes |= {
            name: value
            for name, value in (("dpd", hit.dpd), ("overdue_fen", hit.overdue_fen))
            if value != getattr(alert, name)
        }
    if run.at > alert.seen_at:
        changes["seen_at"] = run.at
    return changes
