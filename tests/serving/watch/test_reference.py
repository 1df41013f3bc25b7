"""The reference page of signals is that of the data, and a rule reads as it is computed."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.contracts.documents import read_yaml
from serving.watch.document import SignalsDocument
from serving.watch.reference import rule, signals_page
from serving.watch.signals import SHIPPED

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "signals.md"
DOCUMENT = read_yaml(SHIPPED, SignalsDocument)


def test_the_page_is_that_of_the_data() -> None:
    assert PAGE.read_text(encoding="utf-8") == signals_page(DOCUMENT), "out of date: run `yidai signals docs`"


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("other_bank_overdue", "`bur_cur_overdue_amt` > 1000"),
        (
            "debt_cash_ratio",
            "`sig_new_debt_1m` > 0 and `sig_new_debt_1m` > 1.2 × `sig_operating_inflow_1m`",
        ),
        ("tax_drop", "`tax_sales_yoy_3m` ≤ -0.3, or `inv_sales_yoy_3m` ≤ -0.3"),
    ],
)
def test_a_rule_reads_as_it_is_computed(code: str, text: str) -> None:
    (signal,) = (one for one in DOCUMENT.signals if one.code == code)
    assert rule(signal.levels[0]) == text
