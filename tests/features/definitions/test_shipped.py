"""The definitions that Yidai ships: complete, told in two languages, and blind to the future of a city."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

from features.calendar import DAY, instant
from features.contracts.load import BUILTIN as CONTRACTS
from features.definitions.plan import BUILTIN as DEFINITIONS
from features.definitions.plan import FeaturePlan, load_plan
from features.matrix import Missing
from features.timeline.events import EventTable, sort_events
from features.timeline.packed import pack, unpack
from serving.policy.wording import VAGUE
from tests.features.city.engineer import WITHOUT_FEED

PLAN = load_plan([CONTRACTS], [DEFINITIONS])
AS_OF = instant("2024-06-26")
HAN = re.compile(r"[\u4e00-\u9fff]")
FORBIDDEN = re.compile(
    r"sex|gender|ethnic|religio|health|politic|marital|birth|age_of|性别|民族|宗教|健康|婚姻|年龄"
)


WITHOUT_FEATURES = {
    "application",  # what was asked for and answered: another lender's or our own verdict
    "fraud_confirmed",  # teaches a label
    "loan_instalment",  # teaches a label
    "fairness_attributes",  # may be read for fairness tests alone
    "account_freeze",  # read by signals alone, whose document defines it: so are the four below
    "conduct_event",
    "criminal_case",
    "customer_contact",
    "guarantee",
    "social_assistance",  # a group of people that fairness tests protect
}
PRIORS = """
bur_max_dpd_6m bur_max_dpd_12m bur_max_dpd_24m bur_max_dpd_60m bur_overdue_cnt_6m bur_overdue_cnt_12m
bur_overdue_cnt_24m bur_overdue_cnt_60m bur_cur_overdue_amt bur_months_since_overdue_60m bur_bad_accounts_60m
bur_hard_enq_cnt_1m bur_hard_enq_cnt_3m bur_hard_enq_cnt_6m bur_hard_enq_cnt_12m bur_enq_org_cnt_3m
bur_enq_org_cnt_6m bur_enq_org_cnt_12m bur_enq_to_open_gap bur_credit_age bur_card_util bur_monthly_debt_1m
bur_monthly_debt_6m bur_lender_cnt bur_nonbank_share bur_normal_months_3m bur_normal_months_12m
bur_normal_months_24m bur_settled_amt_12m bur_guarantee_amt bur_thin_file bank_inflow_mean_3m bank_inflow_mean_6m
bank_inflow_mean_12m bank_inflow_season_cv_12m bank_net_flow_neg_months_6m bank_net_flow_neg_months_12m
bank_bal_mean_1m bank_bal_mean_3m bank_bal_mean_6m bank_bal_min_1m bank_bal_min_3m bank_bal_min_6m
bank_bal_trend_6m bank_payer_hhi_12m bank_tenure bank_autopay_fail_rate_90d bank_cash_share_6m
bank_night_gambling_flag_6m loan_hist_cnt_good loan_hist_max_dpd_60m loan_early_repay_cnt_24m tax_amt_sum_12m
tax_amt_sum_24m tax_months_filed_12m tax_months_filed_24m tax_sales_yoy_3m tax_sales_yoy_12m tax_grade
tax_arrears_open_3m tax_arrears_24m inv_active_months_12m inv_top5_buyer_share_12m ss_conti_months_12m
ss_conti_months_24m ss_conti_long_60m ss_base ss_base_trend_12m ss_employers_24m hpf_conti_months_12m
hpf_conti_months_24m hpf_monthly_amt hpf_monthly_mean_12m land_cert_area_mu land_transfer_in_mu
land_transfer_years agri_subsidy_amt_12m agri_subsidy_amt_36m agri_subsidy_stable_years_36m agri_insurance_cover
agri_claim_ratio farm_type_price_vol_12m farm_type_price_vol_36m court_defendant_cnt_12m court_defendant_cnt_24m
court_defendant_cnt_60m court_defendant_amt_12m court_defendant_amt_24m court_defendant_amt_60m
court_enforced_open court_enforced_flag_60m court_dishonest_flag court_dishonest_cnt_60m biz_age_months
biz_status_abnormal biz_abnormal_now biz_change_cnt_12m biz_change_cnt_24m util_pay_on_time_12m util_kwh_yoy_3m
util_kwh_yoy_year_12m re_owned_value re_mortgaged_flag veh_owned_cnt veh_value agri_machine_cnt hh_labour_ratio
hh_stability_years service_to_inflow service_to_wage outflow_to_inflow request_to_inflow enq_times_opened
income_agreement data_breadth months_since_any_event village_npl county_gdp_growth village_disaster_12m
inflow_to_village
"""
"""The sixty features with the strongest prior for this kind of credit, the composites and the place's context."""


def test_there_are_at_least_three_hundred_columns_of_every_department() -> None:
    assert len(PLAN.columns) >= 300
    assert set(PRIORS.split()) <= {column.name for column in PLAN.columns}
    shipped = set(PLAN.contracts) - WITHOUT_FEATURES - WITHOUT_FEED
    assert {name.split("@")[0] for name in PLAN.datasets} == shipped


@pytest.mark.parametrize("column", PLAN.columns, ids=lambda column: column.name)
def test_a_column_says_what_it_is_why_it_is_used_and_what_an_applicant_is_told(column) -> None:
    assert HAN.search(column.zh)
    assert re.match(r"[a-zA-Z]", column.en)
    assert not HAN.search(column.en)
    assert column.sign in {-1, 0, 1}
    assert column.rationale.endswith(".")
    reason = PLAN.reasons[column.reason]
    assert HAN.search(reason.zh)
    assert re.search(r"[A-Za-z]{3}", reason.en)
    assert not VAGUE.search(reason.zh)
    assert not VAGUE.search(reason.en)
    assert not FORBIDDEN.search(column.name + column.en + column.zh)


def test_the_plan_is_its_bytes() -> None:
    again = FeaturePlan.load(PLAN.document)
    assert again.digest == PLAN.digest == load_plan([CONTRACTS], [DEFINITIONS]).digest
    assert again.columns == PLAN.columns
    assert again.reasons == PLAN.reasons


@pytest.fixture(scope="module")
def tables(loaded) -> dict[str, EventTable]:
    return loaded.lake.tables(PLAN.contracts, PLAN.datasets)


def matrix_of(tables, subjects, as_of=AS_OF):
    return PLAN.build(tables, subjects, np.full(len(subjects), as_of, dtype=np.int64))


def heads(tables) -> np.ndarray:
    return np.unique(tables["bank_transaction"].subject)


def same(one, other) -> bool:
    return one.values.tobytes() == other.values.tobytes() and one.missing.tobytes() == other.missing.tobytes()


def shuffled(table: EventTable, generator: np.random.Generator) -> EventTable:
    """The rows that are known after ``AS_OF``, with their contents dealt out anew and one of three lost."""
    later = np.flatnonzero(table.known_from > AS_OF)
    dealt = generator.permutation(later)
    columns = {}
    for name, values in table.columns.items():
        new = values.copy()
        new[later] = values[dealt]
        columns[name] = new
    kept = np.ones(len(table), dtype=bool)
    kept[later[generator.random(len(later)) < 0.33]] = False
    return sort_events(dataclasses.replace(table, columns=columns).take(kept))


def test_shuffling_the_future_of_a_whole_city_changes_not_one_feature(tables) -> None:
    generator = np.random.default_rng(1)
    other = {name: shuffled(table, generator) for name, table in tables.items()}
    subjects = heads(tables)
    before, after = matrix_of(tables, subjects), matrix_of(other, subjects)
    assert same(before, after)
    filled = (before.missing == Missing.PRESENT).mean(axis=0)
    assert (filled > 0).mean() > 0.95  # the test looks at something in nearly every column
    year_later = AS_OF + 365 * DAY
    assert not same(matrix_of(tables, subjects, year_later), matrix_of(other, subjects, year_later))


def test_a_correction_of_everything_known_a_day_later_changes_nothing_today(tables) -> None:
    generator = np.random.default_rng(2)
    other = {}
    for name, table in tables.items():
        seen = (table.known_from <= AS_OF) & (table.known_to > AS_OF)
        old = dataclasses.replace(table, known_to=np.where(seen, AS_OF + DAY, table.known_to))
        new = dataclasses.replace(
            table.take(seen), known_from=np.full(seen.sum(), AS_OF + DAY),
            columns={k: v[seen][generator.permutation(int(seen.sum()))] for k, v in table.columns.items()},
        )  # fmt: skip
        joined = {k: np.concatenate([getattr(old, k), getattr(new, k)]) for k in
                  ("subject", "valid_from", "valid_to", "known_from", "known_to", "version")}  # fmt: skip
        columns = {k: np.concatenate([old.columns[k], new.columns[k]]) for k in table.columns}
        other[name] = sort_events(EventTable(**joined, columns=columns))
    subjects = heads(tables)
    assert same(matrix_of(tables, subjects), matrix_of(other, subjects))
    assert not same(matrix_of(tables, subjects, AS_OF + DAY), matrix_of(other, subjects, AS_OF + DAY))


def test_one_subject_alone_is_computed_as_in_the_whole_city(loaded, tables) -> None:
    subjects = heads(tables)
    whole = matrix_of(tables, subjects)
    for place in range(0, len(subjects), 40):
        alone = matrix_of(
            loaded.lake.subject_tables(PLAN.contracts, int(subjects[place]), names=PLAN.datasets),
            subjects[place : place + 1],
        )
        assert same(alone, whole.take(np.array([place])))


def test_one_packed_timeline_of_all_departments_gives_the_bytes_of_the_whole_city(loaded, tables) -> None:
    subjects = heads(tables)
    whole = matrix_of(tables, subjects)
    for place in range(0, len(subjects), 40):
        own = loaded.lake.subject_tables(PLAN.contracts, int(subjects[place]), names=PLAN.datasets)
        packed = matrix_of(unpack(pack(own)), subjects[place : place + 1])
        assert same(packed, whole.take(np.array([place])))


def test_a_department_that_is_not_asked_leaves_every_other_column_alone(tables) -> None:
    subjects = heads(tables)
    whole = matrix_of(tables, subjects)
    for kind in (Missing.SOURCE_DOWN, Missing.NOT_AUTHORISED):
        masked = PLAN.build(
            {k: v for k, v in tables.items() if k != "bank_transaction"}, subjects,
            np.full(len(subjects), AS_OF), {"bank_transaction": kind},
        )  # fmt: skip
        for place, column in enumerate(PLAN.columns):
            if "bank_transaction" in column.dataset.split("+"):
                assert (masked.missing[:, place] >= kind).all()
            else:
                assert masked.values[:, place].tobytes() == whole.values[:, place].tobytes(), column.name
