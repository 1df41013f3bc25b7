"""Figures for Prometheus; none of them is about a person, and no label is an id, a tenant or a name.

One process keeps them in its memory. Several keep them in files of one folder, which `PROMETHEUS_MULTIPROC_DIR` names before
the library is loaded: any of them then answers with the sum of all.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_FAST = (0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


class Metrics:
    """The figures of a process; each name is part of the public surface."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.decisions = Counter(
            "yidai_decisions", "Decisions answered.", ["outcome", "repeated"], registry=self.registry
        )
        self.refusals = Counter(
            "yidai_refusals", "Requests refused, by code.", ["status", "code"], registry=self.registry
        )
        self.seconds = Histogram(
            "yidai_decision_seconds", "From the request to the answer.", registry=self.registry, buckets=_FAST
        )
        self.group = Histogram(
            "yidai_commit_group", "Decisions that one commit took.", registry=self.registry,
            buckets=(1, 2, 4, 8, 16, 32, 64),
        )  # fmt: skip
        self.requests = Histogram(
            "yidai_request_seconds", "Requests answered, by the template of their route.", ["method", "route", "status"],
            registry=self.registry, buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0),
        )  # fmt: skip
        self.lag = Histogram(
            "yidai_loop_lag_seconds", "How much later than asked a process's loop wakes up, looked at each second.",
            registry=self.registry, buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0),
        )  # fmt: skip
        self.under_way = self._gauge("yidai_requests_under_way", "Requests that are being answered.")
        self.waiting = self._gauge("yidai_applications_waiting", "Applications that wait to be decided.")
        self.writing = self._gauge("yidai_decisions_writing", "Decisions that wait for their commit.")
        self.pool_used = self._gauge("yidai_pool_used", "Connections to PostgreSQL in use.")
        self.pool_size = self._gauge("yidai_pool_size", "Connections to PostgreSQL that the settings allow.")
        self.pool_waiting = self._gauge(
            "yidai_pool_waiting", "Requests that wait for a connection to PostgreSQL."
        )
        self.ready = self._gauge("yidai_ready", "API processes that could decide when last asked.")
        self.resident = self._gauge("yidai_resident_bytes", "Memory of the API processes.")
        self.cpu = self._gauge("yidai_cpu_seconds", "Processor time of the API processes that live.")
        self.files = self._gauge("yidai_open_files", "Open file descriptors of the API processes.")
        self.processes = self._gauge("yidai_processes", "API processes that live.")
        self.compiled = Gauge(
            "yidai_warm_seconds", "How long the slowest API process took to load and compile what is in force.",
            registry=self.registry, multiprocess_mode="livemax",
        )  # fmt: skip

    def _gauge(self, name: str, about: str) -> Gauge:
        return Gauge(name, about, registry=self.registry, multiprocess_mode="livesum")

    def text(self, more: Iterable[Metric] = ()) -> bytes:
        """The exposition format, of all processes that share a folder; ``more`` was found elsewhere."""
        registry = self.registry
        if os.environ.get(FOLDER):
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        held = CollectorRegistry()
        held.register(_Found(tuple(more)))
        return generate_latest(registry) + generate_latest(held)


class _Found:
    """What was found elsewhere, as the library wants it."""

    def __init__(self, found: tuple[Metric, ...]) -> None:
        self._found = found

    def collect(self) -> Iterable[Metric]:
        return self._found


def share(home: Path) -> None:
    """Let the processes that are started from here on share one folder, which is emptied of a former run's."""
    folder = home.resolve() / "metrics"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.environ[FOLDER] = str(folder)


def forget_dead() -> None:
    """What a process that died was doing when it died is no figure of now; what it had counted stays."""
    folder = os.environ.get(FOLDER)
    for path in Path(folder).glob("gauge_live*_*.db") if folder else ():
        pid = int(path.stem.rpartition("_")[2])
        if not Path(f"/proc/{pid}").exists():
            mark_process_dead(pid, folder)  # type: ignore[no-untyped-call]
