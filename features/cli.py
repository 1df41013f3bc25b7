"""Commands over what is known: the sample city, contracts and the feature catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from features.terminal import console, progress, show_json, show_table

city_app = typer.Typer(help="A synthetic city whose true risk is known.", no_args_is_help=True)
features_app = typer.Typer(help="The feature catalogue and its lineage.", no_args_is_help=True)


@city_app.command("make")
def make(
    out: Annotated[Path, typer.Option(help="The folder to write; city.json is written last.")],
    households: Annotated[int, typer.Option(min=20, help="Number of households.")] = 5_000,
    months: Annotated[int, typer.Option(min=36, max=120, help="Months of applications and records.")] = 48,
    seed: Annotated[int, typer.Option(help="Another seed gives other people in the same economy.")] = 1,
    *,
    shifted: Annotated[bool, typer.Option(help="Another economy: other base rates and transitions.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Write a sample city: feeds, applications, loans, payments and, apart, the truth.

    The truth folder holds each household's true risk and the exact filter; no training code reads it.
    """
    from features.city.make import make_city

    with progress("making the city") as step:
        summary = make_city(
            out, households=households, months=months, seed=seed, shifted=shifted, progress=step
        )
    if as_json:
        show_json(summary)
        return
    console.print(f"[bold]{out}[/] is a city: {summary}")
    console.print(f"Next: yidai ingest {out}")


@features_app.command("list")
def list_features(
    dataset: Annotated[str, typer.Option(help="Only features of this dataset.")] = "",
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the shipped feature columns with sign, names, rationale and the reason they are told under."""
    from features.contracts.load import BUILTIN as CONTRACTS
    from features.definitions.plan import BUILTIN as DEFINITIONS
    from features.definitions.plan import load_plan

    plan = load_plan([CONTRACTS], [DEFINITIONS])
    chosen = [column for column in plan.columns if not dataset or dataset in column.dataset.split("+")]
    if as_json:
        show_json(chosen)
        return
    rows = [(c.name, c.dataset, f"{c.sign:+d}" if c.sign else "free", c.zh, c.en, c.reason) for c in chosen]
    show_table(
        f"{len(chosen)} columns, definitions {plan.digest[:12]}",
        ("column", "dataset", "risk", "名称", "name", "reason"),
        rows,
    )


@features_app.command("docs")
def write_docs(
    out: Annotated[Path, typer.Option(help="The folder of the pages.")] = Path("docs/reference"),
) -> None:
    """Write the reference pages of contracts, features and departments anew from the data."""
    from features.catalogue.load import load_catalogue
    from features.catalogue.page import departments_page
    from features.contracts.load import BUILTIN as CONTRACTS
    from features.contracts.load import load_contracts
    from features.definitions.plan import BUILTIN as DEFINITIONS
    from features.definitions.plan import load_plan
    from features.reference import contracts_page, features_page

    contracts = load_contracts([CONTRACTS])
    plan = load_plan([CONTRACTS], [DEFINITIONS])
    pages = {
        "contracts": contracts_page(contracts),
        "features": features_page(plan),
        "departments": departments_page(load_catalogue(contracts), contracts, plan.columns),
    }
    out.mkdir(parents=True, exist_ok=True)
    for name, page in pages.items():
        (out / f"{name}.md").write_text(page, encoding="utf-8")
        console.print(f"wrote [bold]{out / name}.md[/]")
