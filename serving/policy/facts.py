"""What rules may speak of besides features: the one list of these names."""

from __future__ import annotations

from enum import StrEnum

from features.calendar import local_date

AMOUNT = "amount_fen"
TERM = "term_months"
PURPOSE = "purpose"
PRODUCT = "product"
REGION = "region"
AGE = "age_years"
AGE_AT_END = "age_years_at_end"
SOURCES = "sources_with_record"
IDENTITY = "identity"
"""What the bank's check of the applicant's identity found; it comes with the request."""
AML = "aml"
"""What the screening against money laundering found; it comes with the request."""
CHECK = "check."
"""Prefix of a check among what sources give: the fact itself has none."""
CONSENT = "consent."
"""Prefix of 1 or 0 for each consent category: ``consent.bureau``."""
LIST = "list."
"""Prefix of 1 or 0 for each list of subjects: ``list.deny``; a list that is not in force did not answer."""

OF_A_LOAN = frozenset({AMOUNT, TERM, PURPOSE, AGE_AT_END})
"""Facts that an application for something else than a loan does not have."""
NUMBERS = frozenset({AMOUNT, TERM, AGE, AGE_AT_END, SOURCES})
TEXTS = frozenset({PURPOSE, PRODUCT, REGION, IDENTITY, AML})

Fact = float | str


class Identity(StrEnum):
    """Results of the check of an identity."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"


class Aml(StrEnum):
    """Results of the screening against money laundering."""

    CLEAR = "clear"
    POSSIBLE = "possible"
    HIT = "hit"


def age_years(number: str, moment: int) -> int:
    """Completed years at a moment, from the birth date in a checked person number."""
    today = local_date(moment)
    year, month, day = int(number[6:10]), int(number[10:12]), int(number[12:14])
    return today.year - year - ((today.month, today.day) < (month, day))


def is_text(fact: str) -> bool:
    """Whether a fact is compared as a text."""
    return fact in TEXTS
