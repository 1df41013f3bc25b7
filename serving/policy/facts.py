"""What rules may speak of besides features: the one list of these names."""

from __future__ import annotations

from features.calendar import local_date

AMOUNT = "amount_fen"
TERM = "term_months"
PURPOSE = "purpose"
PRODUCT = "product"
REGION = "region"
AGE = "age_years"
AGE_AT_END = "age_years_at_end"
SOURCES = "sources_with_record"
CONSENT = "consent."
"""Prefix of 1 or 0 for each consent category: ``consent.bureau``."""

NUMBERS = frozenset({AMOUNT, TERM, AGE, AGE_AT_END, SOURCES})
TEXTS = frozenset({PURPOSE, PRODUCT, REGION})

Fact = float | str


def age_years(number: str, moment: int) -> int:
    """Completed years at a moment, from the birth date in a checked person number."""
    today = local_date(moment)
    year, month, day = int(number[6:10]), int(number[10:12]), int(number[12:14])
    return today.year - year - ((today.month, today.day) < (month, day))


def is_text(fact: str) -> bool:
    """Whether a fact is compared as a text."""
    return fact in TEXTS
