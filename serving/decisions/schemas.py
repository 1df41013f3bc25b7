"""What a decision is asked with and answered with."""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeVar
from uuid import UUID

import msgspec

from features.contracts.model import Text
from features.errors import Conflict, Invalid
from serving.offers.offer import Offer
from serving.policy.facts import Aml, Identity
from serving.policy.model import LONGEST_TERM, Outcome

Short = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
_YUAN = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,2}))?")
MOST_FEN = 100_000_000_000


class Applicant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who applies: an identity number of 18 characters (15 in the old form)."""

    id_number: Annotated[str, msgspec.Meta(min_length=15, max_length=18)]


class Checks(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the bank's own checks of the applicant found. One that is left out is unknown to the policy's rules."""

    identity: Identity | None = None
    aml: Aml | None = None


class DecisionRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An application. The amount is given once: ``amount_fen`` as an integer or ``amount_yuan`` as a text.

    For a product without a loan amount, term and purpose are left out.
    """

    applicant: Applicant
    consent_id: UUID
    product: Short
    region: Short
    term_months: Annotated[int, msgspec.Meta(ge=1, le=LONGEST_TERM)] | None = None
    purpose: Short | None = None
    checks: Checks | None = None
    amount_fen: Annotated[int, msgspec.Meta(gt=0, le=MOST_FEN)] | None = None
    amount_yuan: Annotated[str, msgspec.Meta(max_length=15)] | None = None


class Asked(msgspec.Struct, frozen=True, omit_defaults=True):
    """An application as it is decided and kept, without the number of the person.

    Amount, term and purpose of a product without a loan are zero and empty; ``checks`` holds those that were given.
    """

    product: str
    amount_fen: int
    term_months: int
    purpose: str
    region: str
    checks: dict[str, str] = msgspec.field(default_factory=dict)


class AnswerReason(msgspec.Struct, frozen=True):
    """``kind`` is rule, unknown (what could not be checked), limit, held (stopped, or the day's breaker full) or score; a score's reason has its log-odds and its share of all that raised it."""

    code: str
    kind: str
    zh: str
    en: str
    log_odds: int | None = None
    share: float | None = None


class Arm(msgspec.Struct, frozen=True):
    """Where an experiment put the subject: ``arm`` is champion or challenger, ``model`` the one that decides."""

    experiment: str
    arm: str
    model: str


class AnswerScore(msgspec.Struct, frozen=True):
    """In 1e-9 logits of default: ``base`` + the reasons' log-odds + ``other`` == ``log_odds`` exactly."""

    model: str
    base: int
    other: int
    log_odds: int


class DecisionAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer: ``grade`` 1 is best; ``pd`` is the chance of default within a year that set everything.

    ``tail_version`` is the number of the latest single record that was seen; without one it is left out, as
    is ``disputed_sources`` where the applicant disputes nothing that was read. The PD lies between ``pd_low``
    and ``pd_high`` with the chance that the bundle states (90 %); what is in ``missing_sources`` widens them. The
    policy may grade by a higher PD where sources are missing: then that is ``graded_pd``. ``rows`` names the row of
    each of the policy's tables that was used, ``segment`` whom it took the applicant for,
    ``experiment`` the arm of a split that runs. An answer about a product
    without a loan has no grade, PD, score, limit, rate or offer.
    """

    decision_id: str
    outcome: Outcome
    stream: str
    reasons: tuple[AnswerReason, ...]
    as_of: str
    decided_at: str
    subject_version: int
    digests: dict[str, str]
    missing_sources: dict[str, str]
    title: Text
    grade: int | msgspec.UnsetType = msgspec.UNSET
    pd: float | msgspec.UnsetType = msgspec.UNSET
    limit_fen: int | msgspec.UnsetType = msgspec.UNSET
    annual_rate_ppm: int | msgspec.UnsetType | None = msgspec.UNSET
    offer: Offer | msgspec.UnsetType | None = msgspec.UNSET
    score: AnswerScore | msgspec.UnsetType = msgspec.UNSET
    tail_version: int = 0
    disputed_sources: tuple[str, ...] = ()
    pd_low: float | None = None
    pd_high: float | None = None
    graded_pd: float | None = None
    segment: str = ""
    rows: dict[str, str] = msgspec.field(default_factory=dict)
    experiment: Arm | None = None


class BadRequest(Invalid):
    """A body that is not an application, with the field."""

    def __init__(self, problem: str, place: str = "body") -> None:
        super().__init__(
            problem, place=place, remedy="See POST /v1/decisions at /docs.", code="invalid_request"
        )


class KeyReused(Conflict):
    """The same Idempotency-Key with another body."""

    def __init__(self) -> None:
        super().__init__(
            "this Idempotency-Key was used for another application.",
            place="Idempotency-Key",
            remedy="Send a new key with a new application; the same key only repeats the same one.",
        )


Request = TypeVar("Request", bound=DecisionRequest)
_decoder = msgspec.json.Decoder(DecisionRequest)


def read_request(body: bytes) -> DecisionRequest:
    """An application from the bytes of a request.

    Raises:
        BadRequest: with the field.
    """
    return read_as(_decoder, body)


def read_as(decoder: msgspec.json.Decoder[Request], body: bytes) -> Request:
    """As ``read_request``, of an application that says more."""
    try:
        request = decoder.decode(body)
    except msgspec.ValidationError as error:
        problem, _, place = str(error).partition(" - at ")
        raise BadRequest(f"{problem}.", place.strip("`").removeprefix("$.") or "body") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadRequest("the body is not JSON.") from None
    given = (request.amount_fen is not None) + (request.amount_yuan is not None)
    if given or request.term_months is not None or request.purpose is not None:
        _check_loan(request)
        if given != 1:
            raise BadRequest(
                "give the amount once: amount_fen (integer) or amount_yuan (text).", "amount_fen"
            )
    return request


def asked_of(request: DecisionRequest) -> Asked:
    """What is asked for, without the number.

    Raises:
        BadRequest: a text that is no amount, or zero.
    """
    checks = request.checks or Checks()
    given = {name: getattr(checks, name) for name in ("identity", "aml")}
    told = {name: found.value for name, found in given.items() if found is not None}
    if request.term_months is None or request.purpose is None:
        return Asked(request.product, 0, 0, "", request.region, told)
    amount = amount_of(request)
    return Asked(request.product, amount, request.term_months, request.purpose, request.region, told)


def check_loan(asked: Asked, *, wanted: bool) -> None:
    """An application for a loan says how much, and one for something else does not.

    Raises:
        BadRequest: it does not fit its product.
    """
    if wanted and not asked.term_months:
        raise BadRequest("the application for a loan lacks its amount, term and purpose.", "term_months")
    if not wanted and asked.term_months:
        raise BadRequest("this product is no loan: leave out amount, term and purpose.", "term_months")


def _check_loan(request: DecisionRequest) -> None:
    for name in ("term_months", "purpose"):
        if getattr(request, name) is None:
            raise BadRequest(f"Object missing required field `{name}`.", name)


def amount_of(request: DecisionRequest) -> int:
    """The amount in fen.

    Raises:
        BadRequest: a text that is no amount, or zero.
    """
    if request.amount_fen is not None:
        return request.amount_fen
    found = _YUAN.fullmatch(request.amount_yuan or "")
    fen = int(found[1]) * 100 + int((found[2] or "").ljust(2, "0")) if found else 0
    if not 0 < fen <= MOST_FEN:
        raise BadRequest("the amount is yuan with at most two decimals, above zero.", "amount_yuan")
    return fen


def openapi_parts() -> tuple[dict[str, Any], dict[str, Any]]:
    """Schemas of request and answer, and the components that they name."""
    schemas, components = msgspec.json.schema_components(
        (DecisionRequest, DecisionAnswer), ref_template="#/components/schemas/{name}"
    )
    return {"request": schemas[0], "answer": schemas[1]}, components
