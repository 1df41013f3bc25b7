"""All connections of the database are somebody else's: told at once, and over when they are given back."""

from __future__ import annotations

import time
from contextlib import suppress

import httpx
import psycopg

from tests.faults.load import Api, wait_until
from tests.serving.world import GOOD, Bank, Client, problem

QUICKLY = 5.0
"""Seconds."""
OTHERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE pid <> pg_backend_pid() AND usename = 'yidai_app' AND NOT pid = ANY(%s)"""

LEFT = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'yidai_app' AND NOT pid = ANY(%s)"


def take(bank: Bank, held: list[psycopg.Connection]) -> None:
    """Whatever is free just now."""
    with suppress(psycopg.OperationalError):
        while True:
            held.append(psycopg.connect(bank.database.app_url, connect_timeout=5))


def take_all(bank: Bank) -> list[psycopg.Connection]:
    """Every connection that the application's role could have, those of the API too."""
    owner = psycopg.connect(bank.database.admin_url, autocommit=True)
    held, left, before = [owner], True, 0
    while left or len(held) > before:  # whom the server has just sent away leaves a moment later
        before = len(held)
        owner.execute(OTHERS, ([one.info.backend_pid for one in held],))
        with suppress(psycopg.OperationalError):
            while True:
                held.append(psycopg.connect(bank.database.app_url, connect_timeout=5))
        left = owner.execute(LEFT, ([one.info.backend_pid for one in held],)).fetchone() != (0,)
        time.sleep(0.1)
    return held


def test_no_connection_is_told_quickly_and_is_over_when_there_are_some(bank: Bank, api: Api, people) -> None:
    consent = dict(people)[GOOD]
    with httpx.Client(base_url=api.url, timeout=30) as http:
        client = Client(http, bank)
        first = client.decide(GOOD, consent, key="exhausted")
        held = take_all(bank)
        try:
            began = time.monotonic()
            got = client.decide(GOOD, consent, key="while exhausted")
            took = time.monotonic() - began
            problem(got, 503, "store_unavailable")
            assert int(got.headers["retry-after"]) >= 1
            assert took < QUICKLY
            problem(client.http.get("/health/ready"), 503)
            assert client.http.get("/health/live").status_code == 200
        finally:
            for one in held:
                one.close()
        wait_until(lambda: client.http.get("/health/ready").status_code == 200)
        assert client.decide(GOOD, consent, key="while exhausted").status_code == 201
        assert client.decide(GOOD, consent, key="exhausted").content == first.content
