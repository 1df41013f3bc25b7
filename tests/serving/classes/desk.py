"""A loan that was classed, without a book."""

from __future__ import annotations

from typing import Any

from serving.classes import repository
from serving.store.session import tenant_transaction
from tests.serving.world import NOW, Bank


def classed(bank: Bank, loan: str, tenant: str = "city", month: str = "2024-11", **changes: Any) -> None:
    """A proposal of a loan of subject 1, unless changed."""
    row = {
        "loan": loan, "subject_id": 1, "proposed": "special_mention", "raised": "special_mention", "held_by": "", "stage": 2,
        "alert_level": None, "left_by": "", "dpd": 40, "balance_fen": 90_000, "ecl_fen": 900, "ecl_year_fen": 500,
        "ecl_life_fen": 900, "segment": "small", "months_clean": 0, "periods_kept": 0, "evidence": [], "parameters": "0" * 64,
        **changes,
    }  # fmt: skip
    with tenant_transaction(bank.database, tenant) as connection:
        repository.put(connection, tenant, month, [row], NOW)
