"""``yidai cases`` and ``yidai overrides``: the risk officer's queue, and what an auditor asks of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from features.terminal import console, show_json, show_table

cases_app = typer.Typer(help="Decisions that wait for a person.", no_args_is_help=True)
overrides_app = typer.Typer(help="What people decided otherwise than the system.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
_LEVELS = ("", "overdue", "a week overdue")
Case = Annotated[str, typer.Argument(help="The case's id; its beginning suffices.")]


def add_to(app: typer.Typer) -> None:
    """Put both groups under the console command."""
    app.add_typer(cases_app, name="cases")
    app.add_typer(overrides_app, name="overrides")


@cases_app.command("list")
def list_cases(
    *,
    state: Annotated[
        list[str] | None, typer.Option(help="open, taken, awaiting_second, decided; may be repeated.")
    ] = None,
    product: Annotated[str, typer.Option(help="Only cases of this product.")] = "",
    due_before: Annotated[str, typer.Option(help="Only cases due before then, such as 2026-01-31.")] = "",
    overdue: Annotated[bool, typer.Option("--overdue", help="Only those whose time is over.")] = False,
    most: Annotated[int, typer.Option(min=1, max=1_000, help="The first so many.")] = 50,
    as_json: Json = False,
) -> None:
    """The queue, the first due first."""
    from features.calendar import NEVER, instant, iso
    from features.errors import Invalid
    from serving.cases import operations
    from serving.cases.api import told
    from serving.cases.model import CaseState
    from serving.cases.repository import Wanted
    from serving.settings import Settings

    for name in state or ():
        if name not in set(CaseState):
            known = ", ".join(CaseState)
            raise Invalid(f"there is no state {name!r}.", place="--state", remedy=f"States: {known}.")
    states = tuple(CaseState(name) for name in state or ())
    before = instant(due_before) if due_before else NEVER
    wanted = Wanted(states, product or None, before, most=most)
    found = operations.cases(Settings.load(), wanted, overdue=overdue)
    if as_json:
        show_json([told(case) for case in found])
        return
    rows = [
        (
            c.case_id, iso(c.due_at)[:10], _LEVELS[c.level], c.state.value, c.product or "", "" if c.amount_fen is None else f"{c.amount_fen / 100:,.2f}",
            c.grade or "", ", ".join(c.codes), c.taken_by or "",
        )
        for c in found
    ]  # fmt: skip
    columns = ("case", "due", "late", "state", "product", "yuan", "grade", "why", "taken by")
    show_table(f"{len(found)} cases", columns, rows)


@cases_app.command("show")
def show(case: Case, *, as_json: Json = False) -> None:
    """One case: the decision, why, the facts that count, what the applicant says, what may be granted."""
    from serving.cases import operations
    from serving.cases.api import told_view
    from serving.settings import Settings

    view = operations.show(Settings.load(), case)
    if as_json:
        show_json(told_view(view))
        return
    evidence, decision = view.evidence, view.evidence.decision
    asked = evidence.asked
    said = f"[bold]{decision['outcome']}[/], grade {decision.get('grade')}, {asked['product']}, {asked['amount_fen'] / 100:,.2f} yuan"
    console.print(f"{said}, {asked['term_months']} months")
    reasons = [(one["code"], one["kind"], one["zh"], one["en"]) for one in decision["reasons"]]
    show_table("Reasons", ("code", "kind", "", ""), reasons)
    struck = [(r.id, r.effect, _stated(r.expected), ", ".join(map(str, r.actual))) for r in evidence.rules]
    show_table("Rules that struck", ("rule", "effect", "strikes where", "found"), struck)
    facts = [(f.feature, f.zh, f.en, f.value, f.log_odds / 1e9) for f in evidence.facts]
    show_table("Facts that count", ("feature", "", "", "value", "adds to the logit"), facts)
    says = [(one.dataset, "statement", one.text) for one in evidence.statements]
    says += [(one.dataset, f"disputed, {one.verdict or 'open'}", one.ground) for one in evidence.disputes]
    show_table("What the applicant says", ("dataset", "", "text"), says)
    bounds = evidence.bounds
    console.print(f"Consent: {evidence.consent.state}. {evidence.consent.en}", markup=False)
    console.print(
        f"May be granted: {bounds.least_fen} to {bounds.most_fen} fen, up to {bounds.most_rate_ppm} ppm a year."
        if not bounds.hard
        else f"May not be approved by anybody: {', '.join(bounds.hard)}."
    )
    if view.cap_left_fen is not None:
        console.print(f"Left of the household's cap: {view.cap_left_fen} fen.")
    console.print(f"seen: {view.seen}")


def _stated(expected: Sequence[dict[str, Any]]) -> str:
    return ", ".join(f"{each['fact']} {each['op']} {each['value']}" for each in expected)


@cases_app.command("take")
def take(
    case: Case,
    *,
    over: Annotated[bool, typer.Option("--over", help="From somebody else; it is logged.")] = False,
) -> None:
    """Take a case: who has taken it decides it."""
    from serving.cases import operations
    from serving.settings import Settings

    done = operations.take(Settings.load(), case, over=over)
    console.print(f"Taken by {done.taken_by}.")


@cases_app.command("decide")
def decide(
    case: Case,
    outcome: Annotated[str, typer.Argument(help="approve or decline.")],
    code: Annotated[str, typer.Option(help="A reason code of serving/cases/reasons.yaml.")],
    reason: Annotated[str, typer.Option(help="What you saw and why it counts.")],
    seen: Annotated[str, typer.Option(help="The digest that `yidai cases show` gave.")],
    *,
    limit_fen: Annotated[int, typer.Option(help="What is granted, in fen.")] = 0,
    rate_ppm: Annotated[int, typer.Option(help="The rate in ppm a year.")] = 0,
    as_json: Json = False,
) -> None:
    """Decide a case; above an amount it waits for a second person."""
    from features.errors import Invalid
    from serving.cases import operations
    from serving.cases.api import told
    from serving.cases.model import PersonOutcome, Terms, Verdict
    from serving.settings import Settings

    if outcome not in set(PersonOutcome):
        raise Invalid(
            f"{outcome!r} is no outcome.", place="outcome", remedy=f"Outcomes: {', '.join(PersonOutcome)}."
        )
    terms = Terms(limit_fen, rate_ppm) if outcome == PersonOutcome.APPROVE else None
    verdict = Verdict(PersonOutcome(outcome), code, reason, seen, terms)
    done = operations.decide(Settings.load(), case, verdict)
    if as_json:
        show_json(told(done))
        return
    waits = "It waits for a second person: yidai cases second." if done.linked_id is None else ""
    console.print(f"{done.state.value}: {done.linked_id or ''} {waits}", markup=False)


@cases_app.command("second")
def second(
    case: Case,
    seen: Annotated[str, typer.Option(help="The digest that `yidai cases show` gave.")],
    *,
    send_back: Annotated[bool, typer.Option("--send-back", help="Do not agree: back to the queue.")] = False,
) -> None:
    """Agree with what another person has proposed, or send it back."""
    from serving.cases import operations
    from serving.settings import Settings

    done = operations.second(Settings.load(), case, seen, agree=not send_back)
    console.print(f"{done.state.value}: {done.linked_id or 'back in the queue'}")


@overrides_app.command("export")
def export(
    out: Annotated[Path, typer.Option(help="Where the JSON document goes.")],
    since: Annotated[
        str, typer.Option(help="From then on, such as 2026-01-01; else from the first decision on.")
    ] = "",
    until: Annotated[str, typer.Option(help="Before then; else until now.")] = "",
) -> None:
    """Override statistics as a file: at models/PORTFOLIO/overrides.json of the home, its next reports tell them."""
    import msgspec

    from features.calendar import instant
    from serving.cases import operations
    from serving.settings import Settings

    found = operations.overrides(
        Settings.load(), instant(since) if since else None, instant(until) if until else None
    )
    out.write_bytes(msgspec.json.format(msgspec.json.encode(found)) + b"\n")
    console.print(
        f"{found.overrides} overrides in {found.reviewed} reviewed cases of {found.decisions} decisions."
    )
