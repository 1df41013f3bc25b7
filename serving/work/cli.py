"""``yidai worker`` and ``yidai jobs``."""

from __future__ import annotations

from typing import Annotated

import typer

from features.terminal import console, show_json, show_table

jobs_app = typer.Typer(help="What workers do and did.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def worker(
    *,
    once: Annotated[bool, typer.Option("--once", help="Do what is due, then end.")] = False,
    only_watch: Annotated[
        bool, typer.Option("--only-watch", help="Look at whom new records concern; leave jobs to others.")
    ] = False,
) -> None:
    """Do what has to be done beside answering: flush, hydration, compaction, identities, drop folder, quality, the nightly
    watch; and look at once at the loans that a new record concerns.

    Any number of workers may run beside each other; one that is killed leaves its job to the next. SIGTERM lets it
    finish the job that it is at. Ends with code 1 where `--once` left a job undone.
    """
    from serving.settings import Settings
    from serving.work import operations
    from serving.work.model import JobState

    if not once:
        operations.run(Settings.load(), jobs=not only_watch)
        return
    undone = 0
    for job in operations.drain(Settings.load()):
        undone += job.state is not JobState.DONE
        console.print(
            f"{job.kind} {job.state.value}: {job.error or job.result}", markup=False, soft_wrap=True
        )
    raise typer.Exit(1 if undone else 0)


@jobs_app.command("list")
def list_jobs(
    state: Annotated[str, typer.Option(help="waiting, done or dead; all without it.")] = "",
    most: Annotated[int, typer.Option(min=1, help="So many of the latest.")] = 50,
    *,
    as_json: Json = False,
) -> None:
    """List jobs, the newest first."""
    from features.calendar import iso
    from features.errors import Invalid
    from serving.settings import Settings
    from serving.work import operations
    from serving.work.model import JobState

    if state and state not in set(JobState):
        raise Invalid(f"{state!r} is no state of a job.", remedy=f"States: {', '.join(JobState)}.")
    found = operations.jobs(Settings.load(), [JobState(state)] if state else [], most)
    if as_json:
        show_json(found)
        return
    rows = [
        (j.job_id, j.kind, j.state.value, j.attempts, iso(j.ended_at or j.due_at)[:19], j.error or j.result or "")
        for j in found
    ]  # fmt: skip
    show_table(f"{len(found)} jobs", ("job", "kind", "state", "attempts", "ended or due", "what"), rows)


@jobs_app.command("retry")
def retry(job: Annotated[int, typer.Argument(help="The id of a dead job.")]) -> None:
    """Let a dead job be done after all."""
    from serving.settings import Settings
    from serving.work import operations

    operations.retry(Settings.load(), job)
    console.print(f"Job {job} waits for a worker.")
