"""``yidai models fairness``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Protocol

import typer

from features.terminal import console, progress, show_json, show_table


class _Figure(Protocol):
    """What is shown of an interval; the type itself would load the learners."""

    @property
    def value(self) -> float:
        """The figure itself."""
        ...


Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def fairness(
    name: Annotated[str, typer.Argument(help="A version's digest (8 characters suffice), or a bundle.json.")],
    portfolio: Annotated[str, typer.Option(help="A portfolio.yaml, its folder, or a shipped name.")] = "city",
    policy: Annotated[
        Path | None, typer.Option(help="The policy whose grades and prices apply; the city's without it.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Where models go; the home's models without it.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """Test whether a model treats groups alike, and look for a less discriminatory alternative.

    Protected attributes are read for this purpose alone, and the read is logged.
    Example: yidai models fairness .yidai/models/city/risk/0a1b2c3d4e5f/bundle.json
    """
    from serving.governance.fairness import fairness_of
    from serving.policy.load import CITY
    from serving.settings import Settings
    from training.fairness_report import figures

    settings = Settings.load()
    with progress("testing fairness"):
        tested = fairness_of(settings, name, portfolio, policy or CITY, out or settings.home / "models")
    report = tested.report
    if as_json:
        show_json(
            {
                "page": tested.page,
                "twin": tested.twin,
                "figures": figures(report),
                "findings": report.findings,
            }
        )
        return
    lines = [
        (f"{one.attribute}: {one.group}", one.reference, f"{one.rows:,}", _told(one.impact, "{:.3f}"),
         _told(one.smd, "{:+.2f}"), _told(one.opportunity, "{:+.1%}"), _told(one.calibration, "{:.2f}"))
        for one in report.groups
    ]  # fmt: skip
    heads = ("group", "beside", "rows", "impact", "SMD", "goods approved", "PD / bad rate")
    show_table(f"{report.portfolio}.{report.model}: {report.rows:,} rows, {report.period}", heads, lines)
    for text in report.findings:
        console.print(f"  to look at: {text}", markup=False)
    console.print(f"{report.choice.chosen}: {report.choice.reason}", markup=False)
    console.print(f"Report: {tested.page}", soft_wrap=True)


def _told(figure: _Figure | None, form: str) -> str:
    return "-" if figure is None else form.format(figure.value)
