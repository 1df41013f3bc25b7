"""Where the time of one decision goes, stage by stage, without HTTP."""

from __future__ import annotations

import hashlib
import time
from collections import defaultdict
from typing import Any
from uuid import UUID, uuid4

import msgspec
import numpy as np

from features.consent import Purpose
from features.contracts.model import SubjectKind
from features.timeline.packed import unpack
from serving.access.model import Authority, Permission
from serving.access.repository import actor_of, new_id
from serving.clock import wall_clock
from serving.consents.check import check_consent
from serving.decisions import repository
from serving.decisions.case import features_of, sources_with_record, unavailable
from serving.decisions.decider import decide
from serving.decisions.preparing import Preparer, consent_of
from serving.decisions.ready import Application, Asking, row_of
from serving.decisions.receipt import seal_receipt, write_receipt
from serving.decisions.reserving import Trial, household_of, made_of
from serving.decisions.schemas import Applicant, Asked, DecisionRequest
from serving.decisions.service import RANDOM_KEY
from serving.services import open_services
from serving.settings import Settings
from serving.store.engine import open_database

STAGES = ("read", "unpack", "features", "decide", "receipt", "seal", "commit")


async def stages(settings: Settings, token: str, given: dict[str, str], count: int) -> dict[str, float]:
    """Median microseconds of each stage of a decision, without HTTP."""
    held = await open_services(settings, open_database(settings), wall_clock)
    actor = actor_of(open_database(settings), token, wall_clock()).allowed(Permission.DECIDE)
    spent: defaultdict[str, list[float]] = defaultdict(list)
    pairs = list(given.items())
    for k in range(count):
        await _one(held, actor, *pairs[k % len(pairs)], spent)
    await held.writer.stop()
    await held.pool.close()
    return {name: float(np.median(values)) * 1e6 for name, values in spent.items()}


async def _one(
    held: Any, authority: Authority, number: str, consent_id: str, spent: dict[str, list[float]]
) -> None:
    clock = _Stopwatch(spent)
    service = Preparer(held.settings, held.pool, held.decisions._keys, held.lives)
    now = wall_clock()
    hashed = service._keys.pseudonym(SubjectKind.PERSON, number)
    key = hashlib.sha256(str(uuid4()).encode()).digest()
    consent = UUID(consent_id)
    wanted = repository.Wanted(authority.tenant, key, hashed, consent, now, held.settings.seen_at(now))
    [inputs] = await repository.read_many(held.pool, [wanted])
    clock.lap("read")
    tables = unpack(inputs.packed)
    clock.lap("unpack")
    live = await held.lives.get(authority.tenant, inputs.active)
    stated = check_consent(
        consent_of(consent, inputs, authority.tenant),
        inputs.subject_id,
        Purpose.CREDIT_ASSESSMENT,
        authority.tenant,
        now,
    )
    asked = Asked("consumer", 300_000, 12, "farming", "county")
    down = unavailable(live, stated.categories, inputs.down(service._settings.sources_down), tables)
    trial = Trial.first(None, new_id(), now)
    request = DecisionRequest(Applicant(number), consent, asked.product, asked.region)
    application = Application(key, request, number, asked, hashlib.sha256(key).digest())
    asking = Asking(authority, application, trial)
    case = service._case(asking, wanted.seen_at, stated, live, tables, inputs.version, down)
    case = msgspec.structs.replace(case, household=household_of(inputs, live.policy, trial))
    row = features_of(case, tables, live)
    sources = sources_with_record(case, tables, live.plan.sources_of_subject)
    clock.lap("features")
    decision = decide(case, row, sources, live, held.decisions._keys.derived(RANDOM_KEY))
    clock.lap("decide")
    receipt = write_receipt(decision)
    clock.lap("receipt")
    data_key = service._keys.unwrap(inputs.wrapped_key)
    seal_receipt(receipt, data_key, case.decision_id)
    clock.lap("seal")
    made = made_of(decision, data_key, live.policy, trial)
    stored = row_of(made, authority, application, receipt)
    clock.skip()
    await held.writer.put(stored)
    clock.lap("commit")


class _Stopwatch:
    def __init__(self, spent: dict[str, list[float]]) -> None:
        self._spent = spent
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self._spent[name].append(now - self._last)
        self._last = now

    def skip(self) -> None:
        self._last = time.perf_counter()
