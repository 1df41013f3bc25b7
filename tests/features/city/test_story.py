"""What the city's description promises, looked for in its lives and in its feeds."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from features.city.parameters import WARM_UP, regimes
from features.timeline.ingest import quarantine
from tests.features.city.lives import Town, town


@pytest.fixture(scope="module")
def large() -> Town:
    return town(3_000, 48, seed=1)


def rows(folder: Path, dataset: str) -> list[dict[str, str]]:
    with (folder / "feeds" / f"{dataset}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_three_defaults_of_ten_leave_no_earlier_trace(seed: int) -> None:
    a = town(1_500, 48, seed=seed).applications
    defaulted = a.bad & a.approved & a.drawn
    assert 0.30 <= 1 - a.traced[defaulted].mean() <= 0.60
    assert 0.03 < a.bad.mean() < 0.10


def test_most_who_get_into_trouble_do_not_default(large) -> None:
    """Decoys: households that were strained during a loan and repaid it."""
    a = large.applications
    drawn = a.approved & a.drawn
    decoys, warned = (drawn & a.traced & ~a.bad).sum(), (drawn & a.traced & a.bad).sum()
    assert decoys > 3 * warned
    last = large.lives.state[:, : large.months]
    troubled = (last > 0).any(axis=1)
    assert (last[troubled, -1] == 0).mean() > 0.5


def before_the_trigger(made: Town) -> tuple[np.ndarray, np.ndarray]:
    """Person-months of the half year before a traced default, and all others in the same months."""
    a = made.applications
    near = np.zeros(made.emitted.load.shape, dtype=bool)
    for row in np.flatnonzero(a.bad & a.approved & a.drawn & a.traced):
        trigger = int(a.month[row] + a.paid[row] + 1)
        near[a.person[row], max(trigger - 6, 0) : min(trigger, made.months)] = True
    return near, ~near & near.any(axis=0)[None, :]


@pytest.mark.parametrize(
    ("sign", "more"),
    [
        ("ss_paid", False), ("load", False), ("bill_on_time", False), ("court", True), ("bureau_bucket", True),
        ("enquiries", True), ("balance", False), ("autopay_fail", True), ("late", True), ("tax_status", True),
        ("fund_paid", False), ("water_on_time", False), ("invoices", False),
    ],
)  # fmt: skip
def test_trouble_shows_before_the_default(large, sign: str, more: bool) -> None:  # noqa: FBT001 - a case
    near, others = before_the_trigger(large)
    values = getattr(large.emitted, sign).astype(float)
    gap = values[near].mean() - values[others].mean()
    noise = np.sqrt(values[near].var() / near.sum() + values[others].var() / others.sum())
    assert (gap if more else -gap) > 3 * noise


def test_penalties_are_rare_and_fall_on_those_in_trouble(large) -> None:
    state = large.lives.state[:, : large.months]
    share = [large.emitted.penalty[state == kind].mean() for kind in range(3)]
    assert share[0] < 0.002
    assert share[0] < share[1] < share[2]


def test_quality_shows_in_what_a_household_has(large) -> None:
    quality, known = large.lives.kind // 2, large.known
    for held in (known.machine, known.fund):
        good, middling, poor = (held[quality == kind].mean() for kind in range(3))
        assert good > middling > poor
    assert not (known.fund & ~known.employed).any()
    grades = [known.tax_grade[(quality == kind) & known.firm].mean() for kind in range(3)]
    assert grades[0] < grades[2]


def test_a_bad_regime_strains_many_at_once_and_is_the_same_for_every_seed(large) -> None:
    path = large.regime[: large.months]
    assert 0 < path.mean() < 1
    into = (large.lives.state[:, 1 : large.months] == 1) & (large.lives.state[:, : large.months - 1] == 0)
    calm, bad = into[:, path[1:] == 0].mean(), into[:, path[1:] == 1].mean()
    assert bad > 1.6 * calm
    assert (regimes(90)[:60] == regimes(60)).all()
    assert (regimes(90, shifted=True) != regimes(90)).any()


def test_a_shifted_economy_has_more_trouble(large) -> None:
    other = town(1_500, 48, seed=1, shifted=True)
    assert other.applications.bad.mean() > 1.2 * large.applications.bad.mean()
    assert (other.lives.state > 0).mean() > 1.2 * (large.lives.state > 0).mean()


def test_the_officer_knew_more_than_the_records(large) -> None:
    """At equal visible score, the refused are worse off: private information that hid their outcomes."""
    a = large.applications
    score, state = large.book.score[a.person, a.month], large.lives.state[a.person, a.month]
    alike = score < 0.2
    liked = large.book.decision[a.person, a.month] == 1
    assert state[alike & ~liked].mean() > state[alike & liked].mean() + 0.05


def test_the_refused_have_no_loan_and_some_are_approved_at_random_from_a_date_on(small_city) -> None:
    applications = rows(small_city, "application")
    with_loan = {row["application_id"] for row in rows(small_city, "loan")}
    refused = {row["application_id"] for row in applications if row["outcome"] == "refused"}
    assert refused
    assert not refused & with_loan
    assert with_loan == {row["application_id"] for row in applications} - refused
    chance = [row for row in applications if row["stream"] == "random"]
    assert chance
    assert all(row["outcome"] == "approved" for row in chance)
    assert min(row["applied_at"] for row in chance) > "2022-12"  # half a year after the first application


def test_half_a_year_without_random_approvals(large) -> None:
    a = large.applications
    assert a.random.any()
    assert a.month[a.random].min() >= WARM_UP + 6
    assert (
        0.04
        < a.random[a.month >= WARM_UP + 6].sum() / (large.book.decision[:, WARM_UP + 6 :] == -1).sum()
        < 0.12
    )


def test_a_department_says_nothing_of_some_months(small_city) -> None:
    months = Counter(row["month"] for row in rows(small_city, "electricity"))
    assert "2023-08" not in months
    assert {"2023-07", "2023-09"} <= set(months)


def test_some_records_are_lost_for_ever(small_city) -> None:
    whole = Counter(row["id_number"] for row in rows(small_city, "tax_filing") if row["period"] < "2025-01")
    distinct = {
        (row["id_number"], row["period"])
        for row in rows(small_city, "tax_filing")
        if row["period"] < "2025-01"
    }
    missing = 48 * len(whole) - len(distinct)
    assert 0 < missing < 0.02 * len(distinct)


def test_records_come_late(small_city) -> None:
    lags = Counter(
        (int(r["published_at"][:4]) - int(r["period"][:4])) * 12 + int(r["published_at"][5:7]) - int(r["period"][5:7])
        for r in rows(small_city, "social_insurance")
    )  # fmt: skip
    assert set(lags) == {1, 2, 3}
    assert lags[1] > lags[2] > lags[3] > 0


def test_corrections_come_later_and_stand_from_then_on(loaded) -> None:
    table = loaded.lake.read(loaded.contracts["tax_filing"])
    ends = json.loads((loaded.folder / "city.json").read_text(encoding="utf-8"))["ends_at"]
    corrected = np.flatnonzero(table.known_to < ends)  # what ends later does so by its retention
    assert 0.005 < len(corrected) / len(table) < 0.04
    for row in corrected:
        same = (table.subject == table.subject[row]) & (table.valid_from == table.valid_from[row])
        later = same & (table.known_from == table.known_to[row])
        assert later.sum() == 1
        assert table.columns["sales"][row] != table.columns["sales"][later][0]
        assert table.columns["status"][row] == table.columns["status"][later][0]


def test_exactly_the_wrong_numbers_are_quarantined_and_nothing_true_is_lost(small_city, loaded) -> None:
    truth = pq.read_table(small_city / "truth" / "malformed.parquet").to_pylist()
    found = quarantine(loaded.lake)
    assert truth
    assert [(f.dataset, f.line) for f in sorted(found, key=lambda f: (f.dataset, f.line))] == sorted(
        (row["dataset"], row["line"]) for row in truth
    )
    assert {(f.field, f.value_class) for f in found} == {("id_number", "wrong check digit")}
    assert loaded.report.quarantined == len(truth)
    seen = sum(report.rows for report in loaded.report.files)
    held = sum(report.held for report in loaded.report.files)
    assert held
    assert loaded.report.loaded == seen - held - len(truth)


def test_power_has_seasons(small_city) -> None:
    by_month: dict[str, list[float]] = {}
    for row in rows(small_city, "electricity"):
        ratio = float(row["kwh"]) / float(row["load_ratio"]) / float(row["contract_kva"])
        by_month.setdefault(row["month"][5:], []).append(ratio)
    means = [np.mean(values) for _, values in sorted(by_month.items())]
    assert max(means) > 1.5 * min(means)


def test_the_truth_holds_risk_and_state_of_every_household_and_month(small_city) -> None:
    table = pq.read_table(small_city / "truth" / "months.parquet").to_pydict()
    assert len(table["month"]) == 300 * 36
    assert set(table["month"]) == set(range(WARM_UP, WARM_UP + 36))
    for name in ("filter_risk", "true_risk"):
        assert 0 < min(table[name]) < max(table[name]) < 1
