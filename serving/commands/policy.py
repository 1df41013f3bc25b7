"""``yidai policy``: what the credit committee does with a policy, from a file to the day on which it begins."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.calendar import instant, iso
from features.contracts.model import Text
from features.terminal import console, show_json, show_table
from serving.policy.lists import ListKind

if TYPE_CHECKING:
    from serving.governance.committee import Standing

policy_app = typer.Typer(
    help="Credit policies: check, submit, approve by another person, activate at a date, roll back, compare.\n\n"
    "A policy is a file: see docs/policy.md. YIDAI_TOKEN says who is asking.",
    no_args_is_help=True,
)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
File = Annotated[Path, typer.Argument(help="A policy as .yaml, or as the .json that was stored.")]
Digest = Annotated[str, typer.Argument(help="The version's digest; its first 8 characters suffice.")]
Named = Annotated[str, typer.Argument(help="A file, a slot (policy, policy.NAME) or a digest.")]


@policy_app.command("check")
def check(
    file: File,
    portfolio: Annotated[str, typer.Option(help="Whose features the policy may ask.")] = "city",
    on: Annotated[
        str, typer.Option(help="The day on which it is to begin; its tables must reach a year beyond.")
    ] = "",
    *,
    as_json: Json = False,
) -> None:
    """Look for all that is wrong with a policy: gaps, overlaps, rules that do nothing, texts that tell nothing.

    Exit code 1 where it may not be used. Example: yidai policy check serving/policy/city.yaml
    """
    from serving.clock import wall_clock
    from serving.governance import committee
    from serving.policy.findings import Severity

    found = committee.check(file, portfolio, instant(on) if on else wall_clock())
    errors = sum(finding.severity is Severity.ERROR for finding in found)
    if as_json:
        show_json(found)
    else:
        rows = [(f.severity.value, f.code, f.place, f.problem, f.remedy) for f in found]
        if rows:
            show_table(f"{file}", ("", "finding", "place", "problem", "remedy"), rows)
        console.print(f"{errors} errors, {len(found) - errors} warnings.")
    raise typer.Exit(1 if errors else 0)


@policy_app.command("submit")
def submit(
    file: File, note: Annotated[str, typer.Option(help="What a second person should know of it.")] = ""
) -> None:
    """Store a policy as a draft, to be approved by somebody else."""
    from serving.governance import committee
    from serving.settings import Settings

    name = committee.submit(Settings.load(), file, note)
    console.print(f"policy {name} waits for a second person.")
    console.print(f"Next, as another person: yidai policy approve {name[:12]}")


@policy_app.command("approve")
def approve(
    digest: Digest,
    reason: Annotated[str, typer.Option(help="Why: kept with the verdict.")] = "",
    *,
    refuse: Annotated[bool, typer.Option("--refuse", help="Say no instead: it never begins.")] = False,
) -> None:
    """Say yes (or no) to a policy of somebody else. Its author may not."""
    from serving import operations
    from serving.settings import Settings

    operations.approve(Settings.load(), digest, refused=refuse, reason=reason)
    console.print(f"{digest[:12]} is {'refused' if refuse else 'approved'}.")


@policy_app.command("activate")
def activate(
    digest: Digest,
    slot: Annotated[
        str,
        typer.Option(help="policy or policy.NAME; that of the policy of the same name, else its own name."),
    ] = "",
    begin: Annotated[str, typer.Option("--from", help="A later day or moment; now without it.")] = "",
    *,
    as_json: Json = False,
) -> None:
    """Put an approved policy in force, now or from a later day on; what is in force until then ends then."""
    from serving.governance import committee
    from serving.settings import Settings

    done = committee.activate(Settings.load(), digest, slot, instant(begin) if begin else None)
    if as_json:
        show_json(done.slots)
        return
    for where, name in done.slots.items():
        console.print(f"{where} is {name[:12]} from {begin or 'now'} on.")


@policy_app.command("rollback")
def rollback(slot: Annotated[str, typer.Argument(help="policy or policy.NAME.")] = "policy") -> None:
    """Call off what is to begin later, or put in force again what was in force before."""
    from serving import operations
    from serving.settings import Settings

    done = operations.rollback(Settings.load(), slot).slots
    for where, name in done.items():
        console.print(f"{where} is {name[:12]}.")
    if not done:
        console.print(f"{slot} stays empty.")


@policy_app.command("show")
def show(
    slot: Annotated[str, typer.Argument(help="Only this slot, or the version of this digest.")] = "",
    out: Annotated[Path | None, typer.Option(help="Write that policy there as YAML.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """Show the policies in force and those that are to begin, with their products and rules.

    With --out the one in force (in the slot `policy`, unless another is named) is written as a file that `check`, `diff`
    and `submit` take. Example: yidai policy show --out in_force.yaml
    """
    from serving.governance import committee
    from serving.settings import Settings

    if out is not None:
        name = committee.write_policy(Settings.load(), slot or "policy", out)
        console.print(f"{out} is the policy {name[:12]}.")
        return
    found = committee.standing(Settings.load(), slot)
    if as_json:
        show_json([_told(one) for one in found])
        return
    cells = [
        (
            one.slot, one.digest[:12], one.policy.document.policy, ", ".join(one.policy.document.products),
            len(one.policy.ready), iso(one.since), iso(one.until) if one.until else "",
        )
        for one in found
    ]  # fmt: skip
    show_table("policies", ("slot", "digest", "policy", "products", "rules", "from", "to"), cells)


@policy_app.command("diff")
def diff(before: Named, after: Named, *, as_json: Json = False) -> None:
    """Tell how two policies differ, rule by rule and row by row.

    Example: yidai policy diff policy my_policy.yaml
    """
    from serving.governance import committee
    from serving.settings import Settings

    found = committee.compare(Settings.load(), before, after)
    if as_json:
        show_json(found)
        return
    for difference in found:
        console.print(str(difference), markup=False, soft_wrap=True)
    console.print(f"{len(found)} differences.")


@policy_app.command("list")
def submit_list(
    name: Annotated[str, typer.Argument(help="Rules ask it as list.NAME; it goes into the slot list.NAME.")],
    file: Annotated[Path, typer.Argument(help="CSV with id_number, effective_from, effective_to.")],
    kind: Annotated[ListKind, typer.Option(help="What the list is for.")] = ListKind.DENY,
    source: Annotated[str, typer.Option(help="Who keeps it.")] = "bank",
    zh: Annotated[str, typer.Option(help="Its name in Chinese.")] = "名单",
    en: Annotated[str, typer.Option(help="Its name in English.")] = "A list of this bank",
) -> None:
    """Submit a list of persons, kept by their pseudonyms; every entry ends within a year.

    Another person approves it and puts it in force: yidai policy approve, yidai models promote list.NAME.
    """
    from serving import operations
    from serving.governance import committee
    from serving.registry.model import Kind
    from serving.settings import Settings

    settings = Settings.load()
    data = committee.list_document(settings, name, kind, Text(zh, en), source, file)
    digest = operations.submit(settings, Kind.LIST, data)
    console.print(f"list {digest} waits for a second person.")
    console.print(f"Next, as another person: yidai policy approve {digest[:12]}")


def _told(one: Standing) -> dict[str, object]:
    document = one.policy.document
    return {
        "slot": one.slot, "digest": one.digest, "policy": document.policy, "kind": document.kind.value,
        "products": list(document.products), "rules": [rule.id for rule in one.policy.rules],
        "from": iso(one.since), "to": iso(one.until) if one.until else None,
    }  # fmt: skip
