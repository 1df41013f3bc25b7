"""Checkpoints: what a bank's log said at one moment, signed, in the form of C2SP (tlog-checkpoint, signed-note)."""

from __future__ import annotations

import base64
import binascii
import os
import re
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from features.errors import Invalid
from serving.log.tree import HASH_BYTES
from serving.store.keys import secret_of_file

_ED25519 = b"\x01"
_DASH = "\u2014"
_ID_BYTES = 4
_SIZE = re.compile("0|[1-9][0-9]{0,17}")


class NoCheckpoint(Invalid):
    """A text that is not a checkpoint in C2SP's form."""

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(f"this is no checkpoint: {problem}.", place=place, remedy="Keep what `yidai audit checkpoint` prints, byte for byte.")  # fmt: skip


@dataclass(frozen=True, slots=True)
class LogKey:
    """A public key of a log. ``name`` is the log's origin, which the key's id depends on."""

    name: str
    public: bytes

    @property
    def key_id(self) -> bytes:
        """Four bytes that stand before each signature."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:_ID_BYTES]

    @property
    def verifier(self) -> str:
        """As other tools take it: name, id and key."""
        return f"{self.name}+{self.key_id.hex()}+{_text(_ED25519 + self.public)}"

    def signed(self, body: bytes, signature: bytes) -> bool:
        """Whether this key signed it."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, body)
        except (InvalidSignature, ValueError):  # ValueError: the stored bytes are no key
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signer:
    """The private key of this installation's logs; each tenant's log has a name of its own."""

    _key: Ed25519PrivateKey = field(repr=False)

    @staticmethod
    def open(path: Path) -> Signer:
        """The key of a file, made with mode 0600 where there is none.

        Raises:
            BrokenKeyFile: the file holds no key.
        """
        return Signer(Ed25519PrivateKey.from_private_bytes(secret_of_file(path)))

    def key(self, origin: str) -> LogKey:
        """Its public part, for one log."""
        return LogKey(origin, self._key.public_key().public_bytes_raw())

    def sign(self, origin: str, size: int, root: bytes, sealed_at: int) -> Checkpoint:
        """A checkpoint of this tree; ``sealed_at`` (µs) is kept beside it and not signed."""
        signature = self._key.sign(body_of(origin, size, root))
        return Checkpoint(origin, size, root, self.key(origin).key_id, signature, sealed_at)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Size and root of a log, and who signed that."""

    origin: str
    size: int
    root: bytes
    key_id: bytes
    signature: bytes
    sealed_at: int = 0

    @property
    def body(self) -> bytes:
        """What is signed."""
        return body_of(self.origin, self.size, self.root)

    @property
    def note(self) -> str:
        """The whole text."""
        signed = f"{_DASH} {self.origin} {_text(self.key_id + self.signature)}\n"
        return f"{self.body.decode()}\n{signed}"


def body_of(origin: str, size: int, root: bytes) -> bytes:
    """Three lines: origin, size, root."""
    return f"{origin}\n{size}\n{_text(root)}\n".encode()


def read_checkpoint(text: str, place: str) -> Checkpoint:
    """A checkpoint from the text of a note. Of its signatures the one under its origin's name is taken; others are
    those of witnesses.

    Raises:
        NoCheckpoint: with what is wrong.
    """
    body, blank, signatures = text.partition("\n\n")
    lines = body.split("\n")
    if not blank or len(lines) < 3:
        raise NoCheckpoint(place, "it has not three lines, an empty one and a signature")
    origin, size, root = lines[0], lines[1], _bytes(lines[2])
    if len(lines) > 3 or not _SIZE.fullmatch(size) or len(root) != HASH_BYTES:
        raise NoCheckpoint(place, "its lines are not origin, size and root")
    for line in signatures.splitlines():
        dash, _, rest = line.partition(" ")
        name, _, value = rest.rpartition(" ")
        data = _bytes(value)
        if (dash, name) == (_DASH, origin) and len(data) == _ID_BYTES + 64:
            return Checkpoint(origin, int(size), root, data[:_ID_BYTES], data[_ID_BYTES:])
    raise NoCheckpoint(place, f"no Ed25519 signature of {origin}")


def read_file(path: Path) -> Checkpoint:
    """A checkpoint that somebody kept.

    Raises:
        NoCheckpoint: none, or no such file.
    """
    try:
        return read_checkpoint(path.read_text(encoding="utf-8"), os.fspath(path))
    except (OSError, UnicodeDecodeError):
        raise NoCheckpoint(os.fspath(path), "it cannot be read") from None


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
