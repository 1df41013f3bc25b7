"""``yidai alerts``: the risk officer's inbox."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, TypeVar

import typer

from features.terminal import console, show_json, show_table

alerts_app = typer.Typer(help="Alerts over the open book, and what is done about them.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Alert = Annotated[str, typer.Argument(help="The alert's id; its beginning suffices.")]
Reason = Annotated[str, typer.Option(help="Why, in a sentence that names no person.")]
Seen = Annotated[
    int | None, typer.Option("--version", help="The version that was read; else it is as it is now.")
]
_LATE = ("", "overdue", "a week overdue")
_One = TypeVar("_One", bound=StrEnum)


@alerts_app.command("list")
def list_alerts(
    *,
    level: Annotated[list[str] | None, typer.Option(help="yellow, orange, red; may be repeated.")] = None,
    state: Annotated[
        list[str] | None, typer.Option(help="new, ongoing, pending_release, released; may be repeated.")
    ] = None,
    mine: Annotated[bool, typer.Option("--mine", help="Only those that are mine.")] = False,
    unassigned: Annotated[bool, typer.Option("--unassigned", help="Only those that nobody has.")] = False,
    assignee: Annotated[str, typer.Option(help="Only those of this officer.")] = "",
    village: Annotated[str, typer.Option(help="Only of this village.")] = "",
    loan: Annotated[str, typer.Option(help="Only of this loan.")] = "",
    signal: Annotated[str, typer.Option(help="Only of this signal.")] = "",
    overdue: Annotated[bool, typer.Option("--overdue", help="Only those whose time is over.")] = False,
    snoozed: Annotated[bool, typer.Option("--snoozed", help="Also those that are put aside.")] = False,
    most: Annotated[int, typer.Option(min=1, max=1_000, help="The first so many.")] = 50,
    as_json: Json = False,
) -> None:
    """The inbox, the first due first."""
    from features.calendar import iso
    from serving.alerts import operations
    from serving.alerts.api import told
    from serving.alerts.machine import AlertState
    from serving.alerts.repository import Wanted
    from serving.settings import Settings
    from serving.watch.signals import Level

    levels = tuple(_known(Level, name, "--level") for name in level or ())
    states = tuple(_known(AlertState, name, "--state") for name in state or ())
    whose = "" if unassigned else assignee or None
    wanted = Wanted(
        levels, states, whose, village or None, loan or None, signal or None, overdue=overdue, snoozed=snoozed, most=most,
    )  # fmt: skip
    found = operations.some(Settings.load(), wanted, mine=mine)
    if as_json:
        show_json([told(each) for each in found])
        return
    rows = [
        (
            each.alert_id, each.level.value, each.state.value, each.loan, each.signal, iso(each.due_at)[:10],
            _LATE[each.late], each.assignee or each.owner, each.evidence.get("zh", ""),
        )
        for each in found
    ]  # fmt: skip
    columns = ("alert", "level", "state", "loan", "signal", "due", "late", "whose", "evidence")
    show_table(f"{len(found)} alerts", columns, rows)


@alerts_app.command("show")
def show(alert: Alert, *, as_json: Json = False) -> None:
    """One alert: its evidence, what to do and say, what happened, the borrower's other alerts."""
    from features.calendar import iso
    from serving.alerts import operations
    from serving.alerts.api import told_view
    from serving.settings import Settings

    view = operations.show(Settings.load(), alert)
    if as_json:
        show_json(told_view(view))
        return
    one, said, book = view.alert, view.alert.evidence, view.playbook
    console.print(f"[bold]{one.level.value}[/] {one.signal}, loan {one.loan}: {one.state.value}")
    lines = [
        said.get("zh", ""), said.get("en", ""), said.get("contradicts_en", ""),
        f"{one.dpd} days past due, {one.overdue_fen} fen overdue; {one.points} points in a row.",
        f"Next: {said.get('action_en', '')} By {iso(one.due_at)[:10]}, {one.assignee or one.owner}.",
        f"Expected by {iso(one.expects_by)[:10]}: {said.get('expects_en', '')}",
        f"{book.steps.zh}", f"{book.steps.en}", f"Say: {book.script.zh}", f"     {book.script.en}",
        f"version: {one.version}",
    ]  # fmt: skip
    for line in filter(None, lines):
        console.print(line, markup=False)
    events = [(iso(e.at)[:19], e.kind, e.who or "", e.to_level or "", e.reason) for e in view.events]
    show_table("What happened", ("when", "what", "who", "level", "why"), events)
    rest = [
        (each.alert_id, each.level.value, each.state.value, each.loan, each.signal) for each in view.others
    ]
    show_table("The borrower's other alerts", ("alert", "level", "state", "loan", "signal"), rest)


@alerts_app.command("act")
def act(
    alert: Alert,
    kind: Annotated[
        str, typer.Argument(help="note, call, visit, collect, limit_cut, freeze, thaw, send_back.")
    ],
    reason: Reason,
    *,
    result: Annotated[str, typer.Option(help="What came of it.")] = "",
    limit_fen: Annotated[int | None, typer.Option(help="For limit_cut: the new limit, in fen.")] = None,
    version: Seen = None,
) -> None:
    """Do something about an alert. A freeze takes one person, a thaw two."""
    _do(alert, kind, reason, version, result=result, limit_fen=limit_fen)


@alerts_app.command("assign")
def assign(
    alert: Alert,
    to: Annotated[str, typer.Argument(help="The officer's name.")],
    reason: Reason,
    *,
    version: Seen = None,
) -> None:
    """Give the borrower, with all alerts, to an officer."""
    _do(alert, "assign", reason, version, assignee=to)


@alerts_app.command("snooze")
def snooze(
    alert: Alert,
    until: Annotated[str, typer.Argument(help="Such as 2026-01-31; within 90 days.")],
    reason: Reason,
    *,
    version: Seen = None,
) -> None:
    """Put an alert aside: it comes back then, or when its level rises."""
    from features.calendar import instant

    _do(alert, "snooze", reason, version, until=instant(until))


@alerts_app.command("release")
def release(alert: Alert, reason: Reason, *, version: Seen = None) -> None:
    """Confirm that an alert is over; of a red one a second person does too."""
    _do(alert, "release", reason, version)


@alerts_app.command("feedback")
def feedback(
    alert: Alert,
    verdict: Annotated[str, typer.Argument(help="true_warning, false_alarm or unclear.")],
    reason: Reason,
    *,
    version: Seen = None,
) -> None:
    """Say what a warning was worth."""
    from serving.alerts.model import FeedbackVerdict

    _do(alert, "feedback", reason, version, verdict=_known(FeedbackVerdict, verdict, "verdict"))


@alerts_app.command("precision")
def precision(*, as_json: Json = False) -> None:
    """The share of true warnings by signal and level, with its interval."""
    from serving.alerts import operations
    from serving.settings import Settings

    found = operations.precision(Settings.load())
    if as_json:
        show_json(found)
        return

    def share(value: float | None) -> str:
        return "" if value is None else f"{value:.0%}"

    rows = [
        (p.signal, p.level, p.true_warnings, p.false_alarms, p.unclear, share(p.precision), share(p.low), share(p.high))
        for p in found
    ]  # fmt: skip
    columns = ("signal", "level", "true", "false", "unclear", "precision", "at least", "at most")
    show_table("What alerts were worth, with an interval of 95 %", columns, rows)


def _do(alert: str, kind: str, reason: str, version: int | None, **parts: Any) -> None:
    from serving.alerts import operations
    from serving.alerts.model import Action, ActionKind
    from serving.settings import Settings

    action = Action(_known(ActionKind, kind, "kind"), reason, **parts)
    done = operations.act(Settings.load(), alert, action, version)
    waits = f"; a second person does `{done.proposal}` too" if done.proposal else ""
    console.print(f"{done.state.value}, version {done.version}{waits}.", markup=False)


def _known(kind: type[_One], name: str, place: str) -> _One:
    from features.errors import Invalid

    try:
        return kind(name)
    except ValueError:
        known = ", ".join(kind)
        raise Invalid(f"{name!r} is not known here.", place=place, remedy=f"Known: {known}.") from None
