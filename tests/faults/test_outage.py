"""What does not start or does not answer says so: the database, the port."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from serving.serve import PortInUse, WrongAddress, run
from serving.settings import Settings
from serving.store.engine import Database, ServerDown, open_database
from serving.store.migrate import migrate
from serving.store.session import StoreUnavailable, tenant_transaction
from tests.faults.load import Api, free_port, kill_postmaster, wait_until
from tests.serving.records.sending import case, send
from tests.serving.world import GOOD, Bank, Client, problem


def test_an_outage_is_told_on_every_route_and_ends_by_itself(bank: Bank, api: Api, people) -> None:
    consent = dict(people)[GOOD]
    with httpx.Client(base_url=api.url, timeout=30) as http:
        client = Client(http, bank)
        answer = client.decide(GOOD, consent, key="outage")
        path = f"/v1/decisions/{answer.json()['decision_id']}"
        kill_postmaster(bank.settings)
        for got in (
            client.decide(GOOD, consent),
            client.decide(GOOD, consent, key="outage"),
            client.ask("GET", path),
            client.ask("GET", f"{path}/explanation"),
            client.consent(GOOD),
            client.ask("GET", f"/v1/consents/{consent}"),
            client.ask("DELETE", f"/v1/consents/{consent}"),
            client.ask("POST", "/v1/prefill", json={"id_number": GOOD, "consent_id": consent}),
            send(client, [case(GOOD, "outage", kind="civil")]),
            client.as_("auditor").ask("GET", f"{path}/receipt"),
            client.http.get("/health/ready"),
        ):
            problem(got, 503, "store_unavailable")
            assert got.headers["retry-after"] == "1"
        assert client.http.get("/health/live").status_code == 200
        assert client.http.get("/metrics").status_code == 200
        with pytest.raises(StoreUnavailable), tenant_transaction(bank.database, "city"):
            pass
        open_database(bank.settings)
        wait_until(lambda: client.http.get("/health/ready").status_code == 200)
        again = client.decide(GOOD, consent, key="outage")
        assert (again.status_code, again.content) == (200, answer.content)


def test_a_port_in_use_is_told_before_anything_is_started(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        home = tmp_path / "home"
        with pytest.raises(PortInUse, match=f":{port} is in use") as refusal:
            run(Settings(home=home, port=port))
    assert refusal.value.place == "YIDAI_PORT"
    assert not home.exists()


def test_an_address_that_is_not_ours_is_not_called_a_port_in_use(tmp_path: Path) -> None:
    with pytest.raises(WrongAddress, match="no address of this machine") as refusal:
        run(Settings(home=tmp_path, host="no.such.host.invalid", port=free_port()))
    assert refusal.value.place == "YIDAI_HOST"


def test_a_named_database_that_is_not_there_is_told_without_its_password(tmp_path: Path) -> None:
    url = f"postgresql://me:secret@127.0.0.1:{free_port()}/yidai"
    with pytest.raises(ServerDown) as refusal:
        open_database(Settings(home=tmp_path, database_url=url))
    assert "secret" not in str(refusal.value)
    assert "YIDAI_DATABASE_URL" in refusal.value.remedy


def test_a_process_that_begins_while_the_database_goes_away_says_so() -> None:
    url = f"postgresql://me:secret@127.0.0.1:{free_port()}/yidai"
    with pytest.raises(StoreUnavailable):
        migrate(Database(url, url))


def test_a_named_database_that_is_no_address_is_told(tmp_path: Path) -> None:
    with pytest.raises(ServerDown):
        open_database(Settings(home=tmp_path, database_url="nonsense"))


def test_a_killed_server_starts_again_with_all_that_was_acknowledged(bank: Bank, people) -> None:
    with tenant_transaction(bank.database, "city") as connection:
        before = connection.execute("SELECT count(*) FROM decision").fetchone()
    kill_postmaster(bank.settings)
    database = open_database(replace(bank.settings, database_url=""))
    with tenant_transaction(database, "city") as connection:
        assert connection.execute("SELECT count(*) FROM decision").fetchone() == before
