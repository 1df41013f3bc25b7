"""What other departments know of a household's head: penalties, allowances, property, work, certificates."""

from __future__ import annotations

import numpy as np

from features.calendar import DAY
from features.city.official import Flags, Ints, Office, Table
from features.city.parameters import INCOMES
from features.city.text import date_text, id_text, instant_text


def standing_feeds(office: Office) -> dict[str, Table]:
    """The feeds by dataset."""
    return {
        "administrative_penalty": _penalties(office), "education_allowance": _education(office),
        "social_assistance": _assistance(office), "poverty_allowance": _poverty(office),
        "mortgage_registration": _mortgages(office), "property_transfer": _transfers(office),
        "employment_registration": _work(office), "residence_permit": _residence(office),
        "personal_certificate": _certificates(office), "fairness_attributes": _fairness(office),
    }  # fmt: skip


def _penalties(office: Office) -> Table:
    """That there is one follows the state; kind, amount and authority are noise."""
    person, month, out = office.told("administrative_penalty", office.city.emitted.penalty)
    count = len(person)
    kind = np.array(["warning", "fine", "confiscation", "suspension", "licence"])
    drawn = office.g.choice(5, count, p=[0.3, 0.5, 0.08, 0.07, 0.05])
    return {
        "id_number": office.number(person), "decision_no": id_text("PD", np.arange(count)),
        "decided_on": date_text(office.city.day(month, 10, 0)), "repaired_on": np.full(count, ""),
        "authority": id_text("PA", office.g.integers(0, 9, count)), "kind": kind[drawn],
        "amount": np.where(drawn == 0, 0.0, office.amounts(count, 8.0, 1.0)), "published_at": instant_text(out),
    }  # fmt: skip


def _education(office: Office) -> Table:
    """For the ten months of school years."""
    city = office.city
    person, month = office.monthly(office.some(0.08), np.arange(8, city.months - 1, 12))
    began = city.day(month, 1, 0)
    kind = np.array(["tuition", "boarding", "student_loan"])
    return {
        "id_number": office.number(person), "scheme": kind[person % 3], "starts_on": date_text(began),
        "ends_on": date_text(began + 303 * DAY), "amount": office.amounts(len(person), 7.2, 0.4),
        "published_at": instant_text(began + 20 * DAY),
    }  # fmt: skip


def _allowance(office: Office, share: float, kinds: tuple[str, ...], amount: str, mean: float) -> Table:
    """Allowances for a year or two, granted within the city's time."""
    person = office.some(share)
    began = office.within(len(person))
    return {
        "id_number": office.number(person), "scheme": np.array(kinds)[person % len(kinds)], "starts_on": date_text(began),
        "ends_on": date_text(began + office.g.integers(180, 720, len(person)) * DAY),
        amount: office.amounts(len(person), mean, 0.3), "published_at": instant_text(np.minimum(began + 15 * DAY, office.ends - 1)),
    }  # fmt: skip


def _assistance(office: Office) -> Table:
    return _allowance(office, 0.04, ("subsistence", "temporary", "five_guarantees"), "monthly_amount", 6.2)


def _poverty(office: Office) -> Table:
    return _allowance(office, 0.05, ("industry", "work", "housing"), "amount", 7.8)


def _mortgages(office: Office) -> Table:
    """The mortgages that the real-estate register marks."""
    homes = office.feeds["real_estate"]
    rows = np.flatnonzero(np.asarray(homes["mortgaged"]) == 1)
    count = len(rows)
    return {
        "id_number": np.asarray(homes["id_number"])[rows], "registration_no": id_text("MR", rows),
        "parcel": homes["parcel"].take(rows), "registered_on": homes["registered_on"].take(rows),
        "released_on": np.full(count, ""), "lender": id_text("L", rows % 23),
        "secured_amount": np.round(np.asarray(homes["value"])[rows] * office.g.uniform(0.3, 0.7, count), 2),
        "published_at": homes["published_at"].take(rows),
    }  # fmt: skip


def _transfers(office: Office) -> Table:
    """How the homes were bought: the price of the register, give or take."""
    homes = office.feeds["real_estate"]
    count = len(homes["id_number"])
    return {
        "id_number": homes["id_number"], "contract_no": id_text("PT", np.arange(count)), "parcel": homes["parcel"],
        "signed_on": homes["registered_on"], "direction": np.full(count, "bought"),
        "price": np.round(np.asarray(homes["value"]) * office.g.uniform(0.85, 1.1, count), 2),
        "published_at": homes["published_at"],
    }  # fmt: skip


def _work(office: Office) -> Table:
    """The job of those in social insurance, with the employer who pays for them."""
    person = np.flatnonzero(office.city.known.employed)
    since = office.before(len(person), 60, 3000)
    return {
        "id_number": office.number(person), "registration_no": id_text("ER", person), "starts_on": date_text(since),
        "ends_on": np.full(len(person), ""), "employer": id_text("E", person % 700),
        "kind": np.full(len(person), "employee"), "published_at": instant_text(since + 15 * DAY),
    }  # fmt: skip


def _residence(office: Office) -> Table:
    person = office.some(0.12)
    since = np.where(
        office.g.random(len(person)) < 0.5, office.before(len(person), 30, 1500), office.within(len(person))
    )
    return {
        "id_number": office.number(person), "permit_no": id_text("RP", person), "registered_on": date_text(since),
        "left_on": np.full(len(person), ""), "village": id_text("V", person % 60),
        "address_kind": np.array(["own", "rented", "employer"])[office.g.integers(0, 3, len(person))],
        "published_at": instant_text(np.minimum(since + 3 * DAY, office.ends - 1)),
    }  # fmt: skip


def _certificates(office: Office) -> Table:
    """Six years each; what ends in the city's time is renewed or not by chance."""
    person = office.some(0.6)
    since = office.before(len(person), 100, 2100)
    again = np.flatnonzero(
        (since + 2190 * DAY + 2 * DAY < office.ends) & (office.g.random(len(person)) < 0.85)
    )
    who, place = np.concatenate([person, person[again]]), np.repeat([0, 1], [len(person), len(again)])
    began = np.concatenate([since, since[again] + 2190 * DAY])
    count = len(who)
    return {
        "id_number": office.number(who), "certificate_no": id_text("PC", who * 10 + place),
        "kind": np.array(["driving", "driving", "skill", "operator"])[who % 4], "issued_on": date_text(began),
        "valid_from": date_text(began), "valid_to": date_text(began + 2190 * DAY), "revoked_on": np.full(count, ""),
        "status": np.full(count, "valid"), "authority": id_text("AU", who % 7), "published_at": instant_text(began + DAY),
    }  # fmt: skip


def _fairness(office: Office) -> Table:
    """Attributes that fairness is tested with: most are more frequent where the income is low.

    They tell something of the hidden income, so this is the one feed that the filter leaves out although it
    informs: nobody may read it for credit.
    """
    city, n = office.city, len(office.farms)
    low = city.lives.kind % INCOMES == 0
    number = city.people.heads
    female = np.array([int(text[16]) % 2 == 0 for text in number])

    def more(poor: float, others: float) -> Ints:
        drawn: Flags = office.g.random(n) < np.where(low, poor, others)
        return drawn.astype(np.int64)

    return {
        "id_number": number, "recorded_on": date_text(np.full(n, city.starts[0] - 30 * DAY)),
        "sex": np.where(female, "female", "male"), "ethnicity": np.where(more(0.12, 0.09) == 1, "minority", "majority"),
        "disability_allowance": more(0.045, 0.03), "low_income": more(0.20, 0.08),
        "rural_registration": more(0.68, 0.55), "migrant": more(0.14, 0.10),
        "published_at": instant_text(np.full(n, city.starts[0])),
    }  # fmt: skip
