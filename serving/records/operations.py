"""What `yidai records`, `lake`, `subjects` and `disputes` do: settings in, values out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from features.contracts.load import BUILTIN, load_contracts
from features.errors import Invalid
from features.timeline.compaction import Compacted
from features.timeline.compaction import compact as compact_lake
from features.timeline.lake import Lake
from serving.access.model import Permission
from serving.operations import authority, moment_of
from serving.quality.sources import judge
from serving.records.disputes import Dispute, DisputeVerdict
from serving.records.drop import DropFolder, Taken
from serving.records.erasure import Erased, forget_erased
from serving.records.flush import Flushed
from serving.records.flush import flush as flush_tail
from serving.serve import open_store
from serving.services import with_services
from serving.settings import Settings
from serving.store.engine import Database
from serving.store.keys import KeyRing
from serving.store.vault import PostgresVault


def flush(settings: Settings, database: Database | None = None) -> Flushed:
    """The tail into the lake; a worker calls it with the database that it holds.

    Raises:
        LakeBusy, TailBehindLake: nothing is lost; run it again.
    """
    opened = database or open_store(settings)
    lake, contracts = Lake(settings.lake_root), load_contracts([BUILTIN])
    done = flush_tail(opened, lake, contracts)
    if done.records:
        judge(opened, lake, contracts, moment_of(settings))
    return done


def compact(settings: Settings, database: Database | None = None) -> Iterator[Compacted]:
    """Flush, then merge the lake's segments without what may not be kept any longer: of a sample as of its moment, so
    that its decisions go on reading what they read.

    Raises:
        LakeBusy: somebody writes; run it again.
    """
    opened = database or open_store(settings)
    lake = Lake(settings.lake_root)
    flush(settings, opened)
    forget_erased(opened, lake)
    yield from compact_lake(lake, load_contracts([BUILTIN]), moment_of(settings))


def watch(settings: Settings, folder: Path, every: float) -> Iterator[list[Taken]]:
    """Look at a drop folder for ever; who is online follows what was loaded.

    Raises:
        Invalid: there is no such folder.
    """
    if not folder.is_dir():
        raise Invalid("there is no such folder.", place=str(folder), remedy="Make it, or name another one.")
    database = open_store(settings)
    drop = DropFolder(folder, load_contracts([BUILTIN]), Lake(settings.lake_root))
    while True:
        yield look(settings, database, drop)
        time.sleep(every)


def look(settings: Settings, database: Database, drop: DropFolder) -> list[Taken]:
    """One look at a drop folder, and what follows from the files that were loaded."""
    now = moment_of(settings)
    # a vault of its own for each look: one that remembers would bring back who was erased meanwhile
    taken = drop.look(PostgresVault(database, KeyRing.open(settings.key_file)), now)
    if taken:
        judge(database, drop.lake, drop.contracts, now)
    if any(each.loaded for each in taken):
        with_services(settings, database, lambda held: held.consents.rehydrate(settings.tenant))
    return taken


def erase(settings: Settings, number: str, kind: str, reason: str) -> Erased:
    """Forget a person or a firm as YIDAI_TOKEN's actor."""
    database = open_store(settings)
    asker = authority(settings, database, Permission.ERASE)
    return with_services(settings, database, lambda held: held.subjects.erase(asker, kind, number, reason))


def disputes(settings: Settings, *, overdue: bool = False) -> list[Dispute]:
    """Those that wait for an answer, the most urgent first; or only those whose time is over."""
    database = open_store(settings)
    asker = authority(settings, database, Permission.HANDLE_DISPUTES)
    return with_services(settings, database, lambda held: held.disputes.open(asker, overdue=overdue))


def answer(settings: Settings, dispute: UUID, verdict: DisputeVerdict, text: str = "") -> Dispute:
    """Answer a dispute as YIDAI_TOKEN's actor."""
    database = open_store(settings)
    asker = authority(settings, database, Permission.HANDLE_DISPUTES)
    return with_services(settings, database, lambda held: held.disputes.answer(asker, dispute, verdict, text))
