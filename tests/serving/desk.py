"""A desk of a bank whose people submit, attach, approve and promote, and documents that meet every gate."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from serving.access.model import Permission
from serving.governance.promotion import attach, promote, rollback
from serving.registry.model import EvidenceKind, Kind, Verdict
from serving.registry.service import active_at, approve, submit
from tests.serving.world import PLAN, Bank, scorecard
from training.bundle import Bundle, dump_bundle, with_vectors
from training.promotion import Comparison
from training.validation import Interval

SHIFT = iter(range(1, 1_000))
GOOD_REPORT: dict[str, Any] = {
    "portfolio": "city", "model": "risk", "out_of_time": True,
    "metrics": {
        "rows": 2000, "bads": 200, "auc": {"value": 0.75, "low": 0.72, "high": 0.78},
        "ks": {"value": 0.4, "low": 0.35, "high": 0.45}, "brier": {"value": 0.08, "low": 0.07, "high": 0.09},
        "log_loss": 0.3, "ece": 0.01, "ece_by_chance": 0.009, "predicted_over_actual": 1.02,
    },
    "gap": {"value": 0.01, "low": -0.01, "high": 0.03},
    "grades": [{"grade": 1, "rows": 100, "bads": 1, "mean_pd": 0.01, "observed": 0.01, "p_value": 0.5}],
    "stability": [{"month": "2024-05", "rows": 90, "psi": 0.05, "by_chance": 0.2}],
}  # fmt: skip
FAIR = {
    "attribute": "sex",
    "group": "female",
    "rows": 400,
    "impact": {"value": 0.95, "low": 0.9, "high": 1.01},
}


def model(name: str = "risk", *, vectors: bool = True, **changes: Any) -> bytes:
    """A scorecard that the registry has not seen, with its test vectors."""
    bundle = msgspec.json.decode(scorecard(name, next(SHIFT) / 1_000), type=Bundle)
    bundle = msgspec.structs.replace(bundle, **changes)
    if vectors:
        bundle = with_vectors(
            bundle, np.array([[0.0, 0.0, 12.0], [4.0, 5e6, 1.0]]), np.zeros((2, 3), np.uint8)
        )
    return dump_bundle(bundle)


def report(digest: str, **changes: Any) -> bytes:
    """A report that meets every gate, but for the changes."""
    origin = {"bundle": digest, "definitions": PLAN.digest}
    return json.dumps(GOOD_REPORT | {"origin": origin} | changes).encode()


def fairness(digest: str, **changes: Any) -> bytes:
    return json.dumps({"digest": digest, "groups": [FAIR | changes]}).encode()


def figures(**changes: Any) -> dict[str, Any]:
    return GOOD_REPORT["metrics"] | changes


class Desk:
    """The people of a bank, at their work."""

    def __init__(self, bank: Bank) -> None:
        self.bank = bank

    def asks(self, role: str, permission: Permission) -> Any:
        return self.bank.authority(role, permission)

    def submit(self, data: bytes, kind: Kind = Kind.BUNDLE, role: str = "analyst") -> str:
        return submit(self.bank.database, self.asks(role, Permission.SUBMIT), kind, data, self.bank.clock())

    def attach(self, name: str, kind: EvidenceKind, data: bytes, role: str = "analyst") -> None:
        attach(self.bank.database, self.asks(role, Permission.SUBMIT), name, kind, data, self.bank.clock())

    def approve(self, name: str, verdict: Verdict = Verdict.APPROVED) -> None:
        asker = self.asks("risk_officer", Permission.APPROVE)
        approve(self.bank.database, asker, name, self.bank.clock(), verdict=verdict)

    def promote(self, slot: str, name: str, beside: Mapping[str, str] | None = None, **more: Any) -> Any:
        asker = self.asks("risk_officer", Permission.ACTIVATE)
        return promote(self.bank.database, asker, {slot: name, **(beside or {})}, self.bank.clock(), **more)

    def rollback(self, slot: str) -> Any:
        asker = self.asks("risk_officer", Permission.ACTIVATE)
        return rollback(self.bank.database, asker, slot, self.bank.clock())

    def in_force(self) -> dict[str, str]:
        asker = self.asks("auditor", Permission.READ_REGISTRY)
        return active_at(self.bank.database, asker, self.bank.clock())

    def ready(self, name: str = "risk", *, compared: bool = True, **changes: Any) -> str:
        """A model with everything that a promotion needs: evidence, comparison, approval."""
        digest = self.submit(model(name))
        self.attach(digest, EvidenceKind.REPORT, report(digest, **changes))
        self.attach(digest, EvidenceKind.FAIRNESS, fairness(digest))
        champion = self.in_force().get(f"bundle.{name}")
        if compared and champion:
            self.attach(digest, EvidenceKind.COMPARISON, comparison(digest, champion))
        self.approve(digest)
        return digest


def comparison(digest: str, champion: str, value: float = 0.005, low: float = -0.01, high: float = 0.02,
               *, unseen: bool = True) -> bytes:  # fmt: skip
    auc = Interval(0.75, 0.7, 0.8)
    gap = Interval(value, low, high)
    return msgspec.json.encode(Comparison(1, digest, champion, "later", unseen, 900, 90, auc, auc, gap))
