"""Lines of a batch: each an application with its own key, read apart from its neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from features.errors import TooLarge, YidaiError
from serving.decisions.schemas import BadRequest, DecisionRequest, read_as
from serving.decisions.service import WrongKey, hash_of_key

MOST = 10_000
"""Applications in one call."""
KEY = "idempotency_key"


class TooManyApplications(TooLarge):
    """More lines than one call may have."""

    def __init__(self, lines: int) -> None:
        super().__init__(
            f"{lines} applications came at once.",
            remedy=f"Send at most {MOST} a call, or take `yidai decide FILE`, which knows no limit.",
        )


class BatchLine(DecisionRequest, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An application as it is sent to POST /v1/decisions, and what would be its header Idempotency-Key."""

    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A line that can be decided, under its number; ``key`` is the Idempotency-Key."""

    number: int
    key: str
    key_hash: bytes
    request: DecisionRequest


@dataclass(frozen=True, slots=True)
class Refusal:
    """A line that was not decided, and why; ``key`` is empty where it was not even read."""

    number: int
    key: str
    error: YidaiError


_decoder = msgspec.json.Decoder(BatchLine)


def check_size(body: bytes) -> None:
    """Refuse a call with too many lines before any is decided.

    Raises:
        TooManyApplications: over the limit.
    """
    lines = sum(1 for line in body.split(b"\n") if line.strip())
    if lines > MOST:
        raise TooManyApplications(lines)


def read_line(number: int, line: bytes) -> Line | Refusal:
    """One line, or why it is none."""
    try:
        request = read_as(_decoder, line)
    except BadRequest as error:
        return Refusal(number, "", error)
    except RecursionError:
        return Refusal(number, "", BadRequest("it is nested too deeply."))
    key = request.idempotency_key
    try:
        return Line(number, key or "", hash_of_key(key), request)
    except WrongKey:
        problem = f"{KEY} is missing or not 1 to 128 printable characters."
        return Refusal(number, "", BadRequest(problem, KEY))


def read_lines(lines: Iterator[bytes]) -> Iterator[Line | Refusal]:
    """Every line that is not empty, in order, under its number from 1 on."""
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield read_line(number, line)
