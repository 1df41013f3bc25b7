"""Figures: the page is the registry's, no label names anybody, and several processes answer with one sum."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from serving.process.figures import SHARED, page
from serving.process.metrics import FOLDER, share
from serving.store.session import owner_transaction
from tests.serving.world import GOOD, Bank, Client, asking

ROOT = Path(__file__).parents[3]
PART = """
import os, sys
from serving.process.metrics import Metrics, forget_dead
forget_dead()
metrics = Metrics()
metrics.decisions.labels("approve", "false").inc(int(sys.argv[1]))
metrics.waiting.set(int(sys.argv[1]))
print(metrics.text().decode())
"""


def figures(text: str) -> dict[tuple[str, ...], float]:
    """Samples by name and labels' values."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_page_is_the_registrys() -> None:
    assert (ROOT / "docs/reference/metrics.md").read_text(encoding="utf-8") == page()


def test_every_rule_is_about_a_metric_that_there_is() -> None:
    rules = yaml.safe_load((ROOT / "docs/alerts.rules.yml").read_text(encoding="utf-8"))
    known = set(re.findall(r"`(yidai_\w+)`", page()))
    for rule in rules["groups"][0]["rules"]:
        named = {re.sub(r"_(bucket|count)$", "", name) for name in re.findall(r"yidai_\w+", rule["expr"])}
        assert named
        assert named <= known, rule["alert"]


def test_requests_are_counted_by_template_and_nobody_is_named(
    client: Client, bank: Bank, consent: str
) -> None:
    decided = client.decide(GOOD, consent).json()["decision_id"]
    assert client.ask("GET", f"/v1/decisions/{decided}").status_code == 200
    for odd in ("/nowhere/330106198506120017", "/v1/decisions/330106198506120017"):
        assert client.ask("GET", odd).status_code in {404, 422}
    assert client.ask("PATCH", "/v1/decisions").status_code == 405
    text = client.http.get("/metrics").text
    found = figures(text)
    assert found["yidai_request_seconds_count", "GET", "/v1/decisions/{decision_id}", "200"] == 1
    assert found["yidai_request_seconds_count", "POST", "/v1/decisions", "201"] >= 1
    assert (
        found[
            "yidai_decisions_total",
            decided and client.decide(GOOD, consent, key="m").json()["outcome"],
            "false",
        ]
        >= 1
    )
    for secret in (GOOD, decided, consent, "330106198506120017", *bank.tokens.values()):
        assert secret not in text
    labels = set(re.findall(r"[{,](\w+)=", text))
    assert labels <= {"outcome", "repeated", "status", "code", "method", "route", "le", "state", "dataset"}


def test_the_store_is_looked_at_for_what_all_processes_share(bank: Bank) -> None:
    with owner_transaction(bank.database) as owner:
        owner.execute(
            "INSERT INTO job (kind, key, state, due_at, created_at, ended_at) VALUES ('x', 'y', 'dead', 1, 1, 2)"
        )
        owner.execute(
            "INSERT INTO job (kind, key, due_at, created_at) VALUES ('x', 'z', %s, 1)",
            (bank.clock.now - 90_000_000,),
        )
        owner.execute("INSERT INTO source_delivery VALUES ('court_case', %s, 1, 1) ON CONFLICT (dataset) DO UPDATE SET"
                      " last_known = excluded.last_known, allowed = 1", (bank.clock.now - 60_000_000,))  # fmt: skip
    with asking(bank) as client:
        client.decide(GOOD, client.consent_id(GOOD))
        found = figures(client.http.get("/metrics").text)
    assert {name for name, *_ in found} >= set(SHARED)
    assert found["yidai_jobs", "dead"] == 1
    assert 90 <= found["yidai_job_wait_seconds",] < 100
    assert 60 <= found["yidai_source_age_seconds", "court_case"] < 70
    assert found["yidai_source_late", "court_case"] == 1
    assert found["yidai_receipts_unsealed",] >= 1
    assert found["yidai_store_up",] == 1
    assert found["yidai_ready",] == 1
    assert found["yidai_resident_bytes",] > 1e7
    with psycopg.connect(bank.database.app_url) as connection:
        connection.execute("SELECT * FROM operating_figures(1)")
        assert connection.execute("SELECT count(*) FROM decision").fetchone() == (0,), (
            "no tenant is left behind"
        )


def test_several_processes_tell_their_sum_and_a_dead_one_waits_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER, "")
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / "counter_1.db").write_bytes(b"a former run's")
    share(tmp_path)
    told = ""
    for amount in ("3", "4"):
        done = subprocess.run(
            [sys.executable, "-c", PART, amount], capture_output=True, text=True, check=True, env=dict(os.environ)
        )  # fmt: skip
        told = done.stdout
    found = figures(told)
    assert found["yidai_decisions_total", "approve", "false"] == 7
    assert found["yidai_applications_waiting",] == 4, "the first has ended"
