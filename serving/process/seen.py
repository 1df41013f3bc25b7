"""What is known of the request that is being answered: for the log, the metrics and the answer itself."""

from __future__ import annotations

import re
import secrets
from contextvars import ContextVar
from dataclasses import dataclass

from serving.process.telling import holds_number

_GIVEN = re.compile(r"[A-Za-z0-9._:-]{1,64}")


@dataclass(slots=True)
class Seen:
    """One request; ``tenant`` and ``actor`` are filled when it is known who asks."""

    request_id: str
    tenant: str = ""
    actor: str = ""


_SEEN: ContextVar[Seen | None] = ContextVar("seen", default=None)


def begin(given: str) -> Seen:
    """Begin a request under the id that its sender gave, or a new one where that is none that may be repeated."""
    usable = _GIVEN.fullmatch(given) and not holds_number(given)
    seen = Seen(given if usable else f"{secrets.token_hex(4)}-{secrets.token_hex(4)}")
    _SEEN.set(seen)
    return seen


def now() -> Seen | None:
    """The request in whose answering this runs; None outside of any."""
    return _SEEN.get()


def asked_by(tenant: str, actor: str) -> None:
    """It is known now who asks."""
    seen = _SEEN.get()
    if seen is not None:
        seen.tenant, seen.actor = tenant, actor
