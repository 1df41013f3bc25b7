"""What a portfolio's warning model tells: its horizons, in months."""

from __future__ import annotations

from itertools import pairwise

import msgspec


class WarningPanel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the warning model tells: the first default within ``months``, and within each of ``curve``.

    Over a loan book (a performance label) there is a row a borrower and month's end. A population that is a
    panel already has a row a subject and period of ``period_months``, and a label of what happened in it.
    The score learns the horizon ``learn``, the longest without it: a shorter one lets it learn from rows
    nearer to the split, whose long windows have not ended. With ``relearn`` the model that ships learns once more,
    after the judgement and by the same recipe, from all rows whose window has ended: the window before the split
    and the rows held out are most of a young book.
    """

    months: int = 12
    curve: tuple[int, ...] = (3, 6)
    period_months: int = 1
    learn: int = 0
    relearn: bool = False

    @property
    def horizons(self) -> tuple[int, ...]:
        """All horizons in months, ascending."""
        return (*self.curve, self.months)

    @property
    def own(self) -> int:
        """The months that the score learns."""
        return self.learn or self.months

    @property
    def broken(self) -> tuple[str, str] | None:
        """What is wrong with it and its remedy; None where nothing is."""
        told = ", ".join(map(str, self.horizons))
        if any(a >= b for a, b in pairwise((0, *self.horizons))):
            return (
                f"the horizons {told} of `warning` do not rise.",
                "Write `curve` ascending, under `months`.",
            )
        if self.period_months < 1 or any(one % self.period_months for one in self.horizons):
            problem = (
                f"the horizons {told} of `warning` are not all multiples of {self.period_months} months."
            )
            return problem, "Take whole periods."
        if self.own not in self.horizons:
            return f"`learn: {self.learn}` is no horizon of `warning`.", f"Take one of {told}."
        return None
