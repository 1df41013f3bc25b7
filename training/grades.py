"""Calibration by grade: the tests of all grades, the level that PDs were brought to, bounds where defaults are few."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from training.level import StatedLevel
from training.scale import Concentration, most_prudent, with_margin
from training.validation import GradeTest, book_test

FEWEST_YEARS = 5
"""Of a long-run average, a downturn among them (REG-IRB-02)."""


class Level(msgspec.Struct, frozen=True):
    """The PDs of the rows judged as a whole, and the level that they were brought to.

    ``learned_rate`` is the bad rate of the rows learned from, ``shift`` by how many logits the score was moved
    from there. ``fullest`` is the grade that holds the most rows, ``share`` what it holds of them.
    """

    book: GradeTest
    stated: StatedLevel
    learned_rate: float
    shift: float
    few_defaults: bool
    fullest: int
    share: float

    @property
    def told(self) -> tuple[str, ...]:
        """What was stated and what it did, in sentences."""
        stated, told = self.stated, []
        if stated.long_run is None:
            whose = "of all rows before the split" if self.shift else "of the rows learned from"
            told.append(f"The portfolio states no long-run average: PDs are at the level {whose}.")
        else:
            first, last = stated.long_run.years
            told.append(
                f"PDs are anchored to a long-run average of {stated.long_run.rate:.2%} ({first} to {last}; "
                f"{stated.long_run.source}): {self.shift:+.3f} logits from the {self.learned_rate:.2%} of the rows learned from."
            )
        if stated.downturn_margin:
            told.append(f"A downturn adds {stated.downturn_margin:.0%} of the PD.")
        if self.few_defaults:
            rule = stated.low_default
            told.append(
                f"Defaults are few, so that upper PDs at {rule.confidence:.0%} confidence and an asset correlation of "
                f"{rule.correlation:g} are told: those that the rows of a grade and of all worse ones do not refute."
            )
        told.append(f"The fullest grade, {self.fullest}, holds {self.share:.1%} of the rows judged.")
        return tuple(told)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What somebody must look at."""
        found = []
        if self.stated.long_run is not None and self.stated.long_run.span < FEWEST_YEARS:
            found.append(
                f"The long-run average covers {self.stated.long_run.span} years, under {FEWEST_YEARS} (REG-IRB-02)."
            )
        if self.few_defaults:
            found.append(
                f"Few defaults: {self.book.bads} of the rows judged. The table by grade tells the PDs that they do not refute."
            )
        return tuple(found)


def level_of(
    target: NDArray[np.int8],
    pd: NDArray[np.float64],
    fullest: Concentration,
    stated: StatedLevel | None,
    notes: dict[str, float | int | str],
) -> Level:
    """The level of the rows judged, of a bundle with these ``notes``."""
    stated = stated or StatedLevel()
    bads, rows = int(notes["bads"]), int(notes["rows"])
    book = book_test(target, pd)
    return Level(
        book, stated, bads / rows, float(notes.get("base_rate_shift", 0.0)),
        stated.low_default.applies(book.bads), fullest.grade, fullest.share,
    )  # fmt: skip


def with_bounds(grades: Sequence[GradeTest], level: Level) -> tuple[GradeTest, ...]:
    """The grades with their downturn PDs and, in a book of few defaults, with the bounds of their PDs."""
    filled = [one for one in grades if one.rows]
    bounds: dict[int, float] = {}
    if level.few_defaults and filled:
        rule = level.stated.low_default
        uppers = most_prudent(
            [one.rows for one in filled], [one.bads for one in filled],
            confidence=rule.confidence, correlation=rule.correlation,
        )  # fmt: skip
        bounds = {one.grade: upper for one, upper in zip(filled, uppers, strict=True)}
    margin = level.stated.downturn_margin
    return tuple(
        msgspec.structs.replace(
            one, downturn_pd=float(with_margin(np.array(one.mean_pd), margin)) if one.rows else 0.0,
            upper=bounds.get(one.grade),
        )
        for one in grades
    )  # fmt: skip
