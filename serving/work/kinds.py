"""What workers do. A new kind of job is one more function and one more entry of ``KINDS``."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from features.calendar import local_date
from features.contracts.load import BUILTIN, load_contracts
from features.timeline.compaction import crowded
from features.timeline.lake import Lake
from serving.access.repository import tenants
from serving.alerts import overdue
from serving.analytics import nightly
from serving.cases import escalating
from serving.decisions.live import NothingActive
from serving.experiments import guarding
from serving.governance.promotion import MIRROR
from serving.identity import operations as identity
from serving.log import operations as sealed_log
from serving.offers import repository as offers
from serving.operations import champion, derive_for, moment_of
from serving.quality.sources import judge
from serving.records import operations as records
from serving.records.drop import DropFolder
from serving.services import with_services
from serving.store.session import tenant_transaction
from serving.watch.inforce import InForce, in_force
from serving.watch.service import Watcher, watch_book
from serving.webhooks import delivering
from serving.work import repository
from serving.work.model import JobKind, Work
from training.tracking import UnknownVersion, set_champion, tracking_uri

HOUR, DAY = 3_600.0, 86_400.0
CROWDED = 8
"""Segments of one bucket from which on it is merged before the day ends."""
_WHOLE = 1.0
"""Seconds in which a dropped file must not change."""
REAPPROVAL_DUE = "REAPPROVAL_DUE"
"""Why a line is frozen whose year is over."""
SOON = round(30 * DAY) * 1_000_000
"""µs before its end in which a line is told to be approved anew."""
_KEPT = round(7 * DAY) * 1_000_000
"""How long done jobs are kept, µs."""
_MONTHS_AHEAD = 13
_TOLD = round(30 * DAY) * 1_000_000
"""How long what webhooks were told is kept, µs."""


def flush(work: Work) -> dict[str, Any]:
    """Single records into the lake."""
    return {"records": records.flush(work.settings, work.database).records}


def compact(work: Work) -> dict[str, Any]:
    """Merge segments, and drop the rows that may not be kept any longer."""
    done = list(records.compact(work.settings, work.database))
    return {
        "buckets": len(done),
        "aged": sum(each.aged for each in done),
        "erased": sum(e.erased for e in done),
    }


def merge_crowded(work: Work) -> dict[str, Any]:
    """Merge before the day ends what reads too many files."""
    if not crowded(Lake(work.settings.lake_root), load_contracts([BUILTIN]), CROWDED):
        return {"buckets": 0}
    return compact(work)


def hydrate(work: Work) -> dict[str, Any]:
    """Bring online what may be read, and up to the lake: also after an ingest that was killed before it did so."""
    settled, tenant = Lake(work.settings.lake_root).settled(), work.settings.tenant
    swept = with_services(work.settings, work.database, lambda held: held.consents.sweep(tenant))
    if repository.last_result(work.connection, "hydrate").get("settled") == settled:
        return {"swept": swept, "settled": settled}
    judge_sources(work)
    followed = with_services(work.settings, work.database, lambda held: held.consents.rehydrate(tenant))
    return {"swept": swept, "settled": settled, "followed": followed}


def judge_sources(work: Work) -> dict[str, Any]:
    """Which sources are late or too poor."""
    lake, now = Lake(work.settings.lake_root), moment_of(work.settings)
    found = judge(work.database, lake, load_contracts([BUILTIN]), now)
    return {"late": sorted(name for name, each in found.items() if each.late(now))}


def resolve(work: Work) -> dict[str, Any]:
    """Whose the records without a number are, as YIDAI_TOKEN's actor."""
    done = identity.resolve(work.settings, work.database)
    return {"waiting": done.waiting, "linked": done.linked, "review": done.review}


def take_files(work: Work) -> dict[str, Any]:
    """Load what was dropped: two looks, so that a file which is still being written waits."""
    folder = work.settings.drop_folder
    if folder is None or not folder.is_dir() or not any(path.is_file() for path in folder.iterdir()):
        return {"files": 0}
    drop = DropFolder(folder, load_contracts([BUILTIN]), Lake(work.settings.lake_root))
    records.look(work.settings, work.database, drop)
    time.sleep(_WHOLE)
    taken = records.look(work.settings, work.database, drop)
    return {"files": len(taken), "loaded": sum(each.loaded for each in taken)}


def follow_champion(work: Work) -> dict[str, Any]:
    """Let MLflow's alias say what is in force in a model's slot now: whatever was promoted since.

    Raises:
        TrackingDown: a server is set and does not answer; the job comes again.
    """
    tenant, slot = str(work.payload["tenant"]), str(work.payload["slot"])
    if not tracking_uri():
        return {"mirrored": False, "because": "no tracking server is set"}
    digest, bundle = champion(work.database, tenant, slot, work.now)
    if bundle is None:
        return {"mirrored": False, "because": "nothing is in force"}
    try:
        set_champion(bundle.portfolio, bundle.model, digest)
    except UnknownVersion as error:
        return {"mirrored": False, "because": error.message}
    return {"mirrored": True, "digest": digest}


def seal(work: Work) -> dict[str, Any]:
    """Receipts of every tenant into its sealed log."""
    return {"sealed": sealed_log.seal_all(work.settings, work.database, work.now)}


def expire_offers(work: Work) -> dict[str, Any]:
    """End offers that nobody accepted in time, which frees what they hold of households' caps."""
    with tenant_transaction(work.database, work.settings.tenant) as connection:
        return {"expired": offers.expire(connection, work.now)}


def freeze_lines(work: Work) -> dict[str, Any]:
    """Freeze lines whose year is over (REG-IL-03), and count those that are to be approved anew soon."""
    with tenant_transaction(work.database, work.settings.tenant) as connection:
        frozen = offers.freeze_due(connection, work.now, REAPPROVAL_DUE)
        return {"frozen": frozen, "due": offers.due(connection, work.now + SOON)}


def escalate(work: Work) -> dict[str, Any]:
    """Raise cases and disputes that nobody has answered in time."""
    with tenant_transaction(work.database, work.settings.tenant) as connection:
        raised = escalating.escalate(connection, work.settings.tenant, work.now)
    return {"cases": raised.cases, "disputes": raised.disputes}


def escalate_alerts(work: Work) -> dict[str, Any]:
    """Raise alerts that nobody handled in time to the supervisor."""
    with tenant_transaction(work.database, work.settings.tenant) as connection:
        return {"alerts": overdue.raise_overdue(connection, work.settings.tenant, work.now)}


def watch(work: Work) -> dict[str, Any]:
    """The nightly look at the whole book, tenant by tenant, after what only a join of all records shows was derived. A
    tenant with no signals in force has nothing to look with.
    """
    done: dict[str, Any] = {"derived": 0, "loans": 0, "raised": 0, "worsened": 0}
    own, lake = work.settings.tenant, Lake(work.settings.lake_root)
    if lake.delivered("loan") or lake.delivered("loan_grant"):
        done["derived"] = derive_for(work.settings, work.database, Watcher(own))
    for tenant in tenants(work.database):
        means = _means(work, tenant)
        if means is not None:
            watcher, at = Watcher(tenant, feeds=tenant == own), work.settings.seen_at(work.now)
            seen = watch_book(work.database, watcher, means, lake, at, work.now)
            told = {"loans": seen.loans, "raised": seen.raised, "worsened": seen.worsened}
            done |= {name: done[name] + count for name, count in told.items()}
    return done


def report_book(work: Work) -> dict[str, Any]:
    """Each tenant's classes of the last month and its book month by month, kept to be shown."""
    before = repository.last_result(work.connection, "report_book")
    return {
        tenant: nightly.report_book(work.settings, work.database, tenant, work.now, before.get(tenant))
        for tenant in tenants(work.database)
    }


def monitor_models(work: Work) -> dict[str, Any]:
    """Models in use looked at, issues opened where a month is past a limit, as YIDAI_TOKEN's actor."""
    return nightly.monitor_models(work.settings, work.now)


def _means(work: Work, tenant: str) -> InForce | None:
    with tenant_transaction(work.database, tenant) as connection, suppress(NothingActive):
        return in_force(connection, work.now)
    return None


def guard(work: Work) -> dict[str, Any]:
    """Stop the challenger's arm where a guardrail is broken, as YIDAI_TOKEN's actor; outcomes are not known here."""
    found = guarding.guard(work.settings)
    return {"experiments": len(found), "stopped": [one.experiment for one in found if one.stopped]}


def tell(work: Work) -> dict[str, Any]:
    """What webhooks are to be told, of every tenant."""
    told = delivering.deliver_all(work.settings, work.database, lambda: work.now)
    return {"delivered": told.delivered, "failed": told.failed, "dead": told.dead}


def add_months(work: Work) -> dict[str, Any]:
    """Parts of the table of decisions for the months to come."""
    today = local_date(work.now).replace(day=1)
    row = work.connection.execute("SELECT add_decision_months(%s, %s)", (today, _MONTHS_AHEAD)).fetchone()
    return {"made": 0 if row is None else row[0]}


def tidy(work: Work) -> dict[str, Any]:
    """Forget jobs done a week ago and webhooks told a month ago; dead ones stay until somebody looked."""
    return {
        "jobs": repository.tidy(work.connection, work.now - _KEPT),
        "webhooks": delivering.forget_all(work.database, work.now - _TOLD),
    }


KINDS = (
    JobKind("flush", flush, every=10),
    JobKind("take_files", take_files, every=5, wanted=lambda settings: settings.drop_folder is not None),
    JobKind("hydrate", hydrate, every=60),
    JobKind("judge_sources", judge_sources, every=HOUR),
    JobKind("resolve", resolve, every=HOUR, wanted=lambda settings: bool(settings.token)),
    JobKind("merge_crowded", merge_crowded, every=HOUR),
    JobKind("compact", compact, every=DAY),
    JobKind("seal", seal, every=10),
    JobKind("expire_offers", expire_offers, every=HOUR),
    JobKind("freeze_lines", freeze_lines, every=HOUR),
    JobKind("escalate", escalate, every=HOUR),
    JobKind("escalate_alerts", escalate_alerts, every=HOUR),
    JobKind("watch", watch, every=DAY),
    JobKind("report_book", report_book, every=DAY),
    JobKind("monitor_models", monitor_models, every=DAY, wanted=lambda settings: bool(settings.token)),
    JobKind("tell", tell, every=5),
    JobKind("guard", guard, every=DAY, wanted=lambda settings: bool(settings.token)),
    JobKind(MIRROR, follow_champion),
    JobKind("add_months", add_months, every=DAY),
    JobKind("tidy", tidy, every=DAY),
)
