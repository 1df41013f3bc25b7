"""What a consent allows is online from its beginning to its end, and nothing else is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from features.calendar import DAY, instant
from features.canonical import canonical_bytes
from features.timeline.lake import Batch, Lake
from serving.access.model import Permission
from serving.registry.model import Kind
from serving.registry.repository import active
from serving.registry.service import activate
from serving.store.session import tenant_transaction
from tests.serving.feeding import COURT, ingest, online, rehydrate, subject_of, sweep, vault_of
from tests.serving.world import (
    GOOD,
    LATE,
    MIDDLE,
    PLAN,
    POOR,
    YOUNG,
    Bank,
    Client,
    asking,
    number_of,
    problem,
)

BY_CONTRACT = {n for n, c in PLAN.contracts.items() if {"contract", "open_data"} & set(c.legal_basis)}


def datasets(bank: Bank, number: str) -> set[str] | None:
    """The datasets that are online of somebody, without those of the bank's own contract."""
    found = online(bank, number)
    return None if found is None else {name.partition("@")[0] for name in found[1]} - BY_CONTRACT


def of_category(*categories: str) -> set[str]:
    """The datasets that a consent to these categories opens."""
    return {n for n, c in PLAN.contracts.items() if c.consent_category in categories} - BY_CONTRACT


@pytest.fixture
def nobody_online(bank: Bank) -> Iterator[None]:
    """Each test begins and ends with an empty working set."""
    with tenant_transaction(bank.database, "city") as connection:
        connection.execute("DELETE FROM subject_timeline")
        connection.execute("UPDATE consent SET withdrawn_at = 1 WHERE withdrawn_at IS NULL")
    return


pytestmark = pytest.mark.usefixtures("nobody_online")


def test_a_consent_brings_exactly_its_categories_online(client: Client, bank: Bank) -> None:
    assert online(bank, GOOD) is None
    client.consent_id(GOOD, categories=["bureau", "court"])
    assert datasets(bank, GOOD) == of_category("bureau", "court")
    assert online(bank, GOOD)[0] > 0


def test_a_withdrawal_takes_its_categories_offline_and_another_consent_keeps_its_own(client, bank) -> None:
    first = client.consent_id(GOOD, categories=["bureau", "court"])
    second = client.consent_id(GOOD, categories=["court", "social_insurance"])
    assert datasets(bank, GOOD) == of_category("bureau", "court", "social_insurance")
    assert client.ask("DELETE", f"/v1/consents/{first}").json()["live"] is False
    assert datasets(bank, GOOD) == of_category("court", "social_insurance")
    client.ask("DELETE", f"/v1/consents/{second}")
    assert online(bank, GOOD) is None


def test_what_was_decided_under_a_withdrawn_consent_stays_and_nothing_new_is(client, bank) -> None:
    consent = client.consent_id(GOOD)
    answer = client.decide(GOOD, consent, key="before")
    gone = client.ask("DELETE", f"/v1/consents/{consent}").json()
    assert client.ask("DELETE", f"/v1/consents/{consent}").json() == gone
    assert client.ask("GET", f"/v1/decisions/{answer.json()['decision_id']}").content == answer.content
    assert client.decide(GOOD, consent, key="before").content == answer.content
    problem(client.decide(GOOD, consent, key="after"), 403, "consent_withdrawn")
    with tenant_transaction(bank.database, "city") as connection:
        rows = connection.execute(
            "SELECT action FROM audit_log WHERE object = %s ORDER BY entry", (consent,)
        ).fetchall()
    assert rows == [("consent.given",), ("consent.withdrawn",)]


def test_a_withdrawal_takes_effect_also_where_nothing_is_active(client: Client, bank: Bank) -> None:
    consent = client.consent_id(GOOD)
    with tenant_transaction(bank.database, "city") as connection:
        policy = active(connection, bank.clock())["policy"]
        connection.execute(
            "UPDATE activation SET active_to = %s WHERE slot = 'policy' AND active_to IS NULL",
            (bank.clock(),),
        )
    try:
        problem(client.decide(GOOD, consent), 503, "nothing_active")
        assert client.ask("DELETE", f"/v1/consents/{consent}").status_code == 200
        assert online(bank, GOOD) is None
    finally:
        officer = bank.authority("risk_officer", Permission.ACTIVATE)
        activate(bank.database, officer, "policy", policy, bank.clock())


def test_an_ended_consent_is_refused_at_once_and_swept_soon(client: Client, bank: Bank) -> None:
    short = client.consent_id(MIDDLE, categories=["bureau"], valid_to="2025-02-01")
    client.consent_id(MIDDLE, categories=["court"])
    alone = client.consent_id(LATE, valid_to="2025-02-01")
    bank.clock.now += 40 * DAY
    problem(client.decide(MIDDLE, short), 403, "consent_expired")
    problem(client.decide(LATE, alone), 403, "consent_expired")
    assert sweep(bank) == 2
    assert datasets(bank, MIDDLE) == of_category("court")
    assert online(bank, LATE) is None
    assert sweep(bank) == 0


def test_a_consent_that_begins_later_opens_nothing_before(client: Client, bank: Bank) -> None:
    later = client.consent_id(POOR, valid_from="2025-06-01")
    assert online(bank, POOR) is None
    assert sweep(bank) == 0
    bank.clock.now += 120 * DAY
    assert sweep(bank) == 1
    assert client.decide(POOR, later).status_code == 201


def test_the_next_decision_sees_what_was_ingested(client: Client, bank: Bank, tmp_path: Path) -> None:
    consent = client.consent_id(GOOD)
    before = client.decide(GOOD, consent).json()
    row = [GOOD, "C77", "2024-11-01", "", 90_000, "dishonest", "2024-11-05T09:00:00"]
    assert ingest(bank, tmp_path, "court_case", COURT, [row]).loaded == 1
    assert client.decide(GOOD, consent).json()["subject_version"] == before["subject_version"]
    assert rehydrate(bank) == 1
    after = client.decide(GOOD, consent).json()
    assert after["subject_version"] > before["subject_version"]
    assert (before["outcome"], after["outcome"]) == ("approve", "decline")
    assert after["reasons"][0]["code"] == "DISHONEST_DEBTOR"


def test_half_an_ingest_is_never_read_for_a_version_that_a_receipt_pins(client, bank) -> None:
    lake = Lake(bank.settings.lake_root)
    contract = PLAN.contracts["court_case"]
    raw = lake.raw(contract, None)
    begun = lake.next_version()
    rows = raw.take(raw.subject == subject_of(bank, number_of(3)))
    half = type(rows)(
        rows.subject * 0 + subject_of(bank, YOUNG), rows.valid_from, rows.valid_to, rows.known_from,
        rows.version * 0 + begun, rows.key, rows.columns,
    )  # fmt: skip
    lake.begin(begun)
    lake._write("court_case", subject_of(bank, YOUNG) >> 16, Batch(half, half.subject < 0), f"{begun:012d}")
    assert lake.settled() == begun - 1
    consent = client.consent_id(YOUNG)
    assert online(bank, YOUNG)[0] < begun
    assert len(online(bank, YOUNG)[1]["court_case"]) == 0
    lake.settle()
    assert rehydrate(bank) == 1
    assert online(bank, YOUNG)[0] == begun
    assert client.decide(YOUNG, consent).json()["subject_version"] == begun


def test_other_definitions_bring_everybody_up_to_date(client: Client, bank: Bank) -> None:
    client.consent_id(LATE)
    assert sweep(bank) == 0
    document = msgspec.json.decode(PLAN.document)
    document["definitions"][0]["features"][0]["rationale"] = "Said otherwise."
    bank.approved("definitions", Kind.DEFINITIONS, canonical_bytes(document))
    assert sweep(bank) == 1
    bank.approved("definitions", Kind.DEFINITIONS, PLAN.document)
    assert sweep(bank) == 1
    assert sweep(bank) == 0


def test_who_was_erased_is_offline_and_stays_so(client: Client, bank: Bank) -> None:
    consent = client.consent_id(POOR)
    subject = subject_of(bank, POOR)
    vault_of(bank).erase(subject)
    with tenant_transaction(bank.database, "city") as connection:
        assert (
            connection.execute("SELECT 1 FROM subject_timeline WHERE subject_id = %s", (subject,)).fetchone()
            is None
        )
    assert sweep(bank) == 0
    problem(client.decide(POOR, consent), 404, "unknown_subject")
    assert client.ask("DELETE", f"/v1/consents/{consent}").status_code == 200


def test_a_crowd_of_consents_and_withdrawals_leaves_what_is_allowed(client: Client, bank: Bank) -> None:
    kept = ["bureau", "court", "social_insurance"]

    def one(k: int) -> None:
        name = client.consent_id(GOOD, categories=[kept[k % 3] if k % 4 == 0 else "tax"])
        if k % 4:
            client.ask("DELETE", f"/v1/consents/{name}")

    with ThreadPoolExecutor(12) as threads:
        list(threads.map(one, range(24)))
    assert datasets(bank, GOOD) == of_category(*(kept[k % 3] for k in range(0, 24, 4)))


def test_prefill_shows_consented_datasets_with_source_and_date(client: Client, bank: Bank) -> None:
    name = client.consent_id(LATE, categories=["social_insurance", "court"])
    got = client.ask("POST", "/v1/prefill", json={"id_number": LATE, "consent_id": name}).json()
    assert got["as_of"] == "2024-12-31"
    found = {dataset["dataset"]: dataset for dataset in got["datasets"]}
    assert set(found) - BY_CONTRACT == {"social_insurance"}
    insurance = found["social_insurance"]
    assert insurance["department"] == PLAN.contracts["social_insurance"].department
    assert (insurance["valid_from"], insurance["known_from"]) == ("2024-11-01", "2024-11-28T09:00:00+08:00")
    values = {value["field"]: value for value in insurance["values"]}
    assert (values["base"]["value"], values["base"]["unit"]) == ("4000.00", "yuan")
    assert values["status"]["value"] == "paid"
    assert "employer" not in values
    assert all(value["zh"] and value["en"] for value in insurance["values"])


def test_a_running_api_sweeps_by_itself(client: Client, bank: Bank) -> None:
    client.consent_id(LATE, valid_to="2026-12-01")
    bank.clock.now = max(bank.clock.now, instant("2026-12-01"))
    assert online(bank, LATE) is not None
    with asking(bank, replace(bank.settings, sweep_seconds=0.05)):
        until = time.monotonic() + 10
        while online(bank, LATE) is not None:
            assert time.monotonic() < until
            time.sleep(0.05)
