"""What `yidai loans portfolio` does: settings in, values out."""

from __future__ import annotations

from features.errors import Invalid
from features.terminal import Step
from features.timeline.lake import Lake
from serving.access.model import Permission
from serving.analytics.model import PortfolioView
from serving.analytics.monthly import monthly
from serving.clock import wall_clock
from serving.operations import active_plan, authority, moment_of
from serving.serve import open_store
from serving.settings import Settings
from serving.store.session import tenant_transaction
from serving.watch.service import Watcher


def portfolio(settings: Settings, as_of: int | None, months: int, step: Step) -> PortfolioView:
    """`yidai loans portfolio`: the book at the last month ends at or before a moment.

    Raises:
        NothingActive: no definitions are in force.
        Invalid: no loan was known by then.
    """
    database = open_store(settings)
    asker = authority(settings, database, Permission.READ_LOANS)
    at, now = moment_of(settings) if as_of is None else as_of, wall_clock()
    actor = asker.actor.actor_id
    watcher = Watcher(asker.tenant, str(actor), actor, asker.tenant == settings.tenant)
    with tenant_transaction(database, asker.tenant) as connection:
        plan = active_plan(connection, now)
        found = monthly(connection, watcher, plan, Lake(settings.lake_root), at, months, now, step)
    if found.empty:
        raise Invalid(
            "no loan was known by then.", place="as_of", remedy="Ask for a later moment, or ingest the book."
        )
    return found.whole()
