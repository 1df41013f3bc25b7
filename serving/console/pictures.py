"""Pictures of pages: drawn when they are first looked at, kept by what they show, and served to whom the page was."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Path, Response
from starlette.exceptions import HTTPException

from serving.access.model import Permission
from serving.console.asking import Visit, visiting
from serving.console.pages import ROOT

router = APIRouter(prefix=f"{ROOT}/pictures")
MOST_ASKED, MOST_BYTES = 5_000, 64 * 1_048_576
Draw = Callable[..., str]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page shows by a picture, and who may look: people of the tenant with the page's permission."""

    tenant: str
    permission: Permission
    draw: Draw
    values: tuple[Any, ...]


@dataclass(slots=True)
class Pictures:
    """A process's pictures by digest; those that were not looked at for longest go first, a page that is opened again tells of
    its own anew. ``most`` bounds what was asked, ``most_bytes`` what is drawn.
    """

    most: int = MOST_ASKED
    most_bytes: int = MOST_BYTES
    _asked: OrderedDict[str, Asked] = field(default_factory=OrderedDict)
    _drawn: OrderedDict[str, bytes] = field(default_factory=OrderedDict)
    _size: int = 0
    _drawing: asyncio.Lock = field(default_factory=asyncio.Lock)

    def address(self, tenant: str, permission: Permission, draw: Draw, *values: Any) -> str:
        """Where a picture is; the same of the same. Nothing is drawn before somebody looks."""
        told = msgspec.json.encode((tenant, permission, draw.__name__, values))
        name = hashlib.sha256(told).hexdigest()
        self._asked[name] = Asked(tenant, permission, draw, values)
        self._asked.move_to_end(name)
        while len(self._asked) > self.most:
            self._asked.popitem(last=False)
        return f"{ROOT}/pictures/{name}.svg"

    def asked(self, name: str) -> Asked | None:
        """What a digest stands for; None of what no page of this process shows any more."""
        return self._asked.get(name)

    async def bytes_of(self, name: str) -> bytes:
        """A picture, drawn in a thread where it is not kept; one is drawn at a time.

        Raises:
            KeyError: no page shows it.
        """
        if name not in self._drawn:
            asked = self._asked[name]
            async with self._drawing:
                if name not in self._drawn:
                    self._keep(name, (await asyncio.to_thread(asked.draw, *asked.values)).encode())
        self._drawn.move_to_end(name)
        return self._drawn[name]

    def _keep(self, name: str, drawn: bytes) -> None:
        self._drawn[name] = drawn
        self._size += len(drawn)
        while self._size > self.most_bytes and len(self._drawn) > 1:
            self._size -= len(self._drawn.popitem(last=False)[1])


def picture(visit: Visit, permission: Permission, draw: Draw, *values: Any) -> str:
    """Where the page of a visit finds a picture."""
    held: Pictures = visit.request.app.state.pictures
    return held.address(visit.session.actor.tenant, permission, draw, *values)


@router.get("/{name}.svg")
async def shown(
    name: Annotated[str, Path(pattern="^[0-9a-f]{64}$")], visit: Annotated[Visit, Depends(visiting)]
) -> Response:
    """A picture that a page showed; another tenant's is told as unknown."""
    held: Pictures = visit.request.app.state.pictures
    asked = held.asked(name)
    if asked is None or asked.tenant != visit.session.actor.tenant:
        raise HTTPException(404)
    visit.authority(asked.permission)
    return Response(await held.bytes_of(name), media_type="image/svg+xml")
