"""``yidai loans``: where loans stand, one or all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from features.terminal import console, show_json, show_table

if TYPE_CHECKING:
    from serving.loans.model import LoanView

loans_app = typer.Typer(help="The loan book: what is due, paid and overdue.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
AsOf = Annotated[str, typer.Option(help="As it was known then: an ISO date or date-time; now, if not given.")]
_COLOURS = {"0": "green", "1-30": "yellow", "31-60": "dark_orange", "61-90": "red", "90+": "bold red"}


@loans_app.command("show")
def show(
    loan: Annotated[str, typer.Argument(help="The loan's id.")], *, as_of: AsOf = "", as_json: Json = False
) -> None:
    """One loan: every due date with what is paid and owed, what happened, what the book did not take."""
    from features.calendar import instant
    from serving.loans import operations
    from serving.settings import Settings

    found = operations.show(Settings.load(), loan, instant(as_of) if as_of else None)
    if as_json:
        show_json(found)
        return
    _head(found)
    lines = [
        (x.due_on, _yuan(x.due.total_fen), _yuan(x.paid.total_fen), _yuan(x.owed.total_fen), x.settled_on or "")
        for x in found.lines
    ]  # fmt: skip
    show_table(f"{len(lines)} due dates, yuan", ("due", "asked", "paid", "owed", "settled"), lines)
    events = [
        (e.at[:19], e.kind.value, _yuan(e.amount_fen), e.known_from[:19], e.event_id) for e in found.events
    ]
    show_table(
        f"{len(events)} events, {found.currency}", ("when", "what", "amount", "known from", "event"), events
    )
    for refused in found.refused:
        console.print(
            f"[red]not taken[/]: {refused.event_id} ({refused.code}): {refused.why} {refused.remedy}"
        )


@loans_app.command("book")
def book(
    *,
    as_of: AsOf = "",
    bucket: Annotated[str, typer.Option(help="Only open loans of this band: 0, 1-30, 31-60, 61-90, 90+.")] = "",
    state: Annotated[str, typer.Option(help="Only loans in this state: active, settled, charged_off, undrawn.")] = "",
    after: Annotated[str, typer.Option(help="The page after this loan.")] = "",
    most: Annotated[int, typer.Option(min=1, max=100_000, help="So many loans.")] = 50,
    as_json: Json = False,
) -> None:  # fmt: skip
    """The whole book by loan, with days past due, bands and what is overdue."""
    from features.calendar import instant
    from features.loans.model import Bucket, State
    from serving.loans import operations
    from serving.loans.paging import Wanted, chosen
    from serving.settings import Settings

    wanted = Wanted(
        instant(as_of) if as_of else None, chosen(Bucket, bucket, "--bucket"), chosen(State, state, "--state"),
        after, most,
    )  # fmt: skip
    found = operations.book(Settings.load(), wanted)
    if as_json:
        show_json(found)
        return
    rows = [
        (
            r.loan_id, r.state, f"[{_COLOURS[r.bucket]}]{r.bucket}[/]", r.dpd, _yuan(r.overdue_fen),
            _yuan(r.balance_fen), r.mob, r.times_late,
        )
        for r in found.rows
    ]  # fmt: skip
    title = f"{found.loans:,} loans as of {found.as_of[:10]}: {_yuan(found.balance_fen)} yuan on the book, {_yuan(found.overdue_fen)} overdue"
    columns = ("loan", "state", "band", "days past due", "overdue", "balance", "months", "times late")
    show_table(title, columns, rows)
    if found.after:
        console.print(f"More: --after {found.after}", markup=False)


def _head(found: LoanView) -> None:
    colour = _COLOURS[found.bucket]
    console.print(
        f"[bold]{found.state}[/] as of {found.as_of[:10]}: [{colour}]{found.dpd} days past due[/], "
        f"{_yuan(found.overdue.total_fen)} overdue of {_yuan(found.owed.total_fen)} owed, "
        f"balance {_yuan(found.balance_fen)} {found.currency}, {found.times_late} times late"
    )


def _yuan(fen: int) -> str:
    return f"{fen / 100:,.2f}"
