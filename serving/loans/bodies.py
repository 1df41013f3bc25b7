"""What is sent to /v1/loans, in fen and ISO dates."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from features.calendar import instant
from features.errors import Invalid
from features.loans.model import Instalment, Kind, day_of
from features.loans.plan import Repayment, Terms
from serving.decisions.schemas import MOST_FEN
from serving.loans.model import Given, Told

Number = Annotated[str, StringConstraints(min_length=15, max_length=18)]
Moment = Annotated[str, StringConstraints(min_length=10, max_length=40)]
Reference = Annotated[str, StringConstraints(max_length=64)]
Fen = Annotated[int, Field(ge=-MOST_FEN, le=MOST_FEN, strict=True)]
"""What is below its least is refused by the book, which says what to do instead."""
Days = Annotated[int, Field(ge=-36_500, le=36_500, strict=True)]
Rate = Annotated[int, Field(ge=0, le=10_000_000, strict=True)]
Months = Annotated[int, Field(ge=1, le=600, strict=True)]
MOST_LINES = 1_200


class Currency(StrEnum):
    """Currencies that a grant may be in."""

    CNY = "CNY"
    USD = "USD"
    EUR = "EUR"
    HKD = "HKD"
    JPY = "JPY"


class Body(BaseModel):
    """Bodies refuse what they do not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class GrantBody(Body):
    """To whom how much was granted; the number travels in the body."""

    id_number: Number
    granted_at: Moment
    limit_fen: Annotated[int, Field(gt=0, le=MOST_FEN, strict=True)]
    currency: Currency = Currency.CNY
    repayment: Repayment | None = None
    annual_rate_ppm: Rate | None = None
    term_months: Months | None = None

    @property
    def given(self) -> Given:
        """As the service is asked."""
        return Given(
            self.id_number, moment(self.granted_at, "granted_at"), self.limit_fen, self.currency.value,
            "" if self.repayment is None else self.repayment.value, self.annual_rate_ppm, self.term_months,
        )  # fmt: skip


class LineBody(Body):
    """What one day asks for."""

    due_on: Moment
    principal_fen: Fen = 0
    interest_fen: Fen = 0
    fee_fen: Fen = 0

    @property
    def instalment(self) -> Instalment:
        """As the book knows it."""
        day = day_of(moment(self.due_on, "schedule.due_on"))
        return Instalment(day, self.principal_fen, self.interest_fen, self.fee_fen)


class TermsBody(Body):
    """From which a schedule follows."""

    repayment: Repayment
    annual_rate_ppm: Rate
    months: Months
    fee_fen: Annotated[int, Field(ge=0, le=MOST_FEN, strict=True)] = 0
    principal_months: Annotated[
        list[Annotated[int, Field(ge=1, le=12, strict=True)]], Field(max_length=12)
    ] = []

    @property
    def terms(self) -> Terms:
        """As the plan is asked."""
        months = frozenset(self.principal_months)
        return Terms(self.repayment, self.annual_rate_ppm, self.months, self.fee_fen, months)


class HappenedBody(Body):
    """When; `reference` is the bank's own name of it, under which it is recorded once, whatever the key."""

    at: Moment
    reference: Reference = ""

    def told(self, kind: Kind) -> Told:
        """As the service is asked."""
        return Told(kind, moment(self.at, "at"), self.reference)


class AmountBody(HappenedBody):
    """How much was paid; in the loan's own currency, where none is said."""

    amount_fen: Fen
    currency: Currency | None = None

    def told(self, kind: Kind) -> Told:
        """As the service is asked."""
        money = "" if self.currency is None else self.currency.value
        return Told(kind, moment(self.at, "at"), self.reference, self.amount_fen, money)


class FeeBody(AmountBody):
    """A fee, due after `days`."""

    days: Days = 0

    def told(self, kind: Kind) -> Told:
        """As the service is asked."""
        money = "" if self.currency is None else self.currency.value
        return Told(kind, moment(self.at, "at"), self.reference, self.amount_fen, money, self.days)


class ExtensionBody(HappenedBody):
    """By how many days, and for what interest."""

    days: Days
    interest_fen: Fen = 0

    def told(self, kind: Kind) -> Told:
        """As the service is asked."""
        return Told(kind, moment(self.at, "at"), self.reference, self.interest_fen, days=self.days)


class DrawdownBody(AmountBody):
    """What was drawn and how it is repaid: a schedule, or terms."""

    schedule: Annotated[list[LineBody], Field(max_length=MOST_LINES)] = []
    terms: TermsBody | None = None

    def told(self, kind: Kind) -> Told:
        """As the service is asked.

        Raises:
            Invalid: both or neither are given.
        """
        if bool(self.schedule) == (self.terms is not None):
            raise Invalid(
                "a schedule or terms are needed, and not both.", place="schedule", remedy="Send one."
            )
        money = "" if self.currency is None else self.currency.value
        lines = tuple(line.instalment for line in self.schedule)
        terms = None if self.terms is None else self.terms.terms
        return Told(
            kind, moment(self.at, "at"), self.reference, self.amount_fen, money, schedule=lines, terms=terms
        )


class RestructuringBody(HappenedBody):
    """The new schedule, whose principal is the open one."""

    schedule: Annotated[list[LineBody], Field(min_length=1, max_length=MOST_LINES)]

    def told(self, kind: Kind) -> Told:
        """As the service is asked."""
        lines = tuple(line.instalment for line in self.schedule)
        return Told(kind, moment(self.at, "at"), self.reference, schedule=lines)


def moment(text: str, place: str) -> int:
    """The instant of an ISO text in the field ``place``.

    Raises:
        Invalid: with that place.
    """
    try:
        return instant(text)
    except Invalid as error:
        error.place = place
        raise
