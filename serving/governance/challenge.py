"""`yidai models validate`: a version beside the champion, on rows that its portfolio holds out."""

from __future__ import annotations

import msgspec

from features.errors import Conflict
from serving import operations
from serving.access.model import Permission
from serving.clock import wall_clock
from serving.governance import promotion
from serving.governance.analyst import training_door
from serving.governance.exchange import find_bundle
from serving.registry.model import EvidenceKind
from serving.serve import open_store
from serving.settings import Settings
from training.bundle import Scorer
from training.challenge import compare
from training.portfolio import find_portfolio, load_portfolio
from training.promotion import Comparison
from training.run import prepare


class NoChampion(Conflict):
    """A slot in which nothing is in force."""

    def __init__(self, slot: str) -> None:
        super().__init__(
            f"nothing is in force in the slot {slot}.", place=slot,
            remedy="The first version needs no comparison; or name another version with --against.",
        )  # fmt: skip


def challenge(settings: Settings, name: str, portfolio: str, against: str = "") -> Comparison:
    """Score a version and the one in force (or another) on the same held-out rows.

    Raises:
        NoChampion, OtherColumns, UnknownArtifact: there is nothing to compare.
    """
    own = find_bundle(settings, name)
    other = find_bundle(settings, against or _champion(settings, own))
    found = load_portfolio(find_portfolio(portfolio))
    prepared = prepare(found, door=training_door(settings, found))
    return compare(own, other, prepared)


def keep(settings: Settings, found: Comparison) -> None:
    """Bring a comparison to the registry, as evidence of the version."""
    database = open_store(settings)
    asker = operations.authority(settings, database, Permission.SUBMIT)
    data = msgspec.json.format(msgspec.json.encode(found))
    promotion.attach(database, asker, found.bundle, EvidenceKind.COMPARISON, data, wall_clock())


def _champion(settings: Settings, own: Scorer) -> str:
    slot = f"bundle.{own.bundle.model}"
    digest = operations.active(settings).get(slot)
    if not digest or digest == own.bundle_digest:
        raise NoChampion(slot)
    return digest
