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
from serving.decisions.traces import RuleTrace
from serving.decisions.verdict import RANDOM
from serving.policy.days import day_of
from serving.policy.facts import AML, AMOUNT, IDENTITY
from serving.policy.load import read_policy
from serving.policy.model import Outcome

_WORSE = {outcome: place for place, outcome in enumerate(Outcome)}


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


def speaks(today: Opened, offered: Opened) -> Outcome:
    """What is new today says to paying: ``approve`` pays, ``refer`` pays nothing, ``decline`` freezes the line.

    Where a person granted it, what lay before that person (a rule that found the same, a score that was no better)
    speaks against it no more. The checks of a person are made anew for each drawdown, whoever granted it.
    """
    looked = offered.stored.kind == LinkKind.PERSON
    seen = [_found(rule) for rule in offered.receipt.struck] if looked else []
    new = {rule.effect for rule in today.receipt.struck if _is_check(rule) or _found(rule) not in seen}
    score = by_score(today)
    if _WORSE[score] <= _WORSE[by_score(offered)]:
        score = Outcome.APPROVE
    if Outcome.DECLINE.value in new or score is Outcome.DECLINE:
        return Outcome.DECLINE
    held = new or score is Outcome.REFER or today.receipt.case.lacks
    return Outcome.REFER if held else Outcome.APPROVE


def by_score(opened: Opened) -> Outcome:
    """What the score alone says, also where a rule was before it; of who was approved by chance, that it does not approve."""
    answer, asked = opened.receipt.answer, opened.receipt.case.asked
    outcome = Outcome(answer["outcome"])
    if outcome is Outcome.APPROVE:
        return Outcome.REFER if answer.get("stream") == RANDOM else outcome
    if not opened.receipt.struck or (outcome is Outcome.DECLINE and answer.get("rows")):
        return outcome
    tables, grade = read_policy(opened.policy).tables, answer.get("grade")
    if tables is None or grade is None:
        return Outcome.APPROVE
    day = day_of(opened.receipt.case.decided_at)
    cut = tables.cutoff(asked.product, answer.get("segment", ""), grade, day).outcome
    return min(cut, outcome, key=_WORSE.__getitem__)


def _found(rule: RuleTrace) -> tuple[object, ...]:
    """A rule with what it found, but for how much was asked for: a line is never more than the person saw."""
    names = [each["fact"] for each in rule.expected]
    actual = tuple(value for name, value in zip(names, rule.actual, strict=False) if name != AMOUNT)
    return rule.id, rule.effect, rule.truth, actual


def _is_check(rule: RuleTrace) -> bool:
    return any(each["fact"] in {IDENTITY, AML} for each in rule.expected)
