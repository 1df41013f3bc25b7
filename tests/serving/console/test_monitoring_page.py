"""The page of models in use: what the night kept, with pictures, and the issues with owner and day."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from serving.access.model import Role
from serving.analytics import repository
from serving.store.session import tenant_transaction
from tests.serving.analytics.desk import ENDS, found_wanting, monitored
from tests.serving.console.conftest import Sign
from tests.serving.console.desk import text_of
from tests.serving.world import NOW, Bank
from training.monitoring import MonthFigures
from training.moving import Moved
from training.validation import Interval

UNKNOWN = "nothing has been worked out yet"


def month(name: str, psi: float, **changes: Any) -> MonthFigures:
    """A month in which the score moved so far."""
    values = {
        "score": Moved("score", psi, 0.1), "reasons": Moved("reasons", 0.01, 0.1),
        "features": (Moved("bur_overdue_cnt_12m", psi / 2, 0.1),), "estimated": Interval(0.7, 0.65, 0.75),
        "auc": None, "level": None, "absent": {},
    } | changes  # fmt: skip
    return MonthFigures(name, 900, 100, 0.05, **values)


def keep(bank: Bank) -> None:
    found = msgspec.structs.replace(
        monitored("2024-11"),
        months=(month("2024-10", 0.1), month("2024-11", 0.4, auc=Interval(0.6, 0.5, 0.7))),
    )
    told = {"opened": 1, "found": found, "overrides": []}
    with tenant_transaction(bank.database, "city") as connection:
        repository.keep(connection, "city", "monitoring", "risk", ENDS[-1], msgspec.json.encode(told), NOW)


def test_what_the_night_kept_stands_by_month_with_pictures_and_issues(bank: Bank, signed: Sign) -> None:
    mia = signed("mia", Role.ANALYST)
    assert UNKNOWN in text_of(mia.get("/monitoring")).casefold()
    keep(bank)
    issue = found_wanting(bank, "city")
    page = mia.get("/monitoring")
    told = text_of(page)
    assert "0.400" in told
    assert "Past a limit: 1" in told
    assert "See who applies now." in told
    pictures = re.findall(r'<img src="/console(/pictures/[^"]+)"', page.text)
    assert len(pictures) == 3
    assert all("<svg" in mia.get(each).text for each in pictures)
    assert UNKNOWN in text_of(mia.get("/monitoring?model=rating")).casefold()
    assert UNKNOWN in text_of(mia.get("/monitoring?model=%3Cb%3E")).casefold()
    assert mia.post(f"/portfolio/issues/{issue}", reason="Looked at: a new product.").status_code == 303
    assert "Looked at: a new product." in text_of(mia.get("/monitoring"))


def test_who_may_not_close_is_not_offered_it(signed: Sign) -> None:
    eve = signed("eve", Role.AUDITOR)
    page = eve.get("/monitoring")
    assert page.status_code == 200
    assert "/portfolio/issues/" not in page.text
