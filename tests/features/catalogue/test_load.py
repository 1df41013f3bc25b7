"""The 53 departments: who owns which dataset, and what a wrong catalogue is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from features.catalogue.load import BUILTIN, load_catalogue
from features.catalogue.model import OwnerKind
from features.contracts.documents import BrokenDocument
from features.contracts.load import BUILTIN as CONTRACTS_FOLDER
from features.contracts.load import load_contracts

CONTRACTS = load_contracts([CONTRACTS_FOLDER])
CATALOGUE = load_catalogue(CONTRACTS)


def test_there_are_53_departments_and_bank_and_bureau_are_none_of_them() -> None:
    assert len(CATALOGUE.departments) == 53
    assert len({owner.code for owner in CATALOGUE.owners}) == 55
    assert {owner.code for owner in CATALOGUE.partners} == {"bank", "credit_bureau"}
    assert all(owner.kind is not OwnerKind.PARTNER for owner in CATALOGUE.departments)


def test_every_contract_is_of_the_department_that_lists_it() -> None:
    assert {name: CATALOGUE.owner(name).code for name in CONTRACTS} == {
        name: contract.department for name, contract in CONTRACTS.items()
    }
    with pytest.raises(KeyError):
        CATALOGUE.owner("horoscope")


def test_most_departments_have_a_dataset_and_the_others_say_that_they_have_none() -> None:
    without = {owner.code for owner in CATALOGUE.departments if not owner.datasets}
    assert "health" in without
    assert len(without) <= 10


def test_the_three_master_databases() -> None:
    assert {master.code: master.datasets for master in CATALOGUE.masters} == {
        "population": ("population_register",),
        "legal_persons": ("legal_person_register",),
        "certificates": ("electronic_certificate", "personal_certificate"),
    }


def test_certificates_are_valid_for_a_time_and_folded_into_one_licence() -> None:
    certificate = CONTRACTS["electronic_certificate"]
    assert certificate.times.valid_to is not None
    assert {"valid_from", "valid_to", "revoked_on", "licence_no", "status"} <= set(certificate.names)
    assert certificate.subject_field == "uscc"


def plain() -> dict[str, Any]:
    return dict(yaml.safe_load(BUILTIN.read_text(encoding="utf-8")))


def refused(tmp_path: Path, document: dict[str, Any]) -> str:
    path = tmp_path / "departments.yaml"
    path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    with pytest.raises(BrokenDocument) as error:
        load_catalogue(CONTRACTS, path)
    return str(error.value)


def test_a_dataset_without_a_department_is_refused(tmp_path) -> None:
    document = plain()
    document["departments"][1]["datasets"] = []
    assert "'vehicle' is of 'traffic_police', which does not list it" in refused(tmp_path, document)


def test_a_dataset_of_another_department_is_refused(tmp_path) -> None:
    document = plain()
    document["departments"][1]["datasets"] = []
    document["departments"][0]["datasets"].append("vehicle")
    assert "'traffic_police'" in refused(tmp_path, document)


def test_a_dataset_or_a_code_twice_is_refused(tmp_path) -> None:
    document = plain()
    document["departments"][0]["datasets"].append("vehicle")
    assert "dataset vehicle stands twice" in refused(tmp_path, document)
    document = plain()
    document["departments"][0]["code"] = "tax"
    assert "department tax stands twice" in refused(tmp_path, document)


@pytest.mark.parametrize("where", ["departments", "masters"])
def test_a_dataset_without_a_contract_is_refused(tmp_path, where: str) -> None:
    document = plain()
    document[where][0]["datasets"].append("horoscope")
    assert "no contract of 'horoscope'" in refused(tmp_path, document)


def test_a_partner_is_no_department(tmp_path) -> None:
    document = plain()
    document["departments"].append(document["partners"].pop())
    assert "is of the kind partner" in refused(tmp_path, document)


def test_another_schema_is_refused(tmp_path) -> None:
    assert "schema 2 is not known" in refused(tmp_path, plain() | {"schema": 2})
