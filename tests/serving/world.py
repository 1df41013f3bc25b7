"""A small bank: five people, real contracts and definitions, a scorecard made by hand, the city's policy."""

from __future__ import annotations

import csv
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import msgspec
import uvicorn
from fastapi import FastAPI

from features.calendar import instant
from features.canonical import canonical_bytes
from features.contracts.load import BUILTIN as CONTRACTS
from features.definitions.plan import BUILTIN as DEFINITIONS
from features.definitions.plan import FeaturePlan, load_plan
from features.identity.numbers import person_check_digit
from features.timeline.ingest import ingest_folder
from features.timeline.lake import Lake
from serving.access.model import Permission, Role
from serving.access.repository import actor_of, create_tenant, create_token
from serving.app import create_app
from serving.policy.load import CITY, policy_from_yaml
from serving.policy.policy import Policy
from serving.registry.model import Kind
from serving.registry.service import activate, approve, submit
from serving.settings import Settings
from serving.store.engine import Database
from serving.store.keys import KeyRing
from serving.store.vault import PostgresVault
from training.bundle import FIXED, Bins, Bundle, BundleColumn, MasterScale, dump_bundle

AS_OF = instant("2024-12-31")
NOW = instant("2025-01-02T10:00:00")
PLAN: FeaturePlan = load_plan([CONTRACTS], [DEFINITIONS])
CATEGORIES = sorted({contract.consent_category for contract in PLAN.contracts.values()})
CHECKS = {"identity": "passed", "aml": "clear"}
"""What the bank's own checks of an applicant found."""
SCALE = MasterScale((0.003, 0.006, 0.012, 0.02, 0.03, 0.05, 0.08, 0.14, 0.25, 1.0))


def number_of(order: int, birth: str = "19850612") -> str:
    """A valid person's number."""
    body = f"330106{birth}{order:03d}"
    return body + person_check_digit(body)


GOOD, LATE, DISHONEST, MIDDLE, STRANGER, POOR, NOBODY, YOUNG = (
    number_of(k) for k in (1, 2, 3, 4, 5, 6, 99, 7)
)
YOUNG = number_of(7, "20100101")
ADULTS = (GOOD, LATE, DISHONEST, MIDDLE, POOR, YOUNG)


def months(count: int) -> list[str]:
    """The last months before the as-of date, oldest first."""
    last = 2024 * 12 + 11
    return [f"{m // 12}-{m % 12 + 1:02d}" for m in range(last - count, last)]


def write_feeds(folder: Path) -> None:
    """The five people's records as feeds."""
    inflow = {GOOD: 10_000, LATE: 9_000, DISHONEST: 9_000, MIDDLE: 1_500, POOR: 80, YOUNG: 9_000}
    overdue = {LATE: 6, MIDDLE: 2}
    bank: list[list[Any]] = []
    insurance: list[list[Any]] = []
    repayments: list[list[Any]] = []
    for person in ADULTS:
        for k, month in enumerate(months(14)):
            booked = f"{month}-10T09:00:00"
            bank.append([person, f"{person[-4:]}{k}", booked, "in", inflow[person], "salary", "E1", 5000, ""])
            insurance.append([person, month, 4000, "E1", "paid", f"{month}-28T09:00:00"])
            late = 1 if k >= 14 - overdue.get(person, 0) else 0
            repayments.append([person, f"A{person[-4:]}", month, late, 900, 900, f"{month}-28T09:00:00"])
    courts = [[DISHONEST, "C1", "2024-03-01", "", 50_000, "dishonest", "2024-03-05T09:00:00"]]
    _write(
        folder,
        "bank_transaction",
        bank,
        "transaction_id booked_at direction amount kind counterparty balance_after failed",
    )
    _write(folder, "social_insurance", insurance, "period base employer status published_at")
    _write(folder, "bureau_repayment", repayments, "account month dpd_bucket due paid published_at")
    _write(folder, "court_case", courts, "case_id filed_on closed_on amount kind published_at")


def _write(folder: Path, dataset: str, rows: list[list[Any]], fields: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{dataset}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id_number", *fields.split()])
        writer.writerows(rows)


def scorecard(name: str, shift: float = 0.0, model_kind: str = "credit_approval") -> bytes:
    """Three columns: late repayments count most, then inflow, then social insurance."""

    def bins(edges: tuple[float, ...], *points: float) -> Bins:
        return Bins(edges, tuple(round(p * FIXED) for p in points), round(0.1 * FIXED))

    spec = {
        "bur_overdue_cnt_12m": bins((1.0, 3.0), -0.8, 1.0, 3.0),
        "bank_inflow_sum_12m": bins((36_000.0,), 0.5, -0.5),
        "ss_months_12m": bins((6.0,), 0.4, -0.4),
    }
    known = {column.name: column for column in PLAN.columns}
    columns = tuple(
        BundleColumn(n, known[n].dataset, known[n].sign, known[n].zh, known[n].en, known[n].reason)
        for n in spec
    )
    return dump_bundle(
        Bundle(1, "city", name, "scorecard", model_kind, round((-3 + shift) * FIXED), columns, SCALE, PLAN.digest, "0" * 64, 0, tuple(spec.values()))
    )  # fmt: skip


class Clock:
    """A clock that tests move."""

    def __init__(self, now: int = NOW) -> None:
        self.now = now

    def __call__(self) -> int:
        self.now += 1_000  # two things never happen at once
        return self.now


@dataclass(frozen=True)
class Bank:
    """A bank that is ready to decide: tokens by role, a lake with its people, everything active."""

    settings: Settings
    database: Database
    tokens: dict[str, str]
    clock: Clock

    def authority(self, role: str, permission: Permission) -> Any:
        """The authority of one of its people."""
        return actor_of(self.database, self.tokens[role], self.clock()).allowed(permission)

    def approved(self, slot: str, kind: Kind, data: bytes) -> str:
        """Submit as the analyst, approve and activate as the risk officer."""
        now = self.clock()
        name = submit(self.database, self.authority("analyst", Permission.SUBMIT), kind, data, now)
        approve(self.database, self.authority("risk_officer", Permission.APPROVE), name, self.clock())
        activate(self.database, self.authority("risk_officer", Permission.ACTIVATE), slot, name, self.clock())
        return name


def make_bank(settings: Settings, database: Database, folder: Path) -> Bank:
    """Ingest, register, approve, activate."""
    settings = replace(settings, as_of=AS_OF, tenant="city")
    clock = Clock()
    create_tenant(database, "city", "City bank", NOW)
    create_tenant(database, "other", "Other bank", NOW)
    tokens = {role.value: create_token(database, "city", role.value, [role], NOW) for role in Role}
    tokens["stranger"] = create_token(database, "other", "stranger", list(Role), NOW)
    bank = Bank(settings, database, tokens, clock)
    write_feeds(folder / "feeds")
    (folder / "city.json").write_text("{}")
    vault = PostgresVault(database, KeyRing.open(settings.key_file))
    report = ingest_folder(folder, PLAN.contracts, vault, Lake(settings.lake_root))
    assert report.quarantined == 0
    vault.assign(PLAN.contracts["court_case"].subject, [STRANGER])
    bank.approved("definitions", Kind.DEFINITIONS, PLAN.document)
    bank.approved("bundle.risk", Kind.BUNDLE, scorecard("risk"))
    bank.approved("bundle.rating", Kind.BUNDLE, scorecard("rating", 0.25))
    bank.approved("policy", Kind.POLICY, city_policy().data)
    return bank


@contextmanager
def serving(bank: Bank, settings: Settings | None = None) -> Iterator[str]:
    """The bank's API over real HTTP; gives its address."""
    with running(create_app(settings or bank.settings, bank.database, bank.clock)) as address:
        yield address


@contextmanager
def running(app: FastAPI) -> Iterator[str]:
    """An application over real HTTP; gives its address."""
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=0,
        log_level="error",
        loop="uvloop",
        http="httptools",
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the application did not start"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


@dataclass
class Client:
    """Somebody who asks over HTTP."""

    http: httpx.Client
    bank: Bank
    role: str = "integration_engineer"
    sent: int = 0

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """One request with this client's token."""
        headers = {"Authorization": f"Bearer {self.bank.tokens[self.role]}", **more.pop("headers", {})}
        return self.http.request(method, path, headers=headers, **more)

    def as_(self, role: str) -> Client:
        """The same bank, somebody else asking."""
        return Client(self.http, self.bank, role)

    def consent(self, number: str, **changes: Any) -> httpx.Response:
        """Give a consent to everything for two years, unless changed."""
        body = {
            "id_number": number, "categories": CATEGORIES, "purpose": "credit_assessment", "recipient": "city",
            "form": "electronic", "valid_from": "2025-01-01", "valid_to": "2027-01-01", **changes,
        }  # fmt: skip
        return self.ask("POST", "/v1/consents", json=body)

    def consent_id(self, number: str, **changes: Any) -> str:
        """The id of a new consent."""
        made = self.consent(number, **changes)
        assert made.status_code == 201, made.text
        return str(made.json()["consent_id"])

    def decide(self, number: str, consent: str, *, key: str | None = None, **changes: Any) -> httpx.Response:
        """Apply for 20,000 yuan over twelve months, unless changed."""
        self.sent += 1
        body = application(number, consent, **changes)
        return self.ask(
            "POST",
            "/v1/decisions",
            json=body,
            headers={"Idempotency-Key": key or f"{self.role}-{time.time_ns()}"},
        )


@contextmanager
def asking(
    bank: Bank, settings: Settings | None = None, role: str = "integration_engineer"
) -> Iterator[Client]:
    """Somebody who asks an API of the bank's that runs beside the module's."""
    with serving(bank, settings) as url, httpx.Client(base_url=url, timeout=30) as http:
        yield Client(http, bank, role)


def problem(got: httpx.Response, status: int, code: str = "") -> dict[str, Any]:
    """The problem of a refusal, after a look at its form: place or remedy, and nothing of our insides."""
    assert got.status_code == status, got.text
    assert got.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = got.json()
    assert body.pop("request_id", None) == got.headers.get("x-request-id")
    assert (body["status"], body["type"]) == (status, f"urn:yidai:problem:{body['code']}")
    assert body["code"] == code or not code, body
    assert body["detail"]
    assert body["remedy"] or body["place"]
    assert not re.search(r"Traceback|File \"|\.py\b|asyncpg|psycopg|msgspec|pydantic", got.text)
    return body


@cache
def city_policy() -> Policy:
    """The city's policy."""
    return policy_from_yaml(CITY)


def policy_with(**changes: Any) -> bytes:
    """The city's policy with some parts replaced."""
    document = msgspec.to_builtins(city_policy().document)
    return canonical_bytes({**document, **changes})


def application(number: str, consent: str, **changes: Any) -> dict[str, Any]:
    """The body of an application."""
    body = {
        "applicant": {"id_number": number}, "consent_id": consent, "product": "consumer", "amount_yuan": "20000",
        "term_months": 12, "purpose": "renovation", "region": "city", "checks": CHECKS, **changes,
    }  # fmt: skip
    return {name: value for name, value in body.items() if value is not ...}
