"""The datasets that Yidai ships: who sends them, under which consent, and how late they are known."""

from __future__ import annotations

import pytest

from features.contracts.load import BUILTIN, load_contracts
from features.contracts.model import Contract, FieldType, History, SubjectKind

SHIPPED = {
    # dataset: (department, consent category, usual lag in days at least)
    "population_register": ("public_security", "identity", 1),
    "social_insurance": ("hrss", "social_insurance", 20),
    "tax_filing": ("tax", "tax", 15),
    "business_registration": ("market_regulator", "business", 1),
    "court_case": ("court", "court", 1),
    "electricity": ("utility", "utilities", 1),
    "real_estate": ("natural_resources", "property", 1),
    "vehicle": ("traffic_police", "vehicles", 1),
    "bureau_account": ("credit_bureau", "bureau", 1),
    "bureau_repayment": ("credit_bureau", "bureau", 1),
    "bureau_enquiry": ("credit_bureau", "bureau", 1),
    "bank_transaction": ("bank", "bank", 0),
    "application": ("bank", "bank", 0),
    "loan": ("bank", "bank", 0),
    "loan_instalment": ("bank", "bank", 0),
    "loan_payment": ("bank", "bank", 0),
    "fraud_confirmed": ("bank", "bank", 0),
}  # fmt: skip
CONTRACTS = load_contracts([BUILTIN])


def test_all_are_there_and_no_other() -> None:
    assert set(CONTRACTS) == set(SHIPPED)


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=CONTRACTS)
def test_a_contract_says_who_sends_it_under_which_consent_and_how_late(contract: Contract) -> None:
    department, category, lag = SHIPPED[contract.dataset]
    assert (contract.department, contract.consent_category) == (department, category)
    assert contract.times.known_from.usual_lag_days >= lag
    assert contract.times.known_from.field is not None
    assert contract.history is History.BITEMPORAL
    assert contract.legal_basis == (("contract",) if department == "bank" else ("consent",))
    assert contract.key
    assert contract.retention_months == 60
    assert 1 <= contract.sensitivity <= 4
    assert contract.refresh


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=CONTRACTS)
def test_a_field_is_named_in_both_languages_and_money_is_in_yuan(contract: Contract) -> None:
    for field in contract.fields:
        assert field.zh, field.name
        assert field.en, field.name
        assert field.type is not FieldType.MONEY or field.unit == "yuan"
        assert all(text.zh and text.en for text in field.codes.values())


def test_households_and_owners_are_linked() -> None:
    assert [(link.kind, link.to) for link in CONTRACTS["population_register"].links] == [
        ("member_of", SubjectKind.HOUSEHOLD),
        ("village", SubjectKind.OPAQUE),
    ]
    firm = CONTRACTS["business_registration"]
    assert firm.subject is SubjectKind.LEGAL_PERSON
    assert [(link.kind, link.to) for link in firm.links] == [("owner", SubjectKind.PERSON)]
