"""Between what a reviewer may grant, and what nobody may: read from the policy's own bytes, of whatever schema.

A decision's policy may be years old; only its caps and its hard rules bind a person, so only they are read. The caps of
the policy in force now bind as well: the stricter of the two.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

from features.calendar import instant
from serving.cases.model import Terms, WrongTerms
from serving.decisions.receipt import Receipt
from serving.policy.model import Effect


class Bounds(msgspec.Struct, frozen=True):
    """Fen and ppm a year. A limit is a multiple of ``step_fen``, and no more than was asked for or the caps allow.

    ``hard`` are rules of the decision that nobody overrides. A product that is no ``loan`` has no terms.
    """

    loan: bool
    least_fen: int
    most_fen: int
    step_fen: int
    most_rate_ppm: int
    hard: tuple[str, ...]


def bounds_of(policy: bytes, receipt: Receipt, at: int) -> Bounds:
    """The bounds of a decision's policy at a moment (µs)."""
    document = msgspec.json.decode(policy)
    asked = receipt.case.asked
    kind = {"products": asked.product, "segments": receipt.answer.get("segment", "")}
    limits, tables = document.get("limits") or {}, document.get("tables") or {}
    caps = _caps(limits.get("caps") or tables.get("limit_caps") or (), kind, at)
    rates = _caps(document.get("rate_caps") or tables.get("rate_caps") or (), kind, at)
    step = int(limits.get("step_fen") or 1)
    return Bounds(
        loan=asked.term_months > 0,
        least_fen=int(limits.get("min_limit_fen") or 0),
        most_fen=min([asked.amount_fen, *caps]) // step * step if caps else 0,
        step_fen=step,
        most_rate_ppm=min(rates, default=0),
        hard=_hard(document, receipt),
    )


def stricter(policy: bytes, in_force: bytes | None, receipt: Receipt, at: int) -> Bounds:
    """The bounds of a decision's policy within those of the policy in force now; without one nothing may be granted."""
    then = bounds_of(policy, receipt, at)
    if in_force is None:
        return msgspec.structs.replace(then, most_fen=0, most_rate_ppm=0)
    now = bounds_of(in_force, receipt, at)
    step = math.lcm(then.step_fen, now.step_fen)
    return msgspec.structs.replace(
        then,
        least_fen=max(then.least_fen, now.least_fen),
        most_fen=min(then.most_fen, now.most_fen) // step * step,
        step_fen=step,
        most_rate_ppm=min(then.most_rate_ppm, now.most_rate_ppm),
    )


def least_rate(policy: bytes, receipt: Receipt, at: int) -> int:
    """The lowest rate (ppm a year) of any price of a policy for the case's product, segment and term; 0 without prices."""
    asked, tables = receipt.case.asked, msgspec.json.decode(policy).get("tables") or {}
    kind = {"products": asked.product, "segments": receipt.answer.get("segment", "")}
    rows = [row for row in tables.get("prices") or () if _holds(row, kind, at)]
    spans = [(row, row.get("terms") or (asked.term_months, asked.term_months)) for row in rows]
    return min(
        (int(row["rate_ppm"]) for row, (first, last) in spans if first <= asked.term_months <= last),
        default=0,
    )


def checked(bounds: Bounds, terms: Terms | None) -> Terms | None:
    """The terms, if they may be granted.

    Raises:
        WrongTerms: missing, or outside the bounds, with the field.
    """
    if not bounds.loan:
        if terms is not None:
            raise WrongTerms("terms", "this product is no loan: it has no terms.", "Leave them out.")
        return None
    if terms is None:
        problem = "an approval needs a limit and a rate."
        raise WrongTerms("terms", problem, "Send terms: {limit_fen, annual_rate_ppm}.")
    if not max(bounds.least_fen, 1) <= terms.limit_fen <= bounds.most_fen:
        problem = f"{terms.limit_fen} fen is not from {bounds.least_fen} to {bounds.most_fen}."
        raise WrongTerms("terms.limit_fen", problem, "The caps and the application bind a person too.")
    if terms.limit_fen % bounds.step_fen:
        problem = f"{terms.limit_fen} fen is no multiple of {bounds.step_fen}."
        raise WrongTerms("terms.limit_fen", problem, "Round it down.")
    if not 0 <= terms.annual_rate_ppm <= bounds.most_rate_ppm:
        problem = f"{terms.annual_rate_ppm} ppm a year is above the cap of {bounds.most_rate_ppm}."
        raise WrongTerms("terms.annual_rate_ppm", problem, "Take a rate from 0 up to the cap.")
    return terms


def _caps(rows: Any, kind: dict[str, str], at: int) -> list[int]:
    return [int(row["value"]) for row in rows if _holds(row, kind, at)]


def _holds(row: dict[str, Any], kind: dict[str, str], at: int) -> bool:
    """Whether a cap holds at a moment for a product and a segment; those of schema 1 hold for all."""
    begins, ends = row.get("since") or row.get("effective_from"), row.get("to") or row.get("effective_to")
    within = (not begins or instant(begins) <= at) and (not ends or at < instant(ends))
    return within and all(not row.get(name) or mine in row[name] for name, mine in kind.items())


def _hard(document: dict[str, Any], receipt: Receipt) -> tuple[str, ...]:
    """Rules that declined the case and are hard; in policies that do not say which are, all are."""
    declined = Effect.DECLINE.name.lower()
    forces = {rule["id"]: rule.get("force", "hard") for gate in document["gates"] for rule in gate["rules"]}
    struck = [rule.id for rule in receipt.rules if rule.effect == declined]
    return tuple(name for name in struck if forces.get(name, "hard") == "hard")
