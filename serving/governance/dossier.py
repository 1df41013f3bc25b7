"""The dossier of a version: all that was known of it when it was approved and promoted, in one archive.

The same registry gives the same bytes: entries are sorted, not compressed and bear no date of their making.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from features.calendar import iso
from features.canonical import digest
from features.errors import Invalid
from features.files import put_file
from serving import operations
from serving.access.model import Authority, Permission
from serving.access.repository import actor_names
from serving.governance.card import Subject, model_card
from serving.governance.standing import BUNDLE
from serving.registry import governance, repository
from serving.registry import service as registry
from serving.registry.governance import Approval, Evidence, Promotion
from serving.registry.model import EvidenceKind, Kind
from serving.serve import open_store
from serving.settings import Settings
from serving.store.engine import Database
from serving.store.session import Connection, tenant_transaction
from training.bundle import Bundle, load_bundle
from training.fairness_page import fairness_page
from training.fairness_report import FairnessReport
from training.gates import PROMOTION
from training.page import render
from training.report import Report

_DAY = (1980, 1, 1, 0, 0, 0)
"""The first day that an archive can say: no entry tells when it was written."""
NOBODY = "(unknown)"


def dossier(settings: Settings, name: str, out: Path) -> list[str]:
    """Write the archive of a version of the registry; returns the names in it.

    Raises:
        UnknownArtifact: no such version.
        Invalid: it is no model, or the file cannot be written.
    """
    found = contents(settings, name)
    put_file(out, archive(found))
    return sorted(found)


def contents(settings: Settings, name: str) -> dict[str, bytes]:
    """The archive's files by name, `manifest.json` with the digest of each among them."""
    database = open_store(settings)
    asker = operations.authority(settings, database, Permission.READ_REGISTRY)
    return contents_for(settings, database, asker, name)


def contents_for(settings: Settings, database: Database, asker: Authority, name: str) -> dict[str, bytes]:
    """As ``contents``, for whoever asks."""
    asker.holds(Permission.READ_REGISTRY)
    names = {str(actor): text for actor, text in actor_names(database, asker.tenant).items()}
    with tenant_transaction(database, asker.tenant) as connection:
        found = registry.artifact(connection, name)
        if found.kind is not Kind.BUNDLE:
            raise Invalid(
                f"it is a {found.kind.value}.", place=name, remedy="Name a model: yidai models inventory."
            )
        bundle = load_bundle(found.data, found.digest).bundle
        evidence = governance.evidence_of(connection, found.digest)
        files = {"bundle.json": found.data, "promotion.yaml": PROMOTION.read_bytes()}
        files |= _evidence(settings, bundle, found.digest, evidence)
        files |= _definitions(connection, bundle)
        slot = f"{BUNDLE}{bundle.model}"
        said = governance.approvals_of(connection, found.digest)
        put = governance.promotions_of(connection, slot, found.digest)
        entry = governance.entries(connection).get(slot)
    author = names.get(str(found.author), NOBODY)
    files["governance.json"] = _json({
        "digest": found.digest, "slot": slot, "author": author, "inventory": asdict(entry) if entry else None,
        "approvals": [_said(one, names) for one in said], "promotions": [_put(one, names) for one in put],
        "evidence": [_brought(one, names) for one in evidence],
    })  # fmt: skip
    files["training.json"] = _json(
        {
            "training_digest": bundle.training_digest,
            "definitions_digest": bundle.definitions_digest,
            "notes": bundle.notes,
        }
    )
    held = {one.kind: one.data for one in evidence}
    subject = Subject(
        found.digest, bundle, author, entry, _report(held.get(EvidenceKind.REPORT)),
        _fairness(held.get(EvidenceKind.FAIRNESS)),
        [(names.get(str(one.by), NOBODY), one.verdict, one.reason, one.at) for one in said],
        [(iso(one.at)[:16], one.kind, sorted(one.waived), one.reason) for one in put],
    )  # fmt: skip
    files["model_card.md"] = model_card(subject).encode()
    return files | {"manifest.json": _json({one: digest(data) for one, data in sorted(files.items())})}


def _evidence(settings: Settings, bundle: Bundle, name: str, evidence: list[Evidence]) -> dict[str, bytes]:
    """Each document as it was brought, and its page."""
    found: dict[str, bytes] = {}
    for one in evidence:
        found[f"{one.kind.value}{f'-{one.about[:12]}' if one.about else ''}.json"] = one.data
        if one.kind is EvidenceKind.REPORT:
            page = _page_beside(
                settings.home / "models" / bundle.portfolio / bundle.model / name[:12], one.data
            )
            report = _report(one.data) if page is None else None
            page = render(report, {}).encode() if report is not None else page
            if page is not None:
                found["report.html"] = page
        if one.kind is EvidenceKind.FAIRNESS and (tested := _fairness(one.data)) is not None:
            found["fairness.html"] = fairness_page(tested).encode()
    return found


def _page_beside(folder: Path, twin: bytes) -> bytes | None:
    """The page with its pictures as the training wrote it, where it is there and of the very same report."""
    page, own = folder / "report.html", folder / "report.json"
    same = page.is_file() and own.is_file() and own.read_bytes() == twin
    return page.read_bytes() if same else None


def _definitions(connection: Connection, bundle: Bundle) -> dict[str, bytes]:
    try:
        return {"definitions.json": registry.artifact(connection, bundle.definitions_digest).data}
    except repository.UnknownArtifact:
        return {}


def _report(data: bytes | None) -> Report | None:
    """A report that this version of Yidai can read as a whole; its JSON is in the archive in any case."""
    try:
        return None if data is None else msgspec.json.decode(data, type=Report)
    except msgspec.ValidationError:
        return None


def _fairness(data: bytes | None) -> FairnessReport | None:
    try:
        return None if data is None else msgspec.json.decode(data, type=FairnessReport)
    except msgspec.ValidationError:
        return None


def _said(one: Approval, names: Mapping[str, str]) -> dict[str, Any]:
    return {
        "by": names.get(str(one.by), NOBODY),
        "at": iso(one.at),
        "verdict": one.verdict,
        "reason": one.reason,
    }


def _put(one: Promotion, names: Mapping[str, str]) -> dict[str, Any]:
    return {
        "by": names.get(str(one.by), NOBODY), "at": iso(one.at), "kind": one.kind, "slots": one.slots,
        "gates": one.gates, "waived": sorted(one.waived), "reason": one.reason,
    }  # fmt: skip


def _brought(one: Evidence, names: Mapping[str, str]) -> dict[str, Any]:
    return {
        "kind": one.kind.value, "about": one.about, "by": names.get(str(one.added_by), NOBODY),
        "at": iso(one.added_at), "digest": digest(one.data),
    }  # fmt: skip


def _json(document: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(document, order="deterministic"))


def archive(files: Mapping[str, bytes]) -> bytes:
    """Files by name as the bytes of one archive, the same of the same."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, _DAY)
            info.create_system, info.external_attr = 3, 0o644 << 16
            archive.writestr(info, files[name])
    return out.getvalue()
