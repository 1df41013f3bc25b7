"""The page of the API opens behind a bank's firewall: everything that it loads comes from this server."""

from __future__ import annotations

import re

import httpx


def test_the_page_loads_nothing_from_elsewhere(address: str) -> None:
    page = httpx.get(f"{address}/docs").text
    loaded = re.findall(r"(?:src|href)=[\"']([^\"']+)", page)
    assert len(loaded) >= 3
    for target in loaded:
        assert target.startswith("/"), target
        assert httpx.get(f"{address}{target}").status_code == 200, target


def test_the_description_names_every_route_and_what_it_answers(address: str) -> None:
    paths = httpx.get(f"{address}/openapi.json").json()["paths"]
    told = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    assert told == {
        "POST /v1/consents", "GET /v1/consents/{consent_id}", "DELETE /v1/consents/{consent_id}", "POST /v1/prefill",
        "POST /v1/decisions", "POST /v1/decisions:batch", "GET /v1/decisions/{decision_id}", "GET /v1/decisions/{decision_id}/explanation",
        "GET /v1/decisions/{decision_id}/receipt", "GET /health/live", "GET /health/ready", "GET /metrics",
        "POST /v1/records/{dataset}", "POST /v1/disputes", "GET /v1/disputes", "POST /v1/disputes/{dispute_id}/answer",
        "DELETE /v1/subjects", "POST /v1/disputes/{dispute_id}/decide-again", "GET /v1/decisions/{decision_id}/notice",
        "POST /v1/decisions/{decision_id}/human-review", "POST /v1/subjects/report", "POST /v1/subjects/statement",
        "GET /v1/cases", "GET /v1/cases/{case_id}", "POST /v1/cases/{case_id}/take", "POST /v1/cases/{case_id}/decide",
        "GET /v1/alerts", "GET /v1/alerts/precision", "GET /v1/alerts/{alert_id}", "POST /v1/alerts/{alert_id}/actions",
        "POST /v1/alerts:bulk",
        "POST /v1/cases/{case_id}/second", "GET /v1/offers/{decision_id}", "POST /v1/offers/{decision_id}/accept",
        "POST /v1/offers/{decision_id}/decline", "POST /v1/offers/{decision_id}/drawdowns",
        "POST /v1/offers/{decision_id}/reapprove", "GET /v1/approvals", "POST /v1/approvals/stop",
        "POST /v1/approvals/resume", "GET /v1/log/checkpoint", "GET /v1/log/inclusion", "GET /v1/log/consistency",
        "GET /v1/log/keys", "GET /v1/log/receipt", "POST /v1/offers/{decision_id}/repayments",
        "POST /v1/loans", "GET /v1/loans", "GET /v1/loans/{loan_id}", "POST /v1/loans/{loan_id}/drawdowns",
        "POST /v1/loans/{loan_id}/payments", "POST /v1/loans/{loan_id}/fees", "POST /v1/loans/{loan_id}/extensions",
        "POST /v1/loans/{loan_id}/restructurings", "POST /v1/loans/{loan_id}/charge-offs", "POST /v1/loans/{loan_id}/recoveries",
        "GET /v1/loans/{loan_id}/class", "POST /v1/loans/{loan_id}/class", "GET /v1/classes", "GET /v1/classes/provisions",
        "GET /v1/portfolio", "GET /v1/models/{name}/monitoring", "GET /v1/issues", "POST /v1/issues/{issue_id}/close",
        "POST /v1/webhooks", "GET /v1/webhooks", "DELETE /v1/webhooks/{endpoint_id}", "POST /v1/webhooks/{endpoint_id}/rotate",
        "POST /v1/webhooks/{endpoint_id}/test", "GET /v1/webhooks/{endpoint_id}/deliveries",
        "POST /v1/webhooks/{endpoint_id}/deliveries/{delivery_id}/replay",
    }  # fmt: skip
    for methods in paths.values():
        for operation in methods.values():
            assert operation["summary"]
            assert "500" in operation["responses"]
