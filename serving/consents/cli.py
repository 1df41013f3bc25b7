"""`yidai prefill`: an application at a glance, for an officer at a desk."""

from __future__ import annotations

import sys
from typing import Annotated
from uuid import UUID

import typer

from features.terminal import console, show_json


def prefill(
    consent: Annotated[UUID, typer.Option(help="The applicant's consent, as POST /v1/consents answered it.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show all that the city knows for an application, each part with its source and date.

    The applicant's number stands on the standard input: a command line is seen by others. Needs YIDAI_TOKEN.
    """
    from serving import show
    from serving.consents.operations import known
    from serving.settings import Settings

    if sys.stdin.isatty():
        console.print("The applicant's number, then Enter:")
    answer = known(Settings.load(), sys.stdin.readline().strip(), consent)
    if as_json:
        show_json(answer)
        return
    console.print(show.prefill_table(answer))
