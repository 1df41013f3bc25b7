"""/v1/loans."""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Happening:
    """A route that tells what happened to a loan: its place and name, what is sent, and what it says of itself."""

    path: str
    name: str
    kind: Kind
    body: type[HappenedBody]
    what: str
    says: str


HAPPENINGS = (
    Happening("drawdowns", "draw", Kind.DRAWDOWN, DrawdownBody, "a drawdown",
              "With its schedule, line by line, or the terms from which it follows; the principal is what is drawn."),
    Happening("payments", "pay", Kind.PAYMENT, AmountBody, "a payment",
              "It is spent in the order that the loans page states; with an old date all that follows is worked out anew."),
    Happening("fees", "charge", Kind.FEE, FeeBody, "a fee", "Due so many days later."),
    Happening("extensions", "extend", Kind.EXTENSION, ExtensionBody, "an extension",
              "What is not due yet moves by so many days, for an agreed interest; what is overdue stays so."),
    Happening("restructurings", "restructure", Kind.RESTRUCTURING, RestructuringBody, "a restructuring",
              "A new schedule for just the open principal; open interest is taken back."),
    Happening("charge-offs", "charge_off", Kind.CHARGE_OFF, HappenedBody, "a charge-off",
              "The open principal leaves the book, not the debt."),
    Happening("recoveries", "recover", Kind.RECOVERY, AmountBody, "a recovery", "What is paid after a charge-off."),
)  # fmt: skip


def _route(one: Happening) -> None:
    async def tell(
        loan_id: LoanId, body: Any, authority: Keeper, held: Held, idempotency_key: Key = None
    ) -> Response:
        found = await held.loans.tell(authority, loan_id, idempotency_key, body.told(one.kind))
        return _json(found, 201)

    tell.__name__, tell.__doc__ = one.name, one.says
    tell.__annotations__["body"] = one.body
    add = router.post(
        f"/{{loan_id}}/{one.path}", summary=f"Tell of {one.what}", status_code=201, openapi_extra=_MADE
    )
    add(tell)


for each in HAPPENINGS:
    _route(each)


def _moment(text: str | None) -> int | None:
    return None if text is None else moment(text, "as_of")


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type=JSON)
