"""Commands of the analyst: train a model of a portfolio, score a file with it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.terminal import console, notes, progress, show_json, show_table

Portfolio = Annotated[str, typer.Option(help="A portfolio.yaml, its folder, or a shipped name.")]
Data = Annotated[Path | None, typer.Option(help="The portfolio's data folder, if not the one it names.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
MOST_FINDINGS = 20

if TYPE_CHECKING:  # a training is imported where there is one
    from features.timeline.door import Door
    from training.portfolio import Portfolio as Found
    from training.run import Trained


def train(
    model: Annotated[
        str, typer.Argument(help="rating (the scorecard), risk (the monotone booster) or warning.")
    ],
    portfolio: Portfolio = "city",
    data: Data = None,
    lake: Annotated[
        Path | None, typer.Option(help="The lake of `yidai ingest`; ${YIDAI_HOME:-.yidai}/lake without it.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where models go; ${YIDAI_HOME:-.yidai}/models without it.")
    ] = None,
    repeats: Annotated[
        int | None, typer.Option(min=1, help="Repeats of the cross-validation, if not the portfolio's.")
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Train a model of a portfolio: its bundle, its validation report and, where a server is set, MLflow.

    The same data give the same bundle. Example: yidai train risk --portfolio gmsc
    """
    from training.run import lake_door, models_folder

    folder, now = lake or models_folder().parent / "lake", time.time_ns() // 1_000

    def door(found: Found) -> Door | None:
        return lake_door(found, folder, now, actor="training")

    train_and_tell(model, portfolio, data, door, out=out, repeats=repeats, as_json=as_json)


def train_and_tell(
    model: str,
    portfolio: str,
    data: Path | None,
    door: Callable[[Found], Door | None],
    *,
    out: Path | None = None,
    repeats: int | None = None,
    as_json: bool = False,
) -> None:
    """Train and print what came of it; ``door`` opens the lake of a portfolio that lives in one."""
    from training.portfolio import find_portfolio, load_portfolio
    from training.run import model_name, models_folder, prepare, train_model
    from training.warning import WARNING, train_warning

    name = model if model == WARNING else model_name(model)
    found, folder = load_portfolio(find_portfolio(portfolio)), out or models_folder()
    left_out: tuple[str, ...] = ()
    with progress(f"training {found.name}.{name}") as step:
        step("reading the rows", 0, 1)
        if model == WARNING:
            warned = train_warning(found, folder, data=data, door=door(found), progress=step)
            several, left_out = warned.trained, warned.left_out
        else:
            prepared = prepare(found, data=data, door=door(found))
            several = (train_model(prepared, model_name(model), folder, progress=step, repeats=repeats),)
    if as_json:
        first, *others = map(_as_json, several)
        show_json(first | ({"others": others, "left_out": left_out} if model == WARNING else {}))
        return
    for trained in several:
        _tell(f"{found.name}.{trained.bundle.model}", trained)
    for reason in left_out:
        console.print(f"  not trained: {reason}", markup=False)


def _as_json(trained: Trained) -> dict[str, object]:
    from training.run import figures

    return {
        "digest": trained.digest, "folder": trained.folder, "run_id": trained.run_id,
        "figures": figures(trained.report.metrics), "report": trained.report,
    }  # fmt: skip


def _tell(name: str, trained: Trained) -> None:
    console.print(f"[bold]{name}[/]: {trained.summary}")
    for one in trained.report.curve:
        console.print(
            f"  within {one.months} months: AUC {one.auc}, {one.bads:,} of {one.rows:,} bad, mean PD {one.mean_pd:.2%}"
        )
    for warning in trained.warnings:
        console.print(f"  to look at: {warning}", markup=False)
    console.print(f"Report: {trained.folder / 'report.html'}", soft_wrap=True)
    console.print(f"Next: yidai models submit bundle {trained.folder / 'bundle.json'}", soft_wrap=True)


def predict(
    portfolio: Portfolio,
    model: Annotated[str, typer.Option(help="rating, risk, or the path of a bundle.json.")],
    file: Annotated[
        Path, typer.Option("--in", help="Rows with the columns of the contract; no label needed.")
    ],
    out: Annotated[Path, typer.Option(help="The CSV to write: key, pd, its interval, grade, reasons.")],
    data: Data = None,
    *,
    as_json: Json = False,
) -> None:
    """Score a file that the model has never seen.

    Rows that break the contract are listed with their line and left out; the others are scored.
    Example: yidai predict --portfolio gmsc --model risk --in new.csv --out scored.csv
    """
    from training.portfolio import find_portfolio, load_portfolio
    from training.predict import find_model, predict_file, write_answers
    from training.run import models_folder

    found = load_portfolio(find_portfolio(portfolio))
    scorer = find_model(found, model, models_folder())
    with progress(f"scoring {file.name}"):
        predicted = predict_file(found, scorer, file, data)
    write_answers(predicted, out)
    if as_json:
        show_json({
            "model": predicted.model, "digest": predicted.digest, "scored": len(predicted.answers), "out": out,
            "findings": predicted.findings,
        })  # fmt: skip
        return
    console.print(
        f"{len(predicted.answers):,} rows scored by {predicted.model} {predicted.digest[:12]}: {out}"
    )
    if predicted.findings:
        rows = [(f.line, f.field, f.value_class, f.remedy) for f in predicted.findings[:MOST_FINDINGS]]
        show_table(
            f"{len(predicted.findings)} findings; their rows were left out",
            ("line", "field", "is", "remedy"),
            rows,
        )
        if len(predicted.findings) > MOST_FINDINGS:
            notes.print(f"the first {MOST_FINDINGS} are shown; --json prints all")
