"""Commands that build training sets from the lake and prove what was built."""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.terminal import console, progress, show_json, show_table

if TYPE_CHECKING:
    from features.definitions.plan import FeaturePlan
    from features.timeline.door import Door
    from features.timeline.events import Int64, Pin
    from features.timeline.lake import Lake


class Engine(StrEnum):
    """What computes: threads of this process, or a Spark cluster. The bytes are the same."""

    LOCAL = "local"
    SPARK = "spark"


LakeFolder = Annotated[
    Path | None,
    typer.Option("--lake", help="The lake of `yidai ingest`; ${YIDAI_HOME:-.yidai}/lake without it."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def build_features(
    out: Annotated[Path, typer.Option(help="The folder of the files, one a bucket of 65,536 subjects.")],
    population: Annotated[
        Path | None, typer.Argument(help="A .parquet or .csv of (subject, as_of), instead of a portfolio's.")
    ] = None,
    portfolio: Annotated[
        str, typer.Option(help="A portfolio in the lake: its population and its definitions.")
    ] = "city",
    lake: LakeFolder = None,
    engine: Annotated[
        Engine, typer.Option(help="local threads, or a Spark cluster (`make spark`).")
    ] = Engine.LOCAL,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the local engine.")] = 2,
    master: Annotated[
        str, typer.Option(help="Spark's master; lake and --out must be reachable from its workers.")
    ] = "",
    *,
    as_json: Json = False,
) -> None:
    """Build a training set: every feature of every (subject, as_of) pair, as it was known then.

    A build that was stopped goes on when the command is run again. What an applicant asks for (req_*) stands in no
    record and stays NO_RECORD here. Prove it later with `yidai features verify OUT`.
    """
    from features.build import Job, build
    from features.spark import LOCAL_CLUSTER, spark_build
    from features.timeline.compaction import rows_lost
    from features.timeline.events import Pin

    found, door = _open(lake)
    plan, subjects, as_of = _wanted(door, portfolio, population)
    pin = _pin_of(out) or Pin(found.settled(), found.flushed())
    readable, left_out = door.admit(plan.contracts, plan.datasets, subjects)
    job = Job(plan, readable, subjects, as_of, pin, left_out)
    with progress("building features") as step:
        if engine is Engine.SPARK:
            paths = spark_build(job, out, master or LOCAL_CLUSTER, step)
        else:
            paths = build(job, out, threads, step)
    own = {name.partition("@")[0] for name in plan.datasets if name not in left_out}
    aged = int(rows_lost(found, own, subjects, as_of).sum())
    told = {
        "rows": len(subjects),
        "aged": aged,
        "columns": len(plan.columns),
        "files": paths,
        "manifest": job.manifest,
    }
    if as_json:
        show_json(told)
        return
    console.print(
        f"[bold]{out}[/]: {len(subjects):,} rows of {len(plan.columns)} columns in {len(paths)} files"
    )
    for name, kind in left_out.items():
        console.print(f"  left out: {name} ({kind.name})")
    if aged:
        console.print(
            f"  [yellow]{aged:,} rows[/] are as of a moment older than what retention has left of their subjects: "
            "records that stood then are gone, and what is built lacks them.",
            soft_wrap=True,
        )
    console.print(f"Next: yidai features verify {out}", soft_wrap=True)


def verify_features(
    out: Annotated[Path, typer.Argument(help="The --out of `yidai features build`.")],
    lake: LakeFolder = None,
    *,
    as_json: Json = False,
) -> None:
    """Compute every stored vector again, as of its moment and from the lake as it was at the build, and compare bytes.

    Ends with code 1 where one differs for another reason than that retention dropped its records. The facts of decisions are proved by `yidai replay`.
    """
    from features.calendar import iso
    from features.verify import job_of, verify

    where, door = _open(lake)
    job = job_of(where, out)
    door.admit(job.plan.contracts, job.plan.datasets, job.subjects)
    with progress("verifying features") as step:
        found = verify(job, out, step)
    if as_json:
        show_json(found)
    elif found.different:
        rows = [(subject, iso(as_of), column) for subject, as_of, column in found.examples]
        show_table(
            f"{found.different:,} of {found.rows:,} rows differ; the first:",
            ("subject", "as_of", "column"),
            rows,
        )
    elif not found.aged:
        console.print(f"[bold]{out}[/]: {found.rows:,} rows, 100 % equal bytes")
    if found.aged and not as_json:
        console.print(
            f"[bold]{out}[/]: {found.aged:,} of {found.rows:,} rows are aged: retention has dropped records that they "
            "were computed from, so they cannot be computed again. That is no failure.",
            soft_wrap=True,
        )
    if found.different:
        raise typer.Exit(1)


def _open(folder: Path | None) -> tuple[Lake, Door]:
    """The lake, and the door through which a model's maker reads it; the reads are logged beside it."""
    from features.consent import Access, Purpose
    from features.timeline.door import Door, FileLog
    from features.timeline.lake import Lake
    from training.run import NoLake, models_folder

    where = folder or models_folder().parent / "lake"
    if not where.is_dir():
        raise NoLake("features", where)
    access = Access("yidai features", Purpose.MODEL_DEVELOPMENT, "", time.time_ns() // 1_000)
    return Lake(where), Door(Lake(where), access, FileLog(where))


def _pin_of(out: Path) -> Pin | None:
    """The lake state of a build that was begun: it goes on in that, whatever came since."""
    from features.build import NoBuild, manifest_of

    try:
        return manifest_of(out).pin
    except NoBuild:
        return None


def _wanted(door: Door, portfolio: str, population: Path | None) -> tuple[FeaturePlan, Int64, Int64]:
    from features.errors import Invalid
    from features.pairs import read_pairs
    from training.population import read_people
    from training.portfolio import find_portfolio, load_portfolio

    found = load_portfolio(find_portfolio(portfolio))
    if population is not None:
        return (found.plan, *read_pairs(population))
    if not found.file.use_lake:
        problem = "its records are not in the lake, but in files of its own."
        raise Invalid(
            problem, place=found.name, remedy="`yidai train` and `yidai predict` read them themselves."
        )
    rows = door.whole(found.contracts, [], needed=[found.file.population.dataset]).tables
    people, as_of, _ = read_people(found, rows)
    return found.plan, people.subject, as_of
