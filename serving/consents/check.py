"""Whether a consent covers a use, and if not, which of five ways it does not."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from features.calendar import iso
from features.errors import Forbidden
from features.identity.numbers import WrongNumber, check_person_number


class Purpose(StrEnum):
    """What a consent may be given for."""

    CREDIT_ASSESSMENT = "credit_assessment"
    POST_LOAN_MANAGEMENT = "post_loan_management"


class ConsentRefused(Forbidden):
    """No consent that covers this use; ``code`` says which of the ways."""

    def __init__(self, code: str, problem: str, remedy: str) -> None:
        super().__init__(problem, place="consent_id", remedy=remedy, code=f"consent_{code}")


@dataclass(frozen=True, slots=True)
class Consent:
    """A consent as it is recorded; instants in µs, ``valid_to`` excluded."""

    consent_id: UUID
    subject_id: int
    categories: tuple[str, ...]
    purpose: str
    valid_from: int
    valid_to: int
    withdrawn_at: int | None

    def is_live(self, at: int) -> bool:
        """Whether it holds at a moment, for whatever purpose."""
        withdrawn = self.withdrawn_at is not None and self.withdrawn_at <= at
        return self.valid_from <= at < self.valid_to and not withdrawn


def person_number(text: str, place: str) -> str:
    """The normal form of a number that came in the field ``place``.

    Raises:
        WrongNumber: with that place.
    """
    try:
        return check_person_number(text)
    except WrongNumber as error:
        error.place = place
        raise


def check_consent(consent: Consent | None, subject: int, purpose: Purpose, at: int) -> Consent:
    """The consent, if it covers this subject and purpose at this moment.

    Raises:
        ConsentRefused: missing, of another person, for another purpose, withdrawn, not yet or no longer valid.
    """
    ask = "Record the applicant's consent with POST /v1/consents, then send the application again."
    if consent is None or consent.subject_id != subject:
        raise ConsentRefused("missing", "there is no such consent of this applicant.", ask)
    if consent.purpose != purpose.value:
        problem = f"the consent was given for {consent.purpose}, not for {purpose.value}."
        raise ConsentRefused("other_purpose", problem, ask)
    if consent.withdrawn_at is not None and consent.withdrawn_at <= at:
        raise ConsentRefused("withdrawn", f"the consent was withdrawn on {iso(consent.withdrawn_at)}.", ask)
    if at < consent.valid_from:
        problem = f"the consent only begins on {iso(consent.valid_from)}."
        raise ConsentRefused("not_yet_valid", problem, "Wait until it begins.")
    if at >= consent.valid_to:
        raise ConsentRefused("expired", f"the consent ended on {iso(consent.valid_to)}.", ask)
    return consent
