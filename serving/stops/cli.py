"""``yidai approvals``: the stop switch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from features.calendar import iso
from features.terminal import show_json, show_table

if TYPE_CHECKING:
    from serving.stops.model import Scope, Stop

approvals_app = typer.Typer(
    help="Stop approvals and let them go on: whom the policy would approve a person decides about meanwhile.",
    no_args_is_help=True,
)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Product = Annotated[str, typer.Argument(help="The product; without it --model or --all.")]
Model = Annotated[str, typer.Option(help="The model, as bundles are named: risk, rating.")]
Arm = Annotated[str, typer.Option(help="The experiment whose challenger's arm is meant.")]
Everything = Annotated[bool, typer.Option("--all", help="All products at once.")]
Why = Annotated[str, typer.Option(help="Why; it is kept, and stands in the receipts. No personal data.")]


@approvals_app.command("stop")
def stop(
    reason: Why,
    product: Product = "",
    model: Model = "",
    arm: Arm = "",
    *,
    everything: Everything = False,
    as_json: Json = False,
) -> None:
    """Stop approvals from the next decision on: they become referrals, and nobody is refused for it.

    Example: yidai approvals stop consumer --reason "the payroll feed is wrong"
    """
    from serving.settings import Settings
    from serving.stops import operations

    scope = _scope(product, model, arm, everything=everything)
    _tell(operations.stop(Settings.load(), scope, reason), as_json=as_json)


@approvals_app.command("resume")
def resume(
    reason: Why,
    product: Product = "",
    model: Model = "",
    arm: Arm = "",
    *,
    everything: Everything = False,
    as_json: Json = False,
) -> None:
    """End a stop. Who was referred meanwhile stays with a person."""
    from serving.settings import Settings
    from serving.stops import operations

    scope = _scope(product, model, arm, everything=everything)
    _tell(operations.resume(Settings.load(), scope, reason), as_json=as_json)


@approvals_app.command("show")
def show(
    *,
    ended: Annotated[bool, typer.Option("--ended", help="Also those that are over.")] = False,
    as_json: Json = False,
) -> None:
    """Say what is stopped, since when, by whom and why."""
    from serving.settings import Settings
    from serving.stops import operations

    _tell(operations.some(Settings.load(), ended=ended), as_json=as_json)


def _scope(product: str, model: str, arm: str, *, everything: bool) -> Scope:
    from serving.stops.model import scope_of

    return scope_of(product, model, arm, everything=everything)


def _tell(found: list[Stop], *, as_json: bool) -> None:
    if as_json:
        show_json(found)
        return
    rows = [(one.kind.value, one.name, iso(one.stopped_at), one.reason, _end(one)) for one in found]
    show_table(f"{len(found)} stops", ("what", "", "since", "why", "ended"), rows)


def _end(one: Stop) -> str:
    return "" if one.ended_at is None else f"{iso(one.ended_at)}: {one.ended_for}"
