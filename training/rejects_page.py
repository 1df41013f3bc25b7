"""The report's section about the refused."""

from __future__ import annotations

from training.rejects import Rejects
from training.tables import table


def rejects_section(found: Rejects) -> str:
    """The answers side by side, their band, and the random stream as it is and as it must be."""
    lines = [
        (line.method.replace("_", " "), f"{line.refused:.2%}", f"{line.approved:.2%}") for line in found.lines
    ]
    low, high = found.refused
    best, worst = found.approved
    stream = (
        f"The random stream saw {found.random_rows:,} outcomes"
        + (f", a bad rate of {_told(found)}" if found.observed else "")
        + f"; {found.needed:,} tell a bad rate of the refused of 1.25 times what the accepted say (5 %, power 80 %)."
    )
    about = (
        f"{found.rows:,} were refused, and what they would have done is not known: between {low:.2%} and {high:.2%} bad, "
        f"and {best:.2%} to {worst:.2%} of as many as were accepted, chosen by each answer among all. One booster, "
        "the methods alone differ; all but the random stream believe what the accepted say."
    )
    names = ("answer", "PD of the refused", "PD of the best, as many as were accepted")
    return f"<h2>The refused</h2><p class='soft'>{about}</p>" + table(names, lines, 1) + f"<p>{stream}</p>"


def _told(found: Rejects) -> str:
    one = found.observed
    return "" if one is None else f"{one.value:.2%} ({one.low:.2%} to {one.high:.2%})"
