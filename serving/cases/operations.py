"""What `yidai cases` does: settings in, values out."""

from __future__ import annotations

from serving.access.model import Permission
from serving.cases.model import CaseRow, Verdict
from serving.cases.overrides import statistics
from serving.cases.repository import Wanted
from serving.cases.service import CaseView
from serving.clock import wall_clock
from serving.governance.naming import whole_id
from serving.operations import authority
from serving.serve import open_store
from serving.services import Services, with_services
from serving.settings import Settings
from serving.store.session import tenant_transaction
from training.overrides import OverrideStatistics

_FIRST = "SELECT min(decided_at) FROM decision"


def cases(settings: Settings, wanted: Wanted, *, overdue: bool = False) -> list[CaseRow]:
    """The queue, the first due first."""
    database = open_store(settings)
    asker = authority(settings, database, Permission.READ_CASES)
    return with_services(
        settings,
        database,
        lambda held: (held.cases.overdue if overdue else held.cases.some)(asker, wanted),
    )


def show(settings: Settings, case: str) -> CaseView:
    """One case with its evidence."""
    database = open_store(settings)
    asker = authority(settings, database, Permission.READ_CASES)
    case_id = whole_id(database, asker.tenant, "case", case)
    return with_services(settings, database, lambda held: held.cases.view(asker, case_id))


def take(settings: Settings, case: str, *, over: bool = False) -> CaseRow:
    """Take a case as YIDAI_TOKEN's actor."""
    database = open_store(settings)
    asker = authority(settings, database, Permission.DECIDE_CASES)
    case_id = whole_id(database, asker.tenant, "case", case)
    return with_services(settings, database, lambda held: held.cases.take(asker, case_id, over=over))


def decide(settings: Settings, case: str, verdict: Verdict) -> CaseRow:
    """Take and decide a case as YIDAI_TOKEN's actor."""
    database = open_store(settings)
    asker = authority(settings, database, Permission.DECIDE_CASES)
    case_id = whole_id(database, asker.tenant, "case", case)

    async def run(held: Services) -> CaseRow:
        await held.cases.take(asker, case_id)
        return await held.deciding.decide(asker, case_id, verdict)

    return with_services(settings, database, run)


def second(settings: Settings, case: str, seen: str, *, agree: bool) -> CaseRow:
    """Agree with a proposal as YIDAI_TOKEN's actor, or send it back."""
    database = open_store(settings)
    asker = authority(settings, database, Permission.DECIDE_CASES)
    case_id = whole_id(database, asker.tenant, "case", case)
    return with_services(
        settings, database, lambda held: held.deciding.second(asker, case_id, seen, agree=agree)
    )


def overrides(settings: Settings, since: int | None, until: int | None) -> OverrideStatistics:
    """What people decided otherwise than the system, counted; of all decisions until now where no time is named."""
    database = open_store(settings)
    asker = authority(settings, database, Permission.READ_CASES)
    with tenant_transaction(database, asker.tenant) as connection:
        first = connection.execute(_FIRST).fetchone()
        begun = int(first[0]) if first and first[0] is not None else 0
        end = wall_clock() if until is None else until
        return statistics(connection, begun if since is None else since, end)
