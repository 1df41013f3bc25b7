"""An offer opened with the application that it answers, whoever made it: the system, or a person who decided its case."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import asyncpg
import msgspec

from serving.cases import receipt as person
from serving.cases.opening import Opened, Opener, opened_bytes
from serving.decisions.linking import LinkKind
from serving.decisions.repository import get_on
from serving.policy.model import Outcome


async def opened_offer(opener: Opener, connection: asyncpg.Connection, decision_id: UUID) -> Opened:
    """The decision that offers. Of a person's, the decision that was reviewed, with the person's offer in its place.

    Raises:
        UnknownDecision, Erased: there is nothing to read.
        Unreadable: the stored bytes were changed.
    """
    stored = await get_on(connection, decision_id)
    if stored.kind != LinkKind.PERSON:
        return await opener.receipt(connection, decision_id)
    made = person.read(opened_bytes(opener.keys, stored)[1])
    reviewed = await opener.receipt(connection, UUID(made.parent_id))
    answer = reviewed.receipt.answer | {"offer": made.answer["offer"]}
    return replace(reviewed, stored=stored, receipt=msgspec.structs.replace(reviewed.receipt, answer=answer))


def clear(today: Opened, offered: Opened) -> bool:
    """Whether nothing that was decided today speaks against paying: no rule struck, and the score does not refuse.

    Where a person granted it, what lay before that person (the same rules to the same effect, a score that refused)
    was looked at, and speaks against it no more.
    """
    looked = offered.stored.kind == LinkKind.PERSON
    seen = {(rule.id, rule.effect) for rule in offered.receipt.struck} if looked else set()
    if any((rule.id, rule.effect) not in seen for rule in today.receipt.struck):
        return False
    refused = Outcome.DECLINE
    return today.receipt.answer["outcome"] != refused or (
        looked and offered.receipt.answer["outcome"] == refused
    )
