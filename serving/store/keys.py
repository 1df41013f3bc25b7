"""The master key and what is derived from it: pseudonyms, data keys, randomness."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from features.errors import Integrity, Invalid

_NONCE = 12


class BrokenKeyFile(Invalid):
    """A key file that holds no key."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            "this is not a key (64 hexadecimal characters).",
            place=str(path),
            remedy="Restore it from its backup: without the master key nothing that was stored can be read.",
        )


class Unreadable(Integrity):
    """Bytes that do not decrypt under the key that should open them."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} does not decrypt: its bytes or its key were changed.", place=what)


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Keys by purpose, each an HMAC of the master key, so that none reveals another."""

    _master: bytes = field(repr=False)

    @staticmethod
    def open(path: Path) -> KeyRing:
        """The key ring of a file; a new file is made with mode 0600.

        Raises:
            BrokenKeyFile: the file holds no key.
        """
        return KeyRing(secret_of_file(path))

    def derived(self, purpose: str) -> bytes:
        """32 bytes for one purpose."""
        return hmac.digest(self._master, b"yidai/1/" + purpose.encode(), "sha256")

    def pseudonym(self, kind: str, number: str) -> bytes:
        """Keyed hash under which the vault knows a number."""
        return hmac.digest(self.derived("pseudonym"), f"{kind}\0{number}".encode(), "sha256")

    def keyed_digest(self, purpose: str, data: bytes) -> bytes:
        """Digest of something too easily guessed for a plain hash."""
        return hmac.digest(self.derived(purpose), data, "sha256")

    def new_data_key(self) -> tuple[bytes, bytes]:
        """A subject's data key, and the same wrapped for storage."""
        key = secrets.token_bytes(32)
        return key, seal(self.derived("wrap"), key, b"data key")

    def unwrap(self, wrapped: bytes) -> bytes:
        """The data key inside a wrapped one."""
        return unseal(self.derived("wrap"), wrapped, b"data key")

    @property
    def identity(self) -> str:
        """Short name of this key, safe to store."""
        return hashlib.sha256(self.derived("identity")).hexdigest()[:16]


def seal(key: bytes, data: bytes, context: bytes) -> bytes:
    """AES-256-GCM; ``context`` must be given again to open."""
    nonce = secrets.token_bytes(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, data, context)


def unseal(key: bytes, sealed: bytes, context: bytes) -> bytes:
    """What ``seal`` was given.

    Raises:
        Unreadable: another key, another context or changed bytes.
    """
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], context)
    except (InvalidTag, ValueError):  # ValueError: shorter than a nonce
        raise Unreadable(context.decode(errors="replace")) from None


def secret_of_file(path: Path) -> bytes:
    """32 random bytes that a file keeps in hexadecimal; a new file is made with mode 0600.

    Raises:
        BrokenKeyFile: the file holds no key.
    """
    if not path.exists():
        _create(path)
    try:
        secret = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except ValueError:
        raise BrokenKeyFile(path) from None
    if len(secret) != 32:
        raise BrokenKeyFile(path)
    return secret


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_hex(32) + "\n")
        file.flush()
        os.fsync(file.fileno())
    with suppress(FileExistsError):  # another process was first: its key stands
        os.link(draft, path)
    draft.unlink()
