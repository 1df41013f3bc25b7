"""How much of a line today's decision lets be owed: a drawdown pays no more than that, less what is drawn already."""

from __future__ import annotations

from features.errors import Conflict
from serving.cases.bounds import bounds_of
from serving.cases.granting import cap_of
from serving.cases.opening import Opened
from serving.decisions.linking import LinkKind
from serving.offers.bounds import Bound
from serving.offers.model import OfferRow
from serving.policy.model import Outcome

LINE = "line"


class PastToday(Conflict):
    """More than today's decision would approve of the line."""

    def __init__(self, bound: Bound, drawn_fen: int, least_fen: int) -> None:
        most = max(bound.most_fen - drawn_fen, 0)
        remedy = f"Draw from {least_fen} to {most} fen." if most >= least_fen else "Repay of the line first."
        super().__init__(
            f"today {bound.most_fen} fen of this line would be approved (bound by {bound.name}), of which {drawn_fen} are"
            f" drawn: {most} may be drawn, and nothing was paid.",
            place="amount_fen",
            remedy=remedy,
        )


def payable(today: Opened, offered: Opened, row: OfferRow, amount: int, least_fen: int) -> None:
    """Nothing, where so many fen more may be owed of a locked line by today's decision of the whole line.

    Raises:
        PastToday: with what may be drawn.
    """
    bound = allowed(today, offered, row.limit_fen)
    if row.drawn_fen + amount > bound.most_fen:
        raise PastToday(bound, row.drawn_fen, least_fen)


def allowed(today: Opened, offered: Opened, line_fen: int) -> Bound:
    """What today's decision approves of a line. What a person granted beyond the system's answer is bound by today's caps.

    Of a person's grant over a counter-offer of the system, a lower answer than that one binds.
    """
    answer = today.receipt.answer
    if answer["outcome"] != Outcome.APPROVE:
        return _capped(today, line_fen)
    most = int(answer["limit_fen"])
    if most >= _system(offered, line_fen):
        return _capped(today, line_fen)
    return Bound(most, (answer.get("offer") or {}).get("bound_by", LINE))


def _system(offered: Opened, line_fen: int) -> int:
    """What the system itself approved of it, in fen: of what a person granted against or over it, its own answer."""
    answer = offered.receipt.answer
    person = offered.stored.kind == LinkKind.PERSON
    if person and answer["outcome"] == Outcome.APPROVE:
        return min(int(answer["limit_fen"]), line_fen)
    return line_fen


def _capped(today: Opened, line_fen: int) -> Bound:
    """The line under the caps of today's policy; ``promised_fen`` of the case is what others than this line hold."""
    receipt = today.receipt
    at = receipt.case.decided_at
    found = [Bound(line_fen, LINE), Bound(bounds_of(today.policy, receipt, at).most_fen, "cap")]
    cap, household = cap_of(today, at), receipt.case.household
    if cap is not None and household is not None:
        found.append(Bound(max(cap.value - household.promised_fen, 0), "exposure"))
    return min(found, key=lambda bound: bound.most_fen)
