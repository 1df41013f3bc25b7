"""Numbers of a policy that nobody can mean: negative rates and shares, more than all, days that never end."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from serving.policy.cost import Cost
from serving.policy.findings import Finding, error
from serving.policy.model import GRADES, PolicyDocument

PPM = 1_000_000
LONGEST_OFFER = 366
LONGEST_LINE = 360
MOST_INFLOW = 10 * PPM
"""A limit of ten years' inflow is no limit."""
MOST_FEN = 10**13
REMEDY = "Write a number within it."


def numbers(document: PolicyDocument) -> Iterator[Finding]:
    """Every number outside of what it can be."""
    tables = document.tables
    if tables is not None:
        for price in tables.prices:
            yield from _within(f"tables.prices: {price.id}", "rate_ppm", price.rate_ppm, 0, PPM)
            if price.cost is not None:
                yield from _cost(f"tables.prices: {price.id}", price.cost)
        for row in tables.limits:
            place = f"tables.limits: {row.id}"
            yield from _within(place, "inflow_share_ppm", row.inflow_share_ppm, 0, MOST_INFLOW)
            yield from _within(place, "max_limit_fen", row.max_limit_fen, 0, MOST_FEN)
        for cap in tables.rate_caps:
            yield from _within(f"tables.rate_caps: {cap.id}", "value", cap.value, 1, PPM)
    yield from _limits(document)
    yield from _withheld(document)
    yield from _stream(document)
    offers = document.offers
    if offers is not None:
        yield from _within("offers", "valid_days", offers.valid_days, 1, LONGEST_OFFER)
        yield from _within("offers", "line_months", offers.line_months, 1, LONGEST_LINE)
        yield from _within("offers", "fee_ppm", offers.fee_ppm, 0, PPM)


def _cost(place: str, cost: Cost) -> Iterator[Finding]:
    for name in ("funding_ppm", "operating_ppm", "margin_ppm", "lgd_ppm"):
        yield from _within(place, f"cost.{name}", getattr(cost, name), 0, PPM)
    yield from _within(place, "cost.step_ppm", cost.step_ppm, 1, PPM)


def infinite(value: Any, place: str = "") -> Iterator[Finding]:
    """Every number of a document (plain values) that is none, or without end; parts of a list are named by their id."""
    if isinstance(value, float) and not math.isfinite(value):
        yield error(
            "no_number", place, f"{value} is no number that can be compared.", "Write a finite number."
        )
    elif isinstance(value, dict):
        for name, part in value.items():
            yield from infinite(part, f"{place}.{name}" if place else str(name))
    elif isinstance(value, list | tuple):
        for at, part in enumerate(value):
            named = part.get("id", at) if isinstance(part, dict) else at
            yield from infinite(part, f"{place}[{named}]")


def _limits(document: PolicyDocument) -> Iterator[Finding]:
    if document.limits is None:
        return
    for support in document.limits.supports:
        yield from _within(
            f"limits.supports: {support.id}", "fen_per_unit", support.fen_per_unit, 1, MOST_FEN
        )
    service = document.limits.debt_service
    if service is not None:
        yield from _within("limits.debt_service", "share_ppm", service.share_ppm, 1, PPM)


def _stream(document: PolicyDocument) -> Iterator[Finding]:
    stream = document.random_approval
    if stream is None:
        return
    place = "random_approval"
    yield from _within(place, "share_ppm", stream.share_ppm, 0, PPM)
    yield from _within(place, "rate_ppm", stream.rate_ppm, 0, PPM)
    yield from _within(place, "monthly_budget", stream.monthly_budget, 0, PPM)
    yield from _within(place, "last", stream.last, 1, GRADES)
    if not 1 <= stream.first <= stream.last:
        yield error("range", place, "its grades are no range.", "Write first and last.")


def _withheld(document: PolicyDocument) -> Iterator[Finding]:
    rule = document.withheld
    if rule is not None and rule.max_pd_high is not None and not 0 < rule.max_pd_high < 1:
        problem = "max_pd_high is not between 0 and 1."
        yield error("range", "withheld", problem, "Write a PD, such as 0.2.")


def _within(place: str, name: str, value: int, least: int, most: int) -> Iterator[Finding]:
    if not least <= value <= most:
        yield error("range", place, f"{name} is {value}, which is not within {least} to {most}.", REMEDY)
