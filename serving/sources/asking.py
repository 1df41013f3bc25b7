"""All declared sources are asked at once for one application, within a bound time, before it is decided.

What comes back goes in by the door of POST /v1/records, so that it lies in the timeline like any other record.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import asyncpg
import msgspec

from features.calendar import DAY, iso
from features.consent import Consent, Purpose
from features.contracts.documents import BrokenDocument
from features.contracts.model import Contract, FieldType, SubjectKind
from features.errors import Unavailable, YidaiError
from features.timeline.packed import PackedTimeline, unpack
from serving.access.model import Authority, Permission
from serving.decisions.case import CaseSource, is_authorised
from serving.decisions.preparing import consent_of
from serving.decisions.ready import Application
from serving.decisions.repository import Inputs, Wanted, read_many
from serving.records.service import RecordService
from serving.sources.breaker import Breaker
from serving.sources.fetching import Adapter, Found, Inquiry, Unusable, adapter_of, lines_of
from serving.sources.model import OnFailure, SourcesDocument, SourceSpec, State
from serving.store.keys import KeyRing

log = logging.getLogger("yidai")


class SourceSilent(Unavailable):
    """A source without which nothing is decided did not answer."""

    def __init__(self, spec: SourceSpec, state: State) -> None:
        super().__init__(
            f"the source {spec.source} must be asked and did not answer ({state.value}); nothing was decided.",
            place=spec.source,
            remedy="Send the same request again with the same Idempotency-Key, after Retry-After.",
        )


@dataclass(frozen=True, slots=True)
class Source:
    """One source of a process."""

    spec: SourceSpec
    adapter: Adapter
    breaker: Breaker


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one source, and what a check found."""

    state: State
    result: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """What all sources of one application are asked with; ``as_of`` in µs."""

    authority: Authority
    inquiry: Inquiry
    consent: Consent
    tables: PackedTimeline
    as_of: int


class LiveSources:
    """The declared sources of one process. ``clock`` gives µs of UTC, ``as_of`` is the setting's."""

    def __init__(
        self,
        sources: tuple[Source, ...],
        total_ms: int,
        pool: asyncpg.Pool,
        keys: KeyRing,
        records: RecordService,
        contracts: Mapping[str, Contract],
        clock: Callable[[], int],
        as_of: int | None,
    ) -> None:
        self.sources = sources
        self._total = total_ms / 1_000
        self._pool = pool
        self._keys = keys
        self._records = records
        self._contracts = contracts
        self._clock = clock
        self._as_of = as_of
        self._storing: set[asyncio.Task[State]] = set()

    async def asked(self, authority: Authority, application: Application) -> Application:
        """The application with what its sources said; as it was where nothing may or need be asked.

        Raises:
            SourceSilent: one without which nothing is decided.
            StoreUnavailable: nothing was asked.
        """
        asking = [s for s in self.sources if s.spec.check not in application.asked.checks]
        question = await self._question(authority, application) if asking else None
        if question is None:
            return application
        told = await self._all(asking, question)
        for source, one in zip(asking, told, strict=True):
            if one.state.silent and source.spec.on_failure is OnFailure.REFUSE:
                raise SourceSilent(source.spec, one.state)
        return _with(application, asking, told)

    async def close(self) -> None:
        """Store what is being stored, and end the connections."""
        await asyncio.gather(*self._storing, return_exceptions=True)
        await asyncio.gather(*(source.adapter.close() for source in self.sources))

    async def _question(self, authority: Authority, application: Application) -> Question | None:
        """None where the application was answered before, or will be refused."""
        now = self._clock()
        as_of = now if self._as_of is None else self._as_of
        pseudonym = self._keys.pseudonym(SubjectKind.PERSON, application.number)
        consent_id = application.request.consent_id
        wanted = Wanted(authority.tenant, application.key_hash, pseudonym, consent_id, now, as_of)
        (inputs,) = await read_many(self._pool, [wanted])
        consent = _live_consent(application, inputs, authority.tenant, now)
        if consent is None or inputs.stored_answer is not None or inputs.packed is None:
            return None
        inquiry = Inquiry(application.number, str(consent_id))
        return Question(authority, inquiry, consent, unpack(inputs.packed), as_of)

    async def _all(self, asking: list[Source], question: Question) -> list[Told]:
        tasks = [asyncio.create_task(self._one(source, question)) for source in asking]
        try:
            done, _ = await asyncio.wait(tasks, timeout=self._total)
        finally:
            for task in tasks:
                task.cancel()
        return [task.result() if task in done else Told(State.TIMEOUT) for task in tasks]

    async def _one(self, source: Source, question: Question) -> Told:
        spec = source.spec
        if spec.dataset and not is_authorised(self._contracts[spec.dataset], question.consent.categories):
            return Told(State.NOT_AUTHORISED)
        if _fresh(spec, question):
            return Told(State.FRESH)
        if not source.breaker.admits():
            return Told(State.BREAKER)
        state, found, lines = await self._fetched(source, question)
        if lines:
            storing = asyncio.create_task(self._stored(spec, question.authority, lines))
            self._storing.add(storing)
            storing.add_done_callback(self._storing.discard)
            state = await asyncio.shield(storing)
        return Told(state, found.result)

    async def _fetched(self, source: Source, question: Question) -> tuple[State, Found, bytes]:
        """What one source says, in time or not; its breaker is told."""
        state, found, lines = State.ERROR, Found(), b""
        try:
            async with asyncio.timeout(source.spec.budget_ms / 1_000):
                found = await _tries(source, question.inquiry)
            lines = self._lines(source.spec, question, found)
            state = State.ANSWERED
        except TimeoutError:
            state = State.TIMEOUT
        except Unusable as error:
            log.warning("source %s: %s", source.spec.source, error)
        except Exception as error:  # noqa: BLE001 - whatever a source does, the application is decided
            log.error("source %s: %s", source.spec.source, type(error).__name__)  # noqa: TRY400 - a text may quote a number
        finally:
            (source.breaker.succeeded if state is State.ANSWERED else source.breaker.failed)()
        return state, found, lines

    def _lines(self, spec: SourceSpec, question: Question, found: Found) -> bytes:
        if not spec.dataset:
            return b""
        contract = self._contracts[spec.dataset]
        known = second(question.as_of)
        return lines_of(found, contract.subject_field, question.inquiry.number, _stamped(contract), known)

    async def _stored(self, spec: SourceSpec, authority: Authority, lines: bytes) -> State:
        """Whether all that came could be kept; what could is kept."""
        sender = Authority(authority.actor, Permission.SEND_RECORDS)  # the declaration allows it, not a role
        try:
            report = await self._records.send(sender, spec.dataset, lines)
        except YidaiError as error:
            log.warning("source %s: its records were not stored: %s", spec.source, error)
            return State.ERROR
        if report.quarantined or report.held:
            log.warning("source %s: %d records break their contract", spec.source, report.quarantined)
            return State.ERROR
        return State.ANSWERED


def open_sources(document: SourcesDocument, monotonic: Callable[[], float]) -> tuple[Source, ...]:
    """The declared sources, none of them asked yet. ``monotonic`` gives seconds.

    Raises:
        BrokenDocument: a token's file cannot be read.
    """
    return tuple(_opened(spec, monotonic) for spec in document.sources)


def _opened(spec: SourceSpec, monotonic: Callable[[], float]) -> Source:
    try:
        return Source(spec, adapter_of(spec), Breaker(spec.breaker, monotonic))
    except (OSError, ValueError):
        raise BrokenDocument(
            f"{spec.source}: token_file", "the file cannot be read.", "Put the source's token there."
        ) from None


def _stamped(contract: Contract) -> str:
    """The field of the moment at which a record became known; empty where it has none."""
    name = contract.times.known_from.field or ""
    instants = {field.name for field in contract.fields if field.type is FieldType.INSTANT}
    return name if name in instants else ""


def second(moment: int) -> str:
    """The whole second before an instant, as contracts want it."""
    text = iso(moment - moment % 1_000_000)
    return text if "T" in text else f"{text}T00:00:00+08:00"


async def _tries(source: Source, inquiry: Inquiry) -> Found:
    wait = source.spec.retry_wait_ms / 1_000
    for again in range(source.spec.retries):
        try:
            return await source.adapter.ask(inquiry)
        except Unusable as error:
            if not error.again:
                raise
        await asyncio.sleep(wait * 2**again)
    return await source.adapter.ask(inquiry)


def _live_consent(application: Application, inputs: Inputs, tenant: str, now: int) -> Consent | None:
    """The consent of the application, if it is good: nobody is asked about without one."""
    consent = consent_of(application.request.consent_id, inputs, tenant)
    if consent is None or consent.subject_id != inputs.subject_id:
        return None
    return consent if consent.refusal(Purpose.CREDIT_ASSESSMENT, tenant, now) is None else None


def _fresh(spec: SourceSpec, question: Question) -> bool:
    if not spec.fresh_days or spec.dataset not in question.tables:
        return False
    known = question.tables[spec.dataset].known_from
    since = question.as_of - spec.fresh_days * DAY
    return bool(((known <= question.as_of) & (known >= since)).any())


def _with(application: Application, asking: list[Source], told: list[Told]) -> Application:
    sources = {
        source.spec.source: CaseSource(
            source.spec.gives, one.state, must=source.spec.on_failure is not OnFailure.POLICY
        )
        for source, one in zip(asking, told, strict=True)
    }
    found = {s.spec.check: one.result for s, one in zip(asking, told, strict=True) if one.result}
    asked = msgspec.structs.replace(application.asked, checks=application.asked.checks | found)
    return replace(application, asked=asked, sources=sources)
