"""What the loan book knows of a loan: its grant, its schedule and what happened to it."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from features.calendar import CHINA_OFFSET, DAY, NEVER


class Instalment(msgspec.Struct, frozen=True):
    """What one day asks for, in fen; ``due_day`` counts days of China since 1970."""

    due_day: int
    principal_fen: int = 0
    interest_fen: int = 0
    fee_fen: int = 0


class Kind(StrEnum):
    """What may happen to a loan; of events at one instant the earlier named comes first."""

    DRAWDOWN = "drawdown"
    FEE = "fee"
    EXTENSION = "extension"
    RESTRUCTURING = "restructuring"
    PAYMENT = "payment"
    CHARGE_OFF = "charge_off"
    RECOVERY = "recovery"


class Loan(msgspec.Struct, frozen=True):
    """A grant: at most ``limit_fen`` may be drawn, from ``granted_at`` on."""

    id: str
    granted_at: int
    limit_fen: int
    currency: str = "CNY"


class Event(msgspec.Struct, frozen=True):
    """One record, true from ``at``, known from ``known_from`` until ``known_to`` (it was corrected).

    ``amount_fen`` is what was drawn, charged, paid or recovered; of an extension the interest that it adds.
    ``schedule`` belongs to drawdowns and restructurings. ``days``: how far an extension moves what is not due
    yet; of a fee, the days until it is due.
    """

    id: str
    kind: Kind
    at: int
    known_from: int
    known_to: int = NEVER
    amount_fen: int = 0
    currency: str = "CNY"
    schedule: tuple[Instalment, ...] = ()
    days: int = 0

    def visible(self, as_of: int) -> bool:
        """Known at ``as_of``, and true by then."""
        return self.known_from <= as_of < self.known_to and self.at <= as_of


class Parts(msgspec.Struct, frozen=True):
    """An amount in fen by what it is for."""

    fee_fen: int = 0
    interest_fen: int = 0
    principal_fen: int = 0

    @property
    def total_fen(self) -> int:
        """All of it."""
        return self.fee_fen + self.interest_fen + self.principal_fen


class State(StrEnum):
    """Where a loan is in its life."""

    UNDRAWN = "undrawn"
    ACTIVE = "active"
    SETTLED = "settled"
    CHARGED_OFF = "charged_off"


class Bucket(StrEnum):
    """Days past due, in the bands that the book is read by."""

    CURRENT = "0"
    TO_30 = "1-30"
    TO_60 = "31-60"
    TO_90 = "61-90"
    OVER_90 = "90+"


def bucket_of(dpd: int) -> Bucket:
    """The band of so many days past due."""
    for last, band in ((0, Bucket.CURRENT), (30, Bucket.TO_30), (60, Bucket.TO_60), (90, Bucket.TO_90)):
        if dpd <= last:
            return band
    return Bucket.OVER_90


def day_of(moment: int) -> int:
    """The day of China of an instant, counted from 1970."""
    return (moment + CHINA_OFFSET) // DAY


def start_of(day: int) -> int:
    """The instant at which a day of China begins."""
    return day * DAY - CHINA_OFFSET
