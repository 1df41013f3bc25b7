"""One question to one source over HTTP, and what may be made of its answer.

The question is a POST of ``{"id_number", "consent_id", "purpose"}``: a number never stands in an address. The answer
is ``{"records": [...]}`` in the fields of the dataset's contract, or ``{"result": "clear"}`` of a check.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx
import msgspec

from features.consent import Purpose
from serving.policy.facts import Aml, Identity
from serving.sources.model import SourceSpec

_RESULTS: Mapping[str, frozenset[str]] = {
    "identity": frozenset(each.value for each in Identity),
    "aml": frozenset(each.value for each in Aml),
}
_AGAIN = frozenset({429, 500, 502, 503, 504})
"""Statuses after which the same question may be answered."""
Record = dict[str, str | int | float | bool | None]


class Unusable(Exception):
    """A source's answer that cannot be used; the text says why, and repeats nothing of it."""

    def __init__(self, problem: str, *, again: bool = False) -> None:
        super().__init__(problem)
        self.again = again


@dataclass(frozen=True, slots=True)
class Inquiry:
    """Who is asked about, and under which consent."""

    number: str
    consent_id: str


class Found(msgspec.Struct, frozen=True):
    """What a source gave: records, or the result of a check."""

    records: tuple[Record, ...] = ()
    result: str = ""


class Adapter(Protocol):
    """How a source is spoken to."""

    async def ask(self, inquiry: Inquiry) -> Found:
        """Its answer, after one try.

        Raises:
            Unusable: no answer that can be used.
        """

    async def close(self) -> None:
        """End its connections."""


class _Answer(msgspec.Struct):
    records: list[Record] | None = None
    result: str | None = None


_decoder = msgspec.json.Decoder(_Answer)


class HttpAdapter:
    """JSON over HTTP; connections are kept, redirects and proxies are not followed."""

    def __init__(self, spec: SourceSpec) -> None:
        self._spec = spec
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if spec.token_file:
            headers["Authorization"] = f"Bearer {Path(spec.token_file).read_text(encoding='ascii').strip()}"
        limits = httpx.Limits(max_connections=spec.connections, max_keepalive_connections=spec.connections)
        self._http = httpx.AsyncClient(headers=headers, limits=limits, timeout=None, trust_env=False)  # noqa: S113 - the whole call has a budget

    async def ask(self, inquiry: Inquiry) -> Found:
        """See ``Adapter``."""
        question = {
            "id_number": inquiry.number,
            "consent_id": inquiry.consent_id,
            "purpose": Purpose.CREDIT_ASSESSMENT.value,
        }
        try:
            async with self._http.stream("POST", self._spec.url, json=question) as got:
                if got.status_code != 200:
                    raise Unusable(f"status {got.status_code}", again=got.status_code in _AGAIN)
                body = await self._body(got)
        except httpx.HTTPError as error:
            raise Unusable(type(error).__name__, again=True) from None
        return self._read(body)

    async def close(self) -> None:
        """See ``Adapter``."""
        await self._http.aclose()

    async def _body(self, got: httpx.Response) -> bytes:
        if got.headers.get("content-encoding", "identity") != "identity":
            raise Unusable("a compressed answer")
        parts, seen = [], 0
        async for part in got.aiter_raw():
            seen += len(part)
            if seen > self._spec.most_bytes:
                raise Unusable(f"more than {self._spec.most_bytes} bytes")
            parts.append(part)
        return b"".join(parts)

    def _read(self, body: bytes) -> Found:
        try:
            answer = _decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise Unusable("not the JSON that was agreed") from None
        if self._spec.check:
            if answer.result not in _RESULTS[self._spec.check]:
                raise Unusable("no known result")
            return Found(result=answer.result)
        if answer.records is None:
            raise Unusable("no records")
        return Found(tuple(answer.records))


ADAPTERS: Mapping[str, type[HttpAdapter]] = {"http": HttpAdapter}


def adapter_of(spec: SourceSpec) -> Adapter:
    """What speaks to a source."""
    return ADAPTERS[spec.adapter](spec)


def lines_of(found: Found, subject_field: str, number: str, stamped: str, known: str) -> bytes:
    """Records as the lines of a call of POST /v1/records; who came without a number is the one asked about, and what
    came without a moment of publication (the field ``stamped``) became known at ``known``.

    Raises:
        Unusable: a record about somebody else.
    """
    lines: list[Any] = []
    for record in found.records:
        if record.get(subject_field, number) != number:
            raise Unusable("a record about somebody else")
        more = {stamped: known} if stamped and not record.get(stamped) else {}
        lines.append({**record, subject_field: number, **more})
    return b"\n".join(msgspec.json.encode(each) for each in lines)
