"""A bank that is ready to decide: a sample city, its models in force, its applicants' consents, its API in a process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import msgspec
import psutil

from features.calendar import iso
from features.city.make import make_city
from serving import operations
from serving.access.model import Role
from serving.demo.access import tokens
from serving.demo.agreements import CATEGORIES
from serving.demo.processes import Api, free_port, running, wait_until
from serving.demo.promoting import put_in_force
from serving.demo.run import applicants
from serving.governance.analyst import Trainer
from serving.serve import open_store
from serving.settings import Settings
from serving.store.engine import open_database
from serving.store.session import owner_transaction


def prepare(home: Path, households: int) -> tuple[Settings, dict[Role, str], list[str]]:
    """A bank that is ready to decide, and its applicants; what a folder holds from before is used again."""
    city, done = home / "city", home / "prepared"
    if not city.exists():
        make_city(city, households=households, months=36, seed=3)
    ends_at = msgspec.json.decode((city / "city.json").read_bytes())["ends_at"]
    settings = Settings(home=home, as_of=ends_at)
    open_store(settings)
    people = tokens(settings)
    if not done.exists():
        operations.ingest(settings, city)
        trainer = Trainer(settings, "city")
        models = [trainer.train(name) for name in ("rating", "risk", "access")]
        analyst, officer = (
            replace(settings, token=people[role]) for role in (Role.ANALYST, Role.RISK_OFFICER)
        )
        put_in_force(analyst, officer, "city", models)
        done.touch()
    return settings, people, list(applicants(city))


def consents(api: Api, tenant: str, numbers: list[str]) -> dict[str, str]:
    """A consent of each applicant."""
    terms = {
        "categories": CATEGORIES, "purpose": "credit_assessment", "recipient": tenant, "form": "electronic",
        "valid_from": "2020-01-01", "valid_to": "2100-01-01",
    }  # fmt: skip
    return {n: api.ask("POST", "/v1/consents", {"id_number": n, **terms})["consent_id"] for n in numbers}


@contextmanager
def served(settings: Settings, token: str, workers: int = 1) -> Iterator[tuple[Api, psutil.Process]]:
    """The decision API in processes of its own, and the first of them."""
    port = free_port(0)
    environment = {
        "YIDAI_HOME": str(settings.home), "YIDAI_AS_OF": iso(settings.as_of or 0), "YIDAI_PORT": str(port),
        "YIDAI_WORKERS": str(workers),
    }  # fmt: skip
    log = settings.home / "serve.log"
    with running("serve", environment, log) as process:
        url = f"http://127.0.0.1:{port}"
        wait_until(url, "/health/ready", process, log, "the API")
        yield Api(url, token), psutil.Process(process.pid)


@contextmanager
def spent_by(settings: Settings, trees: Mapping[str, psutil.Process]) -> Iterator[dict[str, float]]:
    """Seconds of CPU within the block of these processes and of PostgreSQL's, with what they started."""
    server = int((settings.home.resolve() / "postgres" / "postmaster.pid").read_text().split()[0])
    asked = {**trees, "postgres": psutil.Process(server)}
    before = {name: _cpu_of(tree) for name, tree in asked.items()}
    found: dict[str, float] = {}
    yield found
    found |= {name: _cpu_of(tree) - before[name] for name, tree in asked.items()}


def _cpu_of(tree: psutil.Process) -> float:
    """Its own, of its children that ended, and of those that run."""
    spent = sum(tree.cpu_times()[:4])
    for each in tree.children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it ends just now
            spent += sum(each.cpu_times()[:2])
    return float(spent)


def promise_nothing(settings: Settings) -> None:
    """Free the caps of the households, so that all who ask again and again are approved as at first."""
    with owner_transaction(open_database(settings)) as owner:
        owner.execute("UPDATE budget SET used = 0 WHERE name = 'household'")
