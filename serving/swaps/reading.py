"""Past applications for a back-test: facts from the lake, scores of the model in force or of a challenger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from features.errors import Invalid
from features.matrix import FeatureMatrix
from features.terminal import Step
from serving import operations
from serving.access.model import Actor, Authority, Permission
from serving.backtest import History, read_history
from serving.clock import wall_clock
from serving.decisions.live import BUNDLE, NothingActive
from serving.governance import committee
from serving.governance.analyst import training_door
from serving.policy.policy import Policy
from serving.registry import repository
from serving.registry import service as registry
from serving.serve import open_store
from serving.settings import Settings
from serving.store.engine import Database
from serving.store.session import Connection, tenant_transaction
from serving.swaps.compare import Band, Past, Side, backtest
from serving.swaps.model import Backtest
from training.bundle import Scorer, load_bundle, probability
from training.portfolio import find_portfolio, load_portfolio
from training.rejects import Method, applicants_of, reject_band
from training.run import Prepared, prepare
from training.sample import Unlearnable

CHUNK = 50_000
"""Rows that are scored at a time."""


class NoModel(Invalid):
    """A policy by rules alone, which a back-test with grades cannot read."""

    def __init__(self, policy: str) -> None:
        super().__init__(
            f"{policy} decides by rules alone; a back-test needs cut-offs by grade.",
            place="--policy",
            remedy="Give a policy of kind credit.",
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """What a back-test compares: policies by file, slot or digest; bundles by file, slot or digest, empty for the
    one in force.
    """

    policy: str
    against: str = "policy"
    model: str = ""
    against_model: str = ""


def run(
    settings: Settings, portfolio_name: str, asked: Asked, *, band: bool = True, progress: Step | None = None
) -> Backtest:
    """`yidai backtest`.

    Raises:
        Invalid, UnknownArtifact, BrokenPolicy, NothingActive: nothing was compared, with the place.
        NoLake: nothing was ingested.
    """
    before, after = (committee.policy_of(settings, name) for name in (asked.against, asked.policy))
    _graded(before, after)
    scorers = [
        _scorer(settings, name or BUNDLE + policy.document.pd_model)
        for name, policy in ((asked.against_model, before), (asked.model, after))
    ]
    return over_past(settings, portfolio_name, (before, after), scorers, band=band, progress=progress)


def try_draft(
    settings: Settings,
    database: Database,
    asker: Authority,
    policies: tuple[Policy, Policy],
    portfolio_name: str,
    progress: Step | None = None,
) -> Backtest:
    """A policy (the second) beside another over past applications, with the models in force, before it is submitted.

    Raises:
        NoModel, NothingActive, NoLake: as ``run``.
    """
    asker.holds(Permission.SUBMIT)
    _graded(*policies)
    with tenant_transaction(database, asker.tenant) as connection:
        active = repository.active(connection, wall_clock())
        scorers = [_in_force(connection, active, policy) for policy in policies]
    return over_past(settings, portfolio_name, policies, scorers, progress=progress, reader=asker.actor)


def over_past(
    settings: Settings,
    portfolio_name: str,
    policies: tuple[Policy, Policy],
    scorers: Sequence[Scorer],
    *,
    band: bool = True,
    progress: Step | None = None,
    reader: Actor | None = None,
) -> Backtest:
    """Two policies, each with its model, over the past applications of a portfolio; see ``run``."""
    tell = progress or (lambda *_: None)
    tell("reading the past applications", 0, 3)
    portfolio = load_portfolio(find_portfolio(portfolio_name))
    door = training_door(settings, portfolio, reader)
    prepared = prepare(portfolio, door=door)
    if door is None:
        raise Invalid(
            "it has no lake of applications.", place=f"portfolio {portfolio_name}", remedy="Use city."
        )
    history = read_history(prepared.rows, portfolio, door)
    past = past_of(history, prepared)
    tell("scoring them", 1, 3)
    sides = [
        side_of(policy, scorer, history.matrix) for policy, scorer in zip(policies, scorers, strict=True)
    ]
    tell("asking what the refused would have done", 2, 3)
    found = band_of(prepared, scorers[1]) if band else Band()
    return backtest(past, sides[0], sides[1], found)


def past_of(history: History, prepared: Prepared) -> Past:
    """The facts of a portfolio's applications as columns."""
    return Past(history.columns, prepared.rows.as_of, history.outcome)


def side_of(policy: Policy, scorer: Scorer, matrix: FeatureMatrix) -> Side:
    """A policy with the scores of all rows, some at a time."""
    chosen = matrix.select(scorer.columns)
    parts = [
        scorer.log_odds(chosen.values[at : at + CHUNK], chosen.missing[at : at + CHUNK])
        for at in range(0, len(chosen.values), CHUNK)
    ]
    pd = probability(np.concatenate(parts), scorer.bundle.scale.floor)
    return Side(policy, scorer.bundle_digest, pd, scorer.bundle.scale.grade(pd).astype(np.int64))


def band_of(prepared: Prepared, scorer: Scorer) -> Band:
    """Between the least and the most that any method says of the refused, over what is said without one."""
    applicants = applicants_of(prepared.rows, scorer.columns)
    if applicants is None or not len(applicants.refused.values):
        return Band()
    try:
        found = reject_band(applicants)
    except Unlearnable:
        return Band()
    plain = next(line.refused for line in found.lines if line.method == Method.NONE)
    tried = ", ".join(line.method for line in found.lines)
    return Band(found.refused[0] / plain, found.refused[1] / plain, f"what {tried} say of the refused")


def _graded(*policies: Policy) -> None:
    for policy in policies:
        if not policy.grades:
            raise NoModel(policy.document.policy)


def _in_force(connection: Connection, active: Mapping[str, str], policy: Policy) -> Scorer:
    slot = BUNDLE + policy.document.pd_model
    if slot not in active:
        raise NothingActive(slot)
    return load_bundle(registry.artifact(connection, active[slot]).data)


def _scorer(settings: Settings, name: str) -> Scorer:
    if Path(name).suffix == ".json":
        return load_bundle(Path(name).read_bytes())
    database = open_store(settings)
    asker = operations.authority(settings, database, Permission.READ_REGISTRY)
    with tenant_transaction(database, asker.tenant) as connection:
        active = repository.active(connection, wall_clock())
        if name.startswith(BUNDLE) and name not in active:
            raise NothingActive(name)
        return load_bundle(registry.artifact(connection, active.get(name, name)).data)
