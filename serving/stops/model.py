"""The stop switch: while it is on, whom the policy would approve a person decides about."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from features.errors import Conflict, Invalid, NotFound
from serving.process.telling import holds_number

MOST_REASON = 200
"""Characters of the operator's reason, which stands in receipts."""


class StopKind(StrEnum):
    """Whose approvals are stopped."""

    ALL = "all"
    PRODUCT = "product"
    MODEL = "model"
    ARM = "arm"
    """The challenger's arm of an experiment: the policy's own model decides about its subjects meanwhile."""


class Scope(msgspec.Struct, frozen=True):
    """``name`` is the product, the model's slot without ``bundle.`` or the experiment; empty for all."""

    kind: StopKind
    name: str = ""

    def __str__(self) -> str:
        """As cases name it: ``all``, ``product:consumer``, ``model:risk``."""
        return f"{self.kind.value}:{self.name}" if self.name else self.kind.value


class Stop(msgspec.Struct, frozen=True):
    """One stop with who began it and who ended it (µs, actor); a stop that holds has no end."""

    kind: StopKind
    name: str
    reason: str
    stopped_at: int
    stopped_by: str
    ended_at: int | None = None
    ended_by: str | None = None
    ended_for: str | None = None


class NothingToStop(Invalid):
    """A product or model that no policy in force has: stopping it would stop nothing."""

    def __init__(self, scope: Scope, known: list[str]) -> None:
        super().__init__(
            f"no policy in force has the {scope.kind.value} {scope.name!r}.",
            place=scope.kind.value,
            remedy=f"There are: {', '.join(known) or 'none'}.",
        )


class TwoScopes(Invalid):
    """A product and a model at once, or neither beside no word of all."""

    def __init__(self) -> None:
        super().__init__(
            "it is not said what is stopped.",
            place="body",
            remedy="Name one of: a product, a model, an experiment's arm, all.",
        )


class AlreadyStopped(Conflict):
    """A second stop of the same would hide who began the first."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(
            f"approvals are stopped already: {scope}.",
            remedy="Nothing needs to be done; `yidai approvals show` says since when and why.",
        )


class NotStopped(NotFound):
    """Nothing to end."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(
            f"approvals are not stopped: {scope}.", remedy="`yidai approvals show` lists what is stopped."
        )


class NoReason(Invalid):
    """A reason that says nothing or too much."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem, place="reason", remedy="Say in a sentence why, and name no person.")


def reason_of(text: str) -> str:
    """A reason as it is kept.

    Raises:
        NoReason: empty, too long, or with a person's number.
    """
    told = text.strip()
    if not 1 <= len(told) <= MOST_REASON:
        raise NoReason(f"a reason has 1 to {MOST_REASON} characters.")
    if holds_number(told):
        raise NoReason("the reason seems to hold somebody's number.")
    return told


def scope_of(product: str | None, model: str | None, arm: str | None = None, *, everything: bool) -> Scope:
    """What is meant by exactly one of four.

    Raises:
        TwoScopes: by none or several.
    """
    asked = ((StopKind.PRODUCT, product), (StopKind.MODEL, model), (StopKind.ARM, arm))
    named = [Scope(kind, name) for kind, name in asked if name]
    if everything:
        named.append(Scope(StopKind.ALL))
    if len(named) != 1:
        raise TwoScopes
    return named[0]
