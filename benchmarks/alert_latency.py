"""From a record to its alert: how long it takes under an open load of records, with an API process and a worker.

Calls of ten records each leave at moments of a Poisson process, so many that 500 records come a second. Most are frozen accounts
of people without a loan and raise nothing; in every few calls one is of a borrower of the bank's whose account is frozen, which is
red at once. An alert's latency runs from the moment at which its call was due to the first look of a watcher that finds it
committed; the watcher looks every few milliseconds on a connection of its own, and its CPU and the generator's
(``benchmarks.load``) are counted apart. The load begins when the worker has done
the jobs that were due at its start. Floors of the same run: a route that does nothing, and the answers of the calls
themselves, which are given once the records are durable.

    python -m benchmarks.alert_latency [--quick] [--home FOLDER] [--json]
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import numpy as np
import psutil

from benchmarks.common import finish
from benchmarks.load import Load, Plan, arrivals, loaded
from benchmarks.serving_bank import prepare, served, spent_by
from features.calendar import DAY, iso
from features.contracts.model import SubjectKind
from serving import operations
from serving.access.model import Role
from serving.clock import wall_clock
from serving.demo.agreements import borrowers
from serving.demo.processes import running
from serving.settings import Settings
from serving.store.engine import open_database, stop_embedded
from serving.store.keys import KeyRing
from serving.store.session import tenant_transaction
from serving.store.vault import subject_of
from serving.work.model import JobState
from serving.work.operations import jobs

RATE, EACH = 500.0, 10
"""Records a second, and in a call."""
LOOK, CONNECTIONS, SEED = 0.005, 32, 7
SIGNAL = "account_frozen"
_RAISED = """
SELECT DISTINCT subject_id FROM alert WHERE signal = %s AND state <> 'released' AND subject_id <> ALL (%s)"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a smaller city and a shorter load")
    parser.add_argument("--home", type=Path, help="a folder that keeps the prepared bank for the next run")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    options = parser.parse_args()
    households, seconds = (1_000, 8.0) if options.quick else (2_000, 60.0)
    with tempfile.TemporaryDirectory(prefix="yidai-bench-") as scratch:
        settings, tokens, numbers = prepare(options.home or Path(scratch), households)
        try:
            officer = replace(settings, token=tokens[Role.RISK_OFFICER])
            loans = operations.watch(officer).loans  # whoever owes is watched from now on
            street = Street(settings, tokens[Role.INTEGRATION_ENGINEER], numbers, Path(scratch))
            figures, ratios = street.measured(seconds)
        finally:
            stop_embedded(settings)
    sizes = {"households": households, "loans": loans, "seconds": seconds, "records_per_call": EACH}
    finish("alert_latency", sizes, figures, ratios, as_json=options.json)


@dataclass(slots=True)
class Watcher:
    """Notes when it first finds each borrower's alert."""

    settings: Settings
    found: dict[int, float] = field(default_factory=dict)
    cpu: float = 0.0

    def run(self, stop: threading.Event) -> None:
        """Look until told to stop."""
        began = time.thread_time()
        database, tenant = open_database(self.settings), self.settings.tenant
        while not stop.is_set():
            with tenant_transaction(database, tenant) as connection:
                while not stop.wait(LOOK):
                    rows = connection.execute(_RAISED, (SIGNAL, list(self.found))).fetchall()
                    self.found |= {int(row[0]): time.time() for row in rows}
        self.cpu = time.thread_time() - began


@dataclass(frozen=True, slots=True)
class Street:
    """Who is told of: borrowers, and others."""

    settings: Settings
    token: str
    others: list[str]
    scratch: Path

    def measured(self, seconds: float) -> tuple[dict[str, float], dict[str, float]]:
        """Figures and ratios."""
        log, home = self.settings.home / "worker.log", str(self.settings.home)
        environment = {"YIDAI_HOME": home, "YIDAI_AS_OF": iso(self.settings.as_of or 0)}
        with (
            served(self.settings, self.token) as (api, process),
            running("worker", environment, log) as worker,
        ):
            trees = {"api": process, "worker": psutil.Process(worker.pid)}
            port = int(api.url.rpartition(":")[2])
            owing = self._subjects(borrowers(self.settings.home / "city"))
            self._quiet()
            warm = min(len(owing) // 4, 20)
            self._load(port, owing[:warm], 3.0)
            idle = Plan(port, "/health/live", [""], {}, 3.0, CONNECTIONS, 100.0, method="GET")
            floor = loaded(idle, self.scratch)
            with spent_by(self.settings, trees) as spent:
                load, latencies, cpu = self._load(port, owing[warm:], seconds)
        figures = {
            "p50_ms": _quantile(latencies, 0.5), "p99_ms": _quantile(latencies, 0.99),
            "records_per_s": load.answered * EACH / load.seconds, "alerts": float(len(latencies)),
            "call_p50_ms": load.quantile(0.5), "call_p99_ms": load.quantile(0.99),
            "unanswered": float(load.offered - load.answered), "generator_late_p99_ms": load.late,
            "cpu_s.generator": load.cpu, "cpu_s.watcher": cpu,
        }  # fmt: skip
        figures |= {
            f"cpu_ms_a_call.{name}": each * 1e3 / max(load.answered, 1) for name, each in spent.items()
        }
        over = {"over_http_floor": floor.quantile(0.5), "over_answer": load.quantile(0.5)}
        return figures, {name: figures["p50_ms"] / value for name, value in over.items()}

    def _quiet(self) -> None:
        """Until the worker has done what was due when it began, two minutes at most."""
        until, seen = time.monotonic() + 120, 0
        while time.monotonic() < until and seen < 4:
            time.sleep(0.5)
            waiting = jobs(self.settings, [JobState.WAITING], 100)
            seen = 0 if any(job.due_at <= wall_clock() for job in waiting) else seen + 1

    def _subjects(self, numbers: list[str]) -> list[tuple[str, int]]:
        keys = KeyRing.open(self.settings.key_file)
        with tenant_transaction(open_database(self.settings), self.settings.tenant) as connection:
            found = [(n, subject_of(connection, keys, SubjectKind.PERSON, n)) for n in numbers]
        return [(number, subject) for number, subject in found if subject is not None]

    def _load(
        self, port: int, owing: list[tuple[str, int]], seconds: float
    ) -> tuple[Load, list[float], float]:
        """A load under which each of those who owe is told of once, and how long each alert took, ms."""
        due = arrivals(SEED, RATE / EACH, seconds)
        due = due[due <= seconds]
        calls = np.linspace(0, len(due) - 1, min(len(owing), len(due))).astype(int).tolist()
        told = dict(zip(calls, owing, strict=False))
        frozen, others = self._bodies(len(due), told)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/x-ndjson"}
        plan = Plan(
            port, "/v1/records/account_freeze", [f"{a}\n{b}" if a else b for a, b in zip(frozen, others, strict=True)],
            headers, seconds, CONNECTIONS, RATE / EACH, keyed=False, seed=SEED,
        )  # fmt: skip
        watcher, stop = Watcher(self.settings), threading.Event()
        looking = threading.Thread(target=watcher.run, args=(stop,))
        looking.start()
        try:
            load = loaded(plan, self.scratch)
            self._wait(watcher, {subject for _, subject in told.values()})
        finally:
            stop.set()
            looking.join()
        latencies = [
            (watcher.found[subject] - load.began - due[call]) * 1e3
            for call, (_, subject) in told.items()
            if subject in watcher.found
        ]
        if len(latencies) < len(told):
            raise SystemExit(f"{len(told) - len(latencies)} alerts were not raised; see worker.log")
        return load, latencies, watcher.cpu

    def _bodies(self, calls: int, told: dict[int, tuple[str, int]]) -> tuple[list[str], list[str]]:
        owing = {number for number, _ in self._subjects(borrowers(self.settings.home / "city"))}
        others = [number for number in self.others if number not in owing]
        frozen = [self._row(told[call][0], f"F{call}") if call in told else "" for call in range(calls)]
        rows = [
            "\n".join(
                self._row(others[(call * EACH + k) % len(others)], f"N{call}-{k}")
                for k in range(EACH - (call in told))
            )
            for call in range(calls)
        ]
        return frozen, rows

    def _row(self, number: str, name: str) -> str:
        at = (self.settings.as_of or 0) - DAY
        row = {
            "id_number": number, "freeze_no": f"{name}-{time.time_ns()}", "frozen_on": iso(at - DAY)[:10], "released_on": "",
            "authority": "court", "amount": "900", "published_at": f"{iso(at)[:10]}T09:00:00",
        }  # fmt: skip
        return msgspec.json.encode(row).decode()

    @staticmethod
    def _wait(watcher: Watcher, wanted: set[int]) -> None:
        """Until all are found, half a minute at most."""
        until = time.monotonic() + 30
        while time.monotonic() < until and not wanted <= watcher.found.keys():
            time.sleep(0.05)


def _quantile(values: list[float], share: float) -> float:
    return float(np.quantile(values, share)) if values else float("nan")


if __name__ == "__main__":
    main()
