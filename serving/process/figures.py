"""Figures of what all processes share, read from the store when they are asked for; and of this process, each second.

``python -m serving.process.figures > docs/reference/metrics.md`` writes the page of all of them.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, perf_counter, process_time

import asyncpg
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from features.errors import YidaiError
from serving.process.metrics import Metrics
from serving.services import Services
from serving.store.session import store_errors

_FIGURES = """
SELECT name, label, value FROM operating_figures($1) UNION ALL SELECT name, label, value FROM watch_figures($1)"""
_EVERY, _OPEN = 1.0, Path("/proc/self/fd")
_KEPT_SECONDS = 5.0
"""So long figures of the store are told again, so that whoever asks often costs no more."""
SHARED: dict[str, tuple[str, str]] = {
    "yidai_jobs": ("Jobs of the workers, by state.", "state"),
    "yidai_job_wait_seconds": ("How long ago the oldest job that waits was due.", ""),
    "yidai_receipts_unsealed": ("Receipts that are not in the sealed log yet.", ""),
    "yidai_receipt_unsealed_seconds": ("Age of the oldest of them.", ""),
    "yidai_webhooks": ("Deliveries to webhooks, by state, those that are not forgotten.", "state"),
    "yidai_webhook_wait_seconds": ("How long ago the oldest delivery that waits was due.", ""),
    "yidai_records_waiting": ("Records that came one by one and are not in the lake yet.", ""),
    "yidai_watch_waiting": ("Subjects that wait to be looked at, because a record came.", ""),
    "yidai_watch_wait_seconds": ("How long the oldest of those waits that are due.", ""),
    "yidai_cases_overdue": ("Cases that no person has decided in time.", ""),
    "yidai_source_age_seconds": ("How long ago each source delivered last.", "dataset"),
    "yidai_source_late": ("1 where a source has been silent longer than it may be.", "dataset"),
    "yidai_store_up": ("1 where the store answers.", ""),
}
"""What the store knows: about, and the one label."""


@dataclass(slots=True)
class Figures:
    """Looks at the store, at most every few seconds."""

    held: Services
    _until: float = 0.0
    _found: list[Metric] = field(default_factory=list)

    async def found(self) -> list[Metric]:
        """What the store knows now; where it does not answer, just that."""
        if monotonic() >= self._until:
            try:
                self._found = _families(await _rows(self.held.pool, self.held.clock()))
            except YidaiError:
                self._found = _families([("yidai_store_up", "", 0.0)])
            self._until = monotonic() + _KEPT_SECONDS
        return self._found


async def _rows(pool: asyncpg.Pool, now: int) -> list[tuple[str, str, float]]:
    async with store_errors(), pool.acquire() as connection:
        found = await connection.fetch(_FIGURES, now)
    return [*((row[0], row[1], float(row[2])) for row in found), ("yidai_store_up", "", 1.0)]


def _families(rows: list[tuple[str, str, float]]) -> list[Metric]:
    made: dict[str, GaugeMetricFamily] = {}
    for name, label, value in rows:
        about, labelled = SHARED[name]
        family = made.setdefault(name, GaugeMetricFamily(name, about, labels=[labelled] if labelled else []))
        family.add_metric([label] if labelled else [], value)
    return list(made.values())


async def sample(held: Services) -> None:
    """Note this process's own figures each second, until cancelled."""
    held.metrics.processes.set(1)
    while True:
        began = perf_counter()
        await asyncio.sleep(_EVERY)
        held.metrics.lag.observe(max(perf_counter() - began - _EVERY, 0.0))
        note(held)


def note(held: Services) -> None:
    """This process's own figures, now."""
    metrics, pool = held.metrics, held.pool
    metrics.waiting.set(held.decisions.waiting)
    metrics.writing.set(held.writer.waiting)
    metrics.pool_size.set(pool.get_max_size())
    metrics.pool_used.set(pool.get_size() - pool.get_idle_size())
    metrics.pool_waiting.set(pool.waiting)
    metrics.resident.set(_resident())
    metrics.cpu.set(process_time())
    metrics.files.set(sum(1 for _ in _OPEN.iterdir()) if _OPEN.exists() else 0)


def _resident() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:  # elsewhere the most that it ever was
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return pages * resource.getpagesize()


_ABOUT = """# Metrics

`GET /metrics` answers in the Prometheus text format, without a token, as the health routes do. With several processes
(`YIDAI_WORKERS`) each answers for all. No label is an id, a tenant or a name. This page is generated:
`python -m serving.process.figures > docs/reference/metrics.md`. Rules to be alerted by are in
[../alerts.rules.yml](../alerts.rules.yml).

| metric | kind | labels | meaning |
|---|---|---|---|
"""


def page() -> str:
    """The page ``docs/reference/metrics.md``."""
    return _ABOUT + "".join(
        f"| `{name}` | {kind} | {labels} | {about} |\n" for name, kind, labels, about in _all()
    )


def _all() -> Iterator[tuple[str, str, str, str]]:
    for each in Metrics().registry.collect():
        name = each.name + ("_total" if each.type == "counter" else "")
        labels = _LABELS.get(each.name, ())
        yield name, each.type, ", ".join(f"`{label}`" for label in labels), each.documentation
    for name, (about, label) in SHARED.items():
        yield name, "gauge", f"`{label}`" if label else "", about


_LABELS = {
    "yidai_decisions": ("outcome", "repeated"),
    "yidai_refusals": ("status", "code"),
    "yidai_request_seconds": ("method", "route", "status"),
}
if __name__ == "__main__":
    print(page(), end="")
