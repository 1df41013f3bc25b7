"""Ids are named by their beginning, where it names one."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from serving.cases import operations
from serving.governance.naming import NoId, NothingNamed, NotOne, whole_id
from serving.store.session import owner_transaction
from tests.serving.cases.desk import case_of, decided
from tests.serving.cases.test_cases_cli import told, yidai
from tests.serving.offers.desk import offered
from tests.serving.world import MIDDLE, Bank, Client


def test_offers_notices_and_cases_are_named_by_a_beginning(client: Client, bank: Bank) -> None:
    offer, referred = offered(client), decided(client, MIDDLE, "refer")
    case = case_of(client, referred)["case_id"]
    assert told(bank, "auditor", "offers", "show", offer[:30])["decision_id"] == offer
    assert told(bank, "auditor", "notice", referred[:30])["decision_id"] == referred
    assert told(bank, "auditor", "cases", "show", case[:8])["case"]["case_id"] == case
    code, text = yidai(bank, "risk_officer", "cases", "take", case[:13].upper())
    assert (code, "Taken by" in text) == (0, True)


def test_a_beginning_of_several_of_none_and_of_nothing_is_told_with_its_place(
    client: Client, bank: Bank
) -> None:
    offer = offered(client)
    bank.clock.now += 1_000
    with owner_transaction(bank.database) as owner:
        owner.execute("SET LOCAL session_replication_role = replica")
        owner.execute(
            "INSERT INTO offer (tenant_id, decision_id, subject_id, product, limit_fen, line_months, made_at, valid_to)"
            " VALUES ('city', %s, 1, 'consumer', 1, 1, 1, 2)",
            (offer[:-1] + ("0" if offer[-1] != "0" else "1"),),
        )
    for text, error in ((offer[:35], NotOne), ("ffffffff", NothingNamed), ("0123", NoId), ("gggggggg", NoId)):
        with pytest.raises(error) as refused:
            whole_id(bank.database, "city", "offer", text)
        assert (refused.value.place, bool(refused.value.remedy)) == ("offer", True)
    with pytest.raises(NothingNamed):
        whole_id(bank.database, "other", "offer", offer[:35])


def test_a_whole_id_is_taken_as_it_stands(bank: Bank) -> None:
    name = uuid4()
    assert whole_id(bank.database, "city", "case", name) == name
    assert whole_id(bank.database, "city", "case", name.hex) == UUID(name.hex)


def test_overrides_without_a_time_are_those_from_the_first_decision_until_now(
    client: Client, bank: Bank
) -> None:
    from tests.serving.governance.test_committee import as_

    decided(client, MIDDLE, "refer")
    found = operations.overrides(as_(bank, "auditor"), None, None)
    with owner_transaction(bank.database) as owner:
        first = owner.execute("SELECT min(decided_at) FROM decision").fetchone()
    assert first is not None
    assert (found.since, found.since > 0, found.until > found.since) == (first[0], True, True)
    assert operations.overrides(as_(bank, "auditor"), 5, 6).decisions == 0
