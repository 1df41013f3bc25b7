"""`yidai models validate`: a version beside the champion, on rows that its portfolio holds out."""

from __future__ import annotations

import msgspec
import numpy as np

from features.errors import Conflict, Invalid
from serving import operations, promotion
from serving.access.model import Permission
from serving.analyst import training_door
from serving.exchange import find_bundle
from serving.registry.governance import EvidenceKind
from serving.services import wall_clock
from serving.settings import Settings
from training.bundle import Scorer
from training.evaluation import make_split
from training.portfolio import find_portfolio, load_portfolio
from training.promotion import Comparison
from training.run import prepare
from training.sample import Sample
from training.validation import auc, auc_difference


class NoChampion(Conflict):
    """A slot in which nothing is in force."""

    def __init__(self, slot: str) -> None:
        super().__init__(
            f"nothing is in force in the slot {slot}.", place=slot,
            remedy="The first version needs no comparison; or name another version with --against.",
        )  # fmt: skip


class OtherColumns(Invalid):
    """A version that reads what the portfolio's definitions do not give."""

    def __init__(self, digest: str, lacking: set[str]) -> None:
        super().__init__(
            f"it reads features that the portfolio lacks: {', '.join(sorted(lacking)[:5])}.", place=digest[:12],
            remedy="Compare it under the definitions that it was trained on.",
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
    sample, split = prepared.sample, make_split(prepared.sample, found.file.split)
    held = sample if split.start is None else sample.take(split.parts[0][1])
    newest = int(sample.time.max())
    unseen = split.start is not None and max(own.bundle.created_at, other.bundle.created_at) <= newest
    ours, theirs = _score(own, held), _score(other, held)
    return Comparison(
        1, own.bundle_digest, other.bundle_digest, split.text, unseen, len(held), held.bads,
        auc(held.target, ours), auc(held.target, theirs), auc_difference(held.target, ours, theirs),
    )  # fmt: skip


def keep(settings: Settings, found: Comparison) -> None:
    """Bring a comparison to the registry, as evidence of the version."""
    database = operations.prepare(settings)
    asker = operations.authority(settings, database, Permission.SUBMIT)
    data = msgspec.json.format(msgspec.json.encode(found))
    promotion.attach(database, asker, found.bundle, EvidenceKind.COMPARISON, data, wall_clock())


def _champion(settings: Settings, own: Scorer) -> str:
    slot = f"bundle.{own.bundle.model}"
    digest = operations.active(settings).get(slot)
    if not digest or digest == own.bundle_digest:
        raise NoChampion(slot)
    return digest


def _score(scorer: Scorer, held: Sample) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    lacking = set(scorer.columns) - set(held.matrix.names)
    if lacking:
        raise OtherColumns(scorer.bundle_digest, lacking)
    chosen = held.matrix.select(scorer.columns)
    return np.asarray(scorer.log_odds(chosen.values, chosen.missing), dtype=np.float64)
