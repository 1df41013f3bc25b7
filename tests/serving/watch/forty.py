"""The forty signals as a table: what raises each, what just does not, and which value it cannot do without.

A line is: number, code, the gravest level of its default trigger, values at the threshold, values just beside it (with the
level that they still raise), and the value whose absence leaves the first values undecided.
"""

from __future__ import annotations

from typing import NamedTuple

Told = dict[str, float]


class Line(NamedTuple):
    """One signal."""

    number: int
    code: str
    level: str
    at: Told
    beside: Told
    still: str
    without: str


RED, ORANGE, YELLOW, NONE = "red", "orange", "yellow", "none"
FORTY = (
    Line(1, "dpd_open", RED, {"dpd": 30}, {"dpd": 29}, ORANGE, "dpd"),
    Line(1, "dpd_open", ORANGE, {"dpd": 7}, {"dpd": 6}, YELLOW, "dpd"),
    Line(1, "dpd_open", YELLOW, {"dpd": 1}, {"dpd": 0}, NONE, "dpd"),
    Line(2, "dpd_cross_band", RED, {"dpd": 30, "dpd@1m": 29}, {"dpd": 31, "dpd@1m": 30}, NONE, "dpd@1m"),
    Line(2, "dpd_cross_band", RED, {"dpd": 90, "dpd@1m": 62}, {"dpd": 89, "dpd@1m": 62}, NONE, "dpd"),
    Line(2, "dpd_cross_band", RED, {"dpd": 270, "dpd@1m": 269}, {"dpd": 269, "dpd@1m": 240}, NONE, "dpd"),
    Line(2, "dpd_cross_band", RED, {"dpd": 360, "dpd@1m": 359}, {"dpd": 390, "dpd@1m": 360}, NONE, "dpd@1m"),
    Line(3, "repay_delay_count", ORANGE, {"sig_short_delays_6m": 2}, {"sig_short_delays_6m": 1}, NONE, "sig_short_delays_6m"),
    Line(4, "autopay_fail", ORANGE, {"bank_autopay_fail_rate_90d": 0.3, "bank_autopay_fail_cnt_90d": 1},
         {"bank_autopay_fail_rate_90d": 0.29, "bank_autopay_fail_cnt_90d": 1}, YELLOW, ""),
    Line(4, "autopay_fail", YELLOW, {"bank_autopay_fail_rate_90d": 0.1, "bank_autopay_fail_cnt_90d": 1},
         {"bank_autopay_fail_rate_90d": 0, "bank_autopay_fail_cnt_90d": 0}, NONE, "bank_autopay_fail_cnt_90d"),
    Line(5, "interest_arrears", ORANGE, {"interest_overdue_yuan": 0.01, "interest_dpd": 4},
         {"interest_overdue_yuan": 900, "interest_dpd": 3}, NONE, "interest_dpd"),
    Line(6, "balance_drop", ORANGE, {"bank_bal_mean_1m": 499, "bank_bal_mean_1m@1m": 1000},
         {"bank_bal_mean_1m": 500, "bank_bal_mean_1m@1m": 1000}, NONE, "bank_bal_mean_1m@1m"),
    Line(7, "turnover_drop", ORANGE, {"bank_inflow_yoy_3m": -0.3}, {"bank_inflow_yoy_3m": -0.29}, NONE, "bank_inflow_yoy_3m"),
    Line(8, "inflow_stop", RED, {"sig_main_inflow_45d": 0, "sig_main_inflow_45d@12m": 1, "sig_main_inflow_months_6m": 1},
         {"sig_main_inflow_45d": 0, "sig_main_inflow_45d@12m": 0, "sig_main_inflow_months_6m": 1}, NONE, "sig_main_inflow_45d@12m"),
    Line(9, "account_frozen", RED, {"sig_frozen_now": 1}, {"sig_frozen_now": 0}, NONE, "sig_frozen_now"),
    Line(10, "fund_backflow", RED, {"sig_backflow_share_90d": 0.3}, {"sig_backflow_share_90d": 0.29}, NONE, "sig_backflow_share_90d"),
    Line(11, "use_deviation", RED, {"sig_deviation_cnt_90d": 1}, {"sig_deviation_cnt_90d": 0}, NONE, "sig_deviation_cnt_90d"),
    Line(12, "split_disburse", ORANGE, {"sig_split_payees_90d": 6, "sig_split_share_90d": 0.9},
         {"sig_split_payees_90d": 5, "sig_split_share_90d": 1.0}, NONE, "sig_split_share_90d"),
    Line(13, "multi_loan_same_account", RED, {"sig_shared_payee_90d": 3}, {"sig_shared_payee_90d": 2}, NONE, "sig_shared_payee_90d"),
    Line(14, "batch_same_repay", RED, {"sig_shared_payer_90d": 3}, {"sig_shared_payer_90d": 2}, NONE, "sig_shared_payer_90d"),
    Line(15, "refinance_to_repay", ORANGE, {"sig_refinanced_cnt_90d": 1}, {"sig_refinanced_cnt_90d": 0}, NONE, "sig_refinanced_cnt_90d"),
    Line(16, "util_high", ORANGE, {"bur_card_util": 0.81, "bur_card_util@1m": 0.81}, {"bur_card_util": 0.95, "bur_card_util@1m": 0.8}, NONE, "bur_card_util@1m"),
    Line(17, "enq_surge", ORANGE, {"mob": 1, "bur_hard_enq_cnt_1m": 4, "bur_hard_enq_cnt_3m": 4},
         {"mob": 1, "bur_hard_enq_cnt_1m": 3, "bur_hard_enq_cnt_3m": 9}, NONE, "bur_hard_enq_cnt_1m"),
    Line(17, "enq_surge", ORANGE, {"mob": 3, "bur_hard_enq_cnt_1m": 0, "bur_hard_enq_cnt_3m": 6},
         {"mob": 3, "bur_hard_enq_cnt_1m": 0, "bur_hard_enq_cnt_3m": 5}, NONE, "mob"),
    Line(18, "new_multi_lender", ORANGE, {"mob": 3, "sig_new_nonbank_lenders_3m": 2, "sig_new_online_loans_1m": 0},
         {"mob": 2, "sig_new_nonbank_lenders_3m": 2, "sig_new_online_loans_1m": 0}, NONE, "sig_new_nonbank_lenders_3m"),
    Line(18, "new_multi_lender", ORANGE, {"mob": 1, "sig_new_nonbank_lenders_3m": 0, "sig_new_online_loans_1m": 3},
         {"mob": 1, "sig_new_nonbank_lenders_3m": 0, "sig_new_online_loans_1m": 2}, NONE, "sig_new_online_loans_1m"),
    Line(19, "other_bank_overdue", RED, {"bur_cur_overdue_amt": 1000.01}, {"bur_cur_overdue_amt": 1000}, NONE, "bur_cur_overdue_amt"),
    Line(20, "nonbank_share", ORANGE, {"sig_nonbank_debt_share": 0.51, "sig_largest_loan": 1, "sig_smallest_loan": 1},
         {"sig_nonbank_debt_share": 0.5, "sig_largest_loan": 10, "sig_smallest_loan": 1}, NONE, "sig_nonbank_debt_share"),
    Line(20, "nonbank_share", ORANGE, {"sig_nonbank_debt_share": 0, "sig_largest_loan": 11, "sig_smallest_loan": 1},
         {"sig_nonbank_debt_share": 0, "sig_largest_loan": 11, "sig_smallest_loan": 0}, NONE, "sig_largest_loan"),
    Line(21, "debt_cash_ratio", ORANGE, {"sig_new_debt_1m": 12001, "sig_operating_inflow_1m": 10000},
         {"sig_new_debt_1m": 12000, "sig_operating_inflow_1m": 10000}, NONE, "sig_operating_inflow_1m"),
    Line(22, "guarantee_excess", ORANGE, {"bur_guarantee_amt": 201, "sig_net_worth": 100, "sig_guarantee_ring": 2},
         {"bur_guarantee_amt": 200, "sig_net_worth": 100, "sig_guarantee_ring": 2}, NONE, "sig_net_worth"),
    Line(22, "guarantee_excess", ORANGE, {"bur_guarantee_amt": 0, "sig_net_worth": -5, "sig_guarantee_ring": 3},
         {"bur_guarantee_amt": 0, "sig_net_worth": -5, "sig_guarantee_ring": 2}, NONE, "sig_guarantee_ring"),
    Line(23, "guarantor_weak", ORANGE, {"guarantor_red": 1}, {"guarantor_red": 0}, NONE, "guarantor_red"),
    Line(24, "court_litigation", RED, {"sig_new_cases_6m": 1, "sig_new_cases_amt_6m": 1001, "limit_yuan": 10000},
         {"sig_new_cases_6m": 1, "sig_new_cases_amt_6m": 1000, "limit_yuan": 10000}, ORANGE, ""),
    Line(24, "court_litigation", ORANGE, {"sig_new_cases_6m": 1, "sig_new_cases_amt_6m": 5, "limit_yuan": 10000},
         {"sig_new_cases_6m": 0, "sig_new_cases_amt_6m": 0, "limit_yuan": 10000}, NONE, "sig_new_cases_6m"),
    Line(25, "court_enforced", RED, {"court_enforced_cnt_12m": 1}, {"court_enforced_cnt_12m": 0}, NONE, "court_enforced_cnt_12m"),
    Line(26, "court_dishonest", RED, {"court_dishonest_flag": 1}, {"court_dishonest_flag": 0}, NONE, "court_dishonest_flag"),
    Line(27, "admin_penalty", ORANGE, {"pen_cnt_12m": 1, "pen_amt_12m": 10001}, {"pen_cnt_12m": 3, "pen_amt_12m": 10000}, NONE, "pen_amt_12m"),
    Line(28, "convicted", RED, {"sig_criminal_60m": 1}, {"sig_criminal_60m": 0}, NONE, "sig_criminal_60m"),
    Line(29, "biz_abnormal", RED, {"biz_abnormal_now": 1, "sig_firm_ended_12m": 0}, {"biz_abnormal_now": 0, "sig_firm_ended_12m": 0}, NONE, "biz_abnormal_now"),
    Line(29, "biz_abnormal", RED, {"biz_abnormal_now": 0, "sig_firm_ended_12m": 1}, {"biz_abnormal_now": 0, "sig_firm_ended_12m": 0}, NONE, "sig_firm_ended_12m"),
    Line(30, "biz_change", ORANGE, {"sig_firm_changes_6m": 2, "sig_firm_legal_changes_6m": 0}, {"sig_firm_changes_6m": 1, "sig_firm_legal_changes_6m": 0}, NONE, "sig_firm_changes_6m"),
    Line(30, "biz_change", ORANGE, {"sig_firm_changes_6m": 1, "sig_firm_legal_changes_6m": 1}, {"sig_firm_changes_6m": 0, "sig_firm_legal_changes_6m": 0}, NONE, "sig_firm_legal_changes_6m"),
    Line(31, "tax_drop", ORANGE, {"tax_sales_yoy_3m": -0.3, "inv_sales_yoy_3m": 0}, {"tax_sales_yoy_3m": -0.29, "inv_sales_yoy_3m": -0.29}, NONE, "tax_sales_yoy_3m"),
    Line(31, "tax_drop", ORANGE, {"tax_sales_yoy_3m": 0, "inv_sales_yoy_3m": -0.3}, {"tax_sales_yoy_3m": 0, "inv_sales_yoy_3m": 0.1}, NONE, "inv_sales_yoy_3m"),
    Line(32, "tax_arrears", RED, {"sig_tax_arrears_months_since": 1, "tax_late_cnt_6m": 0, "tax_grade_points": 3},
         {"sig_tax_arrears_months_since": 6, "tax_late_cnt_6m": 1, "tax_grade_points": 3}, NONE, "sig_tax_arrears_months_since"),
    Line(32, "tax_arrears", RED, {"sig_tax_arrears_months_since": 9, "tax_late_cnt_6m": 2, "tax_grade_points": 3},
         {"sig_tax_arrears_months_since": 0.9, "tax_late_cnt_6m": 1, "tax_grade_points": 3}, NONE, "tax_late_cnt_6m"),
    Line(32, "tax_arrears", RED, {"sig_tax_arrears_months_since": 9, "tax_late_cnt_6m": 0, "tax_grade_points": 2},
         {"sig_tax_arrears_months_since": 9, "tax_late_cnt_6m": 0, "tax_grade_points": 3}, NONE, "tax_grade_points"),
    Line(33, "ss_stop", ORANGE, {"ss_months_since_paid": 4, "biz_employees": 9, "biz_employees@3m": 9},
         {"ss_months_since_paid": 3.9, "biz_employees": 9, "biz_employees@3m": 9}, NONE, "ss_months_since_paid"),
    Line(33, "ss_stop", ORANGE, {"ss_months_since_paid": 1, "biz_employees": 7, "biz_employees@3m": 10},
         {"ss_months_since_paid": 13, "biz_employees": 8, "biz_employees@3m": 10}, NONE, "biz_employees"),
    Line(34, "hpf_stop", ORANGE, {"hpf_months_since_paid": 4, "hpf_base": 9, "hpf_base@3m": 9},
         {"hpf_months_since_paid": 3.9, "hpf_base": 9, "hpf_base@3m": 9}, NONE, "hpf_months_since_paid"),
    Line(34, "hpf_stop", ORANGE, {"hpf_months_since_paid": 1, "hpf_base": 7000, "hpf_base@3m": 10000},
         {"hpf_months_since_paid": 1, "hpf_base": 7001, "hpf_base@3m": 10000}, NONE, "hpf_base@3m"),
    Line(35, "utility_drop", ORANGE, {"util_kwh_yoy_3m": -0.4, "water_volume_yoy_3m": 0, "sig_power_unpaid_3m": 0, "sig_water_unpaid_3m": 0},
         {"util_kwh_yoy_3m": -0.39, "water_volume_yoy_3m": -0.39, "sig_power_unpaid_3m": 1, "sig_water_unpaid_3m": 1}, NONE, "util_kwh_yoy_3m"),
    Line(35, "utility_drop", ORANGE, {"util_kwh_yoy_3m": 0, "water_volume_yoy_3m": 0, "sig_power_unpaid_3m": 2, "sig_water_unpaid_3m": 0},
         {"util_kwh_yoy_3m": 0, "water_volume_yoy_3m": 0, "sig_power_unpaid_3m": 1, "sig_water_unpaid_3m": 0}, NONE, "sig_power_unpaid_3m"),
    Line(36, "subsidy_stop", ORANGE, {"agri_subsidy_area_mu": 7, "agri_subsidy_area_mu@12m": 10, "agri_subsidy_cnt_12m@12m": 1, "sig_subsidy_cnt_18m": 1, "land_plots": 2, "land_plots@12m": 2},
         {"agri_subsidy_area_mu": 7.1, "agri_subsidy_area_mu@12m": 10, "agri_subsidy_cnt_12m@12m": 1, "sig_subsidy_cnt_18m": 1, "land_plots": 2, "land_plots@12m": 2}, NONE, "agri_subsidy_area_mu"),
    Line(36, "subsidy_stop", ORANGE, {"agri_subsidy_area_mu": 10, "agri_subsidy_area_mu@12m": 10, "agri_subsidy_cnt_12m@12m": 1, "sig_subsidy_cnt_18m": 1, "land_plots": 1, "land_plots@12m": 2},
         {"agri_subsidy_area_mu": 10, "agri_subsidy_area_mu@12m": 10, "agri_subsidy_cnt_12m@12m": 0, "sig_subsidy_cnt_18m": 0, "land_plots": 2, "land_plots@12m": 2}, NONE, "land_plots"),
    Line(37, "agri_insurance_lapse", ORANGE, {"sig_policies_now": 0, "sig_policies_now@12m": 1}, {"sig_policies_now": 1, "sig_policies_now@12m": 1}, NONE, "sig_policies_now@12m"),
    Line(38, "disaster_epidemic", ORANGE, {"sig_weather_warning_3m": 3, "farm_price_change": 0}, {"sig_weather_warning_3m": 2, "farm_price_change": -0.24}, NONE, "sig_weather_warning_3m"),
    Line(38, "disaster_epidemic", ORANGE, {"sig_weather_warning_3m": 0, "farm_price_change": -0.25}, {"sig_weather_warning_3m": 0, "farm_price_change": 0}, NONE, "farm_price_change"),
    Line(39, "contact_lost", RED, {"sig_failed_contacts_7d": 3, "sig_contact_cut_90d": 0}, {"sig_failed_contacts_7d": 2, "sig_contact_cut_90d": 0}, NONE, "sig_failed_contacts_7d"),
    Line(39, "contact_lost", RED, {"sig_failed_contacts_7d": 0, "sig_contact_cut_90d": 1}, {"sig_failed_contacts_7d": 0, "sig_contact_cut_90d": 0}, NONE, "sig_contact_cut_90d"),
    Line(40, "score_drop", ORANGE, {"pd_now": 0.04, "pd_grant": 0.02, "grade_now": 5, "grade_grant": 3, "warning_decile": 9, "warning_decile@1m": 9},
         {"pd_now": 0.039, "pd_grant": 0.02, "grade_now": 6, "grade_grant": 3, "warning_decile": 10, "warning_decile@1m": 9}, NONE, "pd_grant"),
    Line(40, "score_drop", RED, {"pd_now": 0.04, "pd_grant": 0.02, "grade_now": 5, "grade_grant": 3, "warning_decile": 10, "warning_decile@1m": 10},
         {"pd_now": 0.01, "pd_grant": 0.02, "grade_now": 5, "grade_grant": 4, "warning_decile": 10, "warning_decile@1m": 10}, ORANGE, ""),
)  # fmt: skip
