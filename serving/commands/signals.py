"""``yidai signals``: what a risk officer does with early-warning signals, from a file to the day on which they begin."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from features.calendar import instant, iso
from features.terminal import console, progress, show_json, show_table

signals_app = typer.Typer(
    help="Early-warning signals: check, back-test, submit, approve by another person, activate at a date, roll back.\n\n"
    "Signals are a file: see docs/signals.md. YIDAI_TOKEN says who is asking.",
    no_args_is_help=True,
)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
File = Annotated[Path, typer.Argument(help="Signals as .yaml, or as the .json that was stored.")]
Digest = Annotated[str, typer.Argument(help="The version's digest; its first 8 characters suffice.")]
Named = Annotated[str, typer.Argument(help="A file, the slot signals, or a digest.")]
Portfolio = Annotated[str, typer.Option(help="Whose features the signals may ask.")]


@signals_app.command("check")
def check(file: File, portfolio: Portfolio = "city", *, as_json: Json = False) -> None:
    """Look for all that is wrong with signals: gaps, overlaps, levels nothing reaches, unknown values, missing texts.

    Exit code 1 where they may not be used. Example: yidai signals check serving/watch/signals.yaml
    """
    from serving.watch.trying import check as examine

    found = examine(file, portfolio)
    if as_json:
        show_json(found)
    else:
        if found:
            show_table(
                str(file), ("place", "problem", "remedy"), [(f.place, f.problem, f.remedy) for f in found]
            )
        console.print(f"{len(found)} errors.")
    raise typer.Exit(1 if found else 0)


@signals_app.command("submit")
def submit(
    file: File, note: Annotated[str, typer.Option(help="What a second person should know of it.")] = ""
) -> None:
    """Store signals as a draft, to be approved by somebody else."""
    from serving import operations
    from serving.registry.model import Kind
    from serving.settings import Settings

    data = operations.document_of(Kind.SIGNALS, str(file))
    name = operations.submit(Settings.load(), Kind.SIGNALS, data, note)
    console.print(f"signals {name} wait for a second person.")
    console.print(f"Next, as another person: yidai signals approve {name[:12]}")


@signals_app.command("approve")
def approve(
    digest: Digest,
    reason: Annotated[str, typer.Option(help="Why: kept with the verdict.")] = "",
    *,
    refuse: Annotated[bool, typer.Option("--refuse", help="Say no instead: they never begin.")] = False,
) -> None:
    """Say yes (or no) to signals of somebody else. Their author may not."""
    from serving import operations
    from serving.settings import Settings

    operations.approve(Settings.load(), digest, refused=refuse, reason=reason)
    console.print(f"{digest[:12]} is {'refused' if refuse else 'approved'}.")


@signals_app.command("activate")
def activate(
    digest: Digest,
    begin: Annotated[str, typer.Option("--from", help="A later day or moment; now without it.")] = "",
) -> None:
    """Put approved signals in force, now or from a later day on; those in force until then end then."""
    from serving.settings import Settings
    from serving.watch import trying

    done = trying.activate(Settings.load(), digest, instant(begin) if begin else None)
    for where, name in done.slots.items():
        console.print(f"{where} is {name[:12]} from {begin or 'now'} on.")


@signals_app.command("rollback")
def rollback() -> None:
    """Call off what is to begin later, or put in force again what was in force before."""
    from serving import operations
    from serving.settings import Settings

    for where, name in operations.rollback(Settings.load(), "signals").slots.items():
        console.print(f"{where} is {name[:12]}.")


@signals_app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="A file, the slot signals, or a digest.")] = "",
    out: Annotated[Path | None, typer.Option(help="Write them there as YAML.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """Show the signals in force and those that are to begin; with a name or --out the rules of one version."""
    from serving.settings import Settings
    from serving.watch import trying

    if not name and out is None:
        found = trying.standing(Settings.load())
        cells = [
            (one.digest[:12], len(one.document.signals), iso(one.since), iso(one.until) if one.until else "")
            for one in found
        ]
        if as_json:
            show_json([dict(zip(("digest", "signals", "from", "to"), row, strict=True)) for row in cells])
        else:
            show_table("signals", ("digest", "signals", "from", "to"), cells)
        return
    version = trying.version_of(Settings.load(), name or "signals")
    if out is not None:
        trying.write(version, out)
        console.print(f"{out} are the signals {version.digest[:12]}.")
    elif as_json:
        show_json(version.document)
    else:
        rows = [
            (s.number or "", s.code, s.zh, s.en, s.group.value, " ".join(level.level.value for level in s.levels))
            for s in version.document.signals
        ]  # fmt: skip
        show_table(f"signals {version.digest[:12]}", ("#", "code", "名称", "name", "group", "levels"), rows)


@signals_app.command("diff")
def diff(before: Named, after: Named, *, as_json: Json = False) -> None:
    """Tell how two versions differ, signal by signal. Example: yidai signals diff signals mine.yaml"""
    from serving.settings import Settings
    from serving.watch import trying

    settings = Settings.load()
    one, other = (trying.version_of(settings, name).document for name in (before, after))
    found = trying.differences(one, other)
    if as_json:
        show_json(found)
        return
    for line in found:
        console.print(line, markup=False, soft_wrap=True)
    console.print(f"{len(found)} differences.")


@signals_app.command("backtest")
def backtest(
    signals: Annotated[
        str, typer.Option(help="The signals to try: a file, the slot signals, or a digest.")
    ] = "signals",
    against: Annotated[
        str, typer.Option(help="Signals to compare with, named likewise; nothing without it.")
    ] = "",
    portfolio: Annotated[str, typer.Option(help="Whose loans.")] = "city",
    first: Annotated[str, typer.Option("--from", help="The first day; a year before --to without it.")] = "",
    last: Annotated[
        str, typer.Option("--to", help="The last day; a year before the last record without it.")
    ] = "",
    out: Annotated[Path | None, typer.Option(help="Write the page for the committee here, as .html.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """Run signals over past months before they go live: alerts a month, defaults seen ahead, precision, lead.

    Example: yidai signals backtest --signals mine.yaml --against signals --out signals.html
    """
    from features.files import put_file
    from serving.settings import Settings
    from serving.watch.page import NAMES, lines, render
    from serving.watch.trying import run_backtest

    with progress("back-test of signals") as step:
        settings = Settings.load()
        found = run_backtest(settings, portfolio, signals, first, last, step)
        before = run_backtest(settings, portfolio, against, first, last, step) if against else None
    if out is not None:
        put_file(out, render(found, before).encode())
    if as_json:
        show_json({"after": found, "before": before})
        return
    title = f"{found.loan_months:,} loan-months, {found.first} to {found.last}, {found.defaults} defaults"
    show_table(title, NAMES, lines((*found.totals, *found.lines)))
    if before is not None:
        show_table(f"before: {before.digest[:12]}", NAMES, lines(before.totals))
    if out is not None:
        console.print(f"The page: {out}")


@signals_app.command("derive")
def derive(*, as_json: Json = False) -> None:
    """Derive what only a join shows (money that comes back, one payee or payer of many) into the timeline.

    Again it stores nothing twice.
    """
    from serving import operations
    from serving.settings import Settings

    stored = operations.derive(Settings.load())
    if as_json:
        show_json({"stored": stored})
        return
    console.print(f"{stored} events of conduct were stored.")


@signals_app.command("docs")
def write_docs(
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("docs/reference/signals.md"),
) -> None:
    """Write the reference page of the shipped signals anew from the data."""
    from features.contracts.documents import read_yaml
    from serving.watch.reference import signals_page
    from serving.watch.signals import SHIPPED, SignalsDocument

    out.write_text(signals_page(read_yaml(SHIPPED, SignalsDocument)), encoding="utf-8")
    console.print(f"wrote [bold]{out}[/]")
