"""What the commands about consents do."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from serving.access.model import Permission
from serving.consents.api import answer_of
from serving.operations import authority
from serving.serve import open_store
from serving.services import with_services
from serving.settings import Settings


def known(settings: Settings, number: str, consent_id: UUID) -> dict[str, Any]:
    """`yidai prefill`: the answer of POST /v1/prefill, for YIDAI_TOKEN's actor.

    Raises:
        WrongNumber, UnknownSubject, ConsentRefused, NotHydrated: as the route.
    """
    database = open_store(settings)
    asker = authority(settings, database, Permission.PREFILL)
    found = with_services(settings, database, lambda held: held.prefill.known(asker, number, consent_id))
    return answer_of(found).model_dump()
