"""Whoever is watched waits to be looked at, from the transaction on that keeps a record about them."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg
import numpy as np

from features.contracts.model import Contract
from features.loans.rows import BOOK, PLAIN
from features.timeline.lake import Batch
from features.timeline.life import linked_fields

CHANNEL = "yidai_watch"
GUARANTEE = "guarantee"
ASK = "SELECT ask_watch($1, $2, $3, $4)"
OF_THE_BOOK = frozenset({*BOOK, *PLAIN, GUARANTEE})
"""Datasets whose records make somebody watched who was not yet."""


async def ask(connection: asyncpg.Connection, parts: Sequence[tuple[Contract, Batch]], now: int) -> None:
    """Ask for a look at those whom new records are about or name, once each is known; who is not watched is passed over."""
    for contract, batch in parts:
        subjects, due = _concerned(contract, batch, now)
        await connection.execute(ASK, subjects.tolist(), due.tolist(), now, contract.dataset in OF_THE_BOOK)


def _concerned(contract: Contract, batch: Batch, now: int) -> tuple[np.ndarray, np.ndarray]:
    """Subjects and when what came of them is known, at most twice each: by now, and later."""
    raw = batch.raw
    ends = [raw.subject, *(raw.columns[name] for name in linked_fields(contract))]
    pairs = np.stack([np.concatenate(ends), np.tile(raw.known_from, len(ends))], axis=1)
    pairs = pairs[pairs[:, 0] >= 0]
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    later = pairs[:, 1] > now
    last = np.append((pairs[1:, 0] != pairs[:-1, 0]) | (later[1:] != later[:-1]), True)
    return pairs[last[: len(pairs)], 0], pairs[last[: len(pairs)], 1]
