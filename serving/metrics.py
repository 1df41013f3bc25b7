"""Figures of one process for Prometheus; none of them is about a person."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest


class Metrics:
    """The counters; each name is part of the public surface."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.decisions = Counter(
            "yidai_decisions", "Decisions answered.", ["outcome", "repeated"], registry=self.registry
        )
        self.refusals = Counter(
            "yidai_refusals", "Requests refused, by code.", ["status", "code"], registry=self.registry
        )
        self.seconds = Histogram(
            "yidai_decision_seconds", "From the request to the answer.", registry=self.registry,
            buckets=(0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0),
        )  # fmt: skip
        self.group = Histogram(
            "yidai_commit_group", "Decisions that one commit took.", registry=self.registry,
            buckets=(1, 2, 4, 8, 16, 32, 64),
        )  # fmt: skip

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)
