"""Answers as a person wants to read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from serving.watch.service import WatchReport

OUTCOMES = {
    "approve": ("批准 approved", "green"),
    "refer": ("人工复核 referred to a person", "yellow"),
    "decline": ("拒绝 declined", "red"),
}
LEVELS = {"red": "bold red", "orange": "dark_orange", "yellow": "yellow"}
UNIT = 1_000_000_000
BAR = 24


def masked(number: str) -> str:
    """A number of which nobody can be found."""
    return f"{number[:4]}{'*' * (len(number) - 6)}{number[-2:]}"


def yuan(fen: int) -> str:
    """An amount for people."""
    return f"{fen / 100:,.0f} yuan" if fen % 100 == 0 else f"{fen / 100:,.2f} yuan"


def decision_panel(number: str, asked: Mapping[str, Any], answer: Mapping[str, Any]) -> Panel:
    """One decision: outcome, terms, reasons in both languages, and the sum that proves the score."""
    text, colour = OUTCOMES[answer["outcome"]]
    stream = "，random stream" if answer["stream"] == "random" else ""
    parts: list[RenderableType] = [Columns([_terms(asked, answer), _offer(answer)], padding=(0, 6))]
    if answer["reasons"]:
        parts += [Text(), _reasons(answer["reasons"])]
    parts += [Text(), _score(answer)]
    title = f"[bold {colour}]{text}{stream}[/] · {masked(number)}"
    return Panel(Group(*parts), title=title, title_align="left", border_style=colour, padding=(1, 2))


def _terms(asked: Mapping[str, Any], answer: Mapping[str, Any]) -> Table:
    table = _plain()
    table.add_row("asked for 申请", f"{float(asked['amount_yuan']):,.0f} yuan, {asked['term_months']} months")
    table.add_row("grade 等级", f"{answer['grade']} of 10")
    table.add_row("PD 违约概率", f"{answer['pd']:.2%} within a year")
    if answer["missing_sources"]:
        table.add_row("not read 未取数", ", ".join(answer["missing_sources"]))
    return table


def _offer(answer: Mapping[str, Any]) -> Table:
    table, offer = _plain(), answer["offer"]
    if offer is None:
        return table
    table.add_row("limit 额度", f"{yuan(offer['limit_fen'])} (bound by {offer['bound_by']})")
    table.add_row("rate 年利率", f"{offer['annual_rate_ppm'] / 10_000:.2f} % a year, all in")
    table.add_row(
        "instalment 月供", f"{yuan(offer['instalment_fen'])} a month, {offer['term_months']} months"
    )
    return table


def _reasons(reasons: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=True, header_style="dim")
    table.add_column("reason 原因")
    table.add_column("share")
    for reason in reasons:
        share = reason["share"]
        bar = "" if share is None else "█" * max(1, round(share * BAR)) + f" {share:.0%}"
        table.add_row(f"{reason['zh']}\n[dim]{reason['en']}[/]", bar or f"[dim]{reason['kind']}[/]")
    return table


def _score(answer: Mapping[str, Any]) -> Text:
    score = answer["score"]
    scored = [reason["log_odds"] for reason in answer["reasons"] if reason["log_odds"] is not None]
    terms = "".join(f" {value / UNIT:+.4f}" for value in [*scored, score["other"]])
    return Text(
        f"log-odds {score['log_odds'] / UNIT:+.4f} = base {score['base'] / UNIT:+.4f}{terms} "
        f"(reasons, then all other features; exact to 1e-9)",
        style="dim",
    )


def prefill_table(known: Mapping[str, Any], most: int = 3) -> Table:
    """The application at a glance: each part with a few values, its source and since when it is known."""
    table = Table(
        title="prefill 预填: what the applicant need not type", title_justify="left", header_style="bold"
    )
    for name in ("part", "source", "known since", "values"):
        table.add_column(name)
    if known["person"]:
        table.add_row("本人 [dim]person[/]", "", "", _told(known["person"]))
    for section in known["sections"]:
        title = f"{section['zh']} [dim]{section['en']}[/]"
        for record in section["records"][:most]:
            values = "\n".join(_told(row[:4]) for row in record["values"])
            mark = " [yellow]disputed 异议[/]" if record["disputed"] else ""
            table.add_row(title, record["zh"] + mark, record["known_from"][:10], values)
            title = ""
        if not section["records"]:
            kinds = sorted({each["why"] for each in section["missing"]})
            table.add_row(title, f"[dim]{', '.join(kinds)}[/]", "", "")
    return table


def _told(values: Sequence[Mapping[str, str]]) -> str:
    return ", ".join(f"{v['en']} {v['value']}{' ' + v['unit'] if v['unit'] else ''}" for v in values)


def alert_table(alerts: Sequence[Mapping[str, str]], title: str) -> Table:
    """Alerts with the sentence that proves each, and the next step."""
    table = Table(title=title, title_justify="left", header_style="bold")
    for name in ("level", "loan 贷款", "signal", "evidence 依据", "next step 建议"):
        table.add_column(name)
    for alert in alerts:
        level = alert["level"]
        table.add_row(
            f"[{LEVELS[level]}]{level}[/]", alert["loan"], alert["signal"], f"{alert['zh']}\n[dim]{alert['en']}[/]",
            f"{alert['action_zh']}\n[dim]{alert['action_en']}[/]",
        )  # fmt: skip
    return table


def _plain() -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim")
    table.add_column()
    return table


def watch_summary(report: WatchReport, most: int = 5) -> Group:
    """What one run of the watch saw, the gravest alerts first."""
    told = zip(report.hits, report.about, strict=True)
    hits = sorted(told, key=lambda pair: (list(LEVELS).index(pair[0].level.value), pair[1]))
    rows = [
        {"level": hit.level.value, "loan": loan, "signal": hit.signal, "zh": hit.evidence_zh, "en": hit.evidence_en,
         "action_zh": hit.action_zh, "action_en": hit.action_en}
        for hit, loan in hits[:most]
    ]  # fmt: skip
    levels = ", ".join(f"[{LEVELS[level]}]{count} {level}[/]" for level, count in report.by_level.items())
    skipped, refused = (
        ", ".join(f"{name} {count}" for name, count in each.items() if count) or "none"
        for each in (report.skipped, report.not_authorised)
    )
    lines = [
        f"{report.loans:,} open loans, {len(report.hits):,} signals ({levels}); {report.raised:,} alerts are new.",
        f"[dim]Skipped because a source knows nothing of the borrower: {skipped}.[/]",
        f"[dim]NOT_AUTHORISED, for lack of the borrower's consent for after the loan: {refused}.[/]",
    ]
    shown = alert_table(rows, f"the {len(rows)} gravest") if rows else Text()
    return Group(*(Text.from_markup(line) for line in lines), shown)
