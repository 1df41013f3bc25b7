"""The decisions of experiments, from their receipts; outcomes come from a file of the bank's."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from uuid import UUID

import msgspec

from features.errors import Invalid
from serving.access.model import Permission
from serving.decisions import repository
from serving.decisions.live import is_policy
from serving.decisions.receipt import Receipt, open_receipt, read_receipt
from serving.decisions.schemas import Arm
from serving.experiments.comparing import Seen, ShadowLine, Shown, arms_of, rails_of, shadows_of
from serving.operations import authority
from serving.policy.experiment import Guardrails
from serving.policy.load import read_policy
from serving.policy.model import Outcome
from serving.registry.repository import artifact_row
from serving.serve import open_store
from serving.settings import Settings
from serving.store.keys import KeyRing
from serving.store.session import Connection, tenant_transaction


class BrokenOutcome(Invalid):
    """A line of outcomes that cannot be read."""

    def __init__(self, line: int) -> None:
        super().__init__(
            "it is no outcome.",
            place=f"line {line}",
            remedy="Mend it: the columns are decision_id (a UUID) and bad (0 or 1).",
        )


class Report(msgspec.Struct, frozen=True):
    """Experiments and phantom decisions of some days; ``unread`` receipts are of persons who were erased."""

    decisions: int
    unread: int
    experiments: tuple[Shown, ...]
    shadows: tuple[ShadowLine, ...]


def show(
    settings: Settings, since: int | None = None, until: int | None = None, outcomes: Path | None = None
) -> Report:
    """`yidai experiments show`: all decisions from an instant on and before another, with outcomes where known.

    Decisions that follow another one, and receipts from before phantom decisions were kept, are left out.

    Raises:
        NotPermitted: it takes who may read receipts.
        BrokenOutcome: a line of the file.
    """
    known = {} if outcomes is None else outcomes_of(outcomes)
    database = open_store(settings)
    asker = authority(settings, database, Permission.READ_RECEIPTS)
    keys, unread = KeyRing.open(settings.key_file), 0
    seen: list[Seen] = []
    policies: dict[str, str] = {}
    with tenant_transaction(database, asker.tenant) as connection:
        for stored in repository.each(connection):
            if stored.kind is not None or not (since or 0) <= stored.decided_at < (until or 2**62):
                continue
            if stored.wrapped_key is None:
                unread += 1
                continue
            data = open_receipt(stored.receipt, keys.unwrap(stored.wrapped_key), str(stored.decision_id))
            receipt = read_receipt(data)
            if not receipt.shadows:
                continue
            one = seen_of(receipt, bad=known.get(stored.decision_id))
            seen.append(one)
            if one.arm is not None:
                policies[one.arm.experiment] = _policy_of(receipt.digests)
        shown = tuple(_experiments(connection, seen, policies))
    return Report(len(seen), unread, shown, shadows_of(seen))


def seen_of(receipt: Receipt, *, bad: bool | None = None) -> Seen:
    """What an experiment asks of a receipt."""
    answer, shadows = receipt.answer, receipt.shadows
    arm = answer.get("experiment")
    return Seen(
        str(answer["score"]["model"]),
        None if arm is None else msgspec.convert(arm, Arm),
        answer["outcome"] == Outcome.APPROVE.value,
        str(answer["reasons"][0]["code"]) if answer["reasons"] else "",
        {name: score.pd for name, score in receipt.scores.items()},
        {} if shadows is msgspec.UNSET else shadows,
        bad,
    )


def outcomes_of(path: Path) -> dict[UUID, bool]:
    """Outcomes by decision.

    Raises:
        BrokenOutcome: a line that has none.
    """
    found: dict[UUID, bool] = {}
    line = 1
    with path.open(newline="", encoding="utf-8-sig") as rows:
        try:
            for row in csv.DictReader(rows):
                line += 1
                found[UUID(row["decision_id"] or "")] = {"0": False, "1": True}[row["bad"] or ""]
        except (KeyError, ValueError, csv.Error):
            raise BrokenOutcome(max(line, 2)) from None
    return found


def _experiments(connection: Connection, seen: list[Seen], policies: Mapping[str, str]) -> Iterator[Shown]:
    named: defaultdict[str, list[Seen]] = defaultdict(list)
    for one in seen:
        if one.arm is not None:
            named[one.arm.experiment].append(one)
    for name, rows in sorted(named.items()):
        arms, rails = arms_of(rows), _rails(connection, name, policies[name])
        yield Shown(name, arms, () if rails is None else rails_of(arms, rails))


def _rails(connection: Connection, name: str, digest: str) -> Guardrails | None:
    document = read_policy(artifact_row(connection, digest)[1]).document
    return next((one.guardrails for one in document.experiments if one.id == name), None)


def _policy_of(digests: Mapping[str, str]) -> str:
    return next(digest for slot, digest in digests.items() if is_policy(slot))
