"""Who may read what, for which purpose, and on which ground: every way of yes and of no."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.consent import BASES, NO_CONSENT, Consent, Purpose, Refusal, may_read
from features.contracts.load import BUILTIN, load_contracts
from features.contracts.model import Contract

BOOK = load_contracts([BUILTIN])
COURT, BANK, WEATHER = BOOK["court_case"], BOOK["bank_transaction"], BOOK["weather_event"]
PROTECTED, MEDICAL = BOOK["fairness_attributes"], BOOK["medical_insurance_payment"]
ASSESS, WATCH, LEARN = Purpose.CREDIT_ASSESSMENT, Purpose.POST_LOAN_MANAGEMENT, Purpose.MODEL_DEVELOPMENT
GENERAL = {Purpose.AUDIT, Purpose.SUBJECT_RIGHTS, Purpose.UPKEEP}


def consent(number: int = 1, **changes) -> Consent:
    """To court and tax records for a credit assessment by the city bank, from 10 until 20."""
    terms = {
        "consent_id": UUID(int=number), "subject_id": 7, "categories": ("court", "tax"),
        "purpose": ASSESS.value, "valid_from": 10, "valid_to": 20, "withdrawn_at": None, "recipient": "city",
    }  # fmt: skip
    return Consent(**{**terms, **changes})


def ask(contract: Contract, *consents: Consent, purpose: Purpose = ASSESS, at: int = 15):
    return may_read(contract, purpose, "city", consents, at)


def test_a_live_consent_allows_its_category_and_is_named() -> None:
    verdict = ask(COURT, consent())
    assert (verdict.allowed, verdict.basis, verdict.consent_id) == (True, "consent", UUID(int=1))


@pytest.mark.parametrize(
    ("changes", "at", "refusal"),
    [
        ({"purpose": WATCH.value}, 15, Refusal.OTHER_PURPOSE),
        ({"recipient": "other"}, 15, Refusal.OTHER_RECIPIENT),
        ({"withdrawn_at": 12}, 12, Refusal.WITHDRAWN),
        ({}, 9, Refusal.NOT_YET_VALID),
        ({}, 20, Refusal.EXPIRED),
        ({"categories": ("tax",)}, 15, Refusal.NOT_COVERED),
    ],
)
def test_a_consent_that_does_not_cover_a_read_says_why(changes: dict, at: int, refusal: Refusal) -> None:
    verdict = ask(COURT, consent(**changes), at=at)
    assert (verdict.allowed, verdict.refusal) == (False, refusal)
    assert verdict.problem


def test_without_any_consent_there_is_none() -> None:
    assert ask(COURT).refusal is Refusal.NO_CONSENT


def test_of_several_consents_one_that_covers_it_is_enough() -> None:
    verdict = ask(COURT, consent(1, withdrawn_at=11), consent(2, recipient="other"), consent(3))
    assert verdict.consent_id == UUID(int=3)


def test_a_withdrawal_acts_on_the_very_next_read() -> None:
    given_ = consent(withdrawn_at=15)
    assert ask(COURT, given_, at=14).allowed
    assert ask(COURT, given_, at=15).refusal is Refusal.WITHDRAWN


@pytest.mark.parametrize("purpose", Purpose)
def test_open_data_and_the_banks_own_need_no_consent(purpose: Purpose) -> None:
    assert ask(WEATHER, purpose=purpose).basis == "open_data"
    assert ask(BANK, purpose=purpose).basis == "contract"


@pytest.mark.parametrize("purpose", Purpose)
def test_protected_attributes_are_read_to_test_fairness_and_for_nothing_else(purpose: Purpose) -> None:
    everything = consent(categories=("fairness",), purpose=purpose.value)
    verdict = ask(PROTECTED, everything, purpose=purpose)
    if purpose is Purpose.FAIRNESS_TEST:
        assert verdict.basis == "fairness_duty"
    else:
        assert verdict.refusal is Refusal.ONLY_PURPOSE


def test_models_learn_from_every_dataset_on_a_stated_basis_but_from_medical_payments_by_consent_alone() -> (
    None
):
    refused = {name for name, contract in BOOK.items() if not ask(contract, purpose=LEARN).allowed}
    assert refused == {PROTECTED.dataset, MEDICAL.dataset}
    own = consent(categories=("medical_insurance",), purpose=LEARN.value)
    assert ask(MEDICAL, own, purpose=LEARN).basis == "consent"


@given(
    st.sampled_from(sorted(BOOK)),
    st.sampled_from([ASSESS, WATCH]),
    st.lists(
        st.builds(
            consent,
            st.integers(1, 9),
            categories=st.sets(st.sampled_from(sorted({c.consent_category for c in BOOK.values()}))).map(tuple),
            purpose=st.sampled_from([ASSESS.value, WATCH.value]),
            withdrawn_at=st.none() | st.integers(5, 25),
            recipient=st.sampled_from(["city", "other"]),
        ),
        max_size=4,
    ),
    st.integers(5, 25),
)  # fmt: skip
def test_a_read_is_allowed_exactly_where_a_basis_or_one_live_consent_says_so(
    name, purpose, consents, at
) -> None:
    contract = BOOK[name]
    live = any(
        one.valid_from <= at < one.valid_to
        and (one.withdrawn_at is None or at < one.withdrawn_at)
        and one.purpose == purpose and one.recipient == "city" and contract.consent_category in one.categories
        for one in consents
    )  # fmt: skip
    based = any(basis in NO_CONSENT for basis in contract.legal_basis)
    wanted = not contract.only_purpose and (based or live)
    assert may_read(contract, purpose, "city", consents, at).allowed == wanted


def test_every_stated_basis_has_words_in_both_languages() -> None:
    stated = {basis for contract in BOOK.values() for basis in contract.bases.values()}
    assert stated <= set(BASES)
    assert all(text.zh and text.en for text in BASES.values())
