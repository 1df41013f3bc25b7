"""What a tenant is told of, where, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

import msgspec

from features.errors import Conflict, Invalid, NotFound

MOST_ENDPOINTS = 20
"""Endpoints of a tenant: each makes every thing that it asks for one more row."""
MOST_ATTEMPTS = 12
"""After so many a delivery is dead, about a day after the first; it may be replayed."""
SECOND = 1_000_000
OLD_SIGNS = 24 * 3600 * SECOND
"""How long the secret before a rotation signs too, µs."""
LEASE = 60 * SECOND
"""How long nobody else sends what a worker took, µs: longer than a worker's run lasts."""
PROBES = 4
"""After each of so many attempts without an answer an endpoint is left alone, at most for two minutes: the waits of later
ones would keep from a receiver that is well again what it is to be told for hours."""
_FIRST, _LONGEST = 5 * SECOND, 6 * 3600 * SECOND


class EventKind(StrEnum):
    """What an endpoint may ask for."""

    DECISION_MADE = "decision.made"
    CASE_DECIDED = "case.decided"
    OFFER_EXPIRED = "offer.expired"
    ALERT_RAISED = "alert.raised"
    ALERT_ESCALATED = "alert.escalated"
    """Its level rose, or nobody handled it in time."""
    DISPUTE_ANSWERED = "dispute.answered"


TRIED = "webhook.test"
"""The kind of what `yidai webhooks test` sends, to an endpoint whatever it asked for."""


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    DEAD = "dead"


class Endpoint(msgspec.Struct, frozen=True):
    """Where a tenant is told of what; ``secret`` is there in the one answer that shows it."""

    endpoint_id: UUID
    url: str
    kinds: tuple[str, ...]
    created_at: str
    waiting: int = 0
    dead: int = 0
    secret: str | msgspec.UnsetType = msgspec.UNSET


class Delivery(msgspec.Struct, frozen=True):
    """One thing told to one endpoint. ``delivery_id`` is the header `webhook-id` of each attempt."""

    delivery_id: UUID
    kind: str
    state: DeliveryState
    created_at: str
    due_at: str
    attempts: int
    status: int | None
    error: str


@dataclass(frozen=True, slots=True)
class Due:
    """What has to be sent now, and by nobody else ``until`` then, µs; ``secrets`` sign it, the newest first."""

    delivery_id: UUID
    url: str
    payload: bytes
    attempts: int
    until: int
    secrets: Sequence[bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of an attempt; ``error`` is empty where the receiver took it."""

    status: int | None = None
    error: str = ""


class UnknownEndpoint(NotFound):
    """None of this tenant."""

    def __init__(self) -> None:
        super().__init__("there is no such webhook.", remedy="`yidai webhooks list` names them.")


class UnknownDelivery(NotFound):
    """None of this endpoint that has ended."""

    def __init__(self) -> None:
        super().__init__(
            "this webhook has no such delivery that has ended.",
            remedy="`yidai webhooks deliveries` names them; one that waits comes by itself.",
        )


class EndpointThere(Conflict):
    """The URL is registered already."""

    def __init__(self) -> None:
        super().__init__("this URL is registered already.", place="url", remedy="Remove the webhook first.")


class TooManyEndpoints(Conflict):
    """A tenant has as many as it may."""

    def __init__(self) -> None:
        super().__init__(
            f"a tenant has at most {MOST_ENDPOINTS} webhooks.", place="url", remedy="Remove one first."
        )


class UnknownKind(Invalid):
    """Nothing of this kind is told."""

    def __init__(self, kind: str) -> None:
        super().__init__(
            f"nothing is told of {kind!r}.", place="kinds", remedy=f"Kinds: {', '.join(EventKind)}."
        )


def kinds_of(kinds: Sequence[str]) -> list[str]:
    """The kinds in order, each once; all of them where none is named.

    Raises:
        UnknownKind: nothing of that kind is told.
    """
    for kind in kinds:
        if kind not in set(EventKind):
            raise UnknownKind(kind)
    return sorted(set(kinds) or set(EventKind))


def back_off(attempts: int, chance: float) -> int:
    """How long to wait after so many attempts, µs: 5 s, 15 s, 45 s ... at most 6 h, of which between half and all.

    ``chance`` in [0, 1) spreads what failed together.
    """
    whole: int = min(_FIRST * 3 ** (attempts - 1), _LONGEST)
    return round(whole * (0.5 + chance / 2))
