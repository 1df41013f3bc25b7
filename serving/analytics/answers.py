"""What the nightly run tells, as it is kept and answered."""

from __future__ import annotations

from typing import Any

import msgspec

from features.errors import Invalid, NotFound
from serving.analytics.model import PortfolioView

MONTHS = 24
"""So many month ends are kept."""


class PortfolioPage(msgspec.Struct, frozen=True):
    """The book of the last month that was over, or of one ``segment`` or ``village`` of it; ``made_at`` is when it was
    worked out.
    """

    as_of: str
    made_at: str
    segment: str
    village: str
    portfolio: PortfolioView


class MonitoringView(msgspec.Struct, frozen=True):
    """A model in use, month by month, as `yidai models monitor` tells it: ``months`` with drift, ranking, level, reasons and
    silent sources, what is past its limit, and by month how people decided beside the model.
    """

    model: str
    as_of: str
    made_at: str
    opened: int
    found: dict[str, Any]
    overrides: list[dict[str, Any]]


class NoReport(NotFound):
    """Nothing was worked out of this at or before the moment that was asked for."""

    def __init__(self, what: str, place: str) -> None:
        super().__init__(
            f"no {what} has been worked out by then.", place=place,
            remedy="`yidai worker` does it each night; ask for a later moment, or another part.",
        )  # fmt: skip


class BothParts(Invalid):
    """A segment and a village at once."""

    def __init__(self) -> None:
        super().__init__(
            "a segment within a village is not kept.", place="village",
            remedy="Ask for one of them; `yidai loans portfolio` works out any book.",
        )  # fmt: skip


def about(segment: str = "", village: str = "") -> str:
    """The name under which a part of the book is kept; the whole one's is empty.

    Raises:
        BothParts: there is none.
    """
    if segment and village:
        raise BothParts
    return f"segment:{segment}" if segment else f"village:{village}" if village else ""


def shortened(found: PortfolioView, months: int) -> PortfolioView:
    """The last months of it; vintages stay, because they are told by months on book."""
    last = found.months[-months:]
    return msgspec.structs.replace(
        found, first=last[0].as_of, months=last, rolls=found.rolls[len(found.rolls) - len(last) + 1 :]
    )
