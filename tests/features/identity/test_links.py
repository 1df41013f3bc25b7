"""Household and owner links as of a date."""

from __future__ import annotations

import msgspec
import pytest

from features.calendar import instant
from features.canonical import code_of
from features.contracts.model import Contract, SubjectKind
from features.errors import Invalid
from features.identity.links import Links
from features.identity.vault import MemoryVault
from features.timeline.ingest import ingest_folder
from features.timeline.lake import Lake
from tests.features.timeline.test_ingest import number

REGISTER = {
    "schema": 1,
    "dataset": "population_register",
    "department": "police",
    "title": {"zh": "人口", "en": "Population"},
    "subject": "person",
    "subject_field": "id_number",
    "consent_category": "identity",
    "legal_basis": ["consent"],
    "times": {
        "valid_from": {"field": "since"},
        "valid_to": {"field": "until"},
        "known_from": {"field": "published_at", "usual_lag_days": 1},
    },
    "key": ["household_no"],
    "fields": [
        {"name": "household_no", "type": "id", "required": True},
        {"name": "since", "type": "date", "required": True},
        {"name": "until", "type": "date"},
        {"name": "published_at", "type": "date"},
    ],
    "links": [{"kind": "member_of", "to": "household", "field": "household_no"}],
}


@pytest.fixture
def world(tmp_path):
    """One moves from H1 to H2 in May, which the register tells in July; two stays in H1."""
    rows = [
        f"{number(1)},H1,2020-01-01,,2020-01-02",
        f"{number(1)},H1,2020-01-01,2024-05-01,2024-07-01",
        f"{number(1)},H2,2024-05-01,,2024-07-01",
        f"{number(2)},H1,2020-01-01,,2020-01-02",
    ]
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "population_register.csv").write_text(
        "id_number,household_no,since,until,published_at\n" + "\n".join(rows)
    )
    contract = msgspec.convert(REGISTER, Contract)
    vault, lake = MemoryVault(), Lake(tmp_path / "lake")
    ingest_folder(folder, {"population_register": contract}, vault, lake)
    links = Links.of(contract, lake.read(contract), "member_of")
    one, two = (vault.find(SubjectKind.PERSON, number(k)) for k in (1, 2))
    return contract, links, one, two


def test_a_household_is_that_of_the_date(world) -> None:
    _, links, one, _ = world
    assert links.owner_of(one, instant("2024-04-01")) == code_of("H1")
    assert links.owner_of(one, instant("2024-08-01")) == code_of("H2")


def test_a_move_that_is_not_yet_known_is_not_seen(world) -> None:
    _, links, one, _ = world
    assert links.owner_of(one, instant("2024-06-01")) == code_of("H1")


def test_members_are_those_of_the_date(world) -> None:
    _, links, one, two = world
    assert links.members_of(code_of("H1"), instant("2024-04-01")) == tuple(sorted((one, two)))
    assert links.members_of(code_of("H1"), instant("2024-08-01")) == (two,)
    assert links.owner_of(one, instant("2019-01-01")) is None


def test_a_link_that_no_contract_declares_is_refused(world) -> None:
    contract, links, *_ = world
    with pytest.raises(Invalid, match="married_to"):
        Links.of(contract, links.table, "married_to")
    assert contract.links[0].to == SubjectKind.HOUSEHOLD
