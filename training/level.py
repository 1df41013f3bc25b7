"""The level of PDs that a portfolio states: a long-run average, a downturn's margin, bounds for few defaults.

Nothing of it is estimated in passing: a rate comes with its source and years, a margin as a share of the PD.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class LongRun(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The average bad rate over a cycle, under the portfolio's own label; ``years`` are the first and the last."""

    rate: float
    source: str
    years: tuple[int, int]

    @property
    def span(self) -> int:
        """How many years it covers."""
        return self.years[1] - self.years[0] + 1


class Method(StrEnum):
    """When the bounds of a book of few defaults are told."""

    AUTOMATIC = "automatic"
    PLUTO_TASCHE = "pluto_tasche"


class LowDefault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Upper PDs of grades (Pluto and Tasche 2005): always, or where fewer than ``under_bads`` of the rows are bad."""

    method: Method = Method.AUTOMATIC
    confidence: float = 0.75
    correlation: float = 0.0
    under_bads: int = 50

    def applies(self, bads: int) -> bool:
        """Whether a book of so many bads gets bounds."""
        return self.method is Method.PLUTO_TASCHE or bads < self.under_bads


class StatedLevel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``calibration`` of a portfolio.yaml; see docs/portfolio.md."""

    long_run: LongRun | None = None
    downturn_margin: float = 0.0
    low_default: LowDefault = LowDefault()

    @property
    def broken(self) -> tuple[str, str] | None:
        """What is wrong with it and its remedy; None where nothing is."""
        return _broken_rate(self.long_run) or _broken_numbers(self)

    @property
    def notes(self) -> dict[str, float | int | str]:
        """What a bundle says of it."""
        found: dict[str, float | int | str] = {}
        if self.long_run is not None:
            first, last = self.long_run.years
            found |= {
                "long_run_rate": self.long_run.rate, "long_run_source": self.long_run.source,
                "long_run_years": f"{first}-{last}",
            }  # fmt: skip
        if self.downturn_margin:
            found["downturn_margin"] = self.downturn_margin
        if self.low_default != LowDefault():
            one = self.low_default
            found["low_default"] = (
                f"{one.method.value}, confidence {one.confidence:g}, correlation {one.correlation:g}, "
                f"under {one.under_bads} bads"
            )
        return found


def _broken_rate(long_run: LongRun | None) -> tuple[str, str] | None:
    if long_run is None:
        return None
    if not 0 < long_run.rate < 1:
        return (
            f"`calibration.long_run.rate: {long_run.rate:g}` is no bad rate.",
            "Write a share between 0 and 1: 0.05 is five of a hundred.",
        )
    if not long_run.source.strip():
        return (
            "`calibration.long_run.source` is empty.",
            "Say where the rate comes from, so that others can check.",
        )
    first, last = long_run.years
    if not 1900 <= first <= last <= 2100:
        return (
            f"`calibration.long_run.years: [{first}, {last}]` are no years.",
            "Write the first and the last.",
        )
    return None


def _broken_numbers(stated: StatedLevel) -> tuple[str, str] | None:
    rule = stated.low_default
    if not 0 <= stated.downturn_margin <= 10:
        return (
            f"`calibration.downturn_margin: {stated.downturn_margin:g}` is no margin.",
            "Write what a downturn adds, as a share of the PD: 0.2 adds a fifth.",
        )
    if not 0 < rule.confidence < 1:
        return (
            f"`calibration.low_default.confidence: {rule.confidence:g}` is no confidence.",
            "Write a share between 0 and 1, such as 0.75.",
        )
    if not 0 <= rule.correlation < 1:
        return (
            f"`calibration.low_default.correlation: {rule.correlation:g}` is no correlation.",
            "Write 0 for independent defaults, or an asset correlation under 1.",
        )
    if rule.under_bads < 0:
        return (
            f"`calibration.low_default.under_bads: {rule.under_bads}` is no number of bads.",
            "Write 0 or more.",
        )
    return None
