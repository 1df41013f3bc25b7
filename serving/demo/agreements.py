"""What the demo's people agree to: that their application is assessed, and that their open loan is watched."""

from __future__ import annotations

import csv
import time
from pathlib import Path

from features.calendar import local_date
from features.consent import Purpose
from features.contracts.load import BUILTIN, load_contracts
from features.contracts.model import SubjectKind
from features.terminal import Step
from serving.consents.repository import of_purpose
from serving.demo.processes import Api
from serving.settings import Settings
from serving.store.engine import open_database
from serving.store.keys import KeyRing
from serving.store.session import tenant_transaction
from serving.store.vault import subject_of

CATEGORIES = sorted({contract.consent_category for contract in load_contracts([BUILTIN]).values()})


def consented(api: Api, tenant: str, number: str, purpose: Purpose) -> str:
    """A consent to everything for a year from today; returns its id."""
    today = local_date(time.time_ns() // 1_000)
    found: str = api.ask("POST", "/v1/consents", {
        "id_number": number, "categories": CATEGORIES, "purpose": purpose.value, "recipient": tenant,
        "form": "electronic", "valid_from": today.isoformat(),
        "valid_to": today.replace(year=today.year + 1, day=min(today.day, 28)).isoformat(),
    })["consent_id"]  # fmt: skip
    return found


def borrowers(city: Path) -> list[str]:
    """Who has drawn a loan that is open by its latest row, in the order of the bank's feed."""
    latest: dict[str, tuple[str, str, str]] = {}
    with (city / "feeds" / "loan.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            state = row["state"] if row["drawn_at"] else "granted"
            told = (row["published_at"], state, row["id_number"])
            latest[row["loan_id"]] = max(latest.get(row["loan_id"], told), told)
    return list(dict.fromkeys(number for _, state, number in latest.values() if state == "active"))


def sign(settings: Settings, api: Api, numbers: list[str], step: Step) -> tuple[int, int]:
    """What a loan's contract says beside the rest; returns how many signed now, and how many had before."""
    keys, given = KeyRing.open(settings.key_file), 0
    with tenant_transaction(open_database(settings), settings.tenant) as connection:
        signed = {each.subject_id for each in of_purpose(connection, Purpose.POST_LOAN_MANAGEMENT)}
        subjects = [subject_of(connection, keys, SubjectKind.PERSON, number) for number in numbers]
    for done, (number, subject) in enumerate(zip(numbers, subjects, strict=True)):
        step(f"{done:,} of {len(numbers):,}", done, len(numbers))
        if subject is not None and subject not in signed:
            consented(api, settings.tenant, number, Purpose.POST_LOAN_MANAGEMENT)
            given += 1
    return given, len(signed.intersection(subjects))
