"""What a person's approval promises: an offer like any other, and its part of the household's cap."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import asyncpg

from features.calendar import DAY, instant
from features.errors import Conflict
from serving.cases.bounds import Bounds
from serving.cases.inforce import policy_in_force
from serving.cases.model import Terms
from serving.cases.opening import Opened
from serving.decisions.budgets import HOUSEHOLD, Reservation
from serving.decisions.linking import LinkKind
from serving.offers import repository
from serving.offers.bounds import Wanted
from serving.offers.model import NewOffer, OfferState, UnknownOffer
from serving.offers.offer import Offer, person_offer
from serving.policy.days import day_of
from serving.policy.load import read_policy
from serving.policy.model import GENERAL, CapRow
from serving.policy.terms import Caps, ReadyTables

_HELD = """
SELECT h.holder, coalesce(b.used, 0) AS promised
FROM (SELECT coalesce((SELECT household FROM subject_timeline WHERE subject_id = $1), $2, $1) AS holder) h
LEFT JOIN budget b ON b.name = 'household' AND b.period = h.holder::text"""


class LineStands(Conflict):
    """What the system offered was accepted in the meantime."""

    def __init__(self) -> None:
        super().__init__(
            "what the system offered was accepted: it is a line, and terms do not change under it.",
            place="terms",
            remedy="Decline the case, which leaves the line as it is; for more, send a new application.",
        )


class CapFull(Conflict):
    """The household was promised too much already."""

    def __init__(self, cap_fen: int, left_fen: int, bounds: Bounds) -> None:
        most = max(left_fen, 0) // bounds.step_fen * bounds.step_fen
        grant = f"Grant at most {most} fen, or free" if most >= max(bounds.least_fen, 1) else "Free"
        super().__init__(
            f"of the household's cap of {cap_fen} fen only {max(left_fen, 0)} are left.",
            place="terms.limit_fen",
            remedy=f"{grant} some of the cap first: an offer that is declined or expires, and a repayment, free their part.",
        )


@dataclass(frozen=True, slots=True)
class Grant:
    """An offer with what is written beside its decision; ``cap_fen`` is the household's, None where nothing bounds it."""

    offer: Offer
    new: NewOffer
    reservations: tuple[Reservation, ...]
    cap_fen: int | None


@dataclass(frozen=True, slots=True)
class Held:
    """Whose cap somebody shares, and what of it is promised, in fen."""

    holder: int
    promised_fen: int


async def held_by(connection: asyncpg.Connection, opened: Opened) -> Held:
    """Whose cap the applicant of a decision takes from now; as it was then where nothing of them is online."""
    then = opened.receipt.case.household
    row = await connection.fetchrow(_HELD, opened.stored.subject_id, then.holder if then else None)
    assert row is not None
    return Held(row["holder"], row["promised"])


async def grant(
    connection: asyncpg.Connection, opened: Opened, terms: Terms | None, now: int
) -> Grant | None:
    """What an approval of these terms promises under the decision's policy, and under the caps of the one in force too.

    None for what is no loan, for a policy whose offers are not kept, and for a look at a line that there is already.
    """
    policy, case = read_policy(opened.policy), opened.receipt.case
    rules = policy.document.offers
    if terms is None or rules is None or policy.tables is None or _of_line(opened):
        return None
    asked = case.asked
    caps = _caps(opened, await _tables(connection, opened, now), now)
    wanted = Wanted(asked.amount_fen, asked.term_months)
    offer = person_offer(policy, caps, wanted, terms.limit_fen, terms.annual_rate_ppm, case.tenant, now)
    cap = caps.exposure_cap
    holder = None if cap is None else (await held_by(connection, opened)).holder
    new = NewOffer(
        subject_id=opened.stored.subject_id, holder=holder, product=asked.product, limit_fen=offer.limit_fen,
        line_months=rules.line_months, made_at=now, valid_to=instant(offer.valid_to) + DAY,
    )  # fmt: skip
    return Grant(offer, new, _reservations(cap, holder, offer), None if cap is None else cap.value)


async def full(connection: asyncpg.Connection, opened: Opened, granted: Grant, bounds: Bounds) -> CapFull:
    """Why a grant found no room."""
    held = await held_by(connection, opened)
    cap = granted.cap_fen or 0
    return CapFull(cap, cap - held.promised_fen, bounds)


async def left_of_cap(connection: asyncpg.Connection, opened: Opened, now: int) -> int | None:
    """What the applicant's household may be promised still, in fen; None where no cap bounds it."""
    cap = _exposure(opened, await _tables(connection, opened, now), now)
    return None if cap is None else max(cap.value - (await held_by(connection, opened)).promised_fen, 0)


async def replace_offer(
    connection: asyncpg.Connection, decision_id: UUID, now: int, *, approves: bool
) -> None:
    """End the system's own offer, which the person's decision takes the place of; its part of the cap is free again.

    Raises:
        LineStands: it was accepted, and other terms are to be granted.
    """
    try:
        row = await repository.get(connection, decision_id, lock=True)
    except UnknownOffer:
        return
    if row.state is OfferState.OPEN:
        await repository.decline(connection, row, now)
    elif row.state is OfferState.ACCEPTED and approves:
        raise LineStands


def cap_of(opened: Opened, now: int) -> CapRow | None:
    """The household's cap of a decision's policy on a day; None where nothing bounds it."""
    tables, asked = read_policy(opened.policy).tables, opened.receipt.case.asked
    if tables is None:
        return None
    return tables.exposure_cap(asked.product, opened.receipt.answer.get("segment", ""), day_of(now))


async def _tables(connection: asyncpg.Connection, opened: Opened, now: int) -> list[ReadyTables]:
    """Of the decision's policy, and of the one in force now."""
    in_force = await policy_in_force(connection, opened.receipt.case.asked.product, now)
    policies = [read_policy(each) for each in (opened.policy, in_force) if each is not None]
    return [policy.tables for policy in policies if policy.tables is not None]


def _caps(opened: Opened, tables: list[ReadyTables], now: int) -> Caps:
    found = [each.caps(*_kind(opened, each), day_of(now)) for each in tables]
    return Caps(
        min((caps.limit_cap for caps in found), key=_value),
        min((caps.rate_cap for caps in found), key=_value),
        _exposure(opened, tables, now),
    )


def _exposure(opened: Opened, tables: list[ReadyTables], now: int) -> CapRow | None:
    found = [each.exposure_cap(*_kind(opened, each), day_of(now)) for each in tables]
    return min((cap for cap in found if cap is not None), key=_value, default=None)


def _kind(opened: Opened, tables: ReadyTables) -> tuple[str, str]:
    """Product and segment; a segment of the decision that the policy does not know is ``general``."""
    segment = opened.receipt.answer.get("segment", "")
    return opened.receipt.case.asked.product, segment if segment in tables.segments else GENERAL


def _value(cap: CapRow) -> int:
    return cap.value


def _of_line(opened: Opened) -> bool:
    kind = opened.stored.kind
    return kind is not None and LinkKind(kind).of_line


def _reservations(cap: CapRow | None, holder: int | None, offer: Offer) -> tuple[Reservation, ...]:
    if cap is None or holder is None:
        return ()
    return (Reservation(HOUSEHOLD, str(holder), offer.limit_fen, cap.value),)
