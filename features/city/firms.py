"""Firms: register of legal persons, certificates folded into the licence, invoices, tax grades, changes."""

from __future__ import annotations

import numpy as np

from features.calendar import DAY, instant
from features.city.official import Flags, Ints, Office, Table, firm_codes
from features.city.text import date_text, id_text, instant_text

GRADES = np.array(["A", "B", "M", "C", "D"])
FOLDED = {
    "retail": ("food", "tobacco"), "farming": ("animal", "pesticide"), "transport": ("transport",),
    "services": ("food",), "workshop": (),
}  # fmt: skip
"""Certificates that a firm of each industry may hold beside its business licence."""


def firm_feeds(office: Office) -> dict[str, Table]:
    """The feeds by dataset."""
    return {
        "legal_person_register": _register(office), "electronic_certificate": _certificates(office),
        "vat_invoice": _invoices(office), "tax_credit_grade": _grades(office), "business_change": _changes(office),
    }  # fmt: skip


def _codes(office: Office) -> np.ndarray:
    """The code of the firm of each household's head; of no meaning where there is none."""
    firm = office.city.known.firm
    return np.asarray(np.append(firm_codes(int(firm.sum())), "")[np.cumsum(firm) - 1])


def _register(office: Office) -> Table:
    """The master of the legal persons: it repeats the market regulator's dates and owners."""
    source = office.feeds["business_registration"]
    count = len(source["uscc"])
    owner = np.flatnonzero(office.city.known.firm)
    kind = np.array(["sole_trader", "sole_trader", "company", "cooperative"])
    return {
        "uscc": source["uscc"], "valid_from": source["registered_on"], "valid_to": np.full(count, ""),
        "kind": kind[office.g.integers(0, 4, count)], "legal_representative": source["owner_id_number"],
        "status": np.full(count, "normal"), "industry": source["industry"], "village": id_text("V", owner % 60),
        "employees": office.g.integers(1, 12, count), "published_at": source["published_at"],
    }  # fmt: skip


def _certificates(office: Office) -> Table:
    """The licence of each firm and what is folded into it: issued for three years, renewed, at times revoked."""
    source, city, g = office.feeds["business_registration"], office.city, office.g
    codes, count = np.asarray(source["uscc"]), len(source["uscc"])
    licence = np.asarray(id_text("BL", np.arange(count)).to_pylist(), dtype=str)
    parts = [_licences(office, codes, licence)]
    for place, kind in enumerate(("food", "tobacco", "transport", "pesticide", "animal")):
        may = np.array([kind in FOLDED[industry] for industry in source["industry"]], dtype=bool)
        firm = np.flatnonzero(may & (g.random(count) < 0.7))
        month = g.integers(0, 30, len(firm))
        again = np.flatnonzero((g.random(len(firm)) < 0.8) & (month + 36 < city.months - 1))
        firm, month = np.concatenate([firm, firm[again]]), np.concatenate([month, month[again] + 36])
        number = np.char.add(
            np.char.add(f"{kind[:2].upper()}{place}", firm.astype(str)), np.char.add("-", month.astype(str))
        )
        parts += _issued(office, kind, codes[firm], licence[firm], number, month)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _licences(office: Office, codes: np.ndarray, licence: np.ndarray) -> dict[str, np.ndarray]:
    source, count = office.feeds["business_registration"], len(codes)
    since, none = np.asarray(source["registered_on"].to_pylist(), dtype=str), np.full(count, "")
    out = np.asarray(source["published_at"].to_pylist(), dtype=str)
    return _rows(
        "business_licence", codes, licence, licence, (since, none, none, out), np.full(count, "valid")
    )


def _issued(
    office: Office, kind: str, codes: np.ndarray, licence: np.ndarray, number: np.ndarray, month: Ints
) -> list[dict[str, np.ndarray]]:
    """Rows of the issue, and later rows of those that were revoked."""
    began = office.city.day(month, office.g.integers(1, 20, len(month)), 0)
    ends, gone = began + 1095 * DAY, began + office.g.integers(60, 700, len(month)) * DAY
    revoked = np.flatnonzero((office.g.random(len(month)) < 0.08) & (gone + 2 * DAY < office.ends))
    since, none = _text(date_text(began)), np.full(len(month), "")
    first = (since, _text(date_text(ends)), none, _text(instant_text(began + DAY)))
    day = _text(date_text(gone[revoked]))
    second = (since[revoked], day, day, _text(instant_text(gone[revoked] + DAY)))
    return [
        _rows(kind, codes, licence, number, first, np.full(len(month), "valid")),
        _rows(
            kind, codes[revoked], licence[revoked], number[revoked], second, np.full(len(revoked), "revoked")
        ),
    ]


def _rows(
    kind: str, codes: np.ndarray, licence: np.ndarray, number: np.ndarray, times: tuple[np.ndarray, ...], status: np.ndarray
) -> dict[str, np.ndarray]:  # fmt: skip
    since, until, revoked, out = times
    count = len(codes)
    return {
        "uscc": codes, "certificate_no": number, "kind": np.full(count, kind), "licence_no": licence,
        "issued_on": since, "valid_from": since, "valid_to": until, "revoked_on": revoked, "status": status,
        "authority": np.full(count, f"AU-{kind}"), "published_at": out,
    }  # fmt: skip


def _invoices(office: Office) -> Table:
    """Sales invoices are what the state of the owner leaves; purchases, reversals and amounts are noise."""
    city, g = office.city, office.g
    firm: Flags = city.known.firm[:, None]
    sales = np.where(firm, city.emitted.invoices, 0)
    bought = np.where(firm, g.poisson(0.8, sales.shape), 0)
    rows = [np.nonzero(times) for times in (sales, bought)]
    counts = [times[found] for times, found in zip((sales, bought), rows, strict=True)]
    person = np.concatenate([np.repeat(found[0], k) for found, k in zip(rows, counts, strict=True)])
    month = np.concatenate([np.repeat(found[1], k) for found, k in zip(rows, counts, strict=True)])
    count = len(person)
    issued, amount = city.day(month, g.integers(1, 24, count), 0), office.amounts(count, 8.2, 0.8)
    return {
        "uscc": _codes(office)[person], "invoice_id": id_text("VI", np.arange(count)), "issued_on": date_text(issued),
        "kind": np.where(np.arange(count) < int(counts[0].sum()), "sales", "purchase"),
        "counterparty": id_text("VC", (person * 31 + g.integers(0, 9, count) ** 2) % 1999), "amount": amount,
        "tax": np.round(amount * 0.03, 2),
        "status": np.array(["normal", "red", "void"])[g.choice(3, count, p=[0.95, 0.03, 0.02])],
        "published_at": instant_text(issued + DAY + 10 * 3_600_000_000),
    }  # fmt: skip


def _grades(office: Office) -> Table:
    """One grade for each firm, told again each April; the first before the city begins."""
    owner = np.flatnonzero(office.city.known.firm)
    years = np.arange(2019, 2021 + office.city.months // 12)
    told = np.array([instant(f"{year + 1}-04-20") for year in years])
    years, told = years[told < office.ends], told[told < office.ends]
    person, place = np.repeat(owner, len(years)), np.tile(np.arange(len(years)), len(owner))
    grade = office.city.known.tax_grade[person]
    return {
        "uscc": _codes(office)[person], "year": years[place], "graded_on": date_text(told[place]),
        "grade": GRADES[grade], "grade_points": 5 - grade, "published_at": instant_text(told[place] + DAY),
    }  # fmt: skip


def _changes(office: Office) -> Table:
    owner = np.flatnonzero(office.city.known.firm)
    person = np.repeat(owner, office.g.poisson(0.6, len(owner)))
    when, kinds = (
        office.within(len(person)),
        np.array(["owner", "legal_representative", "scope", "address", "capital"]),
    )
    return {
        "uscc": _codes(office)[person], "change_no": id_text("BC", np.arange(len(person))), "changed_on": date_text(when),
        "kind": kinds[office.g.choice(5, len(person), p=[0.1, 0.1, 0.35, 0.25, 0.2])],
        "published_at": instant_text(when + DAY),
    }  # fmt: skip


def _text(column: object) -> np.ndarray:
    return np.asarray(column.to_pylist(), dtype=str)  # type: ignore[attr-defined]
