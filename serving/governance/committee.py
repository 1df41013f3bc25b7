"""What the commands of a policy do, as plain functions: each takes settings and returns a value."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec
import yaml

from features.calendar import iso
from features.canonical import canonical_bytes
from features.contracts.model import SubjectKind, Text
from features.errors import Invalid, YidaiError
from serving import operations
from serving.access.model import Authority, Permission
from serving.clock import wall_clock
from serving.consents.check import person_number
from serving.governance import promotion
from serving.governance.promotion import Promoted
from serving.policy.analysis import analyse
from serving.policy.days import day_of
from serving.policy.diff import Difference, differences
from serving.policy.findings import Finding
from serving.policy.lists import Entry, ListDocument, ListKind, read_list
from serving.policy.load import draft, draft_from_yaml, load_policy, read_policy
from serving.policy.model import PolicyKind
from serving.policy.policy import Policy
from serving.registry import repository
from serving.registry import service as registry
from serving.registry.model import Kind
from serving.serve import open_store
from serving.settings import Settings
from serving.store.engine import Database
from serving.store.keys import KeyRing
from serving.store.session import tenant_transaction
from training.portfolio import find_portfolio, load_portfolio

SLOT = "policy"


class BadLine(Invalid):
    """A line of a file of persons that cannot be read; what stood in it is not repeated."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(
            problem,
            place=f"line {line}",
            remedy="Mend the line; the columns are id_number, effective_from, effective_to.",
        )


class Standing(NamedTuple):
    """A policy, where and from when it is in force (µs; 0: nowhere), and until when (0: without end)."""

    slot: str
    digest: str
    policy: Policy
    since: int
    until: int


def check(path: Path, portfolio: str, on: int) -> list[Finding]:
    """`yidai policy check`: all that is wrong with a file, against the definitions of a portfolio, if it began at a
    moment (µs).

    Raises:
        BrokenDocument, Integrity: it is no policy.
    """
    columns = load_portfolio(find_portfolio(portfolio)).plan.columns
    if path.suffix == ".json":
        policy, found = draft(path.read_bytes(), columns)
    else:
        policy, found = draft_from_yaml(path, columns)
    if policy is None:
        return found
    return analyse(policy, {column.name: column for column in columns}, day_of(on))


def submit(settings: Settings, path: Path, note: str) -> str:
    """`yidai policy submit`: check a file and store it as a draft; returns its digest."""
    return operations.submit(settings, Kind.POLICY, operations.document_of(Kind.POLICY, str(path)), note)


def activate(settings: Settings, name: str, slot: str = "", begin: int | None = None) -> Promoted:
    """`yidai policy activate`: put an approved policy in force, now or at a later moment.

    Raises:
        GatesMissed, BrokenPolicy, TwoPolicies, Scheduled, WrongSlot, UnknownArtifact, Invalid: nothing changed.
    """
    database = open_store(settings)
    asker = operations.authority(settings, database, Permission.ACTIVATE)
    return activate_by(database, asker, name, slot, begin, wall_clock())


def activate_by(
    database: Database, asker: Authority, name: str, slot: str, begin: int | None, now: int
) -> Promoted:
    """As ``activate``, for whoever asks."""
    asker.holds(Permission.ACTIVATE)
    if begin is not None and begin <= now:
        raise Invalid(
            f"{iso(begin)} is not in the future.", place="--from", remedy="Leave it out: it begins now."
        )
    with tenant_transaction(database, asker.tenant) as connection:
        found = registry.artifact(connection, name)
        held = repository.active(connection, begin or now).get(SLOT)
        main = None if held is None else read_policy(registry.artifact(connection, held).data)
    if found.kind is not Kind.POLICY:
        raise Invalid(
            f"{name[:12]} is a {found.kind.value}.", remedy="`yidai models promote` puts it in force."
        )
    where = slot or slot_of(read_policy(found.data), main)
    return promotion.promote(database, asker, {where: found.digest}, now, begin=begin)


def slot_of(policy: Policy, main: Policy | None) -> str:
    """Where a policy belongs if nobody says otherwise: in ``policy`` the bank's ``main`` one, which is the first for
    credit and whatever bears its name later; every other in a slot of its own name.
    """
    own = policy.document
    if main is None:
        return SLOT if own.kind is PolicyKind.CREDIT else f"{SLOT}.{own.policy}"
    return SLOT if own.policy == main.document.policy else f"{SLOT}.{own.policy}"


def standing(settings: Settings, slot: str = "") -> list[Standing]:
    """`yidai policy show`: the policies in force and those that are to begin, by slot and moment; those of a ``slot`` or
    a digest only, where one is named.
    """
    database = open_store(settings)
    asker = operations.authority(settings, database, Permission.READ_REGISTRY)
    now = wall_clock()
    with tenant_transaction(database, asker.tenant) as connection:
        rows = [row for row in repository.history(connection) if row["kind"] == Kind.POLICY.value]
        current = [row for row in rows if row["active_to"] is None or row["active_to"] > now]
        return [
            Standing(
                row["slot"], row["digest"], read_policy(registry.artifact(connection, row["digest"]).data),
                row["active_from"], row["active_to"] or 0,
            )
            for row in current
            if not slot or row["slot"] == slot or row["digest"].startswith(slot)
        ]  # fmt: skip


def write_policy(settings: Settings, name: str, path: Path) -> str:
    """`yidai policy show --out`: a policy by its slot or digest as YAML; returns its digest. Read again, it is the same
    policy to the byte.

    Raises:
        UnknownArtifact: there is none such.
    """
    found = policy_of(settings, name)
    plain = msgspec.json.decode(found.data) if found.schema == 1 else msgspec.to_builtins(found.document)
    head = f"# Policy {found.digest}. How to read and change it: docs/policy.md.\n"
    text = yaml.safe_dump(plain, allow_unicode=True, sort_keys=False, width=120)
    path.write_text(head + text, encoding="utf-8")
    return found.digest


def policy_of(settings: Settings, name: str) -> Policy:
    """A policy by its file, slot or digest.

    Raises:
        UnknownArtifact, BrokenDocument, BrokenPolicy: there is none such.
    """
    path = Path(name)
    if path.suffix in {".yaml", ".yml"}:
        policy, found = draft_from_yaml(path)
        if policy is None:
            raise Invalid(str(found[0]), place=name, remedy="`yidai policy check` lists all that is wrong.")
        return policy
    if path.suffix == ".json":
        return load_policy(path.read_bytes())
    database = open_store(settings)
    asker = operations.authority(settings, database, Permission.READ_REGISTRY)
    with tenant_transaction(database, asker.tenant) as connection:
        digest = repository.active(connection, wall_clock()).get(name, name)
        return read_policy(registry.artifact(connection, digest).data)


def compare(settings: Settings, before: str, after: str) -> list[Difference]:
    """`yidai policy diff`: how two policies differ, each named by file, slot or digest."""
    return differences(policy_of(settings, before), policy_of(settings, after))


def list_document(
    settings: Settings, name: str, kind: ListKind, title: Text, source: str, file: Path
) -> bytes:
    """`yidai policy list`: a file of persons (``id_number,effective_from,effective_to``) as a list of pseudonyms.

    Raises:
        BadLine: a line that is no person or has no days, by its number.
        BrokenList: an entry that may not be used.
    """
    keys = KeyRing.open(settings.key_file)
    with file.open(newline="", encoding="utf-8-sig") as rows:
        try:
            entries = [_entry(keys, line, row) for line, row in enumerate(csv.DictReader(rows), start=2)]
        except (UnicodeDecodeError, csv.Error):
            raise BadLine(1, "the file is no CSV in UTF-8.") from None
    entries.sort(key=lambda entry: entry.subject)
    data = canonical_bytes(ListDocument(1, name, kind, title, source, tuple(entries)))
    read_list(data)
    return data


def _entry(keys: KeyRing, line: int, row: Mapping[str, str | None]) -> Entry:
    number, *days = (row.get(field) or "" for field in ("id_number", "effective_from", "effective_to"))
    try:
        subject = keys.pseudonym(SubjectKind.PERSON, person_number(number, "id_number"))
    except YidaiError as error:
        raise BadLine(line, error.message) from None
    return Entry(subject.hex(), *days)
