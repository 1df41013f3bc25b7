"""What would help an applicant: the least change in what they can act on, told only after it was decided again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import as_file, files

import msgspec
import numpy as np

from features.contracts.model import Text
from features.matrix import Column, FeatureMatrix, Missing
from serving.decisions.case import Case
from serving.decisions.decider import Decision, decide
from serving.decisions.live import Live
from serving.decisions.receipt import Receipt
from serving.offers.offer import Offer
from serving.policy import facts as names
from serving.policy.days import day_of
from serving.policy.model import Outcome, PriceRow
from serving.policy.terms import ReadyTables
from training.actions import Actions, Taken, read_actions
from training.bounds import greatest_score
from training.bundle import FIXED
from training.counterfactual import counterfactual

AMOUNT, TERM = "req_amount", "req_term_months"
"""The features that are the request itself."""
MOST = 4


def helps_of(receipt: Receipt, live: Live, actions: Actions) -> tuple[Text, ...]:
    """Sentences for the applicant; () where a rule decides, nothing can be acted on, or nothing found helps.

    A declined or referred case is led to the worst grade that is approved, an approved one to the next grade that
    pays less. What is found is decided by the very policy that decided, as of the same moment.
    """
    tables, answer = live.policy.tables, receipt.answer
    if tables is None or not answer.get("score") or receipt.struck:
        return ()
    grade = _target(tables, receipt)
    if grade is None:
        return ()
    row = row_of(receipt, live.plan.columns)
    model = str(answer["score"]["model"])
    scorer = live.scorers[model]
    most = greatest_score(scorer.bundle.scale, grade) - _lifted(receipt)
    found = counterfactual(scorer, actions, row.values[0], row.missing[0], most, live.plan.recompose)
    if not found.reached or not found.taken:
        return ()
    again = _again(receipt, live, row, found.taken)
    if not _better(again, receipt):
        return ()
    moved = _moved(receipt, again, model)
    return tuple(_told(one, moved, live.plan.columns) for one in found.taken[:MOST])


def row_of(receipt: Receipt, columns: Sequence[Column]) -> FeatureMatrix:
    """The features of a receipt as the one row that they were."""
    known = [receipt.facts[column.name] for column in columns]
    values = np.array([[0.0 if isinstance(value, str) else float(value) for value in known]])
    missing = np.array([[Missing[value] if isinstance(value, str) else 0 for value in known]], dtype=np.uint8)
    return FeatureMatrix(tuple(columns), values, missing)


@lru_cache(maxsize=4)
def actions_of(portfolio: str, columns: tuple[Column, ...]) -> Actions | None:
    """The actions that are shipped with a portfolio; None where it has none.

    Raises:
        BrokenDocument, BrokenAction: a file that does not fit the definitions.
    """
    file = files("training") / "portfolios" / portfolio / "actions.yaml"
    if not file.is_file():
        return None
    with as_file(file) as path:
        return read_actions(path, columns)


def _target(tables: ReadyTables, receipt: Receipt) -> int | None:
    """The grade to reach; None where there is none."""
    case, answer = receipt.case, receipt.answer
    day, own = day_of(case.decided_at), int(answer["grade"])

    def outcome(grade: int) -> Outcome:
        return tables.cutoff(case.asked.product, answer["segment"], grade, day).outcome

    def price(grade: int) -> PriceRow:
        return tables.terms(case.asked.product, answer["segment"], grade, case.asked.term_months, day).price

    def cheaper(grade: int) -> bool:
        return price(grade).rate_ppm < price(own).rate_ppm or price(own).cost is not None

    approved = [grade for grade in range(1, own) if outcome(grade) is Outcome.APPROVE]
    if answer["outcome"] == Outcome.APPROVE.value:
        if answer["stream"] != "policy":
            return None
        approved = [grade for grade in approved if cheaper(grade)]
    return max(approved, default=None)


def _lifted(receipt: Receipt) -> int:
    """By how much, in 1e-9 logits, withheld sources lift the score that is graded over the score itself."""
    graded, pd = receipt.answer.get("graded_pd"), receipt.answer["pd"]
    if not graded:
        return 0
    logits = [np.log(p / (1 - p)) for p in (graded, pd)]
    return int(np.ceil((logits[0] - logits[1]) * FIXED)) + 1


def _again(receipt: Receipt, live: Live, row: FeatureMatrix, taken: Sequence[Taken]) -> Decision:
    """The case decided with these changes."""
    values, missing = row.values.copy(), row.missing.copy()
    at = {column.name: place for place, column in enumerate(row.columns)}
    case = receipt.case
    for change in (change for one in taken for change in one.changes):
        values[0, at[change.feature]] = change.after
        case = _asked(case, change.feature, change.after)
    live.plan.recompose(values, missing)
    sources = int(receipt.facts[names.SOURCES])
    return decide(case, FeatureMatrix(row.columns, values, missing), sources, live, b"")


def _asked(case: Case, feature: str, value: float) -> Case:
    asked = case.asked
    if feature == AMOUNT:
        asked = msgspec.structs.replace(asked, amount_fen=round(value * 100))
    if feature == TERM:
        asked = msgspec.structs.replace(asked, term_months=round(value))
    return msgspec.structs.replace(case, asked=asked, random_budget=False)


def _better(again: Decision, receipt: Receipt) -> bool:
    """Approved where it was not, or approved at a lower rate."""
    offer = again.answer.offer
    if again.answer.outcome is not Outcome.APPROVE or not isinstance(offer, Offer):
        return False
    if receipt.answer["outcome"] != Outcome.APPROVE.value:
        return True
    return offer.annual_rate_ppm < int(receipt.answer["annual_rate_ppm"])


def _moved(receipt: Receipt, again: Decision, model: str) -> dict[str, int]:
    """By how much each feature's part of the score fell, in 1e-9 logits."""
    before, after = receipt.scores[model].contributions, again.scores[model].contributions
    return {name: value - after[name] for name, value in before.items()}


def _told(one: Taken, moved: Mapping[str, int], columns: Sequence[Column]) -> Text:
    """An action with the feature by which it counts most."""
    change = max(one.changes, key=lambda change: moved.get(change.feature, 0))
    column = next(column for column in columns if column.name == change.feature)
    span = f"{change.before:,.10g} → {change.after:,.10g}"
    return Text(f"{one.text.zh}（{column.zh}：{span}）", f"{one.text.en} ({column.en}: {span})")
