"""What `yidai models monitor`, `issues` and `close` do: settings in, values out."""

from __future__ import annotations

from dataclasses import dataclass

from features.calendar import instant, iso, month_start
from features.errors import Invalid
from serving.access.model import Permission
from serving.analyst import training_door
from serving.analytics.issues import IssueRow, close, issues, open_issues
from serving.cases.overrides import statistics
from serving.challenge import NoChampion
from serving.clock import wall_clock
from serving.exchange import find_bundle
from serving.naming import whole_id
from serving.operations import active, authority
from serving.serve import open_store
from serving.settings import Settings
from serving.store.session import tenant_transaction
from training.evaluation import make_split
from training.monitoring import Monitored, load_limits, monitor
from training.overrides import OverrideStatistics
from training.portfolio import find_portfolio, load_portfolio
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
    of = load_portfolio(find_portfolio(portfolio))
    prepared = rows_of(of, door=training_door(settings, of))
    start = instant(since) if since else make_split(prepared.sample, of.file.split).start
    if start is None:
        raise NoTime(of.name)
    rows, limits = prepared.rows, load_limits()
    if not (rows.as_of < start).any() or not (rows.as_of >= start).any():
        told = f"Rows go from {iso(int(rows.as_of.min()))} to {iso(int(rows.as_of.max()))}."
        raise Invalid("there are no rows before it, or none after.", place="--since", remedy=told)
    found = monitor(scorer, rows.matrix, rows.outcome, rows.as_of, start, iso(start), limits)
    database = open_store(settings)
    asker = authority(settings, database, Permission.SUBMIT)
    with tenant_transaction(database, asker.tenant) as connection:
        opened = open_issues(connection, asker, found, limits, wall_clock())
        overrides = tuple(statistics(connection, *_span(month.month)) for month in found.months)
    return Looked(found, opened, overrides)


def listed(settings: Settings, *, closed: bool) -> list[IssueRow]:
    """The issues of models in use."""
    database = open_store(settings)
    asker = authority(settings, database, Permission.READ_REGISTRY)
    with tenant_transaction(database, asker.tenant) as connection:
        return issues(connection, closed=closed)


def closed(settings: Settings, issue: str, reason: str) -> None:
    """Close one, by the beginning of its id."""
    database = open_store(settings)
    asker = authority(settings, database, Permission.SUBMIT)
    name = whole_id(database, asker.tenant, "issue", issue)
    with tenant_transaction(database, asker.tenant) as connection:
        close(connection, asker, name, reason, wall_clock())


def _span(month: str) -> tuple[int, int]:
    year, number = map(int, month.split("-"))
    index = (year - 1970) * 12 + number - 1
    return int(month_start(index)), int(month_start(index + 1))
