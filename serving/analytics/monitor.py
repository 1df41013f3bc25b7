"""What `yidai models monitor`, `issues` and `close` do: settings in, values out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.calendar import instant, iso, month_start
from features.errors import Invalid
from serving.access.model import Permission
from serving.analytics.issues import MOST, IssueView
from serving.analytics.opening import open_issues
from serving.cases.overrides import statistics
from serving.clock import wall_clock
from serving.governance.analyst import training_door
from serving.governance.challenge import NoChampion
from serving.governance.exchange import find_bundle
from serving.governance.naming import whole_id
from serving.operations import active, authority
from serving.registry import documents
from serving.registry.model import Kind
from serving.serve import open_store
from serving.services import with_services
from serving.settings import Settings
from serving.store.engine import Database
from serving.store.session import tenant_transaction
from training.bundle import Scorer
from training.evaluation import make_split
from training.monitoring import Monitored, monitor
from training.overrides import OverrideStatistics
from training.portfolio import find_portfolio, load_portfolio
from training.run import Prepared
from training.run import prepare as rows_of


@dataclass(frozen=True, slots=True)
class Looked:
    """The months of a model, the issues that were opened, and how people decided meanwhile, by month."""

    found: Monitored
    opened: int
    overrides: tuple[OverrideStatistics, ...]


class NoTime(Invalid):
    """A portfolio whose rows have no order in time that says where use begins."""

    def __init__(self, portfolio: str) -> None:
        super().__init__(
            f"portfolio {portfolio} is split by folds, so that nothing says where use begins.", place="--since",
            remedy="Name the first day of use: --since 2026-01-01.",
        )  # fmt: skip


class NoRows(Invalid):
    """A first day of use before or after which there is nothing."""

    def __init__(self, as_of: NDArray[np.int64]) -> None:
        told = (
            f"Rows go from {iso(int(as_of.min()))} to {iso(int(as_of.max()))}."
            if len(as_of)
            else "There are no rows."
        )
        super().__init__("there are no rows before it, or none after.", place="--since", remedy=told)


def look(settings: Settings, name: str, portfolio: str, since: str) -> Looked:
    """A version (or what is in force in a slot ``bundle.NAME``) on the rows of a portfolio from a day on, against those before.

    Raises:
        NoChampion, UnknownArtifact: there is no such version.
        NoTime, Invalid: of ``since`` and the portfolio.
    """
    digest = active(settings).get(name, "") if name.startswith("bundle.") else name
    if not digest:
        raise NoChampion(name)
    scorer = find_bundle(settings, digest)
    return look_at(settings, scorer, portfolio, read(settings, portfolio), since, wall_clock())


def read(settings: Settings, portfolio: str) -> Prepared:
    """The rows of a portfolio, as the settings' actor."""
    of = load_portfolio(find_portfolio(portfolio))
    return rows_of(of, door=training_door(settings, of))


def look_at(
    settings: Settings, scorer: Scorer, portfolio: str, prepared: Prepared, since: str, now: int
) -> Looked:
    """A version on rows that were read, at a moment: see ``look``."""
    of = load_portfolio(find_portfolio(portfolio))
    start = instant(since) if since else make_split(prepared.sample, of.file.split).start
    if start is None:
        raise NoTime(of.name)
    rows = prepared.rows
    if not (rows.as_of < start).any() or not (rows.as_of >= start).any():
        raise NoRows(rows.as_of)
    database = open_store(settings)
    asker = authority(settings, database, Permission.SUBMIT)
    with tenant_transaction(database, asker.tenant) as connection:
        limits = documents.in_force(connection, Kind.MONITORING, now)
    found = monitor(scorer, rows.matrix, rows.outcome, rows.as_of, start, iso(start), limits)
    with tenant_transaction(database, asker.tenant) as connection:
        opened = open_issues(connection, asker, found, limits, now)
        overrides = tuple(statistics(connection, *_span(month.month)) for month in found.months)
    return Looked(found, opened, overrides)


def store_of(settings: Settings) -> tuple[Database, str]:
    """The store, and the tenant of the settings' actor."""
    database = open_store(settings)
    return database, authority(settings, database, Permission.SUBMIT).tenant


def listed(settings: Settings, *, closed: bool) -> list[IssueView]:
    """The issues of models in use."""
    database = open_store(settings)
    asker = authority(settings, database, Permission.READ_REGISTRY)
    return with_services(
        settings, database, lambda held: held.analytics.issues(asker, MOST, closed=closed)
    ).issues


def closed(settings: Settings, issue: str, reason: str) -> IssueView:
    """Close one, by the beginning of its id."""
    database = open_store(settings)
    asker = authority(settings, database, Permission.SUBMIT)
    name = whole_id(database, asker.tenant, "issue", issue)
    return with_services(settings, database, lambda held: held.analytics.close(asker, name, reason))


def _span(month: str) -> tuple[int, int]:
    year, number = map(int, month.split("-"))
    index = (year - 1970) * 12 + number - 1
    return int(month_start(index)), int(month_start(index + 1))
