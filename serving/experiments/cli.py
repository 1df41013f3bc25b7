"""``yidai experiments``: how large an experiment must be, and what those that run show."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.terminal import console, show_json, show_table

if TYPE_CHECKING:
    from serving.experiments.comparing import Shown
    from serving.experiments.reading import Report
    from serving.experiments.sizing import Size

experiments_app = typer.Typer(
    help="Experiments: how large one must be, what those that run show. See docs/experiments.md.",
    no_args_is_help=True,
)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
_SIZES = ("question", "tells", "from", "champion", "challenger", "applications", "months", "told after")
_ARMS = ("arm", "model", "decisions", "approved", "mean PD", "outcomes", "bad", "first reasons")
_SHADOWS = ("model", "decisions", "approves", "agrees", "mean PD", "more", "fewer")


@experiments_app.command("size")
def size(
    base: Annotated[float, typer.Option(help="The bad rate as it is, such as 0.05.")],
    factor: Annotated[float, typer.Option(help="What multiplies it and must not go unseen.")] = 1.25,
    power: Annotated[float, typer.Option(help="The chance to see it, if it is so.")] = 0.8,
    level: Annotated[float, typer.Option(help="The chance to see what is not so.")] = 0.05,
    share: Annotated[float, typer.Option(help="The challenger's share of applications.")] = 0.5,
    random_share: Annotated[float, typer.Option(help="The share of the refused approved by chance.")] = 0.02,
    approval: Annotated[float, typer.Option(help="The approval rate as it is.")] = 0.6,
    drop: Annotated[float, typer.Option(help="What of it may not be lost unseen, in points.")] = 0.03,
    monthly: Annotated[int, typer.Option(help="Applications a month; without them no months are told.")] = 0,
    mature: Annotated[int, typer.Option(help="Months until an outcome is known.")] = 12,
    *,
    as_json: Json = False,
) -> None:
    """Say how many outcomes each arm needs before it can tell anything, and how long that takes.

    Example: yidai experiments size --base 0.05 --factor 1.25 --power 0.8 --monthly 10000
    """
    from serving.experiments.sizing import Plan, sizes

    plan = Plan(base, factor, approval, drop, share, random_share, power, level, monthly, mature)
    found = sizes(plan)
    if as_json:
        show_json(found)
        return
    show_table("outcomes (decisions, for approval rates) that are needed", _SIZES, map(_line, found))
    console.print(
        "An experiment that ends before it is that large tells nothing: neither harm nor its absence."
    )


@experiments_app.command("show")
def show(
    since: Annotated[str, typer.Option(help="Only decisions from this day or moment on.")] = "",
    until: Annotated[str, typer.Option(help="Only decisions before this day or moment.")] = "",
    outcomes: Annotated[
        Path | None, typer.Option(help="A .csv of decision_id,bad: how loans turned out.")
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Show what each arm and each phantom model did so far, and whether the guardrails hold.

    Example: yidai experiments show --since 2027-01-01 --outcomes outcomes.csv
    """
    from features.calendar import instant
    from serving.experiments import reading
    from serving.settings import Settings

    first, end = (instant(day) if day else None for day in (since, until))
    found = reading.show(Settings.load(), first, end, outcomes)
    if as_json:
        show_json(found)
        return
    _tell(found)


@experiments_app.command("guard")
def guard(
    outcomes: Annotated[
        Path | None, typer.Option(help="A .csv of decision_id,bad: how loans turned out.")
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Stop the challenger's arm of each experiment whose guardrail is broken; the worker does so without outcomes.

    Let it go on with: yidai approvals resume --arm EXPERIMENT --reason WHY
    """
    from serving.experiments import guarding
    from serving.settings import Settings

    found = guarding.guard(Settings.load(), outcomes)
    if as_json:
        show_json(found)
        return
    rows = [(one.experiment, "stopped now" if one.stopped else "", one.reason) for one in found]
    show_table(f"{len(found)} experiments", ("experiment", "", "broken"), rows)


def _tell(found: Report) -> None:
    for one in found.experiments:
        _tell_one(one)
    rows = [
        (s.model, s.decisions, s.approval, s.agreement, f"{s.mean_pd:.4f}", s.approves_more, s.approves_less)
        for s in found.shadows
    ]
    show_table("phantom decisions of models that did not decide", _SHADOWS, rows)
    if found.unread:
        console.print(f"{found.unread:,} receipts of persons who were erased are not counted.")


def _tell_one(one: Shown) -> None:
    lines = [
        (
            a.arm,
            a.model,
            a.decisions,
            a.approval,
            f"{a.mean_pd:.4f}",
            a.outcomes,
            a.bad_rate or "",
            _few(a.reasons),
        )
        for a in one.arms
    ]
    show_table(f"experiment {one.experiment}", _ARMS, lines)
    rails = [(r.name, r.figure or "", f"{r.bound:g}", r.verdict.value) for r in one.rails]
    show_table("guardrails", ("", "seen", "bound", ""), rails)


def _few(reasons: dict[str, int]) -> str:
    return ", ".join(f"{code} {count}" for code, count in list(reasons.items())[:3])


def _line(found: Size) -> tuple[str, ...]:
    months = ("" if each is None else f"{each:.1f}" for each in (found.months, found.told_after))
    second = f"{found.second:,}" if found.second else ""
    return (
        found.question,
        f"{found.other:.2%}",
        f"{found.base:.2%}",
        f"{found.first:,}",
        second,
        f"{found.applications:,}",
        *months,
    )
