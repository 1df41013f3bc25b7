"""A book at a month's end: three fields that stay three, evidence, and records with an old date."""

from __future__ import annotations

import numpy as np

from features.calendar import instant
from features.loans.model import Kind
from features.loans.whole import whole_book
from serving.classes.standing import (
    bad_share,
    conduct,
    hazard_of_rolls,
    past_books,
    roll_rates,
    standing,
)
from tests.serving.classes.book import AMOUNT, book_of, drawn, event, judged, monthly, paid


def test_classes_stages_and_losses_of_a_small_book() -> None:
    lives = {
        1: [drawn(), *paid("2024-02", 6)],
        2: [drawn(), *paid("2024-02", 5)],
        3: [drawn(), *paid("2024-02", 2)],
        4: [drawn()],
    }
    found = judged(book_of(lives), "2024-08-01")
    assert found.rank.tolist() == [0, 1, 2, 2]
    assert found.stage.tolist() == [1, 2, 3, 3]
    assert (found.ecl[0], found.ecl[1]) == (found.year[0], found.life[1])
    assert [rule.code for rule in found.classes.decisive()[2]] == ["overdue_90", "borrower_bad", "overdue"]
    later = judged(book_of(lives), "2025-02-10")
    assert later.rank.tolist() == [2, 2, 3, 4]
    assert later.ecl[3] / (AMOUNT) > 0.9


def test_an_alert_moves_the_stage_and_not_the_class() -> None:
    tables = book_of({1: [drawn(), *paid("2024-02", 6)]})
    quiet, yellow, orange = (judged(tables, "2024-08-01", alerts=[rank]) for rank in (0, 1, 2))
    assert [each.rank[0] for each in (quiet, yellow, orange)] == [0, 0, 0]
    assert [each.stage[0] for each in (quiet, yellow, orange)] == [1, 1, 2]
    assert orange.ecl[0] > quiet.ecl[0]


def test_a_probability_that_doubled_is_a_significant_increase() -> None:
    tables = book_of({code: [drawn(), *paid("2024-02", 6)] for code in (1, 2, 3, 4)})
    pd = {"pd_now": [0.04, 0.0399, 0.018, float("nan")], "pd_grant": [0.02, 0.02, 0.005, 0.02]}
    assert judged(tables, "2024-08-01", **pd).stage.tolist() == [2, 1, 1, 1]
    assert judged(tables, "2024-08-01", **pd).skipped["pd_doubled"] == 1


def test_a_loan_that_pays_up_stays_until_it_has_shown_enough() -> None:
    late = [event(50, Kind.PAYMENT, "2024-07-20T12:00:00", 6 * (AMOUNT // 24 + 1_000))]
    lives = {1: [drawn(), *late, *paid("2024-08", 5), *paid("2025-01", 8, start=200)]}
    tables = book_of(lives)
    held = judged(tables, "2024-12-01", ([2], [3]))
    assert (held.rank[0], held.raised_rank[0], held.held_by(0)) == (2, 0, "REG-RC-07")
    assert (held.conduct.months[0], held.conduct.periods[0]) == (4, 4)
    assert judged(tables, "2025-01-21", ([2], [3])).rank[0] == 1
    assert judged(tables, "2025-01-19", ([2], [3])).rank[0] == 2
    assert judged(tables, "2025-01-21", ([2], [3])).held_by(0) == "REG-RC-07"


def test_a_restructured_loan_is_observed_and_says_so() -> None:
    again = event(60, Kind.RESTRUCTURING, "2024-06-05T10:00:00", schedule=monthly("2024-07", 24, AMOUNT))
    lives = {
        1: [
            drawn(),
            again,
            *[
                event(300 + k, Kind.PAYMENT, f"2024-{7 + k:02d}-09T12:00:00", AMOUNT // 24 + 1_000)
                for k in range(6)
            ],
        ]
    }
    found = judged(book_of(lives), "2025-01-01")
    assert (found.rank[0], found.stage[0]) == (1, 2)
    assert "restructured" in [rule.code for rule in found.classes.decisive()[0]]
    facts = standing(book_of(lives), np.array([1]), instant("2025-01-01"))
    assert facts.restructured_months.tolist() == [6.0]
    assert facts.month.tolist() == list(range(18))
    assert int(facts.principal.sum()) == AMOUNT * 18 // 24


def test_a_payment_with_an_old_date_takes_the_class_back_for_who_asks_later() -> None:
    lives = {
        1: [
            drawn(),
            event(
                90,
                Kind.PAYMENT,
                "2024-08-09T12:00:00",
                7 * (AMOUNT // 24 + 1_000),
                known="2024-09-15T09:00:00",
            ),
        ]
    }
    tables = book_of(lives)
    assert judged(tables, "2024-09-01").rank[0] == 2
    assert judged(tables, "2024-10-01").rank[0] == 1
    assert judged(tables, "2024-09-01").rank[0] == 2


def test_what_a_borrower_owes_elsewhere_in_the_book_is_shared() -> None:
    tables = book_of({1: [drawn()], 2: [drawn(), *paid("2024-02", 6)]})
    whole = whole_book(tables, instant("2024-08-01"))
    whole.subject[:] = 7
    share = bad_share(whole, 90)
    assert share[0] == share[1] == AMOUNT / (AMOUNT + AMOUNT * 18 / 24)
    assert bad_share(whole, 9_999).tolist() == [0.0, 0.0]


def test_conduct_is_asked_of_chosen_loans_only() -> None:
    tables = book_of({1: [drawn(), *paid("2024-02", 6)], 2: [drawn()], 3: [drawn(), *paid("2024-02", 6)]})
    whole = whole_book(tables, instant("2024-08-01"))
    chosen = np.array([True, True, False])
    found = conduct(tables, whole, chosen, np.zeros(3, dtype=bool), instant("2024-08-01"))
    assert (found.months.tolist(), found.periods.tolist()) == ([5, 0, 0], [5, 0, 0])


def test_roll_rates_are_chances_and_default_is_not_left() -> None:
    lives = {code: [drawn(), *paid("2024-02", code)] for code in range(7)}
    rolls = roll_rates(past_books(book_of(lives), instant("2024-11-01"), 6))
    assert np.allclose(rolls.sum(axis=1), 1.0)
    assert rolls[-1].tolist() == [0, 0, 0, 0, 1]
    hazard = hazard_of_rolls(rolls, 240)
    assert ((hazard >= 0) & (hazard <= 1)).all()
    assert (hazard[-1] == 1).all()
    alive, state = np.cumprod(1 - hazard, axis=1), np.linalg.matrix_power(rolls, 12)
    assert np.allclose(1 - alive[:, 11], state[:, -1])


def test_no_loans_are_no_work() -> None:
    found = judged(book_of({1: [drawn()]}), "2024-01-01")
    assert (len(found.rank), len(found.ecl)) == (0, 0)


def test_a_warning_models_pd_stands_instead_of_roll_rates_where_nothing_is_late() -> None:
    lives = {code: [drawn(), *paid("2024-02", 6)] for code in (1, 2, 3)} | {4: [drawn(), *paid("2024-02", 5)]}
    tables = book_of(lives)
    plain = judged(tables, "2024-08-01")
    found = judged(tables, "2024-08-01", warning_pd_12m=[0.05, 0.2, float("nan"), 0.9])
    assert found.ecl[0] < found.ecl[1]
    assert found.year.tolist()[2:] == plain.year.tolist()[2:]  # not known; late
    # the loan repays over 18 months: a year's loss is below PD times share lost times balance
    assert 0 < found.year[0] < 0.05 * 1.3 * 0.45 * AMOUNT * 18 / 24
