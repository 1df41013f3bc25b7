"""How many statements the process sends to the store, whichever library sends them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

import asyncpg
import psycopg

_WAYS = (
    (
        asyncpg.Connection,
        ("execute", "executemany", "fetch", "fetchrow", "fetchval", "copy_records_to_table"),
    ),
    (psycopg.Cursor, ("execute", "executemany", "copy")),
)


@dataclass
class Sent:
    """Statements in order."""

    texts: list[str] = field(default_factory=list)


@contextmanager
def statements() -> Iterator[Sent]:
    """Every statement that is sent until the end of the block. A statement that is sent by another way of its library is
    counted by that one too, the same each time.
    """
    sent, kept = Sent(), []
    for kind, names in _WAYS:
        for name in names:
            way = getattr(kind, name)
            kept.append((kind, name, way))
            setattr(kind, name, _noting(way, sent))
    try:
        yield sent
    finally:
        for kind, name, way in kept:
            setattr(kind, name, way)


def _noting(way: Callable[..., Any], sent: Sent) -> Callable[..., Any]:
    @wraps(way)
    def noted(self: Any, query: Any, *more: Any, **named: Any) -> Any:
        sent.texts.append(str(query))
        return way(self, query, *more, **named)

    return noted
