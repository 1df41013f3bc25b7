"""One decision over HTTP: how long it takes, and where its time goes.

The floor is the same client's request to a route that does nothing, on the same server in the same run.

    python -m benchmarks.serve [--quick] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import http.client
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import msgspec
import numpy as np

from benchmarks.common import finish
from features.calendar import iso
from features.city.make import make_city
from features.consent import Purpose
from features.contracts.model import SubjectKind
from features.timeline.packed import unpack
from serving import operations
from serving.access.model import Authority, Permission, Role
from serving.access.repository import actor_of, new_id
from serving.analyst import Trainer
from serving.consents.check import check_consent
from serving.decisions import repository
from serving.decisions.case import features_of, sources_with_record, unavailable
from serving.decisions.decider import decide
from serving.decisions.ready import Application, row_of
from serving.decisions.receipt import seal_receipt, write_receipt
from serving.decisions.reserving import Trial, household_of, made_of
from serving.decisions.schemas import Applicant, Asked, DecisionRequest
from serving.decisions.service import consent_of
from serving.demo.access import tokens
from serving.demo.processes import Api, free_port, running, wait_until
from serving.demo.promoting import put_in_force
from serving.demo.run import CATEGORIES, REQUEST, applicants
from serving.services import open_services, wall_clock
from serving.settings import Settings
from serving.store.engine import open_database, stop_embedded
from serving.store.session import owner_transaction

STAGES = ("read", "unpack", "features", "decide", "receipt", "seal", "commit")


def prepare(home: Path, households: int) -> tuple[Settings, dict[Role, str], list[str]]:
    """A bank that is ready to decide, and its applicants."""
    city = home / "city"
    make_city(city, households=households, months=36, seed=3)
    ends_at = msgspec.json.decode((city / "city.json").read_bytes())["ends_at"]
    settings = Settings(home=home, as_of=ends_at)
    operations.prepare(settings)
    people = tokens(settings)
    operations.ingest(settings, city)
    trainer = Trainer(settings, "city")
    models = [trainer.train(name) for name in ("rating", "risk", "access")]
    analyst, officer = (replace(settings, token=people[role]) for role in (Role.ANALYST, Role.RISK_OFFICER))
    put_in_force(analyst, officer, "city", models)
    return settings, people, list(applicants(city))


def consents(api: Api, tenant: str, numbers: list[str]) -> dict[str, str]:
    """A consent of each applicant."""
    terms = {
        "categories": CATEGORIES, "purpose": "credit_assessment", "recipient": tenant, "form": "electronic",
        "valid_from": "2020-01-01", "valid_to": "2100-01-01",
    }  # fmt: skip
    return {n: api.ask("POST", "/v1/consents", {"id_number": n, **terms})["consent_id"] for n in numbers}


class Client:
    """One kept connection, as a bank's system holds it."""

    def __init__(self, api: Api) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(api.url).netloc, timeout=30)
        self._headers = {"Authorization": f"Bearer {api.token}", "Content-Type": "application/json"}

    def get(self, path: str) -> float:
        """Seconds of one GET."""
        began = time.perf_counter()
        self._connection.request("GET", path)
        self._connection.getresponse().read()
        return time.perf_counter() - began

    def decide(self, number: str, consent: str) -> float:
        """Seconds of one decision."""
        body = msgspec.json.encode(
            {"applicant": {"id_number": number}, "consent_id": consent, "amount_yuan": "3000", **REQUEST}
        )
        began = time.perf_counter()
        headers = {**self._headers, "Idempotency-Key": str(uuid4())}
        self._connection.request("POST", "/v1/decisions", body, headers)
        answer = self._connection.getresponse()
        data = answer.read()
        if answer.status != 201:
            raise SystemExit(f"{answer.status}: {data.decode()}")
        return time.perf_counter() - began


@contextmanager
def served(settings: Settings, token: str) -> Iterator[Api]:
    """The decision API in a process of its own."""
    port = free_port(0)
    environment = {
        "YIDAI_HOME": str(settings.home), "YIDAI_AS_OF": iso(settings.as_of or 0), "YIDAI_PORT": str(port)
    }  # fmt: skip
    log = settings.home / "serve.log"
    with running("serve", environment, log) as process:
        url = f"http://127.0.0.1:{port}"
        wait_until(url, "/health/ready", process, log, "the API")
        yield Api(url, token)


def percentiles(seconds: list[float]) -> tuple[float, float]:
    """p50 and p99 in ms."""
    return float(np.quantile(seconds, 0.5)) * 1e3, float(np.quantile(seconds, 0.99)) * 1e3


def promise_nothing(settings: Settings) -> None:
    """Free the caps of the households, so that all who ask again and again are approved as at first."""
    with owner_transaction(open_database(settings)) as owner:
        owner.execute("UPDATE budget SET used = 0 WHERE name = 'household'")


def closed_loop(api: Api, given: dict[str, str], count: int, clients: int) -> tuple[list[float], float]:
    """Latencies of ``count`` decisions by so many clients, and decisions a second of them all."""
    pairs = list(given.items())

    def one(worker: int) -> list[float]:
        client = Client(api)
        return [client.decide(*pairs[(worker + k) % len(pairs)]) for k in range(count // clients)]

    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        found = [seconds for part in pool.map(one, range(clients)) for seconds in part]
    return found, len(found) / (time.perf_counter() - began)


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
    service = held.decisions
    now = wall_clock()
    hashed = service._keys.pseudonym(SubjectKind.PERSON, number)
    key = hashlib.sha256(str(uuid4()).encode()).digest()
    consent = UUID(consent_id)
    inputs = await repository.read(
        held.pool, authority.tenant, key, "person", hashed, consent, now, service._settings.as_of
    )
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
    case = service._case(authority, number, stated, asked, live, tables, inputs.version, down, trial)
    case = msgspec.structs.replace(case, household=household_of(inputs, live.policy, trial))
    row = features_of(case, tables, live)
    sources = sources_with_record(case, tables, live.plan.sources_of_subject)
    clock.lap("features")
    decision = decide(case, row, sources, live, service._random_key)
    clock.lap("decide")
    receipt = write_receipt(decision)
    clock.lap("receipt")
    data_key = service._keys.unwrap(inputs.wrapped_key)
    seal_receipt(receipt, data_key, case.decision_id)
    clock.lap("seal")
    made = made_of(decision, data_key, live.policy, trial)
    request = DecisionRequest(Applicant(number), consent, asked.product, asked.region)
    application = Application(key, request, number, asked, hashlib.sha256(key).digest())
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


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smaller city and fewer decisions")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    options = parser.parse_args()
    households, count = (1000, 600) if options.quick else (2000, 4000)
    with tempfile.TemporaryDirectory(prefix="yidai-bench-") as scratch:
        home = Path(scratch)
        settings, people, numbers = prepare(home, households)
        try:
            figures, ratios = measure(settings, people[Role.INTEGRATION_ENGINEER], numbers[:100], count)
        finally:
            stop_embedded(settings)
    finish("serve", {"households": households, "decisions": count}, figures, ratios, as_json=options.json)


def measure(
    settings: Settings, token: str, numbers: list[str], count: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Figures and ratios."""
    with served(settings, token) as api:
        given = consents(api, settings.tenant, numbers)
        client = Client(api)
        closed_loop(api, given, 200, 1)
        promise_nothing(settings)
        floor = percentiles([client.get("/health/live") for _ in range(count)])
        alone, _ = closed_loop(api, given, count, 1)
        promise_nothing(settings)
        busy, rate = closed_loop(api, given, count, 8)
    p50, p99 = percentiles(alone)
    busy50, busy99 = percentiles(busy)
    figures = {
        "p50_ms": p50, "p99_ms": p99, "decisions_per_s": rate, "p50_ms_8_clients": busy50, "p99_ms_8_clients": busy99,
        "floor_p50_ms": floor[0],
    }  # fmt: skip
    promise_nothing(settings)
    spent = asyncio.run(stages(settings, token, given, count))
    figures |= {f"stage_us.{name}": spent[name] for name in STAGES}
    return figures, {"over_http_floor": p50 / floor[0]}


if __name__ == "__main__":
    main()
