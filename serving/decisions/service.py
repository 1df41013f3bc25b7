"""One application to one stored answer: read, check, decide, store, then answer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import asyncpg
import msgspec

from features.canonical import canonical_bytes
from features.errors import Invalid
from serving.access.model import Authority, Permission
from serving.access.repository import new_id
from serving.consents.check import person_number
from serving.decisions.attempts import Attempts, Found
from serving.decisions.budgets import Full
from serving.decisions.gathering import Gatherer
from serving.decisions.linking import Link
from serving.decisions.live import LiveCache
from serving.decisions.preparing import NUMBER, Preparer
from serving.decisions.ready import Answer, Application, Asking
from serving.decisions.reserving import MOST_TRIALS, Contended, Trial
from serving.decisions.schemas import Asked, DecisionRequest, asked_of, read_request
from serving.decisions.writer import GroupWriter
from serving.settings import Settings
from serving.sources.asking import LiveSources
from serving.store.keys import KeyRing

RANDOM_KEY = "random approvals"
_REQUEST_KEY = "request digest"
_GROUPS = 2
"""Groups of applications that are under way at a time: one is decided while the other waits to be stored."""


class WrongKey(Invalid):
    """The Idempotency-Key is missing or not usable."""

    def __init__(self) -> None:
        super().__init__(
            "the header Idempotency-Key is missing or not 1 to 128 printable characters.",
            place="Idempotency-Key",
            remedy="Send a new UUID with each application, and the same one when you repeat it.",
            code="idempotency_key",
        )


class DecisionService:
    """The use case of POST /v1/decisions, for one process. ``clock`` gives µs of UTC."""

    def __init__(
        self,
        settings: Settings,
        pool: asyncpg.Pool,
        keys: KeyRing,
        lives: LiveCache,
        writer: GroupWriter,
        clock: Callable[[], int],
        sources: LiveSources | None = None,
    ) -> None:
        self._keys = keys
        self._sources = sources
        self._clock = clock
        preparer = Preparer(settings, pool, keys, lives)
        self._attempts = Attempts(preparer, writer, keys.derived(RANDOM_KEY), settings.review_days)
        self._together: Gatherer[Asking, Answer | Full] = Gatherer(
            self._attempts.attempt, settings.group_size, _GROUPS, settings.most_waiting
        )

    @property
    def waiting(self) -> int:
        """Applications that wait to be decided."""
        return self._together.waiting

    async def decide(self, authority: Authority, key: str | None, body: bytes) -> Answer:
        """Decide an application, or repeat the answer that its key was given.

        Raises:
            BadRequest, WrongNumber, WrongKey, UnknownProduct: the request.
            UnknownSubject, ConsentRefused: who may be looked at.
            KeyReused: the key belongs to another application.
            NotHydrated, NothingActive, Contended, SourceSilent, StoreUnavailable: nothing was decided; ask again.
        """
        return await self.answer(authority, hash_of_key(key), read_request(body))

    async def answer(
        self, authority: Authority, key_hash: bytes, request: DecisionRequest, link: Link | None = None
    ) -> Answer:
        """As ``decide``; ``link`` says which earlier decision of the same application this one follows."""
        application = self.application(authority, key_hash, request)
        if self._sources is not None:
            application = await self._sources.asked(authority, application)
        trial = Trial.first(link, new_id(), self._clock())
        for _ in range(MOST_TRIALS):
            found = await self._together.ask(Asking(authority, application, trial, link))
            if isinstance(found, Answer):
                return found
            trial = trial.after(found)
        raise Contended

    async def attempt(self, asking: Sequence[Asking]) -> list[Found]:
        """One attempt at each of these applications together; see ``Attempts``."""
        return await self._attempts.attempt(asking)

    def application(self, authority: Authority, key_hash: bytes, request: DecisionRequest) -> Application:
        """A request, checked as far as it can be without reading anything.

        Raises:
            WrongNumber, BadRequest: the request.
            OutOfScope: the asker's key is for other products.
        """
        authority.holds(Permission.DECIDE).about(request.product)
        number = person_number(request.applicant.id_number, NUMBER)
        asked = asked_of(request)
        return Application(key_hash, request, number, asked, self._request_digest(request, number, asked))

    def first_trial(self) -> Trial:
        """The first attempt at an application."""
        return Trial.first(None, new_id(), self._clock())

    def _request_digest(self, request: DecisionRequest, number: str, asked: Asked) -> bytes:
        plain = canonical_bytes([number, str(request.consent_id), msgspec.to_builtins(asked)])
        return self._keys.keyed_digest(_REQUEST_KEY, plain)


def hash_of_key(key: str | None) -> bytes:
    """What is kept of an Idempotency-Key.

    Raises:
        WrongKey: none, or not printable.
    """
    if key is None or not 1 <= len(key) <= 128 or not key.isprintable():
        raise WrongKey
    return hashlib.sha256(key.encode()).digest()
