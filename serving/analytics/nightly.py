"""What the worker does each night with the book and with models in use: classes proposed, months worked out and kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from features.errors import YidaiError
from features.timeline.lake import Lake
from serving.analytics import monitor, repository
from serving.analytics.answers import MONTHS, about
from serving.analytics.model import month_ends
from serving.analytics.monthly import SEGMENT, VILLAGE, Monthly, monthly
from serving.analytics.repository import MONITORING, PORTFOLIO
from serving.classes.operations import run_of
from serving.classes.proposing import propose_for
from serving.classes.standing import month_name
from serving.decisions.live import NothingActive
from serving.governance.exchange import find_bundle
from serving.operations import active, active_plan
from serving.settings import Settings
from serving.store.engine import Database
from serving.store.session import Connection, tenant_transaction
from serving.watch.service import Watcher
from training.bundle import Scorer
from training.models import ModelName
from training.run import Prepared


def report_book(settings: Settings, database: Database, tenant: str, now: int, before: Any) -> dict[str, Any]:
    """Class a tenant's book at the end of the last month, and keep it month by month, whole and by segment and village.

    ``before`` is what this returned the night before: where neither the month, nor what is in force, nor the lake has
    changed since, nothing is worked out again. What came by call is known from then on, so that no month that is over
    tells it. A tenant without definitions or loans is left; one without rules of classes is not classed.
    """
    watcher, at = Watcher(tenant, feeds=tenant == settings.tenant), settings.seen_at(now)
    lake = Lake(settings.lake_root)
    with tenant_transaction(database, tenant) as connection:
        known = _known(connection, lake, at, now)
    if known is None or known == (before or {}).get("known"):
        return {"known": known, "kept": 0}
    classed = _class(settings, database, watcher, at, now)
    with tenant_transaction(database, tenant) as connection:
        plan = active_plan(connection, now)
        found = monthly(connection, watcher, plan, lake, at, MONTHS, now)
        kept = 0 if found.empty else keep_book(connection, tenant, found, now)
    return {"known": known, "kept": kept, **classed}


def keep_book(connection: Connection, tenant: str, found: Monthly, now: int) -> int:
    """Keep a book and its parts; returns how many say anything new."""
    end = found.books[-1].as_of
    views = [("", found.whole())]
    views += [(about(segment=label), view) for label, view in found.by(SEGMENT)]
    views += [(about(village=label), view) for label, view in found.by(VILLAGE)]
    return sum(
        repository.keep(connection, tenant, PORTFOLIO, name, end, msgspec.json.encode(view), now)
        for name, view in views
    )


def monitor_models(settings: Settings, now: int) -> dict[str, Any]:
    """Look at each scoring model in force on the rows of its portfolio, open issues, and keep what was seen, all as the
    settings' actor. A model that cannot be looked at is told with its reason and stops no other.
    """
    done: dict[str, Any] = {"models": 0, "opened": 0, "left": {}}
    slots = active(settings, now)
    scorers: dict[str, Scorer] = {}
    for name in (f"bundle.{model.value}" for model in ModelName):
        try:
            scorers |= {name: find_bundle(settings, slots[name])} if name in slots else {}
        except YidaiError as error:
            done["left"][name] = error.message
    for portfolio in sorted({scorer.bundle.portfolio for scorer in scorers.values()}):
        own = {name: each for name, each in scorers.items() if each.bundle.portfolio == portfolio}
        try:
            _each(settings, own, monitor.read(settings, portfolio), now, done)
        except YidaiError as error:
            done["left"] |= dict.fromkeys(own, error.message)
    return done


def _each(
    settings: Settings, scorers: Mapping[str, Scorer], rows: Prepared, now: int, done: dict[str, Any]
) -> None:
    for name, scorer in scorers.items():
        try:
            done["opened"] += _monitor(settings, scorer, rows, now)
            done["models"] += 1
        except YidaiError as error:
            done["left"][name] = error.message


def _monitor(settings: Settings, scorer: Scorer, rows: Prepared, now: int) -> int:
    found = monitor.look_at(settings, scorer, scorer.bundle.portfolio, rows, "", now)
    body = {"opened": found.opened, "found": found.found, "overrides": found.overrides}
    end = month_ends(settings.seen_at(now), 1)[0]
    database, tenant = monitor.store_of(settings)
    with tenant_transaction(database, tenant) as connection:
        model = scorer.bundle.model
        repository.keep(connection, tenant, MONITORING, model, end, msgspec.json.encode(body), now)
    return found.opened


def _known(connection: Connection, lake: Lake, at: int, now: int) -> dict[str, Any] | None:
    """What a night's figures follow from; None of a tenant that has nothing to read features by."""
    slots = repository.in_force(connection, now)
    if "definitions" not in slots:
        return None
    return {"month": month_name(month_ends(at, 1)[0]), "settled": lake.settled(), "in_force": slots}


def _class(settings: Settings, database: Database, watcher: Watcher, at: int, now: int) -> dict[str, Any]:
    try:
        with tenant_transaction(database, watcher.tenant) as connection:
            run = run_of(connection, settings, watcher.tenant, now)
    except NothingActive:
        return {"classed": 0}
    done = propose_for(database, watcher, run, "", at, now)
    return {"classed": done.loans, "changed": done.changed}
