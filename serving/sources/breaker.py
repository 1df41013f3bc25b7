"""A circuit breaker: who fails again and again is left alone for a while, then tried with one call."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from serving.sources.model import BreakerSpec


class Circuit(StrEnum):
    """Closed: calls pass. Open: none does. Half open: one does, and decides."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """Of one source in one process. ``clock`` gives seconds that never run backwards."""

    def __init__(self, spec: BreakerSpec, clock: Callable[[], float]) -> None:
        self._spec = spec
        self._clock = clock
        self._failures = 0
        self._until: float | None = None
        self._trying = False

    @property
    def circuit(self) -> Circuit:
        """Its state now."""
        if self._until is None:
            return Circuit.CLOSED
        return Circuit.OPEN if self._clock() < self._until else Circuit.HALF_OPEN

    def admits(self) -> bool:
        """Whether a call may be made; whoever is admitted tells ``succeeded`` or ``failed``, once."""
        circuit = self.circuit
        if circuit is Circuit.HALF_OPEN and not self._trying:
            self._trying = True
            return True
        return circuit is Circuit.CLOSED

    def succeeded(self) -> None:
        """A call was answered."""
        self._failures, self._until, self._trying = 0, None, False

    def failed(self) -> None:
        """A call was not answered, or not in a form that can be used."""
        self._trying = False
        self._failures += 1
        if self._until is not None or self._failures >= self._spec.failures:
            self._until = self._clock() + self._spec.open_ms / 1_000
