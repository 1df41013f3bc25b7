"""What must be so of breakers: names that exist, bounds that bind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from serving.policy.findings import Finding, error
from serving.policy.model import Breaker, PolicyDocument, PolicyKind

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
