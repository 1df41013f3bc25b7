"""The keys of a process: pseudonyms and randomness from the root, data keys under the master key."""

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
_DATA_KEY = b"data key"
MARK = 8
MARKED = MARK + _NONCE + 32 + 16
"""Bytes of a data key that is wrapped under a master key of a rotation: mark, nonce, key, tag."""


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
class KeyFile:
    """What a key file says: the root in its first line; ``master KEY`` once that was rotated, ``next KEY`` meanwhile."""

    root: bytes = field(repr=False)
    master: bytes | None = field(default=None, repr=False)
    following: bytes | None = field(default=None, repr=False)

    @staticmethod
    def read(path: Path) -> KeyFile:
        """A file's keys; a new file is made with mode 0600.

        Raises:
            BrokenKeyFile: a line holds no key.
        """
        if not path.exists():
            _create(path)
        try:
            first, *others = path.read_text(encoding="ascii").splitlines() or [""]
            named = {name: _secret(text) for name, text in (line.split() for line in others)}
            found = KeyFile(_secret(first), named.pop("master", None), named.pop("next", None))
        except ValueError:
            raise BrokenKeyFile(path) from None
        if named:
            raise BrokenKeyFile(path)
        return found

    def write(self, path: Path) -> None:
        """Put these keys in the place of the file's, whole or not at all."""
        lines = [self.root.hex()]
        lines += [
            f"{name} {key.hex()}" for name, key in (("master", self.master), ("next", self.following)) if key
        ]
        draft = _draft(path, "\n".join(lines) + "\n")
        draft.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

    @property
    def masters(self) -> list[bytes]:
        """The keys that wrap data keys, the newest first; the last of them comes of the root."""
        return [key for key in (self.following, self.master) if key] + [derived(self.root, "wrap")]


class Wrapping:
    """Data keys under the master keys of a file, which is read again when a rotation has changed it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.read()

    def read(self) -> None:
        """Take the keys that the file has now."""
        self.file = KeyFile.read(self._path)
        *newer, first = self.file.masters
        self._first = first
        self._newer = {mark_of(key): key for key in newer}

    def wrap(self, key: bytes) -> bytes:
        """Under the newest master key; one that a rotation made leaves its mark in front."""
        for mark, master in self._newer.items():
            return mark + seal(master, key, _DATA_KEY)
        return seal(self._first, key, _DATA_KEY)

    def unwrap(self, wrapped: bytes) -> bytes:
        """What was wrapped, by this or another process, since this one read the file too."""
        try:
            return self._unwrap(wrapped)
        except Unreadable:
            self.read()
            return self._unwrap(wrapped)

    def _unwrap(self, wrapped: bytes) -> bytes:
        if len(wrapped) != MARKED:
            return unseal(self._first, wrapped, _DATA_KEY)
        master = self._newer.get(wrapped[:MARK])
        if master is None:
            raise Unreadable(_DATA_KEY.decode())
        return unseal(master, wrapped[MARK:], _DATA_KEY)


def mark_of(master: bytes) -> bytes:
    """By what a wrapped key says which master key opens it; safe to store."""
    return hashlib.sha256(derived(master, "identity")).digest()[:MARK]


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Keys by purpose, each an HMAC of the root, so that none reveals another; and the master keys, which wrap data keys.

    The root stays as long as what was stored does: pseudonyms are made with it. The first master key is derived from
    it; a rotation puts random ones in its place.
    """

    _master: bytes = field(repr=False)
    _wrapping: Wrapping = field(repr=False, compare=False)

    @staticmethod
    def open(path: Path) -> KeyRing:
        """The key ring of a file; a new file is made with mode 0600.

        Raises:
            BrokenKeyFile: the file holds no key.
        """
        wrapping = Wrapping(path)
        return KeyRing(wrapping.file.root, wrapping)

    def derived(self, purpose: str) -> bytes:
        """32 bytes for one purpose."""
        return derived(self._master, purpose)

    def pseudonym(self, kind: str, number: str) -> bytes:
        """Keyed hash under which the vault knows a number."""
        return hmac.digest(self.derived("pseudonym"), f"{kind}\0{number}".encode(), "sha256")

    def keyed_digest(self, purpose: str, data: bytes) -> bytes:
        """Digest of something too easily guessed for a plain hash."""
        return hmac.digest(self.derived(purpose), data, "sha256")

    def new_data_key(self) -> tuple[bytes, bytes]:
        """A subject's data key, and the same wrapped for storage under the newest master key.

        Who stores it holds ``serving.store.rotation.hold_keys`` for its transaction.
        """
        key = secrets.token_bytes(32)
        return key, self._wrapping.wrap(key)

    def unwrap(self, wrapped: bytes) -> bytes:
        """The data key inside a wrapped one.

        Raises:
            Unreadable: no master key of the file, as it is now, opens it.
        """
        return self._wrapping.unwrap(wrapped)

    def wrap_again(self, wrapped: bytes) -> bytes:
        """A wrapped data key under the newest master key."""
        return self._wrapping.wrap(self.unwrap(wrapped))

    @property
    def newest(self) -> bytes:
        """The master key that wraps."""
        return self._wrapping.file.masters[0]

    def read_again(self) -> None:
        """Know the master keys that the file has now."""
        self._wrapping.read()

    @property
    def identity(self) -> str:
        """Short name of this key, safe to store. A rotation does not change it."""
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


def derived(root: bytes, purpose: str) -> bytes:
    """32 bytes for one purpose of a root."""
    return hmac.digest(root, b"yidai/1/" + purpose.encode(), "sha256")


def secret_of_file(path: Path) -> bytes:
    """32 random bytes that a file keeps in hexadecimal; a new file is made with mode 0600.

    Raises:
        BrokenKeyFile: the file holds no key.
    """
    if not path.exists():
        _create(path)
    try:
        return _secret(path.read_text(encoding="ascii"))
    except ValueError:
        raise BrokenKeyFile(path) from None


def _secret(text: str) -> bytes:
    secret = bytes.fromhex(text.strip())
    if len(secret) != 32:
        raise ValueError(len(secret))
    return secret


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = _draft(path, secrets.token_hex(32) + "\n")
    with suppress(FileExistsError):  # another process was first: its key stands
        os.link(draft, path)
    draft.unlink()


def _draft(path: Path, text: str) -> Path:
    """A file beside another, on the disk, for its owner only."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return draft
