"""``yidai models register, inventory, show, attach, validate, retire``: what promotions rest on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.calendar import iso
from features.terminal import console, progress, show_json, show_table
from serving.registry.model import EvidenceKind

if TYPE_CHECKING:  # numpy, which a table of commands can do without
    from training.points import PointTable

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Slot = Annotated[str, typer.Argument(help="bundle.NAME.")]
Version = Annotated[str, typer.Argument(help="A version's digest (8 characters suffice), or bundle.NAME.")]
Shown = Annotated[
    str, typer.Argument(help="A version's digest (8 characters suffice), bundle.NAME, or a bundle.json.")
]
MOST_LOANS = 20


def add_to(app: typer.Typer) -> None:
    """Put the commands of this file under ``yidai models``."""
    for command in (register, inventory, show, attach, validate, retire):
        app.command(command.__name__)(command)


def register(
    slot: Slot,
    tier: Annotated[int, typer.Option(help="1 (the most material) to 3.")],
    owner: Annotated[str, typer.Option(help="Who answers for it: a person or a desk.")],
    purpose: Annotated[str, typer.Option(help="What it is for.")],
    limits: Annotated[str, typer.Option(help="What it must not be used for, and where it was never tested.")],
) -> None:
    """Write a model into the inventory; the newest entry counts, older ones stay.

    Example: yidai models register bundle.risk --tier 1 --owner "Risk desk" --purpose "PD of household loans"
    --limits "No firms; no loans over 36 months"
    """
    from serving.governance.inventory import register as write
    from serving.registry.governance import ModelEntry
    from serving.settings import Settings

    write(Settings.load(), ModelEntry(slot, tier, owner, purpose, limits))
    console.print(f"{slot} is in the inventory: tier {tier}, owner {owner}.", markup=False)


def inventory(*, as_json: Json = False) -> None:
    """List the models: tier, statutory kind, owner, purpose, limits of use, state."""
    from serving.governance.inventory import inventory as read
    from serving.settings import Settings

    rows = read(Settings.load())
    if as_json:
        show_json(rows)
        return
    cells = [
        (
            r.slot,
            r.tier or "-",
            r.model_kind or "-",
            r.state.value,
            r.in_force[:12] or "-",
            r.versions,
            r.owner or "(nobody)",
        )
        for r in rows
    ]
    names = ("model", "tier", "kind", "state", "in force", "versions", "owner")
    show_table(f"{len(rows)} models", names, cells)
    for r in rows:
        told = (
            f"{r.purpose} Not for: {r.limits}"
            if r.tier
            else f"not registered: yidai models register {r.slot}"
        )
        console.print(f"{r.slot}: {told}", markup=False)


def show(version: Shown, *, as_json: Json = False) -> None:
    """Show a version: its model, what was said of it, its evidence, how it stands at the gates now, and a scorecard's
    points with their PDO and base odds. Of a bundle.json that nobody submitted, the points.
    """
    if version.endswith(".json"):
        _show_file(Path(version), as_json=as_json)
        return
    from serving.governance.inventory import show as read
    from serving.settings import Settings

    found = read(Settings.load(), version)
    if as_json:
        show_json(found)
        return
    model = found.model
    console.print(f"[bold]{model.slot}[/] {found.digest}", soft_wrap=True)
    told = (
        f"tier {model.tier}, {model.owner}: {model.purpose} Not for: {model.limits}"
        if model.tier
        else "not registered"
    )
    console.print(f"{model.model_kind or 'no model'}, {model.state.value}; {told}", markup=False)
    console.print(f"By {found.author}; " + ("; ".join(f"{verdict} by {who} {why}".strip() for who, verdict, why in found.approvals) or "nobody said anything yet"), markup=False)  # fmt: skip
    for kind, at, who in found.evidence:
        console.print(f"  {kind}, brought by {who} on {iso(at)[:16]}", markup=False)
    if found.points is not None:
        _show_points(found.points)
    cells = [("met" if s.met else "MISSED", s.gate.value, s.figure, s.limit, "" if s.met else s.remedy) for s in found.standings]  # fmt: skip
    show_table("gates, as of now", ("", "gate", "figure", "limit", "remedy"), cells)


def _show_file(path: Path, *, as_json: bool) -> None:
    from features.errors import Invalid
    from training.bundle import load_bundle
    from training.points import point_table

    if not path.is_file():
        raise Invalid("there is no such file.", place=str(path), remedy="Name a bundle.json, or a digest.")
    scorer = load_bundle(path.read_bytes())
    bundle, points = scorer.bundle, point_table(scorer.bundle)
    if as_json:
        show_json(
            {"digest": scorer.bundle_digest, "model": bundle.model, "kind": bundle.kind, "points": points}
        )
        return
    console.print(f"[bold]{bundle.portfolio}.{bundle.model}[/] {scorer.bundle_digest}", soft_wrap=True)
    if points is None:
        console.print(
            f"It has {len(bundle.trees)} trees over {len(bundle.columns)} features and no table of points."
        )
    else:
        _show_points(points)


def _show_points(points: PointTable) -> None:
    console.print(points.told, markup=False)
    cells = [
        (
            *((one.feature, f"{one.zh} {one.en}") if head else ("", "")), one.bin,
            *(("", "") if one.goods is None else (one.goods, one.bads)), one.points,
        )
        for head, one in zip(points.heads, points.lines, strict=True)
    ]  # fmt: skip
    show_table(
        f"{len(cells)} bins; everybody starts with {points.start} points",
        ("feature", "", "bin", "goods", "bads", "points"), cells,
    )  # fmt: skip


def attach(
    version: Version,
    file: Annotated[Path, typer.Argument(help="report.json, fairness.json or comparison.json, unchanged.")],
    kind: Annotated[
        EvidenceKind | None, typer.Option(help="What it is, where the file's name does not say.")
    ] = None,
) -> None:
    """Bring evidence about a version, to be read by who approves it. What its author brings later counts only
    after another approval.
    """
    from features.errors import Invalid
    from serving import operations
    from serving.access.model import Permission
    from serving.clock import wall_clock
    from serving.governance import promotion
    from serving.serve import open_store
    from serving.settings import Settings

    settings = Settings.load()
    if not file.is_file() or (kind is None and file.stem not in list(EvidenceKind)):
        raise Invalid("there is no such evidence.", place=str(file), remedy="Name the file, and its --kind.")
    found = kind or EvidenceKind(file.stem)
    database = open_store(settings)
    asker = operations.authority(settings, database, Permission.SUBMIT)
    promotion.attach(database, asker, version, found, file.read_bytes(), wall_clock())
    console.print(f"{found.value} of {version[:12]} is kept.")


def validate(
    version: Annotated[str, typer.Argument(help="A version's digest, or a bundle.json.")],
    portfolio: Annotated[str, typer.Option(help="A portfolio.yaml, its folder, or a shipped name.")] = "city",
    against: Annotated[str, typer.Option(help="Another version than the one in force.")] = "",
    *,
    dry: Annotated[bool, typer.Option("--dry", help="Do not keep it as evidence.")] = False,
    as_json: Json = False,
) -> None:
    """Score a version and the one in force on the same held-out rows; the paired gap becomes its evidence."""
    from serving.governance.challenge import challenge, keep
    from serving.settings import Settings

    settings = Settings.load()
    with progress("scoring both"):
        found = challenge(settings, version, portfolio, against)
    if not dry:
        keep(settings, found)
    if as_json:
        show_json(found)
        return
    console.print(f"{found.rows:,} rows, {found.bads:,} bad, {found.split}")
    console.print(
        f"AUC {found.auc}; that of {found.champion[:12]} {found.champion_auc}; gap {found.gap}, paired"
    )
    if not found.unseen:
        console.print("One of them may have learned from these rows: the gap is no evidence for a promotion.")


def retire(
    slot: Slot,
    reason: Annotated[str, typer.Option(help="Why: kept with it.")] = "",
    *,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do it; without it only what it touches is listed.")
    ] = False,
    as_json: Json = False,
) -> None:
    """End a model, after the approvals and open loans that hang on it were listed. What it decided stays."""
    from serving.governance.inventory import retire as end
    from serving.governance.inventory import touched
    from serving.settings import Settings

    settings = Settings.load()
    found = touched(settings, slot)
    if as_json and not yes:
        show_json(found)
        return
    if not as_json:
        console.print(f"{slot} {found.digest[:12]}: {found.approvals:,} approvals of {found.subjects:,} subjects while in force, {len(found.open_loans):,} of their loans open.")  # fmt: skip
        for loan in found.open_loans[:MOST_LOANS]:
            console.print(f"  loan {loan}", markup=False)
        if found.needed_by:
            console.print(f"The policy in force {found.needed_by[:12]} decides by it.")
    if not yes:
        console.print("Nothing is changed. To end it: the same with --yes.")
        return
    done = end(settings, slot, reason)
    if as_json:
        show_json(done)
        return
    console.print(f"{slot} is retired.")
