"""``yidai webhooks``: who is told of what happened."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer

from features.terminal import console, show_json, show_table

webhooks_app = typer.Typer(
    help="Who is told of what happened, by signed HTTP calls that `yidai worker` makes.", no_args_is_help=True
)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Name = Annotated[UUID, typer.Argument(help="The webhook's id.")]


@webhooks_app.command("add")
def add(
    url: Annotated[str, typer.Argument(help="An https:// URL of the receiver's.")],
    kind: Annotated[
        list[str] | None,
        typer.Option(help="decision.made, case.decided ...; may be given again. All without it."),
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Register a webhook. Its secret is shown once: the receiver checks signatures with it.

    Example: yidai webhooks add https://bank.example/yidai --kind decision.made --kind case.decided
    """
    from serving.settings import Settings
    from serving.webhooks import operations

    found = operations.add(Settings.load(), url, kind or [])
    if as_json:
        show_json(found)
        return
    console.print(f"{found.endpoint_id} is told of {', '.join(found.kinds)}.", soft_wrap=True)
    typer.echo(found.secret)


@webhooks_app.command("list")
def list_webhooks(*, as_json: Json = False) -> None:
    """List webhooks, with what waits for them and what is dead."""
    from serving.settings import Settings
    from serving.webhooks import operations

    found = operations.some(Settings.load())
    if as_json:
        show_json(found)
        return
    rows = [(str(e.endpoint_id), e.url, ", ".join(e.kinds), e.waiting, e.dead) for e in found]
    show_table(f"{len(found)} webhooks", ("webhook", "url", "told of", "waiting", "dead"), rows)


@webhooks_app.command("deliveries")
def deliveries(
    webhook: Name,
    state: Annotated[str, typer.Option(help="waiting, delivered or dead; all without it.")] = "",
    most: Annotated[int, typer.Option(min=1, help="So many of the latest.")] = 50,
    *,
    as_json: Json = False,
) -> None:
    """List what a webhook was told, the newest first."""
    from features.errors import Invalid
    from serving.settings import Settings
    from serving.webhooks import operations
    from serving.webhooks.model import DeliveryState

    if state and state not in set(DeliveryState):
        raise Invalid(f"{state!r} is no state of a delivery.", remedy=f"States: {', '.join(DeliveryState)}.")
    found = operations.deliveries(Settings.load(), webhook, DeliveryState(state) if state else None, most)
    if as_json:
        show_json(found)
        return
    rows = [
        (str(d.delivery_id), d.kind, d.state.value, d.attempts, d.created_at[:19], d.error) for d in found
    ]
    show_table(f"{len(found)} deliveries", ("delivery", "kind", "state", "attempts", "since", "what"), rows)


@webhooks_app.command("rotate")
def rotate(webhook: Name, *, as_json: Json = False) -> None:
    """Give a webhook a new secret, shown once. For a day the one before it signs too."""
    from serving.settings import Settings
    from serving.webhooks import operations

    found = operations.rotate(Settings.load(), webhook)
    if as_json:
        show_json(found)
        return
    typer.echo(found.secret)


@webhooks_app.command("remove")
def remove(webhook: Name) -> None:
    """Tell a webhook nothing any more, also not what waits."""
    from serving.settings import Settings
    from serving.webhooks import operations

    operations.remove(Settings.load(), webhook)
    console.print(f"{webhook} is told nothing any more.")


@webhooks_app.command("test")
def try_out(webhook: Name, *, as_json: Json = False) -> None:
    """Send an event `webhook.test`; the worker does so within seconds."""
    from serving.settings import Settings
    from serving.webhooks import operations

    found = operations.try_out(Settings.load(), webhook)
    if as_json:
        show_json(found)
        return
    console.print(
        f"{found.delivery_id} waits for a worker: yidai webhooks deliveries {webhook}", soft_wrap=True
    )


@webhooks_app.command("replay")
def replay(
    webhook: Name,
    delivery: Annotated[UUID | None, typer.Argument(help="All that are dead without it.")] = None,
) -> None:
    """Tell a webhook once more: the same payload under the same id."""
    from serving.settings import Settings
    from serving.webhooks import operations

    console.print(f"{operations.replay(Settings.load(), webhook, delivery)} deliveries wait for a worker.")
