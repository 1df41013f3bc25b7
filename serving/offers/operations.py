"""What `yidai offers` does: settings in, values out."""

from __future__ import annotations

from collections.abc import Sequence

from features.calendar import DAY
from serving.access.model import Permission
from serving.governance.naming import whole_id
from serving.offers.model import OfferRow, OfferState
from serving.offers.view import OfferView
from serving.operations import authority
from serving.serve import open_store
from serving.services import Services, with_services
from serving.settings import Settings


def offers(
    settings: Settings, states: Sequence[OfferState], due_days: int | None, most: int
) -> list[OfferRow]:
    """Offers by when they end; with ``due_days`` lines that are to be approved anew within so many days."""
    database = open_store(settings)
    asker = authority(settings, database, Permission.READ_DECISIONS)

    async def run(held: Services) -> list[OfferRow]:
        before = None if due_days is None else held.clock() + due_days * DAY
        return await held.offers.some(asker, states, before, most)

    return with_services(settings, database, run)


def show(settings: Settings, decision: str) -> OfferView:
    """One offer, by the beginning of its id, with its payments and disclosures."""
    database = open_store(settings)
    asker = authority(settings, database, Permission.READ_DECISIONS)
    name = whole_id(database, asker.tenant, "offer", decision)
    return with_services(settings, database, lambda held: held.offers.view(asker, name))
