"""What must be so of breakers and experiments: names that exist, bounds that bind, one experiment at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

from features.errors import Invalid
from serving.policy.days import end_day, first_day
from serving.policy.experiment import Breaker, Experiment, Guardrails
from serving.policy.findings import Finding, error
from serving.policy.model import PolicyDocument, PolicyKind

_MILLION = 1_000_000
_BOUNDS = ("daily_count", "daily_amount_fen", "daily_loss_fen")


def breakers(document: PolicyDocument) -> Iterator[Finding]:
    """All that is wrong with the breakers."""
    seen: set[str] = set()
    for one in document.breakers:
        place = f"breakers: {one.id}"
        if one.id in seen or not one.id or "." in one.id:
            yield error("twice", place, "its id is empty, has a dot or stands twice.", "Rename it.")
        seen.add(one.id)
        yield from named(place, "product", one.products, document.products)
        yield from named(place, "model", one.models, models(document))
        yield from _bounds(document, place, one)


def experiments(document: PolicyDocument) -> Iterator[Finding]:
    """All that is wrong with the experiments; two never run on one day, or nobody could tell which of them did it."""
    seen: set[str] = set()
    for one in document.experiments:
        place = f"experiments: {one.id}"
        if one.id in seen or not one.id:
            yield error("twice", place, "its id is empty or stands twice.", "Rename it.")
        seen.add(one.id)
        yield from named(place, "challenger", (one.challenger,), document.challengers)
        if not 0 < one.share_ppm < _MILLION:
            problem = "share_ppm leaves one of the two arms empty."
            yield error("range", place, problem, "Write parts per million, such as 100000.")
        if one.guardrails is None:
            problem = "nothing says when it has gone wrong."
            yield error("part_missing", place, problem, "Write guardrails.")
        else:
            yield from _guarded(place, one.guardrails)
    dated = sorted(filter(None, map(_dated, document.experiments)))
    yield from (_overlap(before, after) for before, after in pairwise(dated) if after[0] < before[1])


def _dated(one: Experiment) -> tuple[int, int, str] | None:
    try:
        return first_day(one.effective_from), end_day(one.effective_to), one.id
    except Invalid:
        return None


def _overlap(before: tuple[int, int, str], after: tuple[int, int, str]) -> Finding:
    problem = f"it begins while {before[2]} runs."
    return error("overlap", f"experiments: {after[2]}", problem, "End one before the other begins.")


def _guarded(place: str, rails: Guardrails) -> Iterator[Finding]:
    if rails.min_outcomes < 1:
        yield error("range", place, "min_outcomes is below 1.", "`yidai experiments size` says how many.")
    if rails.max_bad_rate_ratio <= 1:
        yield error("range", place, "max_bad_rate_ratio is no more than 1.", "Write such as 1.25.")
    if not 0 < rails.max_approval_drop < 1:
        yield error("range", place, "max_approval_drop is not between 0 and 1.", "Write such as 0.03.")


def models(document: PolicyDocument) -> tuple[str, ...]:
    """The models of a policy: the one that decides first."""
    return (document.pd_model, *document.challengers) if document.pd_model else ()


def named(place: str, what: str, names: Iterable[str], known: Iterable[str]) -> Iterator[Finding]:
    """Each name is known."""
    there = list(known)
    for name in names:
        if name not in there:
            remedy = f"There are: {', '.join(there) or 'none'}."
            yield error("unknown_name", place, f"there is no {what} {name!r}.", remedy)


def _bounds(document: PolicyDocument, place: str, one: Breaker) -> Iterator[Finding]:
    given = {name: getattr(one, name) for name in _BOUNDS if getattr(one, name) is not None}
    if not given:
        yield error("part_missing", place, "it bounds nothing.", f"Write one of {', '.join(_BOUNDS)}.")
    for name, value in given.items():
        if value < 0:
            yield error("range", place, f"{name} is below 0.", "Write the most that a day may have.")
    if document.kind is not PolicyKind.CREDIT and given.keys() - {"daily_count"}:
        yield error("part_foreign", place, "without a loan only approvals are counted.", "Keep daily_count.")
    if (one.daily_loss_fen is None) != (one.lgd_ppm is None):
        yield error(
            "part_missing", place, "an expected loss takes daily_loss_fen and lgd_ppm.", "Write both."
        )
    if one.lgd_ppm is not None and not 0 < one.lgd_ppm <= _MILLION:
        yield error("range", place, "lgd_ppm is not a share.", "Write parts per million, such as 600000.")
