"""What the registry holds, and what a second person says of it."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """What the registry holds."""

    POLICY = "policy"
    DEFINITIONS = "definitions"
    BUNDLE = "bundle"
    SIGNALS = "signals"
    SCALE = "scale"
    LIST = "list"
    CLASSES = "classes"
    HANDLING = "handling"
    """Who handles an alert, and by when."""
    PLAYBOOKS = "playbooks"
    MONITORING = "monitoring"
    """Limits of models in use."""


class Verdict(StrEnum):
    """What a second person says."""

    APPROVED = "approved"
    REFUSED = "refused"


class EvidenceKind(StrEnum):
    """What is known of a version."""

    REPORT = "report"
    FAIRNESS = "fairness"
    COMPARISON = "comparison"
