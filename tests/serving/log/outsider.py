"""A verifier that knows nothing of ours: RFC 6962 and C2SP's notes, from hashlib, base64 and an Ed25519."""

import base64
import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def opened(note: str, public_key: bytes) -> tuple[str, int, bytes]:
    """Origin, size and root of a checkpoint that this key signed; ValueError otherwise."""
    body, _, signatures = note.partition("\n\n")
    origin, size, root = body.split("\n")
    key_id = hashlib.sha256(origin.encode() + b"\n\x01" + public_key).digest()[:4]
    for line in signatures.splitlines():
        _, name, value = line.split(" ")
        data = base64.b64decode(value)
        if name == origin and data[:4] == key_id:
            try:
                Ed25519PublicKey.from_public_bytes(public_key).verify(data[4:], body.encode() + b"\n")
            except InvalidSignature:
                break
            return origin, int(size), base64.b64decode(root)
    raise ValueError("not signed by this key")


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def included(entry: bytes, index: int, size: int, proof: list[bytes], root: bytes) -> bool:
    """RFC 9162, 2.1.3.2."""
    at, last, made = index, size - 1, hashlib.sha256(b"\0" + entry).digest()
    for one in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            made = node(one, made)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            made = node(made, one)
        at, last = at >> 1, last >> 1
    return index < size and last == 0 and made == root


def consistent(first: int, second: int, proof: list[bytes], old: bytes, new: bytes) -> bool:
    """RFC 9162, 2.1.4.2."""
    if first == second:
        return not proof and old == new
    path = [old, *proof] if first & (first - 1) == 0 else proof
    at, last = first - 1, second - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    small = large = path[0]
    for one in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            small, large = node(one, small), node(one, large)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            large = node(large, one)
        at, last = at >> 1, last >> 1
    return last == 0 and small == old and large == new
