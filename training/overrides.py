"""Override statistics in a report: how often, in which direction and why people decided otherwise than the system.

They come as a file beside a portfolio's models, which `yidai overrides export` writes: a training has no store.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from features.canonical import UNREADABLE
from features.errors import Invalid
from training.tables import table

SCHEMA = 1
FILE = "overrides.json"
_NONE = "None is recorded: no outcome in these data was decided by a person against the model."


class OverrideLine(msgspec.Struct, frozen=True):
    """Overrides of one kind, reason and product; ``amount_fen`` is what was asked for, added up."""

    kind: str
    system: str
    person: str
    reason_code: str
    product: str
    count: int
    amount_fen: int


class OverrideStatistics(msgspec.Struct, frozen=True):
    """Over [since, until) µs: the system's decisions, the cases that people decided, of these the referred ones (where
    the system left it open) and the overrides.
    """

    schema: int
    since: int
    until: int
    decisions: int
    reviewed: int
    referred: int
    overrides: int
    lines: tuple[OverrideLine, ...]


class BrokenOverrides(Invalid):
    """A file that holds no override statistics."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(problem, place=str(path), remedy="Write it anew with `yidai overrides export`.")


def read_overrides(path: Path) -> OverrideStatistics | None:
    """The statistics in a file; None where there is none.

    Raises:
        BrokenOverrides: not statistics, or of another schema.
    """
    if not path.is_file():
        return None
    try:
        found = msgspec.json.decode(path.read_bytes(), type=OverrideStatistics)
    except UNREADABLE as error:
        raise BrokenOverrides(path, f"this is no override statistics: {error}.") from None
    if found.schema != SCHEMA:
        raise BrokenOverrides(path, f"schema {found.schema} is not known.")
    return found


def overrides_section(found: OverrideStatistics | None) -> str:
    """Heading and table."""
    if found is None:
        return f"<h2>Overrides</h2><p class='soft'>{_NONE}</p>"
    share = found.overrides / found.decisions if found.decisions else 0.0
    about = (
        f"{found.overrides:,} overrides in {found.decisions:,} decisions ({share:.2%}); people decided {found.reviewed:,} "
        f"cases, {found.referred:,} of which the system had left to them."
    )
    lines = [
        (
            one.kind.replace("_", " "),
            one.reason_code,
            one.product,
            f"{one.count:,}",
            f"{one.amount_fen / 100:,.2f}",
        )
        for one in found.lines
    ]
    names = ("override", "reason", "product", "cases", "yuan asked")
    return f"<h2>Overrides</h2><p class='soft'>{about}</p>" + (table(names, lines, 3) if lines else "")
