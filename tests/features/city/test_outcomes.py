"""The truth's ``bad`` is what the book shows by the label's definition, loan by loan, in plain dates."""

from __future__ import annotations

from datetime import datetime, timedelta

import pyarrow.parquet as pq

from tests.features.city.engineer import Files, at

OVER = timedelta(days=91)
MATERIAL_YUAN = 500


def a_year_after(moment: datetime) -> datetime:
    return moment.replace(year=moment.year + 1)


def judged(files: Files, number: str, application: str, end: datetime) -> bool | None:
    """Whether a loan went bad in its window; None where it was not drawn or its window has not ended."""
    versions = [row for row in files.by["loan"].get(number, []) if row["application_id"] == application]
    if not versions or not versions[0]["drawn_at"]:
        return None
    drawn, loan = at(versions[0]["drawn_at"]), versions[0]["loan_id"]
    due = [row for row in files.by["loan_instalment"][number] if row["loan_id"] == loan]
    paid = {row["number"] for row in files.by["loan_payment"].get(number, []) if row["loan_id"] == loan}
    last = max(at(row["due_on"] + "T00:00:00+08:00") for row in due)
    window = max(a_year_after(drawn), last + timedelta(days=90))
    if window >= end:
        return None
    open_ones = [at(row["due_on"] + "T00:00:00+08:00") for row in due if row["number"] not in paid]
    late = any(moment + OVER <= window for moment in open_ones)
    ended = [at(row["ended_at"]) for row in versions if row["state"] in {"restructured", "charged_off"}]
    return late or any(moment <= window for moment in ended)


def test_every_mature_loan_is_bad_in_the_book_where_the_truth_says_so(small_city) -> None:
    files = Files(small_city)
    truth = pq.read_table(small_city / "truth" / "applications.parquet").to_pylist()
    found = [
        (row, judged(files, row["id_number"], row["application_id"], at("2025-07-01T00:00:00+08:00")))
        for row in truth
    ]
    mature = [(row, bad) for row, bad in found if bad is not None]
    assert len(mature) > 250
    assert sum(bad for _, bad in mature) > 10
    wrong = [row["application_id"] for row, bad in mature if row["bad"] != bad]
    assert not wrong
    assert all(row["approved"] and row["drawn"] for row, _ in mature)


def test_what_is_owed_is_material(small_city) -> None:
    """So that the label's limit of an amount lets no default of the city pass."""
    for rows in Files(small_city).by["loan_instalment"].values():
        loans = {row["loan_id"] for row in rows}
        for loan in loans:
            amounts = [float(row["due_amount"]) for row in rows if row["loan_id"] == loan]
            assert min(amounts) * 3 > MATERIAL_YUAN
