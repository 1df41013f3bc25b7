"""Farms: who farms what, on which land, with which subsidy, cover and machine; prices and weather."""

from __future__ import annotations

import numpy as np

from features.calendar import DAY
from features.city.official import PRODUCTS, VILLAGES, Ints, Office, Table
from features.city.text import date_text, id_text, instant_text, month_text

YEAR = 365 * DAY


def farming_feeds(office: Office) -> dict[str, Table]:
    """The feeds by dataset; all but the machines are noise."""
    policies, claims = _insurance(office)
    return {
        "farm_register": _farms(office), "land_right": _land(office), "land_transfer": _transfers(office),
        "farm_subsidy": _subsidies(office), "farm_insurance": policies, "farm_insurance_claim": claims,
        "agricultural_machinery": _machines(office), "weather_event": _weather(office), "price_event": _prices(office),
        "county_statistics": _county(office),
    }  # fmt: skip


def _farms(office: Office) -> Table:
    person = np.flatnonzero(office.farms)
    since = office.before(len(person), 200, 4000)
    kind = np.array(["household", "household", "household", "family_farm", "cooperative_member"])
    return {
        "id_number": office.number(person), "producer_no": id_text("FP", person), "registered_on": date_text(since),
        "deregistered_on": np.full(len(person), ""), "kind": kind[office.g.integers(0, 5, len(person))],
        "product": product_of(person), "area_mu": office.mu[person], "published_at": instant_text(since + 5 * DAY),
    }  # fmt: skip


def product_of(person: Ints) -> np.ndarray:
    """The main product of each household's farm."""
    return PRODUCTS[person // 3 % len(PRODUCTS)]


def _land(office: Office) -> Table:
    person = np.flatnonzero(office.farms)
    since = office.before(len(person), 400, 3000)
    return {
        "id_number": office.number(person), "certificate_no": id_text("LR", person), "valid_from": date_text(since),
        "valid_to": date_text(since + 30 * YEAR), "contracted_mu": office.mu[person],
        "certified_mu": np.round(office.mu[person] * office.g.uniform(0.9, 1.05, len(person)), 2),
        "mortgaged": (office.g.random(len(person)) < 0.06).astype(int), "published_at": instant_text(since + 30 * DAY),
    }  # fmt: skip


def _transfers(office: Office) -> Table:
    person = np.flatnonzero(office.farms & (office.g.random(len(office.farms)) < 0.35))
    count, years = len(person), office.g.integers(1, 10, len(person))
    since = np.where(office.g.random(count) < 0.5, office.before(count, 20, 900), office.within(count))
    area = np.round(office.mu[person] * office.g.uniform(0.2, 0.9, count), 2)
    inward = office.g.random(count) < 0.4
    return _told_in_time(office, since + 15 * DAY, {
        "id_number": office.number(person), "contract_no": id_text("LT", person), "starts_on": date_text(since),
        "ends_on": date_text(since + years * YEAR), "direction": np.where(inward, "in", "out"),
        "area_mu": np.where(inward, np.round(area * 4, 2), area), "years": years.astype(float),
        "annual_rent": np.round(area * 700, 2), "counterparty": id_text("LC", person % 211),
    })  # fmt: skip


def _subsidies(office: Office) -> Table:
    """Soil protection each May for all farms; grain each September for some of them."""
    city = office.city
    parts = [
        (office.farms, "soil", 4, 94.0),
        (office.farms & (np.arange(len(office.farms)) % 3 == 0), "grain", 8, 60.0),
    ]
    rows = [
        (*office.monthly(who, np.arange(month, city.months, 12)), scheme, rate)
        for who, scheme, month, rate in parts
    ]
    person, month = (np.concatenate([row[k] for row in rows]) for k in (0, 1))
    scheme = np.concatenate([np.full(len(row[0]), row[2]) for row in rows])
    rate = np.concatenate([np.full(len(row[0]), row[3]) for row in rows])
    paid = city.day(month, office.g.integers(5, 15, len(person)), 0)
    return _told_in_time(office, paid + 10 * DAY, {
        "id_number": office.number(person), "scheme": scheme, "year": 2021 + month // 12,
        "amount": np.round(rate * office.mu[person], 2), "area_mu": office.mu[person], "paid_on": date_text(paid),
    })  # fmt: skip


def _insurance(office: Office) -> tuple[Table, Table]:
    """A policy a season (March to October); one in fifteen has a claim."""
    city, g = office.city, office.g
    person, month = office.monthly(
        office.farms & (g.random(len(office.farms)) < 0.5), np.arange(2, city.months, 12)
    )
    kept = g.random(len(person)) < 0.85
    person, month = person[kept], month[kept]
    began, count = city.day(month, g.integers(1, 10, len(person)), 0), len(person)
    value = np.round(office.mu[person] * g.lognormal(6.9, 0.2, count), 2)
    insured = np.round(value * g.uniform(0.4, 0.9, count), 2)
    number = np.char.add(np.asarray(id_text("FI", person).to_pylist(), dtype=str), month.astype(str))
    policies = _told_in_time(office, began + 7 * DAY, {
        "id_number": office.number(person), "policy_no": number, "valid_from": date_text(began),
        "valid_to": date_text(began + 230 * DAY), "crop": product_of(person), "insured_amount": insured,
        "exposure_value": value, "cover_ratio": np.round(insured / value, 4), "premium": np.round(insured * 0.04, 2),
        "area_mu": office.mu[person],
    })  # fmt: skip
    hit = np.flatnonzero(g.random(count) < 1 / 15)
    struck = began[hit] + g.integers(40, 200, len(hit)) * DAY
    claims = _told_in_time(office, struck + 31 * DAY, {
        "id_number": office.number(person[hit]), "claim_no": np.char.add("K", number[hit]), "policy_no": number[hit],
        "occurred_on": date_text(struck), "paid_on": date_text(struck + 30 * DAY),
        "amount": np.round(insured[hit] * g.uniform(0.05, 0.6, len(hit)), 2),
        "cause": np.array(["weather", "weather", "disease", "other"])[g.integers(0, 4, len(hit))],
    })  # fmt: skip
    return policies, claims


def _machines(office: Office) -> Table:
    """Machines of before the city; some are taken out of use later, which says nothing."""
    person = np.flatnonzero(office.city.known.machine)
    since, gone = office.before(len(person), 100, 3500), office.within(len(person))
    table = {
        "plate": id_text("FM", person).to_numpy(zero_copy_only=False), "registered_on": date_text(since),
        "kind": np.array(["tractor", "harvester", "drone", "other"])[person % 4], "value": office.amounts(len(person), 10.0),
    }  # fmt: skip
    table = {name: np.asarray(column) for name, column in table.items()} | {
        "id_number": office.number(person)
    }
    later = np.flatnonzero(office.g.random(len(person)) < 0.08)
    both = {name: np.concatenate([column, column[later]]) for name, column in table.items()}
    ended = np.concatenate(
        [np.full(len(person), ""), np.asarray(date_text(gone[later]).to_pylist(), dtype=str)]
    )
    out = np.concatenate([since, gone[later]]) + 5 * DAY
    return _told_in_time(office, out, both | {"deregistered_on": ended})


def _weather(office: Office) -> Table:
    """Events of villages, more of them in summer."""
    city = office.city
    rate = np.where(np.isin(np.arange(city.months) % 12, (5, 6, 7)), 0.06, 0.015)
    village, month = np.nonzero(office.g.random((VILLAGES, city.months)) < rate)
    began, count = city.day(month, office.g.integers(1, 20, len(month)), 0), len(village)
    return {
        "village": id_text("V", village), "event_no": id_text("WE", village * 1000 + month),
        "starts_on": date_text(began), "ends_on": date_text(began + office.g.integers(1, 6, count) * DAY),
        "kind": np.array(["flood", "drought", "hail", "frost", "storm"])[office.g.integers(0, 5, count)],
        "level": office.g.integers(1, 5, count), "affected_share": np.round(office.g.beta(1.5, 6, count), 4),
        "published_at": instant_text(began + DAY),
    }  # fmt: skip


def _prices(office: Office) -> Table:
    """A price a month and product: walks that return to their mean."""
    city = office.city
    walk = np.zeros((len(PRODUCTS), city.months + 3))
    for step in range(1, walk.shape[1]):
        walk[:, step] = 0.9 * walk[:, step - 1] + 0.05 * office.g.standard_normal(len(PRODUCTS))
    product, month = (axis.ravel() for axis in np.indices((len(PRODUCTS), city.months - 1)))
    now = walk[product, month + 3]
    return {
        "product": PRODUCTS[product], "month": month_text(city.starts[month]),
        "price": np.round(np.exp(1.0 + product * 0.3 + now), 2),
        "change_1m": np.round(np.expm1(now - walk[product, month + 2]), 4),
        "change_3m": np.round(np.expm1(now - walk[product, month]), 4),
        "published_at": instant_text(city.day(month + 1, 5)),
    }  # fmt: skip


def _county(office: Office) -> Table:
    """Figures of the villages; they follow no household of the city."""
    city, g = office.city, office.g
    village, month = (axis.ravel() for axis in np.indices((VILLAGES, city.months - 1)))
    level, growth = g.beta(2, 60, VILLAGES), 0.05 + 0.01 * g.standard_normal(city.months)
    houses = np.bincount(np.arange(len(office.farms)) % VILLAGES, minlength=VILLAGES)
    return {
        "village": id_text("V", village), "month": month_text(city.starts[month]),
        "npl_ratio": np.round(level[village] * g.uniform(0.8, 1.2, len(village)), 6),
        "gdp_growth": np.round(growth[month], 6), "disaster_index": np.round(g.beta(1, 8, len(village)) * 10, 4),
        "mean_inflow": np.round(4500 * g.uniform(0.9, 1.1, VILLAGES)[village], 2), "households": houses[village],
        "published_at": instant_text(city.day(month + 1, 20)),
    }  # fmt: skip


def _told_in_time(office: Office, out: Ints, table: Table) -> Table:
    """The rows that are published before the city ends."""
    kept = np.flatnonzero(out < office.ends)
    chosen = {name: np.asarray(column)[kept] for name, column in table.items()}
    return chosen | {"published_at": instant_text(out[kept])}
