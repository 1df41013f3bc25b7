"""A record on paper finds its subject, decides with it from then on, and leaves it when the link was wrong."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import numpy as np
import psycopg
import pytest
from typer.testing import CliRunner

from features.city.identities import draw_identities
from features.city.text import draw_people
from features.errors import YidaiError
from features.identity.held import Verdict
from features.timeline.ingest import ingest_folder
from features.timeline.lake import Lake
from serving.access.model import Authority, Permission, Role
from serving.decisions.replay import ReplayStatus
from serving.identity.cli import identity_app
from serving.identity.repository import UnknownRecord
from serving.identity.service import ENGINE, NotLinked, NotProposed, Resolver
from serving.operations import replay
from serving.settings import Settings
from serving.store.keys import KeyRing
from serving.store.session import owner_transaction, tenant_transaction
from tests.serving.feeding import rehydrate, subject_of, vault_of
from tests.serving.records.sending import case, sent
from tests.serving.world import GOOD, LATE, MIDDLE, PLAN, POOR, Bank, Client

PAPER = "agricultural_machinery_paper"
REGISTER = "id_number household_no role birth_date name address phone village registered_since registered_until published_at"
LEDGER = "id_number entry name birth_date address phone bought_on kind value published_at"
KNOWN = {
    GOOD: ("欧阳静好", "1985-06-12", "青山村1组1号", "13811110001"),
    LATE: ("赵明华", "1985-06-12", "青山村7组7号", "13811110007"),
    MIDDLE: ("赵明国", "1985-06-12", "青山村7组7号", "13811110007"),
    POOR: ("司徒长安", "1985-06-12", "青山村2组2号", "13811110009"),
}
ON_PAPER = {
    "P1": KNOWN[GOOD],
    "P2": ("赵明海", *KNOWN[LATE][1:]),
    "P3": ("赵明江", *KNOWN[LATE][1:]),
    "P4": KNOWN[POOR],
    "P5": ("无名氏", "1911-01-01", "远方村1组1号", ""),
}


def write(folder: Path, dataset: str, fields: str, rows: list[list[str]]) -> None:
    with (folder / f"{dataset}.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([fields.split(), *rows])


def feeds(folder: Path) -> None:
    """A register with a crowd beside our people, and ledgers of some of them."""
    g = np.random.default_rng(3)
    people = draw_people(120, g)
    crowd = draw_identities(people, g)
    numbers = [*people.heads, *people.members]
    texts = list(zip(crowd.name, crowd.birth, crowd.address, crowd.phone, strict=True))
    everybody = [*zip(numbers, texts, strict=True), *KNOWN.items()]
    told = "2020-01-05T09:00:00"
    register = [
        [number, f"H{k}", "head", birth, name, address, phone, "V1", "2010-01-01", "", told]
        for k, (number, (name, birth, address, phone)) in enumerate(everybody)
    ]
    papers = [*((f"C{k}", text) for k, text in enumerate(texts[:90])), *ON_PAPER.items()]
    ledger = [
        ["", entry, name, birth, address, phone, "2023-05-01", "tractor", "9000", "2023-06-01T09:00:00"]
        for entry, (name, birth, address, phone) in papers
    ]
    write(folder, "population_register", REGISTER, register)
    write(folder, PAPER, LEDGER, ledger)


@pytest.fixture(scope="module", autouse=True)
def ledgers(bank: Bank, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The feeds, ingested: every ledger is held."""
    folder = tmp_path_factory.mktemp("ledgers")
    feeds(folder)
    report = ingest_folder(folder, PLAN.contracts, vault_of(bank), Lake(bank.settings.lake_root))
    assert (report.quarantined, sum(file.held for file in report.files)) == (0, 95)
    return folder


@pytest.fixture(scope="module")
def resolver(bank: Bank) -> Resolver:
    """The use cases over the bank's store."""
    keys = KeyRing.open(bank.settings.key_file)
    return Resolver(bank.database, keys, Lake(bank.settings.lake_root), PLAN.contracts)


@pytest.fixture(scope="module")
def officer(bank: Bank) -> Authority:
    """The risk officer, who may say who a record is about."""
    return bank.authority(Role.RISK_OFFICER, Permission.RESOLVE)  # type: ignore[no-any-return]


def machines(bank: Bank, number: str) -> int:
    """How many ledger rows are visible of somebody in the lake, at any time."""
    table = Lake(bank.settings.lake_root).subject_tables(PLAN.contracts, subject_of(bank, number))[PAPER]
    return int((table.known_from < table.known_to).sum())


def told(client: Client, answer: httpx.Response) -> object:
    """The feature of the ledgers' machines, as the receipt has it."""
    got = client.as_("auditor").ask("GET", f"/v1/decisions/{answer.json()['decision_id']}/receipt")
    return got.json()["facts"]["agri_paper_machine_cnt_60m"]


def same(bank: Bank, *answers: httpx.Response) -> bool:
    """Whether all replay byte for byte."""
    settings = replace(bank.settings, token=bank.tokens["auditor"])
    found = [next(replay(settings, UUID(answer.json()["decision_id"]))) for answer in answers]
    return all(each.status is ReplayStatus.SAME for each in found)


def record_of(resolver: Resolver, bank: Bank, number: str) -> str:
    """The id of the record that is linked with somebody."""
    with owner_transaction(bank.database) as connection:
        row = connection.execute(
            "SELECT encode(record_id, 'hex') FROM held_record WHERE subject_id = %s",
            (subject_of(bank, number),),
        ).fetchone()
    assert row is not None
    return str(row[0])


def test_what_was_decided_before_between_and_after_stays_as_it_was(
    client: Client, bank: Bank, resolver: Resolver, officer: Authority
) -> None:
    """The story of one ledger: held, linked, wrong, undone."""
    consent = client.consent_id(GOOD)
    before = client.decide(GOOD, consent)
    report = resolver.resolve(officer, bank.clock())
    assert (report.waiting, report.review + report.unresolved) == (95, 95 - report.linked)
    assert report.linked >= 85
    rehydrate(bank)
    assert machines(bank, GOOD) == 1
    between = client.decide(GOOD, consent)
    assert (told(client, before), told(client, between)) == (0, 1)
    name = record_of(resolver, bank, GOOD)
    assert resolver.undo(officer, name[:12], bank.clock(), "another person") == subject_of(bank, GOOD)
    rehydrate(bank)
    after = client.decide(GOOD, consent)
    assert (machines(bank, GOOD), told(client, after)) == (0, 0)
    again = resolver.resolve(officer, bank.clock())
    assert again.linked == 0
    assert machines(bank, GOOD) == 0
    assert same(bank, before, between, after)
    with pytest.raises(NotLinked):
        resolver.undo(officer, name, bank.clock(), "")


def test_ingesting_or_resolving_twice_changes_nothing(
    bank: Bank, resolver: Resolver, officer: Authority, tmp_path: Path
) -> None:
    feeds(tmp_path)
    path = tmp_path / f"{PAPER}.csv"
    path.write_bytes(path.read_bytes() + b"\r\n")  # other bytes, so that the file counts as new
    report = ingest_folder(tmp_path, PLAN.contracts, vault_of(bank), Lake(bank.settings.lake_root))
    assert (report.loaded, sum(file.held for file in report.files if not file.again)) == (0, 0)
    assert resolver.resolve(officer, bank.clock()).linked == 0
    assert machines(bank, POOR) == 1


def test_a_row_without_a_number_over_http_is_held_like_one_of_a_file(
    client: Client, bank: Bank, resolver: Resolver, officer: Authority
) -> None:
    name, birth, address, phone = KNOWN[POOR]
    row = {"entry": "W1", "name": name, "birth_date": birth, "address": address, "phone": phone}
    row |= {
        "bought_on": "2023-05-01",
        "kind": "tractor",
        "value": "9000",
        "published_at": "2023-06-01T09:00:00",
    }
    own = dict(zip(("name", "birth_date", "address", "phone"), KNOWN[GOOD], strict=True))
    rows = [row, row | own | {"id_number": GOOD, "entry": "W2"}, row | {"bought_on": "never"}]
    report = sent(client, rows, PAPER)
    assert [line["status"] for line in report["lines"]] == ["held", "accepted", "quarantined"]
    assert (report["held"], report["accepted"], report["repeated"], report["quarantined"]) == (1, 1, 0, 1)
    again = sent(client, rows[:2], PAPER)
    assert (again["held"], again["accepted"], again["repeated"]) == (1, 0, 1)
    before = machines(bank, POOR)
    assert resolver.resolve(officer, bank.clock()).linked == 1
    assert machines(bank, POOR) == before + 1
    refused = sent(client, [case("", "W3")])
    assert [line["status"] for line in refused["lines"]] == ["quarantined"], (
        "whose contract does not allow it"
    )


def test_doubtful_records_wait_for_a_person_who_links_or_refuses(
    bank: Bank, resolver: Resolver, officer: Authority
) -> None:
    twins = {subject_of(bank, LATE), subject_of(bank, MIDDLE)}
    near = "one character differs"
    rows = [w for w in resolver.review(officer) if w.subject in twins and w.agreement["name"] == near]
    records = sorted({word.record_id.hex() for word in rows})
    assert len(records) == 2
    assert len(rows) == 4
    assert machines(bank, LATE) == machines(bank, MIDDLE) == 0
    first, second = records
    resolver.accept(officer, first, subject_of(bank, LATE), bank.clock(), "asked the village")
    assert (machines(bank, LATE), machines(bank, MIDDLE)) == (1, 0)
    for subject in sorted(twins):
        resolver.refuse(officer, second, subject, bank.clock(), "neither")
    assert not {word.record_id.hex() for word in resolver.review(officer)} & set(records)
    resolver.resolve(officer, bank.clock())
    assert not {word.record_id.hex() for word in resolver.review(officer)} & set(records)
    for call in (resolver.accept, resolver.refuse):
        with pytest.raises(NotProposed):
            call(officer, second, min(twins), bank.clock(), "")
    with pytest.raises(UnknownRecord):
        resolver.undo(officer, "", bank.clock(), "")
    with tenant_transaction(bank.database, "city") as connection:
        done = connection.execute("SELECT action FROM audit_log WHERE action LIKE 'identity.%'").fetchall()
    assert {"identity.resolved", "identity.accepted", "identity.refused", "identity.undone"} == {
        d[0] for d in done
    }


def test_a_link_of_the_engine_is_listed_undone_and_no_longer_listed(bank: Bank, monkeypatch) -> None:
    """As a risk officer types it: every word of the commands' answers, and the rows of the store."""
    monkeypatch.setattr(
        Settings, "load", staticmethod(lambda: replace(bank.settings, token=bank.tokens["risk_officer"]))
    )

    def told(*words: object) -> Any:
        done = CliRunner().invoke(identity_app, [*map(str, words), "--json"])
        assert done.exit_code == 0, done.exception
        return json.loads(done.stdout)

    told("resolve")
    subject = subject_of(bank, POOR)
    before, everybody = told("linked", "--subject", subject), told("linked")
    assert [row for row in everybody if row["subject"] == subject] == before
    with owner_transaction(bank.database) as connection:
        stored = connection.execute(
            "SELECT count(*) FROM held_record WHERE subject_id IS NOT NULL"
        ).fetchone()
    assert stored == (len(everybody),)
    assert {row["said_by"] for row in everybody} == {ENGINE, "risk_officer"}
    wrong = before[0]
    assert (wrong["dataset"], wrong["said_by"]) == (PAPER, ENGINE)
    assert wrong["probability"] >= 0.9995
    rows = machines(bank, POOR)
    assert told("undo", wrong["record"], "--reason", "a namesake")["subject"] == subject
    assert told("linked", "--subject", subject) == before[1:]
    assert machines(bank, POOR) == rows - 1
    assert told("resolve")["linked"] == 0
    assert told("linked", "--subject", subject) == before[1:]
    again = CliRunner().invoke(identity_app, ["undo", wrong["record"]])
    assert isinstance(again.exception, NotLinked)
    assert "yidai identity linked" in str(again.exception)
    assert wrong["record"][:12] not in CliRunner().invoke(identity_app, ["linked"]).stdout


def test_only_who_may_resolves(bank: Bank, resolver: Resolver) -> None:
    with pytest.raises(YidaiError, match="may not resolve"):
        bank.authority("auditor", Permission.RESOLVE)
    with pytest.raises(YidaiError):
        resolver.review(bank.authority("auditor", Permission.REPLAY))


def test_no_text_lies_open_in_the_store_or_the_lake_and_an_erasure_takes_all(
    bank: Bank, resolver: Resolver, officer: Authority
) -> None:
    """The name of POOR is looked for in every byte that was written."""
    needles = [text.encode() for text in (KNOWN[POOR][0], KNOWN[POOR][2], KNOWN[POOR][3])]
    files = [path.read_bytes() for path in bank.settings.lake_root.rglob("*") if path.is_file()]
    assert not [needle for needle in needles for data in files if needle in data]
    with psycopg.connect(bank.database.admin_url) as connection:
        for table in ("personal_text", "held_record", "identity_verdict", "audit_log"):
            rows = connection.execute(f"SELECT {table}::text FROM {table}").fetchall()
            assert rows
            assert not [n for n in needles for (text,) in rows if n.decode() in text or n.hex() in text]
    subject = subject_of(bank, POOR)
    assert [t.text for t in vault_of(bank).texts() if t.subject == subject and t.field == "name"] == [
        KNOWN[POOR][0]
    ]
    vault_of(bank).erase(subject)
    assert not [t for t in vault_of(bank).texts() if t.subject == subject]
    with owner_transaction(bank.database) as connection:
        gone = connection.execute("SELECT 1 FROM held_record WHERE subject_id = %s", (subject,)).fetchall()
    assert gone == []
    assert Verdict.LINKED not in {w.verdict for w in resolver.review(officer)}
