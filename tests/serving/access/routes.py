"""Every route with the permission that it takes, and bodies about what is not there."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from serving.access.model import Permission
from tests.serving.world import NOBODY

ROUTES: dict[tuple[str, str], Permission] = {
    ("POST", "/v1/decisions"): Permission.DECIDE,
    ("POST", "/v1/decisions:batch"): Permission.DECIDE,
    ("GET", "/v1/decisions/{decision}"): Permission.READ_DECISIONS,
    ("GET", "/v1/decisions/{decision}/explanation"): Permission.READ_DECISIONS,
    ("GET", "/v1/decisions/{decision}/notice"): Permission.READ_DECISIONS,
    ("GET", "/v1/decisions/{decision}/receipt"): Permission.READ_RECEIPTS,
    ("POST", "/v1/decisions/{nobodys}/human-review"): Permission.EXERCISE_RIGHTS,
    ("POST", "/v1/consents"): Permission.MANAGE_CONSENTS,
    ("GET", "/v1/consents/{consent}"): Permission.MANAGE_CONSENTS,
    ("DELETE", "/v1/consents/{spare}"): Permission.MANAGE_CONSENTS,
    ("POST", "/v1/prefill"): Permission.PREFILL,
    ("POST", "/v1/records/{dataset}"): Permission.SEND_RECORDS,
    ("POST", "/v1/disputes"): Permission.HANDLE_DISPUTES,
    ("GET", "/v1/disputes"): Permission.HANDLE_DISPUTES,
    ("POST", "/v1/disputes/{dispute_id}/answer"): Permission.HANDLE_DISPUTES,
    ("POST", "/v1/disputes/{dispute_id}/decide-again"): Permission.DECIDE,
    ("DELETE", "/v1/subjects"): Permission.ERASE,
    ("POST", "/v1/subjects/report"): Permission.EXERCISE_RIGHTS,
    ("POST", "/v1/subjects/statement"): Permission.EXERCISE_RIGHTS,
    ("GET", "/v1/cases"): Permission.READ_CASES,
    ("GET", "/v1/cases/{case_id}"): Permission.READ_CASES,
    ("POST", "/v1/cases/{case_id}/take"): Permission.DECIDE_CASES,
    ("POST", "/v1/cases/{case_id}/decide"): Permission.DECIDE_CASES,
    ("POST", "/v1/cases/{case_id}/second"): Permission.DECIDE_CASES,
    ("GET", "/v1/alerts"): Permission.HANDLE_ALERTS,
    ("GET", "/v1/alerts/precision"): Permission.HANDLE_ALERTS,
    ("GET", "/v1/alerts/{alert_id}"): Permission.HANDLE_ALERTS,
    ("POST", "/v1/alerts/{alert_id}/actions"): Permission.HANDLE_ALERTS,
    ("POST", "/v1/alerts:bulk"): Permission.HANDLE_ALERTS,
    ("GET", "/v1/offers/{nobodys}"): Permission.READ_DECISIONS,
    ("POST", "/v1/offers/{nobodys}/accept"): Permission.DECIDE,
    ("POST", "/v1/offers/{nobodys}/decline"): Permission.DECIDE,
    ("POST", "/v1/offers/{nobodys}/drawdowns"): Permission.DECIDE,
    ("POST", "/v1/offers/{nobodys}/repayments"): Permission.DECIDE,
    ("POST", "/v1/offers/{nobodys}/reapprove"): Permission.DECIDE,
    ("POST", "/v1/loans"): Permission.KEEP_LOANS,
    ("GET", "/v1/loans"): Permission.READ_LOANS,
    ("GET", "/v1/loans/{loan_id}"): Permission.READ_LOANS,
    ("POST", "/v1/loans/{loan_id}/drawdowns"): Permission.KEEP_LOANS,
    ("POST", "/v1/loans/{loan_id}/payments"): Permission.KEEP_LOANS,
    ("POST", "/v1/loans/{loan_id}/fees"): Permission.KEEP_LOANS,
    ("POST", "/v1/loans/{loan_id}/extensions"): Permission.KEEP_LOANS,
    ("POST", "/v1/loans/{loan_id}/restructurings"): Permission.KEEP_LOANS,
    ("POST", "/v1/loans/{loan_id}/charge-offs"): Permission.KEEP_LOANS,
    ("POST", "/v1/loans/{loan_id}/recoveries"): Permission.KEEP_LOANS,
    ("GET", "/v1/loans/{loan_id}/class"): Permission.READ_LOANS,
    ("POST", "/v1/loans/{loan_id}/class"): Permission.CLASSIFY_LOANS,
    ("GET", "/v1/classes"): Permission.READ_LOANS,
    ("GET", "/v1/classes/provisions"): Permission.READ_LOANS,
    ("GET", "/v1/portfolio"): Permission.READ_LOANS,
    ("GET", "/v1/models/{name}/monitoring"): Permission.READ_REGISTRY,
    ("GET", "/v1/issues"): Permission.READ_REGISTRY,
    ("POST", "/v1/issues/{issue_id}/close"): Permission.SUBMIT,
    ("GET", "/v1/approvals"): Permission.READ_REGISTRY,
    ("POST", "/v1/approvals/stop"): Permission.STOP_APPROVALS,
    ("POST", "/v1/approvals/resume"): Permission.STOP_APPROVALS,
    ("GET", "/v1/log/checkpoint"): Permission.READ_LOG,
    ("GET", "/v1/log/inclusion"): Permission.READ_LOG,
    ("GET", "/v1/log/consistency"): Permission.READ_LOG,
    ("GET", "/v1/log/keys"): Permission.READ_LOG,
    ("GET", "/v1/log/receipt"): Permission.READ_LOG,
    ("POST", "/v1/webhooks"): Permission.MANAGE_WEBHOOKS,
    ("GET", "/v1/webhooks"): Permission.MANAGE_WEBHOOKS,
    ("DELETE", "/v1/webhooks/{endpoint_id}"): Permission.MANAGE_WEBHOOKS,
    ("POST", "/v1/webhooks/{endpoint_id}/rotate"): Permission.MANAGE_WEBHOOKS,
    ("POST", "/v1/webhooks/{endpoint_id}/test"): Permission.MANAGE_WEBHOOKS,
    ("GET", "/v1/webhooks/{endpoint_id}/deliveries"): Permission.MANAGE_WEBHOOKS,
    ("POST", "/v1/webhooks/{endpoint_id}/deliveries/{delivery_id}/replay"): Permission.MANAGE_WEBHOOKS,
}
_SEEN = "0" * 64
NOBODYS: dict[tuple[str, str], Any] = {
    ("POST", "/v1/disputes"): {
        "id_number": NOBODY, "dataset": "court_case", "key": {"case_id": "C1"}, "ground": "paid",
    },
    ("POST", "/v1/disputes/{dispute_id}/answer"): {"verdict": "upheld"},
    ("POST", "/v1/disputes/{dispute_id}/decide-again"): {"id_number": NOBODY},
    ("DELETE", "/v1/subjects"): {"id_number": NOBODY, "reason": "asked"},
    ("POST", "/v1/subjects/report"): {"id_number": NOBODY},
    ("POST", "/v1/subjects/statement"): {"id_number": NOBODY, "dataset": "court_case", "text": "paid"},
    ("POST", "/v1/decisions/{nobodys}/human-review"): None,
    ("GET", "/v1/cases/{case_id}"): None,
    ("POST", "/v1/cases/{case_id}/take"): {},
    ("POST", "/v1/cases/{case_id}/decide"): {
        "outcome": "decline", "reason_code": "RV_SYSTEM_CONFIRMED", "reason": "seen", "seen": _SEEN,
    },
    ("POST", "/v1/cases/{case_id}/second"): {"agree": False, "seen": _SEEN},
    ("GET", "/v1/alerts/{alert_id}"): None,
    ("POST", "/v1/alerts/{alert_id}/actions"): {"kind": "note", "reason": "seen", "version": 1},
    ("GET", "/v1/offers/{nobodys}"): None,
    ("POST", "/v1/offers/{nobodys}/accept"): None,
    ("POST", "/v1/offers/{nobodys}/decline"): None,
    ("POST", "/v1/offers/{nobodys}/drawdowns"): {"id_number": NOBODY, "amount_fen": 300_000},
    ("POST", "/v1/offers/{nobodys}/repayments"): {"amount_fen": 300_000},
    ("POST", "/v1/offers/{nobodys}/reapprove"): {"id_number": NOBODY},
    ("GET", "/v1/loans/{loan_id}"): None,
    ("POST", "/v1/loans/{loan_id}/drawdowns"): {"at": "2024-12-01", "amount_fen": 5, "schedule": [{"due_on": "2025-03-01", "principal_fen": 5}]},
    ("POST", "/v1/loans/{loan_id}/payments"): {"at": "2024-12-01", "amount_fen": 5},
    ("POST", "/v1/loans/{loan_id}/fees"): {"at": "2024-12-01", "amount_fen": 5},
    ("POST", "/v1/loans/{loan_id}/extensions"): {"at": "2024-12-01", "days": 5},
    ("POST", "/v1/loans/{loan_id}/restructurings"): {"at": "2024-12-01", "schedule": [{"due_on": "2025-03-01", "principal_fen": 5}]},
    ("POST", "/v1/loans/{loan_id}/charge-offs"): {"at": "2024-12-01"},
    ("POST", "/v1/loans/{loan_id}/recoveries"): {"at": "2024-12-01", "amount_fen": 5},
    ("GET", "/v1/loans/{loan_id}/class"): None,
    ("POST", "/v1/loans/{loan_id}/class"): {"risk_class": "loss", "reason": "seen", "version": 1},
    ("GET", "/v1/classes"): None,
    ("GET", "/v1/classes/provisions"): None,
    ("GET", "/v1/portfolio"): None,
    ("GET", "/v1/models/{name}/monitoring"): None,
    ("POST", "/v1/issues/{issue_id}/close"): {"reason": "seen"},
    ("POST", "/v1/approvals/resume"): {"all": True, "reason": "seen"},
    ("GET", "/v1/log/checkpoint"): None,
    ("GET", "/v1/log/inclusion"): None,
    ("GET", "/v1/log/consistency"): None,
    ("GET", "/v1/log/receipt"): None,
    ("DELETE", "/v1/webhooks/{endpoint_id}"): None,
    ("POST", "/v1/webhooks/{endpoint_id}/rotate"): None,
    ("POST", "/v1/webhooks/{endpoint_id}/test"): None,
    ("GET", "/v1/webhooks/{endpoint_id}/deliveries"): None,
    ("POST", "/v1/webhooks/{endpoint_id}/deliveries/{delivery_id}/replay"): None,
}  # fmt: skip
"""Bodies about somebody or something that is not there: who may ask is told so."""

QUERIES: dict[tuple[str, str], dict[str, str]] = {
    ("GET", "/v1/log/inclusion"): {"decision": str(uuid4())},
    ("GET", "/v1/log/consistency"): {"from": "1"},
    ("GET", "/v1/log/receipt"): {"decision": str(uuid4())},
}
"""What stands after the path, where something has to."""


def nobodys() -> dict[str, str]:
    """Ids of what is not there, by the places of paths."""
    return {
        name: str(uuid4())
        for name in (
            "dispute_id",
            "case_id",
            "alert_id",
            "nobodys",
            "endpoint_id",
            "delivery_id",
            "loan_id",
            "issue_id",
        )
    } | {"dataset": "court_case", "name": "nobodys"}


def described(path: str) -> str:
    """A path as the API describes it."""
    for name, place in (("decision", "decision_id"), ("nobodys", "decision_id"), ("consent", "consent_id"), ("spare", "consent_id")):  # fmt: skip
        path = path.replace(f"{{{name}}}", f"{{{place}}}")
    return path
