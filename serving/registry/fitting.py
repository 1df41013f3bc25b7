"""What a version must be, and what fits what: documents as they are submitted, and versions that are in force together."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from features.canonical import UNREADABLE
from features.definitions.plan import FeaturePlan
from features.errors import Conflict, Invalid
from serving.classes.document import ClassesDocument
from serving.classes.parameters import check_classes, read_classes
from serving.policy.analysis import analyse
from serving.policy.days import day_of
from serving.policy.findings import refuse
from serving.policy.lists import read_list
from serving.policy.load import check_against, load_policy, read_policy
from serving.policy.policy import Policy
from serving.registry import repository
from serving.registry.documents import SORTS, read
from serving.registry.model import Kind
from serving.store.session import Connection
from serving.watch.signals import check_signals, own_columns, read_signals
from serving.watch.values import narrowed
from training.bundle import MODEL_KINDS, load_bundle


class WrongModelKind(Invalid):
    """A model whose kind is not on the statutory list."""

    def __init__(self, kind: str) -> None:
        super().__init__(
            f"model kind {kind!r} is not one of the statutory list (REG-IL-01).",
            place="model_kind",
            remedy=f"Take one of: {', '.join(sorted(MODEL_KINDS))}.",
        )


class TwoPolicies(Conflict):
    """Two policies that would decide one product."""

    def __init__(self, product: str, slots: tuple[str, str]) -> None:
        super().__init__(
            f"the policies in {slots[0]} and {slots[1]} would both decide the product {product!r}.",
            place=slots[1],
            remedy="Take the product out of one of them, or end the other first: `yidai policy show`.",
        )


class UnknownFeatures(Invalid):
    """A model that reads what no definition gives."""

    def __init__(self, slot: str, unknown: set[str]) -> None:
        super().__init__(
            f"{slot} reads features that the definitions lack: {', '.join(sorted(unknown)[:5])}.",
            place=slot,
            remedy="Activate the definitions that it was trained on first.",
        )


class UnknownPlaybook(Invalid):
    """A signal that names a playbook that is not there."""

    def __init__(self, signal: str, playbook: str) -> None:
        super().__init__(
            f"the signal {signal} names the playbook {playbook!r}, which is not among the playbooks.",
            place="playbooks",
            remedy="Put it among them, or put signals in force first that name another.",
        )


def check(kind: Kind, data: bytes) -> None:
    """Read a document as what it claims to be.

    Raises:
        Invalid, Integrity: it is not.
    """
    if kind is Kind.POLICY:
        load_policy(data)
    elif kind is Kind.DEFINITIONS:
        FeaturePlan.load(data)
    elif kind is Kind.BUNDLE:
        _check_model_kind(data)
    elif kind is Kind.SIGNALS:
        read_signals(data)
    elif kind is Kind.LIST:
        read_list(data)
    elif kind is Kind.CLASSES:
        read_classes(data)
    elif kind in SORTS:
        read(kind, data)
    else:
        _check_json(kind, data)


def policies(connection: Connection, slots: Mapping[str, str]) -> dict[str, Policy]:
    """The policies among these versions, by slot."""
    found = sorted(slot for slot in slots if slot.partition(".")[0] == Kind.POLICY.value)
    return {slot: read_policy(_data(connection, slots[slot])) for slot in found}


def one_policy_each(found: Mapping[str, Policy]) -> None:
    """No product has two policies.

    Raises:
        TwoPolicies: with the product and both slots.
    """
    taken: dict[str, str] = {}
    for slot, policy in found.items():
        for product in policy.document.products:
            if product in taken:
                raise TwoPolicies(product, (taken[product], slot))
            taken[product] = slot


def check_policies(connection: Connection, names: Mapping[str, str], begin: int) -> None:
    """Each policy among these versions, looked at once more with the definitions and the day on which it begins.

    Raises:
        BrokenPolicy: it may not be used then.
    """
    found = policies(connection, names)
    if not found:
        return
    slots = {**repository.active(connection, begin), **names}
    columns = None
    if "definitions" in slots:
        plan = FeaturePlan.load(_data(connection, slots["definitions"]))
        columns = {column.name: column for column in plan.columns}
    for policy in found.values():
        refuse(analyse(policy, columns, day_of(begin)))


def _check_model_kind(data: bytes) -> None:
    found = load_bundle(data).bundle.model_kind
    if found not in MODEL_KINDS:
        raise WrongModelKind(found)


def _check_json(kind: Kind, data: bytes) -> None:
    try:
        document = msgspec.json.decode(data, type=dict)
    except UNREADABLE as error:
        raise Invalid(f"not a {kind.value} document: {error}.") from None
    if "schema" not in document:
        raise Invalid(f"the {kind.value} document has no schema number.", place="schema")


def check_fit(connection: Connection, slots: Mapping[str, str]) -> None:
    """Models, policy and signals speak of features that exist."""
    one_policy_each(policies(connection, slots))
    if "definitions" not in slots:
        return
    plan = FeaturePlan.load(_data(connection, slots["definitions"]))
    known = {column.name for column in plan.columns}
    for slot, name in slots.items():
        if slot.startswith("bundle."):
            unknown = set(load_bundle(_data(connection, name)).columns) - known
            if unknown:
                raise UnknownFeatures(slot, unknown)
    for policy in policies(connection, slots).values():
        check_against(policy, known)
    if "signals" in slots:
        signals = read_signals(_data(connection, slots["signals"]))
        check_signals(signals, known)
        narrowed(plan, signals.definitions, own_columns(signals))
    if {"signals", "playbooks"} <= set(slots):
        _check_playbooks(*(_data(connection, slots[slot]) for slot in ("signals", "playbooks")))
    if "classes" in slots:
        _check_classes(plan, read_classes(_data(connection, slots["classes"])))


def _check_playbooks(signals: bytes, playbooks: bytes) -> None:
    known = {each.code for each in read(Kind.PLAYBOOKS, playbooks).playbooks}
    for signal in read_signals(signals).signals:
        if signal.playbook and signal.playbook not in known:
            raise UnknownPlaybook(signal.code, signal.playbook)


def _check_classes(plan: FeaturePlan, classes: ClassesDocument) -> None:
    own = own_columns(classes.reading)
    check_classes(classes, [*(column.name for column in plan.columns), *own])
    narrowed(plan, classes.definitions, own)


def _data(connection: Connection, name: str) -> bytes:
    return repository.artifact_row(connection, name)[1]
