"""A record brings up to date whose timeline shows it, and nobody else's is read for it."""

from __future__ import annotations

import msgspec
import pytest

from serving.store.session import owner_transaction
from tests.serving.consents.test_relatives import REGISTER
from tests.serving.feeding import ingest, rehydrate, subject_of
from tests.serving.world import GOOD, LATE, MIDDLE, Bank, Client

COURT = {
    "filed_on": "2024-11-01",
    "closed_on": "",
    "amount": 900,
    "kind": "civil",
    "published_at": "2024-11-05T09:00:00",
}
FROZEN = {"frozen_on": "2024-11-01", "released_on": "", "authority": "court", "amount": 900, "published_at": "2024-11-05T09:00:00"}  # fmt: skip
MOVED = {"household_no": "H2", "role": "head", "village": "V2", "registered_since": "2024-06-01", "published_at": "2024-06-05T09:00:00"}  # fmt: skip
BOTH, ONE = {"GOOD", "LATE"}, {"GOOD"}


@pytest.fixture(scope="module", autouse=True)
def household(bank: Bank, client: Client, tmp_path_factory: pytest.TempPathFactory) -> None:
    """GOOD and LATE live together, MIDDLE alone; all are online."""
    homes = {GOOD: "H1", LATE: "H1", MIDDLE: "H2"}
    rows = [
        [who, home, "head", "1985-06-12", "", "", "", "V1", "2020-01-01", "", "2020-01-05T09:00:00"]
        for who, home in homes.items()
    ]
    ingest(bank, tmp_path_factory.mktemp("register"), "population_register", REGISTER, rows)
    for who in homes:
        client.consent_id(who)


def rows_of(bank: Bank) -> dict[str, tuple[int, bytes, int]]:
    """What is online of each, and when it was read."""
    names = {
        subject_of(bank, who): name for who, name in ((GOOD, "GOOD"), (LATE, "LATE"), (MIDDLE, "MIDDLE"))
    }
    with owner_transaction(bank.database) as owner:
        rows = owner.execute(
            "SELECT subject_id, version, packed, hydrated_at FROM subject_timeline"
        ).fetchall()
    return {names[row[0]]: (row[1], bytes(row[2]), row[3]) for row in rows}


@pytest.mark.parametrize(
    ("dataset", "record", "read"),
    [
        ("account_freeze", {"freeze_no": "F1", **FROZEN}, ONE),
        ("account_freeze", {"freeze_no": "F1", **FROZEN, "amount": 700}, ONE),
        ("account_freeze", {"freeze_no": "F2", **FROZEN, "published_at": "2024-09-05T09:00:00"}, ONE),
        ("court_case", {"case_id": "C1", **COURT}, BOTH),
        ("court_case", {"case_id": "C1", **COURT, "amount": 700, "published_at": "2024-12-05T09:00:00"}, BOTH),
        ("population_register", MOVED, BOTH | {"MIDDLE"}),
        ("court_case", {"case_id": "C2", **COURT}, BOTH | {"MIDDLE"}),
    ],
)  # fmt: skip
def test_everybody_s_row_is_what_reading_all_anew_makes_of_it(
    client: Client, bank: Bank, dataset: str, record: dict[str, object], read: set[str]
) -> None:
    """The oracle is a whole read of everybody who is online."""
    before = rows_of(bank)
    body = msgspec.json.encode({"id_number": GOOD, **{name: str(value) for name, value in record.items()}})
    sent = client.ask("POST", f"/v1/records/{dataset}", content=body)
    assert sent.status_code == 200, sent.text
    after = rows_of(bank)
    assert {name for name in after if after[name][2] > before[name][2]} == read
    rehydrate(bank)
    assert {name: row[:2] for name, row in rows_of(bank).items()} == {n: row[:2] for n, row in after.items()}
