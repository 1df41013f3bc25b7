"""What a policy says of a loan beyond its tables: what bears a limit, what an offer is like, how each is told."""

from __future__ import annotations

import msgspec


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parts of a policy refuse fields that they do not know."""


class Reason(Document, frozen=True):
    """A reason as it is told."""

    code: str
    zh: str
    en: str


class Support(Document, frozen=True):
    """Evidence that bears a limit: so many fen of it for each whole unit of ``fact`` (yuan of tax, mu of land)."""

    id: str
    fact: str
    fen_per_unit: int


class DebtService(Document, frozen=True):
    """The part of a month's verified income, less what is due on other debts, that an instalment may take.

    ``income`` and ``obligations`` name features in yuan a month. Where the income is unknown it bounds nothing.
    """

    income: str
    obligations: str
    share_ppm: int


class LimitPolicy(Document, frozen=True, omit_defaults=True):
    """``income`` names the feature with a year's verified inflow in yuan; ``supports`` what else bears a limit.

    The largest of them counts, because they are traces of one income. ``reasons`` are the texts for each thing
    that can lower a limit: ``income`` and every support, ``unverified``, ``grade``, ``cap``, ``debt_service``,
    ``exposure``; and ``too_small`` when what is left is not worth granting.
    """

    income: str
    unverified_limit_fen: int
    min_limit_fen: int
    step_fen: int
    reasons: dict[str, Reason]
    supports: tuple[Support, ...] = ()
    debt_service: DebtService | None = None

    @property
    def asked(self) -> tuple[tuple[str, str], ...]:
        """The place of every name that the limit asks for, with the name."""
        service = self.debt_service
        of_service = (("income", service.income), ("obligations", service.obligations)) if service else ()
        return (
            ("limits.income", self.income),
            *((f"limits.supports: {one.id} fact", one.fact) for one in self.supports),
            *((f"limits.debt_service {field}", name) for field, name in of_service),
        )


class OfferRules(Document, frozen=True):
    """How long an offer stands, how long its line runs until it must be approved anew, and its fee.

    ``fee_ppm`` of the limit is paid with the first instalment; it counts in the all-in rate (REG-PR-02).
    """

    valid_days: int
    line_months: int = 12
    fee_ppm: int = 0
