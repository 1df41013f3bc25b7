"""What a model's document says of itself, read without its trees: once a process, because a digest's bytes never change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from serving.registry.repository import verified
from serving.store.session import Connection

_BYTES = "SELECT digest, bytes FROM artifact WHERE digest = ANY(%s)"


class _Column(msgspec.Struct, frozen=True):
    name: str


class Head(msgspec.Struct, frozen=True):
    """The model's name, what it was made of, and the features that it reads. ``created_at`` in µs."""

    portfolio: str
    model: str
    kind: str
    model_kind: str
    columns: tuple[_Column, ...]
    definitions_digest: str
    training_digest: str
    created_at: int

    @property
    def reads(self) -> frozenset[str]:
        """Names of the features."""
        return frozenset(column.name for column in self.columns)


_KNOWN: dict[str, Head] = {}


def heads(connection: Connection, digests: Sequence[str]) -> Mapping[str, Head]:
    """By digest, of the models of a tenant, in the order given; one query for those that are new to this process.

    Raises:
        ChangedArtifact: stored bytes are not what their digest says.
    """
    new = [name for name in digests if name not in _KNOWN]
    if new:
        for name, data in connection.execute(_BYTES, (new,)).fetchall():
            _KNOWN[name] = msgspec.json.decode(verified(name, data), type=Head)
    return {name: _KNOWN[name] for name in digests}
