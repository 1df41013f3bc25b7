"""``yidai classes``: five-tier classes, stages and expected losses of a month."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.terminal import console, show_json, show_table

if TYPE_CHECKING:
    from serving.classes.document import RiskClass
    from serving.classes.movement import Provisions

classes_app = typer.Typer(
    help="Five-tier classes, stages and expected losses: propose a month, confirm, sum up.\n\n"
    "Rules are a file: see docs/classes.md. YIDAI_TOKEN says who is asking.",
    no_args_is_help=True,
)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Month = Annotated[str, typer.Option(help="Such as 2026-10; the last one without it.")]
Loan = Annotated[str, typer.Argument(help="The loan's id.")]


@classes_app.command("check")
def check(
    file: Annotated[Path, typer.Argument(help="Rules as .yaml.")],
    portfolio: Annotated[str, typer.Option(help="Whose features the rules may ask.")] = "city",
    *,
    as_json: Json = False,
) -> None:
    """Look for all that is wrong with rules: gaps, order, contradictions, weights, unknown values. Exit code 1 where some is."""
    from serving.classes import operations

    found = operations.check(file, portfolio)
    if as_json:
        show_json(found)
    else:
        if found:
            rows = [(f.place, f.problem, f.remedy) for f in found]
            show_table(str(file), ("place", "problem", "remedy"), rows)
        console.print(f"{len(found)} errors.")
    raise typer.Exit(1 if found else 0)


@classes_app.command("propose")
def propose(month: Month = "", *, as_json: Json = False) -> None:
    """Class every open loan at a month's end by what is in force. Again it changes nothing twice."""
    from serving.classes import operations
    from serving.settings import Settings

    found = operations.propose(Settings.load(), month)
    if as_json:
        show_json(found)
        return
    rows = [(name, f"{count:,}") for name, count in [*found.classes.items(), *found.stages.items()]]
    title = f"{found.month}: {found.loans:,} loans, {found.changed:,} new or changed, expected loss {_yuan(found.ecl_fen)} yuan"
    show_table(title, ("class or stage", "loans"), rows)
    for code, count in found.skipped.items():
        console.print(f"{code} could not be told of {count:,} loans.", markup=False)


@classes_app.command("list")
def list_classes(
    month: Month = "",
    *,
    risk_class: Annotated[str, typer.Option("--class", help="normal, special_mention, substandard, doubtful, loss.")] = "",
    unconfirmed: Annotated[bool, typer.Option("--unconfirmed", help="Only those that nobody confirmed.")] = False,
    after: Annotated[str, typer.Option(help="The page after this loan.")] = "",
    most: Annotated[int, typer.Option(min=1, max=100_000, help="So many loans.")] = 50,
    as_json: Json = False,
) -> None:  # fmt: skip
    """The classes of a month by loan."""
    from serving.classes import operations
    from serving.settings import Settings

    found = operations.some(Settings.load(), month, _class(risk_class), after, most, unconfirmed=unconfirmed)
    if as_json:
        show_json(found)
        return
    rows = [
        (
            r.loan_id, r.risk_class.zh, r.proposed.value, "yes" if r.confirmed else "", r.pending or "", r.stage,
            r.alert_level or "", r.dpd, _yuan(r.balance_fen), _yuan(r.ecl_fen), ", ".join(e["code"] for e in r.evidence),
        )
        for r in found.classes
    ]  # fmt: skip
    columns = ("loan", "class", "proposed", "confirmed", "waits", "stage", "alert", "days", "balance", "expected loss", "why")  # fmt: skip
    show_table(f"{len(rows)} classes of {found.month}, yuan", columns, rows)
    if found.next:
        console.print(f"More: --after {found.next}", markup=False)


@classes_app.command("show")
def show(loan: Loan, month: Month = "", *, as_json: Json = False) -> None:
    """One loan's class: why, expected loss, and what people did."""
    from serving.classes import operations
    from serving.settings import Settings

    view = operations.show(Settings.load(), loan, month)
    if as_json:
        show_json(view)
        return
    one = view.loan
    state = f"confirmed by {one.confirmed_by}" if one.confirmed else "not confirmed"
    held = f", kept by {one.held_by} (the rules say {one.raised.value})" if one.held_by else ""
    lines = [
        f"{one.month}: {one.risk_class.zh} ({one.risk_class.value}), {state}; proposed {one.proposed.value}{held}",
        f"waits for a second person: {one.pending.value}" if one.pending else "",
        f"stage {one.stage}, alert {one.alert_level or 'none'}, {one.dpd} days past due",
        (f"balance {_yuan(one.balance_fen)}, expected loss {_yuan(one.ecl_fen)} (12 months {_yuan(one.ecl_year_fen)}, "
        f"life {_yuan(one.ecl_life_fen)}), segment {one.segment}"),
        f"{one.months_clean} months without arrears, {one.periods_kept} due dates kept; version {one.version}",
    ]  # fmt: skip
    for line in filter(None, lines):
        console.print(line, markup=False)
    show_table(
        "Why",
        ("rule", "code", "依据", "evidence"),
        [(e["rule"], e["code"], e["zh"], e["en"]) for e in one.evidence],
    )
    events = [(e.at[:19], e.month, e.who or "", e.kind, e.to_class.value, e.reason) for e in view.events]
    show_table("What people did", ("when", "month", "who", "what", "class", "why"), events)


@classes_app.command("confirm")
def confirm(
    loan: Loan,
    risk_class: Annotated[str, typer.Argument(help="The class; the proposed one without it.")] = "",
    *,
    reason: Annotated[str, typer.Option(help="Why; needed for another class than proposed.")] = "",
    month: Month = "",
    version: Annotated[int | None, typer.Option("--version", help="The version that was read; else as it is now.")] = None,
) -> None:  # fmt: skip
    """Confirm a proposal, or set another class. A better one than proposed takes two people."""
    from serving.classes import operations
    from serving.classes.model import Ruling
    from serving.settings import Settings

    settings = Settings.load()
    wanted = _class(risk_class) or operations.show(settings, loan, month).loan.proposed
    done = operations.confirm(settings, loan, Ruling(wanted, reason, month, version))
    waits = f"; {done.pending.value} waits for a second person" if done.pending else ""
    console.print(f"{done.month}: {done.risk_class.value}, version {done.version}{waits}.", markup=False)


@classes_app.command("provisions")
def provisions(month: Month = "", *, as_json: Json = False) -> None:
    """Expected loss by class and stage, coverage, and where it came from since the month before."""
    from serving.classes import operations
    from serving.settings import Settings

    found = operations.summary(Settings.load(), month)
    if as_json:
        show_json(found)
        return
    _sums(found)
    names = ("opening", "new", "moved_in", "moved_out", "remeasured", "written_off", "repaid", "closing")
    rows = [(f"stage {m.stage}", *(_yuan(getattr(m, name)) for name in names)) for m in found.movement]
    if rows:
        total = [sum(getattr(m, name) for m in found.movement) for name in names]
        show_table(f"From {found.before}, yuan", ("", *names), [*rows, ("all", *map(_yuan, total))])


def _sums(found: Provisions) -> None:
    rows = [
        (one.name, f"{one.loans:,}", _yuan(one.balance_fen), _yuan(one.ecl_fen), _share(one.coverage))
        for one in (*found.classes, *found.stages, found.total)
    ]
    title = f"{found.month}: {found.unconfirmed:,} classes are not confirmed; yuan"
    show_table(title, ("class or stage", "loans", "balance", "expected loss", "coverage"), rows)
    console.print(
        f"Non-performing {_share(found.npl_ratio)}, covered {_share(found.npl_coverage)}.", markup=False
    )


def _class(text: str) -> RiskClass | None:
    from serving.classes.document import RiskClass
    from serving.loans.paging import chosen

    return chosen(RiskClass, text, "class")


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.2%}"


def _yuan(fen: int) -> str:
    return f"{fen / 100:,.2f}"
