"""``yidai offers``: what is promised, until when, and what of it is drawn."""

from __future__ import annotations

from typing import Annotated

import typer

from features.terminal import console, show_json, show_table

offers_app = typer.Typer(help="Offers and lines: what is promised, and until when.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@offers_app.command("list")
def list_offers(
    *,
    state: Annotated[
        list[str] | None, typer.Option(help="open, accepted, declined, expired; may be repeated.")
    ] = None,
    due_days: Annotated[
        int | None, typer.Option(min=0, help="Only lines to be approved anew within so many days.")
    ] = None,
    most: Annotated[int, typer.Option(min=1, max=1_000, help="The first so many.")] = 50,
    as_json: Json = False,
) -> None:
    """Offers and lines, the first to end first."""
    from features.calendar import iso
    from features.errors import Invalid
    from serving.offers import operations
    from serving.offers.model import OfferState
    from serving.settings import Settings

    for name in state or ():
        if name not in set(OfferState):
            known = ", ".join(OfferState)
            raise Invalid(f"there is no state {name!r}.", place="--state", remedy=f"States: {known}.")
    found = operations.offers(Settings.load(), [OfferState(name) for name in state or ()], due_days, most)
    if as_json:
        show_json(found)
        return
    rows = [
        (
            o.decision_id, "frozen" if o.frozen_at else o.state.value, o.product, f"{o.limit_fen / 100:,.2f}",
            f"{o.drawn_fen / 100:,.2f}", iso(o.line_until or o.valid_to - 1)[:10], ", ".join(o.frozen_for),
        )
        for o in found
    ]  # fmt: skip
    show_table(
        f"{len(found)} offers", ("decision", "state", "product", "limit", "drawn", "until", "why"), rows
    )


@offers_app.command("show")
def show(
    decision: Annotated[
        str, typer.Argument(help="The decision that offers; the beginning of its id suffices.")
    ],
    *,
    as_json: Json = False,
) -> None:
    """One offer: where it stands, what must be disclosed, every payment."""
    from serving.offers import operations
    from serving.settings import Settings

    found = operations.show(Settings.load(), decision)
    if as_json:
        show_json(found)
        return
    told = found.disclosure
    console.print(
        f"[bold]{found.state}[/], {found.limit_fen / 100:,.2f} yuan (bound by {found.bound_by}), "
        f"until {found.line_until or found.valid_to}{', frozen' * bool(found.frozen_at)}"
    )
    for name in ("lender", "annual_rate_ppm", "all_in_annual_ppm"):
        console.print(f"{name}: {getattr(told, name)}", markup=False)
    for text in (told.collection, told.complaint, told.liability):
        console.print(f"{text.zh} {text.en}", markup=False)
    payments = [
        (p.month, p.principal_fen / 100, p.interest_fen / 100, p.fee_fen / 100, p.balance_fen / 100)
        for p in told.repayment.payments
    ]
    show_table("Payments, yuan", ("month", "principal", "interest", "fee", "owed after"), payments)
    drawn = [(d.drawn_at, d.amount_fen / 100, d.left_fen / 100, d.linked_id) for d in found.drawdowns]
    show_table("Drawn, yuan", ("when", "amount", "left", "decision"), drawn)
