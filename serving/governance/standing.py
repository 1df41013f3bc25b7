"""How versions stand at the gates of a promotion, read from the registry in the promotion's own transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from features.consent import Purpose
from features.definitions.plan import FeaturePlan
from serving.registry import governance, repository
from serving.registry import service as registry
from serving.registry.governance import Evidence
from serving.registry.model import EvidenceKind, Kind
from serving.registry.service import Artifact
from serving.store.session import Connection
from training.bundle import BrokenBundle, load_bundle
from training.gates import GateFile, gate_file
from training.promotion import (
    Comparison,
    FairnessFigures,
    Gate,
    ReportFigures,
    Standing,
    champion_gate,
    fairness_gate,
    read_evidence,
    report_gates,
)

BUNDLE = "bundle."
_Read = TypeVar("_Read", ReportFigures, FairnessFigures, Comparison)
Standings = dict[str, list[Standing]]


def stand(connection: Connection, found: Mapping[str, Artifact], now: int) -> Standings:
    """How versions would stand at their gates if they went into force together now, models in force that a change
    of the definitions touches among them.
    """
    before = repository.active(connection, now)
    after = before | {slot: one.digest for slot, one in found.items()}
    definitions = after.get("definitions", "")
    limits = gate_file()
    standings = {slot: [_approval(connection, one)] for slot, one in found.items()}
    for slot, one in found.items():
        if one.kind is Kind.BUNDLE:
            champion = before.get(slot, "")
            standings[slot] += _model(
                connection, slot, one, definitions, champion * (champion != one.digest), limits
            )
    if "definitions" in found and before.get("definitions") != definitions:
        for slot in after:
            if slot.startswith(BUNDLE) and slot not in found:
                data = registry.artifact(connection, after[slot]).data
                standings[slot] = [_definitions(data, definitions)]
    return standings


def _model(
    connection: Connection, slot: str, one: Artifact, definitions: str, champion: str, limits: GateFile
) -> list[Standing]:
    held = governance.evidence_of(connection, one.digest)
    report = _read(ReportFigures, held, EvidenceKind.REPORT)
    found = [_vectors(one.data), _definitions(one.data, definitions), _inventory(connection, slot)]
    found += report_gates(limits, report, one.digest)
    if definitions and _has_groups(connection, definitions):
        found.append(fairness_gate(limits, _read(FairnessFigures, held, EvidenceKind.FAIRNESS), one.digest))
    other = governance.evidence_of(connection, champion) if champion else []
    compared = _read(Comparison, [e for e in held if e.about == champion], EvidenceKind.COMPARISON)
    of_other = _read(ReportFigures, other, EvidenceKind.REPORT)
    return [*found, champion_gate(limits, one.digest, report, champion, of_other, compared)]


def _read(as_type: type[_Read], held: Sequence[Evidence], kind: EvidenceKind) -> _Read | None:
    for one in held:
        if one.kind is kind:
            found = read_evidence(kind.value, one.data)
            assert isinstance(found, as_type)
            return found
    return None


def _approval(connection: Connection, one: Artifact) -> Standing:
    """Approved by another than the author, nobody against it, and no evidence of the author's after it."""
    said = governance.approvals_of(connection, one.digest)
    yes, no = [s for s in said if s.verdict == "approved"], [s for s in said if s.verdict == "refused"]
    last = max((s.at for s in yes), default=0)
    late = [e.kind.value for e in governance.evidence_of(connection, one.digest) if e.added_by == one.author and e.added_at > last]  # fmt: skip
    figure = f"approved by {len(yes)}, refused by {len(no)}"
    remedy = f"Ask a second person to approve it first: yidai models approve {one.digest[:12]}."
    if yes and late:
        figure += f"; its author brought the {', '.join(late)} after that"
        remedy = "Ask somebody who has not approved it yet to read that and approve."
    if no:
        remedy = "A refused version never goes into force: submit another."
    return Standing(
        Gate.APPROVAL, bool(yes) and not no and not late, figure, "one, and none against it", remedy
    )


def _vectors(data: bytes) -> Standing:
    try:
        count = len(load_bundle(data).bundle.vectors)
    except BrokenBundle as error:
        return Standing(Gate.VECTORS, False, error.message, "every test vector to the last bit", error.remedy)
    remedy = "Train or import it again: a bundle carries the rows that it is checked with."
    return Standing(Gate.VECTORS, count > 0, f"{count} test vectors pass", "at least one, all pass", remedy)


def _definitions(data: bytes, in_force: str) -> Standing:
    own = load_bundle(data).bundle.definitions_digest
    shown = f"those in force ({in_force[:12]})" if in_force else "some in force"
    remedy = (
        f"Put those in force with it, in one promotion: --with definitions={own[:12]}; or, where other models need "
        "the ones in force, train this one on them."
    )
    return Standing(Gate.DEFINITIONS, own == in_force, f"trained on definitions {own[:12]}", shown, remedy)


def _inventory(connection: Connection, slot: str) -> Standing:
    entry = governance.entries(connection).get(slot)
    figure = "not in the inventory" if entry is None else f"tier {entry.tier}, owner {entry.owner}"
    remedy = f"yidai models register {slot} --tier N --owner WHO --purpose WHAT --limits WHERE-NOT."
    return Standing(
        Gate.INVENTORY, entry is not None, figure, "an entry with owner, purpose and limits", remedy
    )


def _has_groups(connection: Connection, definitions: str) -> bool:
    plan = FeaturePlan.load(registry.artifact(connection, definitions).data)
    return any(contract.only_purpose == Purpose.FAIRNESS_TEST.value for contract in plan.contracts.values())
