"""What is told of a loan as rows of the timeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from features.calendar import NEVER, NULL
from features.canonical import code_of
from features.contracts.model import Contract
from features.loans.model import Event, start_of
from features.timeline.events import TAIL, RawEvents, mix
from features.timeline.lake import Batch
from serving.loans.model import Given

Contracts = Mapping[str, Contract]
Parts = list[tuple[Contract, Batch]]


def grant_rows(contracts: Contracts, subject: int, loan: int, given: Given, known: int) -> Parts:
    """A grant, true when it was given, known from now."""
    row = {
        "loan_id": loan, "granted_at": given.granted_at, "limit": given.limit_fen, "currency": code_of(given.currency),
        "repayment": code_of(given.repayment) if given.repayment else NULL,
        "annual_rate_ppm": NULL if given.annual_rate_ppm is None else given.annual_rate_ppm,
        "term_months": NULL if given.term_months is None else given.term_months,
    }  # fmt: skip
    return [_part(contracts["loan_grant"], subject, [row], known)]


def event_rows(contracts: Contracts, subject: int, loan: int, event: Event) -> Parts:
    """What happened, and its schedule: in one go, as neither says anything without the other."""
    name = int(event.id)
    row = {
        "loan_id": loan, "event_id": name, "kind": code_of(event.kind), "happened_at": event.at,
        "amount": event.amount_fen, "currency": code_of(event.currency), "days": event.days,
    }  # fmt: skip
    parts = [_part(contracts["loan_event"], subject, [row], event.known_from)]
    lines = [
        {"loan_id": loan, "event_id": name, "number": number, "due_on": start_of(line.due_day),
         "principal": line.principal_fen, "interest": line.interest_fen, "fee": line.fee_fen}
        for number, line in enumerate(event.schedule, start=1)
    ]  # fmt: skip
    if lines:
        parts.append(_part(contracts["loan_schedule"], subject, lines, event.known_from))
    return parts


def _part(
    contract: Contract, subject: int, rows: Sequence[Mapping[str, int]], known: int
) -> tuple[Contract, Batch]:
    told = contract.times.known_from.field
    columns = {
        name: np.array([known if name == told else row.get(name, NULL) for row in rows], dtype=np.int64)
        for name in contract.names
    }
    count = len(rows)
    true = columns[contract.times.valid_from.field or ""]
    raw = RawEvents(
        np.full(count, subject), true, np.full(count, NEVER), np.full(count, known), np.full(count, TAIL),
        mix([columns[name] for name in contract.key]), columns,
    )  # fmt: skip
    return contract, Batch(raw, np.zeros(count, dtype=bool))
