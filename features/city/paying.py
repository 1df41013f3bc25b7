"""What households pay month by month: provident fund, water, gas, telephone, medical insurance."""

from __future__ import annotations

import numpy as np

from features.calendar import DAY
from features.city.official import Ints, Office, Table
from features.city.text import id_text, instant_text, month_text

FUND_RATE = 0.16


def paying_feeds(office: Office) -> dict[str, Table]:
    """The feeds by dataset."""
    return {
        "provident_fund": _fund(office), "water": _water(office), "gas": _gas(office),
        "telecom_payment": _telecom(office), "medical_insurance_payment": _medical(office),
    }  # fmt: skip


def _fund(office: Office) -> Table:
    """Members paid for the month before the city begins, so that membership is known; later months may be missed."""
    city, members = office.city, np.flatnonzero(office.city.known.fund)
    person, month, out = office.told("provident_fund", city.emitted.fund_paid & city.known.fund[:, None])
    first = np.full(len(members), city.starts[0])
    who = np.concatenate([members, person])
    base = np.round(city.base[who], 2)
    return {
        "id_number": office.number(who), "period": month_text(np.concatenate([first - 31 * DAY, city.starts[month]])),
        "monthly_amount": np.round(base * FUND_RATE, 2), "base": base, "employer": id_text("E", who % 700),
        "status": np.full(len(who), "paid"), "published_at": instant_text(np.concatenate([first - DAY, out])),
    }  # fmt: skip


def _water(office: Office) -> Table:
    """A bill for two months."""
    city = office.city
    everyone = np.broadcast_to(city.known.piped[:, None], city.emitted.water_on_time.shape)
    person, month, out = office.told("water", everyone)
    on_time = city.emitted.water_on_time[person, month]
    return _metered(office, person, month, out, "W", office.amounts(len(person), 2.9, 0.3), 2.95, on_time)


def _gas(office: Office) -> Table:
    """A bill a quarter, with the heating in winter; paid on time by chance."""
    city = office.city
    person, month = office.monthly(office.some(0.30), np.arange(2, city.months - 1, 3))
    volume = office.amounts(len(person), 4.0, 0.3) * np.where(month % 12 < 3, 2.2, 1.0)
    out = city.day(month + 1, office.g.integers(5, 12, len(person)))
    return _metered(office, person, month, out, "G", volume, 2.6, office.g.random(len(person)) < 0.94)


def _metered(
    office: Office, person: Ints, month: Ints, out: Ints, prefix: str, volume: np.ndarray, price: float, on_time: np.ndarray
) -> Table:  # fmt: skip
    volume = np.round(volume, 1)
    return {
        "id_number": office.number(person), "meter": id_text(prefix, person),
        "month": month_text(office.city.starts[month]), "volume": volume, "bill": np.round(volume * price, 2),
        "paid_on_time": on_time.astype(int), "published_at": instant_text(out),
    }  # fmt: skip


def _telecom(office: Office) -> Table:
    """Bills of one operator, whose lines are paid, suspended and cancelled by chance."""
    city, people = office.city, office.some(0.40)
    person, month = office.monthly(people, np.arange(city.months - 1))
    since = office.g.integers(6, 180, len(city.known.fund))
    chance = office.g.random(len(person))
    state = np.where(chance < 0.985, "active", np.where(chance < 0.998, "suspended", "cancelled"))
    return {
        "id_number": office.number(person), "period": month_text(city.starts[month]),
        "bill": office.amounts(len(person), 3.9, 0.4), "paid_on_time": (office.g.random(len(person)) < 0.93).astype(int),
        "months_on_network": since[person] + month, "line_status": state,
        "published_at": instant_text(city.day(month + 1, office.g.integers(3, 9, len(person)))),
    }  # fmt: skip


def _medical(office: Office) -> Table:
    """Residents pay once a year; employees' quarters follow what social insurance has told of the same month."""
    city = office.city
    idle, january = office.monthly(~city.known.employed, np.arange(0, city.months - 1, 12))
    quarter = (np.arange(city.months) % 3 == 0)[None, :]
    worker, month, _ = office.told(
        "social_insurance", city.emitted.ss_paid & city.known.employed[:, None] & quarter
    )
    late = city.emitted.lag["social_insurance"][worker, month]
    person, period = np.concatenate([idle, worker]), np.concatenate([january, month])
    base = np.where(np.arange(len(person)) < len(idle), 0.0, np.round(city.base[person], 2))
    out = np.concatenate([city.day(january + 1, 10), city.day(month + late, 25, 19)])
    return {
        "id_number": office.number(person), "period": month_text(city.starts[period]),
        "scheme": np.where(base > 0, "employee", "resident"), "base": base,
        "paid": np.where(base > 0, np.round(base * 0.02, 2), 380.0), "published_at": instant_text(out),
    }  # fmt: skip
