"""A policy document read and made ready; what may not be used is refused with its place."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from features.canonical import UNREADABLE, canonical_bytes
from features.contracts.documents import convert, parse_yaml
from features.errors import Integrity
from features.matrix import Column
from serving.policy.analysis import analyse
from serving.policy.facts import CONSENT, LIST, NUMBERS, TEXTS
from serving.policy.findings import BrokenPolicy, Finding, refuse
from serving.policy.first import FirstDocument, as_second
from serving.policy.model import PolicyDocument
from serving.policy.numbers import infinite
from serving.policy.policy import Policy, ready_policy
from serving.policy.shape import misshapen

CITY = Path(__file__).parent / "city.yaml"
"""The policy that Yidai ships for loans of its sample city."""
HOUSING = Path(__file__).parent / "housing.yaml"
"""The policy that Yidai ships for public rental housing of its sample city."""
TAX_LOAN = Path(__file__).parent / "tax_loan.yaml"
"""The policy that Yidai ships for loans to its tax-paying micro-businesses."""
SCHEMAS = (1, 2)


class _Head(msgspec.Struct):
    schema: int


def policy_from_yaml(path: Path) -> Policy:
    """A policy written by a person.

    Raises:
        BrokenDocument: not YAML, or not of that shape.
        BrokenPolicy: it may not be used.
    """
    policy, found = draft_from_yaml(path)
    refuse(found)
    assert policy is not None
    return policy


def draft_from_yaml(
    path: Path, columns: Iterable[Column] | None = None
) -> tuple[Policy | None, list[Finding]]:
    """A policy written by a person and all that is wrong with it; None where it cannot be made ready.

    Raises:
        BrokenDocument: not YAML, or not of that shape.
    """
    return draft_of(parse_yaml(path), path, columns)


def draft_of(
    value: Any, where: Path | str, columns: Iterable[Column] | None = None
) -> tuple[Policy | None, list[Finding]]:
    """As ``draft_from_yaml``, of the plain value that a person wrote; ``where`` is named in errors.

    Raises:
        BrokenDocument: not of that shape.
    """
    schema = convert(value, _Head, where).schema
    document = convert(value, FirstDocument if schema == 1 else PolicyDocument, where)
    found = list(infinite(msgspec.to_builtins(document)))
    return (None, found) if found else _draft(canonical_bytes(document), columns)


def load_policy(data: bytes) -> Policy:
    """The policy in these canonical bytes, analysed.

    Raises:
        Integrity: not canonical, or not a policy.
        BrokenPolicy: it may not be used.
    """
    policy, found = draft(data)
    refuse(found)
    assert policy is not None
    return policy


def draft(data: bytes, columns: Iterable[Column] | None = None) -> tuple[Policy | None, list[Finding]]:
    """The policy in these canonical bytes and all that is wrong with it; None where it cannot be made ready.

    Raises:
        Integrity: not canonical, or not a policy.
    """
    try:
        canonical = canonical_bytes(msgspec.json.decode(data))
    except UNREADABLE as error:
        raise Integrity(f"the policy cannot be read: {error}.") from error
    if canonical != data:
        raise Integrity(
            "the policy is not in canonical form.", remedy="Submit it with the command from its YAML."
        )
    return _draft(data, columns)


def read_policy(data: bytes) -> Policy:
    """A policy that was analysed when it was submitted: what an engine learned to find since refuses no replay.

    Raises:
        Integrity: not a policy.
    """
    document, schema = _decoded(data)
    try:
        return ready_policy(document, data, schema)
    except (LookupError, ValueError, TypeError) as error:
        raise Integrity("the policy is not one that was analysed: it cannot be made ready.") from error


def check_against(policy: Policy, features: Iterable[str]) -> None:
    """Every fact of the policy exists.

    Raises:
        BrokenPolicy: a rule asks for a feature that the definitions do not have.
    """
    known = set(features) | NUMBERS | TEXTS
    for place, name in policy.asked:
        if name not in known and not name.startswith((CONSENT, LIST)):
            raise BrokenPolicy(
                place, f"no definition gives the feature {name!r}.", "Define it, or ask for another one."
            )


def _draft(data: bytes, columns: Iterable[Column] | None) -> tuple[Policy | None, list[Finding]]:
    document, schema = _decoded(data)
    found = misshapen(document)
    if found:
        return None, found
    policy = ready_policy(document, data, schema)
    known = None if columns is None else {column.name: column for column in columns}
    return policy, analyse(policy, known)


def _decoded(data: bytes) -> tuple[PolicyDocument, int]:
    try:
        schema = msgspec.json.decode(data, type=_Head).schema
        if schema == 1:
            return as_second(msgspec.json.decode(data, type=FirstDocument)), schema
        if schema in SCHEMAS:
            return msgspec.json.decode(data, type=PolicyDocument), schema
    except UNREADABLE as error:
        raise Integrity(f"the policy cannot be read: {error}.") from error
    raise BrokenPolicy("schema", f"schema {schema} is not known.", f"Write schema: {SCHEMAS[-1]}.")
