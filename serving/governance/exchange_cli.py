"""``yidai models export``, ``yidai models import`` and ``yidai models expert``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from features.terminal import console, show_json

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def export_model(
    name: Annotated[str, typer.Argument(help="A version's digest (8 characters suffice), or a bundle.json.")],
    form: Annotated[Literal["sql", "json"], typer.Option("--format", help="What to write.")] = "json",
    dialect: Annotated[
        Literal["postgres", "duckdb"], typer.Option(help="Of SQL: for which engine.")
    ] = "postgres",
    table: Annotated[str, typer.Option(help="Of SQL: the table of features.")] = "features",
    out: Annotated[
        Path | None, typer.Option(help="The file; model.sql, model.json or dossier.zip without it.")
    ] = None,
    *,
    dossier: Annotated[
        bool,
        typer.Option("--dossier", help="The archive of all that is known of a registered version, instead."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Write a model as SQL that gives its exact scores, or as JSON with rows that reach every bound of it.

    Example: yidai models export 0a1b2c3d --format sql --dialect duckdb --out risk.sql
    """
    from serving.governance.exchange import Format, export
    from serving.settings import Settings
    from training.sql import Dialect

    if dossier:
        _dossier(name, out or Path("dossier.zip"), as_json=as_json)
        return
    path = out or Path(f"model.{form}")
    size = export(Settings.load(), name, Format(form), Dialect(dialect), table, path)
    if as_json:
        show_json({"out": path, "bytes": size, "format": form})
        return
    console.print(f"{path}: {size:,} bytes", soft_wrap=True)


def _dossier(name: str, out: Path, *, as_json: bool) -> None:
    from serving.governance.dossier import dossier
    from serving.settings import Settings

    files = dossier(Settings.load(), name, out)
    if as_json:
        show_json({"out": out, "bytes": out.stat().st_size, "files": files})
        return
    console.print(f"{out}: {out.stat().st_size:,} bytes, {', '.join(files)}", soft_wrap=True)


def import_model(
    file: Annotated[
        Path, typer.Argument(help="What Booster.save_model wrote, or a logistic regression as JSON.")
    ],
    portfolio: Annotated[str, typer.Option(help="A portfolio.yaml, its folder, or a shipped name.")],
    reasons: Annotated[Path, typer.Option(help="reasons.yaml: the feature and reason of each column.")],
    name: Annotated[str, typer.Option(help="The model's name, and its slot: bundle.NAME.")] = "challenger",
    out: Annotated[Path | None, typer.Option(help="Where models go; the home's models without it.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """Take a model of another maker in as a challenger, with the same predictions.

    Example: yidai models import old.txt --portfolio city --reasons reasons.yaml
    """
    from serving.governance.exchange import bring_in
    from serving.settings import Settings

    found = bring_in(file, portfolio, reasons, name, out or Settings.load().home / "models")
    if as_json:
        show_json(found)
        return
    console.print(f"{name} {found.digest[:12]}: {found.columns} columns, {found.trees} trees")
    console.print(f"Next: yidai models submit bundle {found.path}", soft_wrap=True)


def expert_model(
    file: Annotated[Path, typer.Argument(help="The weights: features with their points, and the scale.")],
    portfolio: Annotated[str, typer.Option(help="A portfolio.yaml, its folder, or a shipped name.")] = "city",
    out: Annotated[Path | None, typer.Option(help="Where models go; the home's models without it.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """Make a model of weights that people wrote, for where there are no labels yet.

    Example: yidai models expert training/portfolios/city/expert.yaml --portfolio city
    """
    from serving.governance.exchange import weigh
    from serving.settings import Settings

    found = weigh(file, portfolio, out or Settings.load().home / "models")
    if as_json:
        show_json(found)
        return
    console.print(f"{found.name} {found.digest[:12]}: {found.columns} features")
    console.print(f"Next: yidai models submit bundle {found.path}", soft_wrap=True)
