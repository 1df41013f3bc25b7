"""A client of the API for programs of a bank, which needs nothing of this project but this file, httpx and msgspec.

    with Client("https://yidai.bank.example", token) as yidai:
        consent = yidai.give_consent(NewConsent(...))
        decision = yidai.decide(Application(Applicant(number), consent.consent_id, "consumer", "county", ...))

Whatever is not an answer is raised as one ``Refused`` with place, code and remedy. What may be sent again is sent
again by itself: a decision always under the ``Idempotency-Key`` of its first try, so that none is made twice.

Longer than 300 lines because it is one file, to be copied.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
import msgspec

_Type = TypeVar("_Type")
AGAIN = frozenset({429, 502, 503, 504})
"""Statuses after which the same request may be answered."""
LONGEST_WAIT = 60.0
"""Seconds."""


class Refused(Exception):
    """The API's refusal, or that it was not reached (``status`` 0, ``code`` ``unreachable``).

    ``place`` names the field or object, ``remedy`` what to do; a person's number stands in none of them.
    """

    def __init__(self, status: int, code: str, detail: str, place: str = "", remedy: str = "") -> None:
        super().__init__(f"{status} {code}: {detail} {remedy}".strip())
        self.status = status
        self.code = code
        self.detail = detail
        self.place = place
        self.remedy = remedy


class Applicant(msgspec.Struct, frozen=True):
    """Who applies."""

    id_number: str


class Checks(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the bank's own checks found: identity passed, failed or inconclusive; aml clear, possible or hit."""

    identity: str | None = None
    aml: str | None = None


class Application(msgspec.Struct, frozen=True, omit_defaults=True):
    """The amount once: in fen, or in yuan as a text."""

    applicant: Applicant
    consent_id: str
    product: str
    region: str
    term_months: int | None = None
    purpose: str | None = None
    checks: Checks | None = None
    amount_fen: int | None = None
    amount_yuan: str | None = None


class Reason(msgspec.Struct, frozen=True):
    """Why, in two languages; a score's reason has its share of all that raised the score."""

    code: str
    kind: str
    zh: str
    en: str
    log_odds: int | None = None
    share: float | None = None


class Decision(msgspec.Struct, frozen=True):
    """An answer; money in fen, rates in ppm a year. ``missing_sources`` tells what it was made without."""

    decision_id: str
    outcome: str
    stream: str
    reasons: tuple[Reason, ...]
    as_of: str
    decided_at: str
    digests: dict[str, str]
    missing_sources: dict[str, str]
    grade: int | None = None
    pd: float | None = None
    pd_low: float | None = None
    pd_high: float | None = None
    limit_fen: int | None = None
    annual_rate_ppm: int | None = None
    offer: dict[str, Any] | None = None


class NewConsent(msgspec.Struct, frozen=True):
    """A consent to be recorded; days or moments in ISO form."""

    id_number: str
    categories: tuple[str, ...]
    purpose: str
    recipient: str
    form: str
    valid_from: str
    valid_to: str


class Consent(msgspec.Struct, frozen=True):
    """A recorded consent; ``live`` says whether it covers now."""

    consent_id: str
    categories: tuple[str, ...]
    purpose: str
    valid_from: str
    valid_to: str
    withdrawn_at: str | None
    live: bool


class Line(msgspec.Struct, frozen=True):
    """What became of one record: accepted, repeated, held, or quarantined with its findings."""

    line: int
    status: str
    findings: tuple[dict[str, str], ...] = ()


class Sent(msgspec.Struct, frozen=True):
    """What became of a call of records."""

    dataset: str
    accepted: int
    repeated: int
    quarantined: int
    last: int
    lines: tuple[Line, ...]
    held: int = 0


class NewDispute(msgspec.Struct, frozen=True):
    """That a person says a record is wrong; ``key`` are the record's key fields."""

    id_number: str
    dataset: str
    key: dict[str, str]
    ground: str


class Dispute(msgspec.Struct, frozen=True):
    """A dispute and where it stands."""

    dispute_id: str
    dataset: str
    raised_at: str
    due_at: str
    verdict: str | None
    answered_at: str | None
    answer: str | None = None


class _Problem(msgspec.Struct):
    code: str = "unknown"
    detail: str = ""
    place: str = ""
    remedy: str = ""


class Client:
    """Asks one API; may be shared by threads. ``sleep`` waits between tries.

    A request is sent at most ``tries`` times: where it was not answered, or was told to come again (429, 502, 503,
    504), after what ``Retry-After`` says or after a wait that doubles, with chance in it.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        tries: int = 5,
        timeout: float = 10.0,
        http: httpx.Client | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._http = http or httpx.Client(base_url=url, timeout=timeout)
        self._token = token
        self._tries = tries
        self._sleep = sleep

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._http.close()

    def decide(self, application: Application, key: str | None = None) -> Decision:
        """Decide; a ``key`` that is kept with the application repeats its answer, also after a crash of the asker.

        Raises:
            Refused: nothing was decided, or it is not known (``unreachable``): ask again with the same key.
        """
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        return self._ask(Decision, "POST", "/v1/decisions", application, headers)

    def decision(self, decision_id: str) -> Decision:
        """A decision as it was answered."""
        return self._ask(Decision, "GET", f"/v1/decisions/{decision_id}")

    def explanation(self, decision_id: str) -> dict[str, Any]:
        """Why, feature by feature."""
        return self._ask(dict[str, Any], "GET", f"/v1/decisions/{decision_id}/explanation")

    def receipt(self, decision_id: str) -> dict[str, Any]:
        """Everything that led to it; for who may read receipts."""
        return self._ask(dict[str, Any], "GET", f"/v1/decisions/{decision_id}/receipt")

    def notice(self, decision_id: str) -> dict[str, Any]:
        """The notice to the applicant."""
        return self._ask(dict[str, Any], "GET", f"/v1/decisions/{decision_id}/notice")

    def human_review(self, decision_id: str) -> dict[str, Any]:
        """Ask in the applicant's name that a person decides."""
        return self._ask(dict[str, Any], "POST", f"/v1/decisions/{decision_id}/human-review")

    def give_consent(self, consent: NewConsent) -> Consent:
        """Record a consent and bring online what it lets be read. Sent again it may be recorded twice, which allows
        no more than once.
        """
        return self._ask(Consent, "POST", "/v1/consents", consent)

    def consent(self, consent_id: str) -> Consent:
        """A consent."""
        return self._ask(Consent, "GET", f"/v1/consents/{consent_id}")

    def withdraw_consent(self, consent_id: str) -> Consent:
        """End a consent."""
        return self._ask(Consent, "DELETE", f"/v1/consents/{consent_id}")

    def prefill(self, id_number: str, consent_id: str) -> dict[str, Any]:
        """What is known of an applicant, for the form."""
        body = {"id_number": id_number, "consent_id": consent_id}
        return self._ask(dict[str, Any], "POST", "/v1/prefill", body)

    def send_records(self, dataset: str, records: Iterable[Mapping[str, Any]]) -> Sent:
        """Send records of a dataset; sending one again changes nothing."""
        lines = b"\n".join(msgspec.json.encode(record) for record in records)
        headers = {"Content-Type": "application/x-ndjson"}
        return self._ask(Sent, "POST", f"/v1/records/{dataset}", lines, headers)

    def dispute(self, dispute: NewDispute) -> Dispute:
        """Dispute a record in the applicant's name."""
        return self._ask(Dispute, "POST", "/v1/disputes", dispute)

    def offer(self, decision_id: str) -> dict[str, Any]:
        """The offer of a decision, as it stands."""
        return self._ask(dict[str, Any], "GET", f"/v1/offers/{decision_id}")

    def accept_offer(self, decision_id: str) -> dict[str, Any]:
        """The applicant takes it."""
        return self._ask(dict[str, Any], "POST", f"/v1/offers/{decision_id}/accept")

    def decline_offer(self, decision_id: str) -> dict[str, Any]:
        """The applicant does not."""
        return self._ask(dict[str, Any], "POST", f"/v1/offers/{decision_id}/decline")

    def _ask(
        self,
        kind: type[_Type],
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> _Type:
        content = body if isinstance(body, bytes) or body is None else msgspec.json.encode(body)
        sent = {
            "Authorization": f"Bearer {self._token}",
            "Content-Type": "application/json",
            **(headers or {}),
        }
        got = self._answer(method, path, content, sent)
        if got.status_code >= 300:
            raise _refusal(got)
        try:
            return msgspec.json.decode(got.content, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Refused(
                got.status_code, "not_understood", f"the answer is no {kind.__name__}: {error}"
            ) from None

    def _answer(
        self, method: str, path: str, content: bytes | None, headers: dict[str, str]
    ) -> httpx.Response:
        """The first answer that is one, or the last that is none."""
        for attempt in range(1, self._tries + 1):
            try:
                got = self._http.request(method, path, content=content, headers=headers)
            except httpx.TransportError as error:
                if attempt == self._tries:
                    raise _unreachable(error) from None
                self._sleep(_back_off(attempt, ""))
                continue
            if got.status_code not in AGAIN or attempt == self._tries:
                return got
            self._sleep(_back_off(attempt, got.headers.get("retry-after", "")))
        raise AssertionError("a client tries at least once")


def _back_off(attempt: int, told: str) -> float:
    """Seconds to wait: at least what was told."""
    doubling = min(0.1 * 2.0**attempt, LONGEST_WAIT) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
    return min(max(doubling, float(told)), LONGEST_WAIT) if told.isdigit() else doubling


def _unreachable(error: httpx.TransportError) -> Refused:
    remedy = "Ask again with the same Idempotency-Key."
    return Refused(0, "unreachable", f"the API was not reached ({type(error).__name__}).", remedy=remedy)


def _refusal(got: httpx.Response) -> Refused:
    try:
        told = msgspec.json.decode(got.content, type=_Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        told = _Problem(detail="the answer is no problem document.")
    return Refused(got.status_code, told.code, told.detail, told.place, told.remedy)
