"""What `yidai audit` and the worker do: settings in, values out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from features.terminal import Step
from serving.access.model import Permission
from serving.access.repository import tenants
from serving.clock import wall_clock
from serving.log import sealing
from serving.log.checkpoint import Checkpoint, Signer, read_file
from serving.log.model import Inclusion, Verification
from serving.log.verify import verify as verify_log
from serving.operations import authority
from serving.serve import open_store
from serving.services import with_services
from serving.settings import Settings
from serving.store.engine import Database


def seal_all(settings: Settings, database: Database, now: int) -> int:
    """Seal what waits, of every tenant; returns how many receipts."""
    signer = Signer.open(settings.signing_key_file)
    origins = {tenant: sealing.origin_of(settings.log_origin, tenant) for tenant in tenants(database)}
    return sum(sealing.seal(database, tenant, signer, origin, now) for tenant, origin in origins.items())


def verify(settings: Settings, kept: Sequence[Path], step: Step) -> Verification:
    """`yidai audit verify`: the asker's log, also against checkpoints that somebody kept.

    Raises:
        NoCheckpoint: a file that is none.
    """
    notes = [(str(path), read_file(path)) for path in kept]
    database = open_store(settings)
    asker = authority(settings, database, Permission.READ_LOG)
    return verify_log(database, asker, notes, step, wall_clock())


def checkpoint(settings: Settings) -> Checkpoint:
    """`yidai audit checkpoint`: the newest."""
    database = open_store(settings)
    asker = authority(settings, database, Permission.READ_LOG)
    return with_services(settings, database, lambda held: held.log.checkpoint(asker))


def prove(settings: Settings, decision: UUID, size: int | None) -> Inclusion:
    """`yidai audit prove`: that a decision's receipt is in the log."""
    database = open_store(settings)
    asker = authority(settings, database, Permission.READ_LOG)
    return with_services(settings, database, lambda held: held.log.inclusion(asker, decision, size))
