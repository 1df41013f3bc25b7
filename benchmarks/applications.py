"""A sample city's applications as cases, ready to be decided under the default policy: what two benchmarks share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import numpy as np

from benchmarks.lift import city
from features.canonical import digest
from features.matrix import FeatureMatrix
from serving.backtest import History, read_history
from serving.decisions.case import Case, CaseConsent, CaseSubject
from serving.decisions.live import Live, compile_live
from serving.decisions.schemas import Asked
from serving.policy import facts as names
from serving.policy.load import CITY, policy_from_yaml
from training.bundle import dump_bundle
from training.models import ModelName, Origin, train
from training.run import Prepared, lake_door

CHECKS = {"identity": "passed", "aml": "clear"}
_YEARS = 10 * 365 * 86_400 * 1_000_000


@dataclass(frozen=True)
class Applications:
    """Cases in order of time, with a row of features and the number of sources each; ``bad`` by the city's truth."""

    cases: list[Case]
    matrix: FeatureMatrix
    sources: list[int]
    bad: np.ndarray
    live: Live


def applications(folder: Path, learned: int, judged: int) -> Applications:
    """Models of one city, and all applications of another one, whose seed no model has seen."""
    prepared, _ = city(folder / "learned", learned, shifted=False, seed=1)
    live = live_of(prepared)
    prepared, truth = city(folder / "judged", judged, shifted=False, seed=9001)
    door = lake_door(prepared.portfolio, folder / "judged" / "lake", 0)
    history = read_history(prepared.rows, prepared.portfolio, door)
    order = np.argsort(prepared.rows.as_of, kind="stable")
    cases = [_case(prepared, history, live, int(row)) for row in order]
    return Applications(
        cases, history.matrix.take(order), history.sources[order].tolist(), truth["bad"][order], live
    )


def live_of(prepared: Prepared) -> Live:
    """The default policy with a scorecard and a booster of these loans."""
    origin = Origin("city", "credit_approval", prepared.portfolio.plan.digest, 0)
    parts = {"policy": policy_from_yaml(CITY).data, "definitions": prepared.portfolio.plan.document}
    for model in (ModelName.RATING, ModelName.RISK):
        parts[f"bundle.{model.value}"] = dump_bundle(train(model, prepared.sample, origin))
    slots = {slot: digest(data) for slot, data in parts.items()}
    return compile_live(slots, {slots[slot]: data for slot, data in parts.items()})


def _case(prepared: Prepared, history: History, live: Live, row: int) -> Case:
    """An application with every consent and passed checks, decided at its own moment."""

    def fact(name: str):
        return history.facts[name].values[row]

    now, subject = int(prepared.rows.as_of[row]), int(prepared.rows.subject[row])
    categories = tuple(sorted({contract.consent_category for contract in live.plan.contracts.values()}))
    asked = Asked(
        "consumer", int(fact(names.AMOUNT)), int(fact(names.TERM)), str(fact(names.PURPOSE)), "city", CHECKS
    )
    ages = int(fact(names.AGE)), int(fact(names.AGE_AT_END))
    return Case(
        str(UUID(int=row, version=4)), "city", str(UUID(int=1)), "benchmark", asked, CaseSubject("person", subject, 1, *ages),
        CaseConsent(str(UUID(int=subject)), "credit_assessment", categories, now - _YEARS, now + _YEARS), now, now, {}, True,
        "0" * 16, lists=dict.fromkeys(live.policy.lists, -1),
    )  # fmt: skip
