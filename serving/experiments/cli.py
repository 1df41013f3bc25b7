"""``yidai experiments``: how large an experiment must be, and what those that run show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from features.terminal import console, show_json, show_table

if TYPE_CHECKING:
    from serving.experiments.sizing import Size

experiments_app = typer.Typer(
    help="Experiments: how large one must be, what those that run show. See docs/experiments.md.",
    no_args_is_help=True,
)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
_SIZES = ("question", "tells", "from", "champion", "challenger", "applications", "months", "told after")


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
