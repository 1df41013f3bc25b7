"""/v1/loans."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Header, Path, Query, Response

from features.loans.model import Bucket, Kind, State
from serving.access.bearer import asking
from serving.access.model import Authority, Permission
from serving.loans.bodies import (
    AmountBody,
    DrawdownBody,
    ExtensionBody,
    FeeBody,
    GrantBody,
    HappenedBody,
    RestructuringBody,
    moment,
)
from serving.loans.model import BookPage, LoanView, Recorded
from serving.loans.paging import Wanted
from serving.services import Services, services

router = APIRouter(prefix="/v1/loans", tags=["loans"])
Keeper = Annotated[Authority, Depends(asking(Permission.KEEP_LOANS))]
Reader = Annotated[Authority, Depends(asking(Permission.READ_LOANS))]
Held = Annotated[Services, Depends(services)]
LoanId = Annotated[str, Path(min_length=1, max_length=64)]
Key = Annotated[str | None, Header(alias="Idempotency-Key", max_length=128)]
AsOf = Annotated[str | None, Query(max_length=40, description="An ISO date or date-time; now, if not given.")]
JSON = "application/json"

(_recorded, _loan, _page), COMPONENTS = msgspec.json.schema_components(
    (Recorded, LoanView, BookPage), ref_template="#/components/schemas/{name}"
)


def _told(status: int, schema: dict[str, Any]) -> dict[str, Any]:
    return {"responses": {str(status): {"description": "Done.", "content": {JSON: {"schema": schema}}}}}


_MADE = _told(201, _recorded)


@router.post("", summary="Tell of a grant", status_code=201, openapi_extra=_MADE)
async def grant(body: GrantBody, authority: Keeper, held: Held, idempotency_key: Key = None) -> Response:
    """A loan that was granted elsewhere: it gets an id, under which all that happens to it is told."""
    return _json(await held.loans.grant(authority, idempotency_key, body.given), 201)


@router.get("", summary="The loan book", openapi_extra=_told(200, _page))
async def book(
    authority: Reader, held: Held, *, as_of: AsOf = None, bucket: Bucket | None = None, state: State | None = None,
    after: Annotated[str, Query(max_length=64)] = "", most: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> Response:  # fmt: skip
    """Every loan that was drawn, as it was known then, by id; `bucket` leaves open loans of that band of days past due.
    The sums are of all that are wanted; `after` of the answer leads to the next page.
    """
    wanted = Wanted(_moment(as_of), bucket, state, after, most)
    return _json(await held.loans.book(authority, wanted))


@router.get("/{loan_id}", summary="Where a loan stands", openapi_extra=_told(200, _loan))
async def read(loan_id: LoanId, authority: Reader, held: Held, as_of: AsOf = None) -> Response:
    """What is due, paid and owed by line and part, what happened and what the book did not take, as it was known then."""
    return _json(await held.loans.read(authority, loan_id, _moment(as_of)))


@router.post("/{loan_id}/drawdowns", summary="Tell of a drawdown", status_code=201, openapi_extra=_MADE)
async def draw(
    loan_id: LoanId, body: DrawdownBody, authority: Keeper, held: Held, idempotency_key: Key = None
) -> Response:
    """With its schedule, line by line, or the terms from which it follows; the principal is what is drawn."""
    return await _tell(held, authority, loan_id, idempotency_key, body, Kind.DRAWDOWN)


@router.post("/{loan_id}/payments", summary="Tell of a payment", status_code=201, openapi_extra=_MADE)
async def pay(
    loan_id: LoanId, body: AmountBody, authority: Keeper, held: Held, idempotency_key: Key = None
) -> Response:
    """It is spent in the order that the loans page states; with an old date all that follows is worked out anew."""
    return await _tell(held, authority, loan_id, idempotency_key, body, Kind.PAYMENT)


@router.post("/{loan_id}/fees", summary="Tell of a fee", status_code=201, openapi_extra=_MADE)
async def charge(
    loan_id: LoanId, body: FeeBody, authority: Keeper, held: Held, idempotency_key: Key = None
) -> Response:
    """Due so many days later."""
    return await _tell(held, authority, loan_id, idempotency_key, body, Kind.FEE)


@router.post("/{loan_id}/extensions", summary="Tell of an extension", status_code=201, openapi_extra=_MADE)
async def extend(
    loan_id: LoanId, body: ExtensionBody, authority: Keeper, held: Held, idempotency_key: Key = None
) -> Response:
    """What is not due yet moves by so many days, for an agreed interest; what is overdue stays so."""
    return await _tell(held, authority, loan_id, idempotency_key, body, Kind.EXTENSION)


@router.post(
    "/{loan_id}/restructurings", summary="Tell of a restructuring", status_code=201, openapi_extra=_MADE
)
async def restructure(
    loan_id: LoanId, body: RestructuringBody, authority: Keeper, held: Held, idempotency_key: Key = None
) -> Response:
    """A new schedule for just the open principal; open interest is taken back."""
    return await _tell(held, authority, loan_id, idempotency_key, body, Kind.RESTRUCTURING)


@router.post("/{loan_id}/charge-offs", summary="Tell of a charge-off", status_code=201, openapi_extra=_MADE)
async def charge_off(
    loan_id: LoanId, body: HappenedBody, authority: Keeper, held: Held, idempotency_key: Key = None
) -> Response:
    """The open principal leaves the book, not the debt."""
    return await _tell(held, authority, loan_id, idempotency_key, body, Kind.CHARGE_OFF)


@router.post("/{loan_id}/recoveries", summary="Tell of a recovery", status_code=201, openapi_extra=_MADE)
async def recover(
    loan_id: LoanId, body: AmountBody, authority: Keeper, held: Held, idempotency_key: Key = None
) -> Response:
    """What is paid after a charge-off."""
    return await _tell(held, authority, loan_id, idempotency_key, body, Kind.RECOVERY)


async def _tell(
    held: Services, authority: Authority, loan_id: str, key: str | None, body: HappenedBody, kind: Kind
) -> Response:
    return _json(await held.loans.tell(authority, loan_id, key, body.told(kind)), 201)


def _moment(text: str | None) -> int | None:
    return None if text is None else moment(text, "as_of")


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type=JSON)
