"""Whole decisions over HTTP: how many a second, how long each takes under an open load, and where the time goes.

A decision is authentication, consent, features from the timeline, three models, policy, limit, price, four reasons and a
receipt committed with fsync. The API's processes, PostgreSQL and the generator share this machine's cores; the CPU of each
is counted apart. The rate is that of a closed loop of many connections; latencies are of Poisson arrivals at half of it
and at half of 1,000 a second (``benchmarks.load``). The floor is a route of the same server that does nothing. With
``--peers`` `mlflow models serve` and BentoML serve a bare model beside it, in the same run on the same cores.

    python -m benchmarks.serve [--quick] [--peers] [--home FOLDER] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benchmarks import serve_peers
from benchmarks.common import finish
from benchmarks.load import Load, Plan, loaded
from benchmarks.serve_stages import STAGES, stages
from benchmarks.serving_bank import consents, prepare, promise_nothing, served, spent_by
from serving.access.model import Role
from serving.demo.processes import Api
from serving.demo.run import REQUEST
from serving.settings import Settings
from serving.store.engine import stop_embedded

TARGET = 1_000
CONNECTIONS = 128


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a smaller city and shorter loads")
    parser.add_argument(
        "--peers", action="store_true", help="beside the peers; `make serving-peers` installs one"
    )
    parser.add_argument("--home", type=Path, help="a folder that keeps the prepared bank for the next run")
    parser.add_argument("--workers", type=int, default=2, help="processes of the API")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    options = parser.parse_args()
    households, people, seconds = (1_000, 400, 6.0) if options.quick else (2_000, 1_500, 20.0)
    with tempfile.TemporaryDirectory(prefix="yidai-bench-") as scratch:
        home = options.home or Path(scratch)
        settings, tokens, numbers = prepare(home, households)
        try:
            bank = Bank(
                settings, tokens[Role.INTEGRATION_ENGINEER], numbers[:people], options.workers, Path(scratch)
            )
            figures, ratios = measure(bank, seconds, peers=options.peers)
        finally:
            stop_embedded(settings)
    sizes = {"households": households, "applicants": people, "workers": options.workers, "seconds": seconds}
    finish("serve", sizes, figures, ratios, as_json=options.json)


@dataclass(frozen=True, slots=True)
class Bank:
    """What is measured."""

    settings: Settings
    token: str
    numbers: list[str]
    workers: int
    scratch: Path


def measure(bank: Bank, seconds: float, *, peers: bool) -> tuple[dict[str, float], dict[str, float]]:
    """Figures and ratios."""
    settings, token = bank.settings, bank.token
    with served(settings, token, bank.workers) as (api, process):
        given = consents(api, settings.tenant, bank.numbers)
        plan = plan_of(api, given, seconds)
        floor = loaded(
            msgspec.structs.replace(plan, method="GET", path="/health/live", bodies=[""], rate=100.0),
            bank.scratch,
        )
        loaded(msgspec.structs.replace(plan, seconds=3.0), bank.scratch)  # to warm up
        figures = {}
        promise_nothing(settings)
        with spent_by(settings, {"api": process}) as cpu:
            most = loaded(plan, bank.scratch)
        figures |= _told("", most) | _cpu(cpu, most)
        for name, rate in (("half", most.per_second / 2), ("at_500", TARGET / 2)):
            promise_nothing(settings)
            figures |= _told(f"{name}.", loaded(msgspec.structs.replace(plan, rate=rate), bank.scratch))
        promise_nothing(settings)
    spent = asyncio.run(stages(settings, token, given, 600))
    figures |= {f"stage_us.{name}": spent[name] for name in STAGES}
    ratios = {"over_http_floor": figures["half.p50_ms"] / floor.quantile(0.5)} if floor.latencies else {}
    if peers:
        for name, load in serve_peers.measured(seconds, 16).items():
            figures |= {f"{name}.per_s": load.per_second, f"{name}.p99_ms": load.quantile(0.99)}
            ratios[name] = most.per_second / load.per_second
    return figures, ratios


def plan_of(api: Api, given: dict[str, str], seconds: float) -> Plan:
    """A closed loop of applications of those who consented."""
    bodies = [
        msgspec.json.encode(
            {"applicant": {"id_number": number}, "consent_id": consent, "amount_yuan": "3000", **REQUEST}
        ).decode()
        for number, consent in given.items()
    ]
    headers = {"Authorization": f"Bearer {api.token}", "Content-Type": "application/json"}
    return Plan(int(api.url.rpartition(":")[2]), "/v1/decisions", bodies, headers, seconds, CONNECTIONS)


def _told(prefix: str, load: Load) -> dict[str, float]:
    unwell = load.offered - load.answered
    found = {"decisions_per_s": load.per_second} | {
        f"p{share * 100:g}_ms": load.quantile(share) for share in (0.5, 0.9, 0.99, 0.999)
    }
    found |= {"unanswered": float(unwell), "generator_late_p99_ms": load.late}
    return {prefix + name: value for name, value in found.items()}


def _cpu(spent: dict[str, float], load: Load) -> dict[str, float]:
    each = {**spent, "generator": load.cpu}
    return {f"cpu_us.{name}": seconds / max(load.answered, 1) * 1e6 for name, seconds in each.items()}


if __name__ == "__main__":
    main()
