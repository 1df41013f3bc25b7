"""The officer's pages at the console: how long the server takes for the inbox of many alerts and for the page of one borrower.

A sample city's book is watched; then alerts of other loans are written as rows until so many are open, spread over levels, villages,
officers and days. The console runs in a process of its own. One officer asks for pages one after another, as a browser does, over
a connection that stays open: the inbox by levels, one level, a later page, one village and its own; and, of borrowers of the city
with alerts, the page of an alert, of a borrower and the borrower's picture. A page's time runs from the request to the last byte, on
the same machine. Each page is asked for once before, so that what a process loads and draws once is not counted; the borrowers of
the measured requests are read from the lake anew each time. The floor of the same run is a route that does nothing.

    python -m benchmarks.console [--quick] [--home FOLDER] [--json]
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import msgspec
import numpy as np

from benchmarks.common import finish
from features.calendar import iso
from features.city.make import make_city
from serving import operations
from serving.access.accounts import set_password
from serving.access.model import Role
from serving.access.users import create_user, users_of
from serving.clock import wall_clock
from serving.demo.access import tokens
from serving.demo.processes import free_port, running, wait_until
from serving.demo.promoting import put_in_force
from serving.serve import open_store
from serving.settings import Settings
from serving.store.engine import open_database, stop_embedded
from serving.store.session import owner_transaction

OFFICER, PASSWORD = "bench officer", "correct horse battery"
ALERTS = 100_000
PICTURE = re.compile(r'src="(/console/pictures/[0-9a-f]{64}\.svg)"')
INBOX = (
    "/console/inbox", "/console/inbox?level=red", "/console/inbox?village=B7", "/console/inbox?assignee=me",
    "/console/inbox?level=yellow&after=",
)  # fmt: skip
_CASES = """
INSERT INTO alert_case (tenant_id, case_id, about, opened_at)
SELECT %(tenant)s, md5('case ' || n)::uuid, 'bench ' || n, %(now)s FROM generate_series(1, %(most)s) n ON CONFLICT DO NOTHING"""
_ALERTS = """
INSERT INTO alert (tenant_id, alert_id, case_id, loan, subject_id, signal, level, state, coverage, points, seen_at, evidence,
                   evidence_at, signals_digest, playbook, expects_by, owner, raised_at, updated_at, due_at, village, assignee)
SELECT %(tenant)s, md5('alert ' || n)::uuid, md5('case ' || n)::uuid, 'B' || n, -n, 'ss_stop',
       CASE WHEN n %% 20 = 0 THEN 'red' WHEN n %% 4 = 0 THEN 'orange' ELSE 'yellow' END, 'new', 'full', 1, 1,
       '{"zh": "社保停缴三个月。", "en": "Social insurance has not been paid for three months.", "action_zh": "致电。", "action_en": "Call."}',
       %(now)s, '', 'default', %(now)s, 'role:risk_officer', %(now)s - n %% 90 * 86400000000, %(now)s,
       %(now)s + (n %% 30 - 10) * 86400000000 + n, 'B' || n %% 200, CASE WHEN n %% 9 = 0 THEN %(officer)s::uuid END
FROM generate_series(1, %(most)s) n ON CONFLICT DO NOTHING"""
_BORROWERS = """
SELECT DISTINCT ON (case_id) case_id::text, alert_id::text FROM alert
WHERE tenant_id = %s AND subject_id >= 0 AND scope = 'loan' ORDER BY case_id LIMIT %s"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a smaller city and fewer requests")
    parser.add_argument("--home", type=Path, help="a folder that keeps the prepared bank for the next run")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    options = parser.parse_args()
    households, rounds = (300, 12) if options.quick else (3_000, 60)
    with tempfile.TemporaryDirectory(prefix="yidai-bench-") as scratch:
        settings = prepare(options.home or Path(scratch), households)
        try:
            crowd(settings, ALERTS)
            with console(settings) as http:
                figures, sizes = measured(http, borrowers(settings, 40 if options.quick else 200), rounds)
        finally:
            stop_embedded(settings)
    ratios = {"inbox_over_floor": figures["inbox_p50_ms"] / figures["floor_p50_ms"]}
    finish("console", {"alerts": ALERTS, "households": households, **sizes}, figures, ratios, as_json=options.json)  # fmt: skip


def prepare(home: Path, households: int) -> Settings:
    """A sample city's book under watch, without models; what a folder holds from before is used again."""
    city = home / "city"
    if not city.exists():
        make_city(city, households=households, months=36, seed=3)
    settings = Settings(home=home, as_of=msgspec.json.decode((city / "city.json").read_bytes())["ends_at"])
    open_store(settings)
    people = tokens(settings)
    analyst, officer = (replace(settings, token=people[role]) for role in (Role.ANALYST, Role.RISK_OFFICER))
    operations.ingest(settings, city)
    put_in_force(analyst, officer, "city", [])
    operations.watch(officer)
    return settings


def crowd(settings: Settings, count: int) -> None:
    """An officer, and so many alerts of nobody whose records could be read."""
    database, now = open_database(settings), wall_clock()
    if OFFICER not in {user.name for user in users_of(database, settings.tenant, now)}:
        create_user(database, settings.tenant, OFFICER, [Role.RISK_OFFICER], now)
    set_password(database, settings.tenant, OFFICER, PASSWORD, now, must_change=False)
    with owner_transaction(database) as owner:
        (officer,) = owner.execute(  # type: ignore[misc]
            "SELECT actor_id FROM actor WHERE tenant_id = %s AND name = %s", (settings.tenant, OFFICER)
        ).fetchone()
        values = {"tenant": settings.tenant, "now": now, "most": count, "officer": officer}
        owner.execute("ALTER TABLE alert DISABLE TRIGGER USER")  # webhooks are told of what the watch raises
        for statement in (_CASES, _ALERTS):
            owner.execute(statement, values)
        owner.execute("ALTER TABLE alert ENABLE TRIGGER USER")
    with owner_transaction(database) as owner:
        owner.execute("ANALYZE alert, alert_case")


def borrowers(settings: Settings, most: int) -> list[tuple[str, str]]:
    """Cases of borrowers of the city who have alerts, each with one of these."""
    with owner_transaction(open_database(settings)) as owner:
        found = owner.execute(_BORROWERS, (settings.tenant, most)).fetchall()
    assert found, "the watch raised no alert: nothing would be measured"
    return [(case, alert) for case, alert in found]


@contextmanager
def console(settings: Settings) -> Iterator[httpx.Client]:
    """The console in a process of its own, with the officer signed in."""
    port = free_port(0)
    environment = {
        "YIDAI_HOME": str(settings.home), "YIDAI_AS_OF": iso(settings.as_of or 0), "YIDAI_CONSOLE_PORT": str(port),
    }  # fmt: skip
    log = settings.home / "console.log"
    with running("console", environment, log) as process:
        url = f"http://127.0.0.1:{port}"
        wait_until(url, "/health/live", process, log, "the console")
        with httpx.Client(base_url=url, timeout=60) as http:
            form = {"tenant": settings.tenant, "name": OFFICER, "password": PASSWORD, "target": ""}
            assert http.post("/console/sign-in", data=form).status_code == 303
            yield http


def measured(
    http: httpx.Client, found: list[tuple[str, str]], rounds: int
) -> tuple[dict[str, float], dict[str, int]]:
    """Milliseconds of each kind of page; the sizes of what was asked."""
    later = INBOX[-1] + place_after(http)
    inbox = [*INBOX[:-1], later]
    cases = [page for case, alert in found for page in (f"/console/alerts/{alert}", f"/console/borrowers/{case}")]  # fmt: skip
    pictures = [address for page in cases[:20] for address in PICTURE.findall(http.get(page).text)]
    for page in (*inbox, *pictures):
        timed(http, page)
    times = {
        "floor": [timed(http, "/health/live") for _ in range(rounds * len(inbox))],
        "inbox": [timed(http, page) for _ in range(rounds) for page in inbox],
        "alert": [timed(http, page) for page in cases[::2]],
        "case": [timed(http, page) for page in cases[1::2]],
        "picture": [timed(http, page) for page in pictures * 5],
    }
    figures = {
        f"{name}_p{share}_ms": float(np.percentile(each, share))
        for name, each in times.items()
        for share in (50, 95)
    }
    return figures, {f"{name}_requests": len(each) for name, each in times.items()}


def place_after(http: httpx.Client) -> str:
    """The place of the second page of the yellow alerts."""
    found = re.search(r"after=([0-9.a-f-]+)", http.get("/console/inbox?level=yellow").text)
    assert found, "there is no second page"
    return found[1]


def timed(http: httpx.Client, page: str) -> float:
    """Milliseconds from the request to the last byte of a page that was there."""
    begun = time.perf_counter()
    got = http.get(page)
    took = (time.perf_counter() - begun) * 1_000
    assert got.status_code == 200, (page, got.status_code)
    return took


if __name__ == "__main__":
    main()
