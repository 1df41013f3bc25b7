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
    "loan_grant": ("bank", "bank", 0),
    "loan_event": ("bank", "bank", 0),
    "loan_schedule": ("bank", "bank", 0),
    "fraud_confirmed": ("bank", "bank", 0),
    "administrative_penalty": ("credit_office", "penalties", 7),
    "agricultural_machinery_paper": ("farm_machinery", "machinery", 5),
    "agricultural_machinery": ("farm_machinery", "machinery", 5),
    "business_change": ("market_regulator", "business", 1),
    "county_statistics": ("statistics", "public_data", 30),
    "education_allowance": ("education", "allowances", 20),
    "electronic_certificate": ("data_bureau", "certificates", 1),
    "employment_registration": ("hrss", "employment", 15),
    "fairness_attributes": ("civil_affairs", "fairness", 30),
    "farm_insurance": ("financial_regulator", "commercial_insurance", 7),
    "farm_insurance_claim": ("financial_regulator", "commercial_insurance", 30),
    "farm_register": ("agriculture", "agriculture", 5),
    "farm_subsidy": ("finance", "subsidies", 10),
    "gas": ("gas_utility", "utilities", 8),
    "land_right": ("agriculture", "land", 30),
    "land_transfer": ("rural_property_exchange", "land", 15),
    "legal_person_register": ("organisation_codes", "business", 1),
    "medical_insurance_payment": ("medical_insurance", "medical_insurance", 25),
    "mortgage_registration": ("natural_resources", "property", 3),
    "personal_certificate": ("data_bureau", "certificates", 1),
    "poverty_allowance": ("rural_revitalisation", "allowances", 15),
    "price_event": ("price_bureau", "public_data", 5),
    "property_transfer": ("housing", "property", 5),
    "provident_fund": ("provident_fund", "provident_fund", 25),
    "residence_permit": ("public_security", "identity", 3),
    "social_assistance": ("civil_affairs", "allowances", 15),
    "tax_credit_grade": ("tax", "tax_credit", 1),
    "telecom_payment": ("communications", "telecom", 6),
    "vat_invoice": ("tax", "invoices", 1),
    "water": ("water_utility", "utilities", 8),
    "weather_event": ("weather", "public_data", 1),
    "account_freeze": ("bank", "bank", 0),
    "conduct_event": ("bank", "bank", 0),
    "customer_contact": ("bank", "bank", 0),
    "guarantee": ("bank", "bank", 0),
    "criminal_case": ("procuratorate", "court", 7),
    "animal_inspection": ("animal_husbandry", "agriculture", 3),
    "customs_declaration": ("customs", "trade", 2),
    "forest_right": ("forestry", "land", 30),
    "grain_sale": ("grain_reserve", "sales", 5),
    "input_credit": ("supply_cooperative", "purchases", 10),
    "legal_service": ("justice", "court", 7),
    "parcel_volume": ("postal", "sales", 8),
    "pollution_permit": ("ecology", "permits", 5),
    "public_procurement": ("public_resources", "trade", 3),
    "safety_inspection": ("emergency", "inspections", 7),
    "tobacco_order": ("tobacco", "sales", 10),
    "tourism_operation": ("culture_tourism", "sales", 20),
    "transport_permit": ("transport", "permits", 3),
    "wage_arrears": ("labour_inspection", "penalties", 10),
    "water_abstraction": ("water_resources", "permits", 10),
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
    other = {
        "bank": "contract",
        "weather": "open_data",
        "price_bureau": "open_data",
        "statistics": "open_data",
    }
    assert contract.legal_basis == (other.get(department, "consent"),)
    assert contract.key
    assert contract.retention_months == (60 if contract.legal_basis != ("open_data",) else 120)
    assert 1 <= contract.sensitivity <= 4
    assert contract.refresh


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=CONTRACTS)
def test_a_field_is_named_in_both_languages_and_money_is_in_yuan(contract: Contract) -> None:
    for field in contract.fields:
        assert field.zh, field.name
        assert field.en, field.name
        assert field.type is not FieldType.MONEY or field.unit == "yuan"
        assert all(text.zh and text.en for text in field.codes.values())


def test_what_a_subject_must_be_warned_of_is_consented_to_apart() -> None:
    """REG-CR-03: a consent to one of these never opens another."""
    apart = {
        "tax": {"tax_filing"}, "commercial_insurance": {"farm_insurance", "farm_insurance_claim"},
        "property": {"real_estate", "mortgage_registration", "property_transfer"},
    }  # fmt: skip
    for category, datasets in apart.items():
        found = {name for name, contract in CONTRACTS.items() if contract.consent_category == category}
        assert found == datasets


def test_protected_attributes_are_in_one_dataset_for_one_purpose() -> None:
    found = {
        name: {f.name for f in c.fields if f.protected} for name, c in CONTRACTS.items() if c.only_purpose
    }
    assert list(found) == ["fairness_attributes"]
    assert found["fairness_attributes"] == {
        "sex", "ethnicity", "disability_allowance", "low_income", "rural_registration", "migrant",
    }  # fmt: skip
    assert CONTRACTS["fairness_attributes"].only_purpose == "fairness_test"


def test_households_and_owners_are_linked() -> None:
    assert [(link.kind, link.to) for link in CONTRACTS["population_register"].links] == [
        ("member_of", SubjectKind.HOUSEHOLD),
        ("village", SubjectKind.OPAQUE),
    ]
    firm = CONTRACTS["business_registration"]
    assert firm.subject is SubjectKind.LEGAL_PERSON
    assert [(link.kind, link.to) for link in firm.links] == [("owner", SubjectKind.PERSON)]
