"""Whether a consent covers a use, and if not, which of the ways it does not."""

from __future__ import annotations

from features.consent import Consent, Purpose, Refusal
from features.errors import Forbidden
from features.identity.numbers import WrongNumber, check_person_number


class ConsentRefused(Forbidden):
    """No consent that covers this use; ``code`` says which of the ways."""

    def __init__(self, code: Refusal, problem: str, remedy: str) -> None:
        super().__init__(problem, place="consent_id", remedy=remedy, code=f"consent_{code.value}")


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


def check_consent(
    consent: Consent | None, subject: int, purpose: Purpose, recipient: str, at: int
) -> Consent:
    """The consent, if it covers this subject, purpose and recipient at this moment.

    Raises:
        ConsentRefused: missing, of another person, for another purpose or recipient, withdrawn, not yet or no
            longer valid.
    """
    ask = "Record the applicant's consent with POST /v1/consents, then send the application again."
    if consent is None or consent.subject_id != subject:
        raise ConsentRefused(Refusal.NO_CONSENT, "there is no such consent of this applicant.", ask)
    why = consent.refusal(purpose, recipient, at)
    if why is not None:
        code, problem = why
        raise ConsentRefused(code, problem, "Wait until it begins." if code is Refusal.NOT_YET_VALID else ask)
    return consent
