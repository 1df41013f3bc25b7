"""What `yidai classes` does: settings in, values out."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

from features.contracts.documents import convert, parse_yaml
from features.definitions.conditions import BrokenDefinition
from features.definitions.plan import FeaturePlan
from features.timeline.lake import Lake
from serving.access.model import Permission
from serving.classes.checks import findings
from serving.classes.document import ClassesDocument, RiskClass
from serving.classes.model import ClassPage, ClassRow, ClassView, Proposed, Ruling
from serving.classes.movement import Provisions
from serving.classes.parameters import read_classes
from serving.classes.proposing import Run
from serving.classes.proposing import propose as propose_month
from serving.clock import wall_clock
from serving.decisions.live import NothingActive
from serving.operations import authority
from serving.policy.findings import Finding, error
from serving.registry import repository as registry_rows
from serving.registry import service as registry
from serving.serve import open_store
from serving.services import Services, with_services
from serving.settings import Settings
from serving.store.session import Connection, tenant_transaction
from serving.watch.asked import models_in_force
from serving.watch.signals import own_columns
from serving.watch.values import narrowed
from training.portfolio import find_portfolio, load_portfolio


def check(path: Path, portfolio: str) -> list[Finding]:
    """All that is wrong with a file, against the features of a portfolio.

    Raises:
        BrokenDocument: it is no classes.
    """
    document = convert(parse_yaml(path), ClassesDocument, path)
    return examine(document, load_portfolio(find_portfolio(portfolio)).plan)


def examine(document: ClassesDocument, plan: FeaturePlan) -> list[Finding]:
    """All that is wrong with classes, against the features of a plan."""
    own = own_columns(document.reading)
    found = findings(document, [*(column.name for column in plan.columns), *own])
    try:
        narrowed(plan, document.definitions, own)
    except BrokenDefinition as broken:
        found.append(error("definition", broken.place or "definitions", broken.message, broken.remedy or ""))
    return found


def propose(settings: Settings, month: str = "") -> Proposed:
    """Class a month, the last that is over where none is named, by what is in force.

    Raises:
        NothingActive: no definitions or no classes are in force.
        MonthNotOver: it has not ended.
    """
    database = open_store(settings)
    asker = authority(settings, database, Permission.CLASSIFY_LOANS)
    now = wall_clock()
    with tenant_transaction(database, asker.tenant) as connection:
        run = run_of(connection, settings, asker.tenant, now)
    return propose_month(database, asker, run, month, settings.seen_at(now), now)


def run_of(connection: Connection, settings: Settings, tenant: str, now: int) -> Run:
    """What a tenant's month is classed with: what is in force at a moment.

    Raises:
        NothingActive: no definitions or no classes are.
    """
    slots = registry_rows.active(connection, now)
    for slot in ("definitions", "classes"):
        if slot not in slots:
            raise NothingActive(slot)
    plan = FeaturePlan.load(registry.artifact(connection, slots["definitions"]).data)
    rules = registry.artifact(connection, slots["classes"])
    models = models_in_force(connection, slots, plan)
    lake, own = Lake(settings.lake_root), tenant == settings.tenant
    return Run(plan, read_classes(rules.data), rules.digest, lake, own, models)


def some(
    settings: Settings, month: str, risk_class: RiskClass | None, after: str, most: int, *, unconfirmed: bool
) -> ClassPage:
    """A page of a month."""
    database = open_store(settings)
    asker = authority(settings, database, Permission.READ_LOANS)

    async def run(held: Services) -> ClassPage:
        return await held.classes.some(asker, month, risk_class, after, most, unconfirmed=unconfirmed)

    return with_services(settings, database, run)


def show(settings: Settings, loan: str, month: str) -> ClassView:
    """A loan's class and its story."""
    database = open_store(settings)
    asker = authority(settings, database, Permission.READ_LOANS)
    return with_services(settings, database, lambda held: held.classes.read(asker, loan, month))


def confirm(settings: Settings, loan: str, ruling: Ruling) -> ClassRow:
    """Confirm or set a class as YIDAI_TOKEN's actor."""
    database = open_store(settings)
    asker = authority(settings, database, Permission.CLASSIFY_LOANS)
    key = str(uuid4())
    return with_services(settings, database, lambda held: held.classes.confirm(asker, loan, ruling, key))


def summary(settings: Settings, month: str) -> Provisions:
    """A month summed up."""
    database = open_store(settings)
    asker = authority(settings, database, Permission.READ_LOANS)
    return with_services(settings, database, lambda held: held.classes.provisions(asker, month))
