"""What a back-test tells: who would have been decided otherwise, what is expected of them, and why."""

from __future__ import annotations

import msgspec


class Expected(msgspec.Struct, frozen=True):
    """Bads of some applicants: ``seen`` of the ``labelled``; ``bads`` counts them and adds the PDs of the others.

    ``low`` and ``high`` multiply the PDs of those without an outcome by the ends of the band that the rejects'
    inference leaves open: nobody knows what the refused would have done.
    """

    rows: int
    labelled: int
    seen: int
    bads: float
    low: float
    high: float

    @property
    def rate(self) -> float:
        """Bads a row; 0 of nobody."""
        return self.bads / self.rows if self.rows else 0.0


class Move(msgspec.Struct, frozen=True):
    """The applicants with one outcome before and one after; ``asked_fen`` is what they asked for together."""

    before: str
    after: str
    asked_fen: int
    expected: Expected


class SegmentLine(msgspec.Struct, frozen=True):
    """Approvals of one segment (that of the policy after) before and after."""

    segment: str
    rows: int
    approved_before: int
    approved_after: int
    bad_rate_before: float
    bad_rate_after: float


class ReasonLine(msgspec.Struct, frozen=True):
    """How many are refused or referred, the rule or the score being the first cause, before and after."""

    code: str
    before: int
    after: int


class Version(msgspec.Struct, frozen=True):
    """One side: policy and model by digest, and what it would have decided."""

    policy: str
    model: str
    approved: Expected
    referred: int
    declined: int


class Backtest(msgspec.Struct, frozen=True):
    """A policy or a model over past applications beside another.

    ``band`` are the factors on the PD of those without an outcome, and ``band_from`` says where they come from.
    """

    rows: int
    first: str
    last: str
    before: Version
    after: Version
    moves: tuple[Move, ...]
    segments: tuple[SegmentLine, ...]
    reasons: tuple[ReasonLine, ...]
    band: tuple[float, float]
    band_from: str

    def moved(self, *, approved_after: bool) -> Expected:
        """The swap-ins (approved after, not before), or the swap-outs."""
        wanted = [
            m.expected
            for m in self.moves
            if (m.after == "approve") is approved_after and (m.before == "approve") is not approved_after
        ]
        return together(wanted)


def together(parts: list[Expected]) -> Expected:
    """Several groups as one."""
    return Expected(
        sum(p.rows for p in parts), sum(p.labelled for p in parts), sum(p.seen for p in parts),
        sum(p.bads for p in parts), sum(p.low for p in parts), sum(p.high for p in parts),
    )  # fmt: skip
