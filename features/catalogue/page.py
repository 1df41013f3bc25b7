"""The reference page of the departments: what each sends, when, on which basis, and which columns use it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from features.catalogue.model import Catalogue, Owner
from features.contracts.model import Contract
from features.matrix import Column
from features.reference import GENERATED, table

_NO_DATASET = "no dataset under contract yet"


def undocumented(
    catalogue: Catalogue, contracts: Mapping[str, Contract], columns: Iterable[Column]
) -> dict[str, list[str]]:
    """What lacks a text that a reader needs, by kind of thing; all lists are empty where nothing does."""
    owned = {name for owner in catalogue.owners for name in owner.datasets}
    return {
        "departments without a name or law": [o.code for o in catalogue.owners if not _owner_told(o)],
        "datasets without a department": sorted(set(contracts) - owned),
        "datasets without title, refresh, lag or basis": [n for n, c in contracts.items() if not _told(c)],
        "fields without both names": [
            f"{name}.{field.name}" for name, contract in contracts.items() for field in contract.fields
            if not (field.zh and field.en and all(text.zh and text.en for text in field.codes.values()))
        ],
        "columns without both names, rationale or reason": [
            c.name for c in columns if not (c.zh and c.en and c.rationale and c.reason)
        ],
    }  # fmt: skip


def departments_page(
    catalogue: Catalogue, contracts: Mapping[str, Contract], columns: Iterable[Column]
) -> str:
    """Markdown of the departments, the partners and the master databases."""
    columns = tuple(columns)
    used = columns_of(columns)
    with_data = sum(bool(owner.datasets) for owner in catalogue.departments)
    counts = f"{len(catalogue.departments)} departments, {with_data} of them with a dataset under contract"
    lines = ["# Departments", "", GENERATED]
    lines += [f"{counts}; {len(contracts)} datasets with those of the bank and the bureau.", ""]
    titles = ("department", "名称", "name", "kind", "refresh", "usual lag", "law", "datasets")
    lines += table(titles, [_owner_row(owner) for owner in catalogue.departments])
    lines += ["## Master databases", ""]
    lines += table(("master", "名称", "name", "datasets"),
                   [(m.code, m.zh, m.en, _names(m.datasets)) for m in catalogue.masters])  # fmt: skip
    lines += ["## Datasets of the departments", "", *_datasets(catalogue.departments, contracts, used)]
    lines += [
        "## The bank and the bureau",
        "",
        "They are no departments; their data meet the same rules.",
        "",
    ]
    lines += [*table(titles, [_owner_row(owner) for owner in catalogue.partners])]
    lines += _datasets(catalogue.partners, contracts, used)
    lines += ["## What is undocumented", ""]
    gaps = undocumented(catalogue, contracts, columns)
    lines += table(("what", "count"), [(what, str(len(found))) for what, found in gaps.items()])
    return "\n".join(lines).rstrip() + "\n"


def columns_of(columns: Iterable[Column]) -> dict[str, list[str]]:
    """Names of the columns that read each dataset, directly, through a link or as a part of a composite."""
    found: dict[str, list[str]] = {}
    for column in columns:
        for dataset in sorted({part.split("@", 1)[0] for part in column.dataset.split("+") if part}):
            found.setdefault(dataset, []).append(column.name)
    return found


def _owner_row(owner: Owner) -> tuple[str, ...]:
    note = f" {owner.note.zh} / {owner.note.en}" if owner.note else ""
    return (
        owner.code, owner.zh, owner.en, str(owner.kind), owner.refresh, f"{owner.usual_lag_days:g} days",
        f"{owner.law.zh} / {owner.law.en}", (_names(owner.datasets) or _NO_DATASET + ".") + note,
    )  # fmt: skip


def _datasets(
    owners: Iterable[Owner], contracts: Mapping[str, Contract], used: Mapping[str, list[str]]
) -> list[str]:
    titles = ("dataset", "department", "refresh", "usual lag", "legal basis", "consent category", "columns")
    rows = [_dataset_row(contracts[name], used.get(name, [])) for owner in owners for name in owner.datasets]
    return table(titles, rows)


def _dataset_row(contract: Contract, columns: list[str]) -> tuple[str, ...]:
    reader = f"none: {contract.only_purpose} alone" if contract.only_purpose else "none yet"
    return (
        f"[{contract.dataset}](contracts.md#{contract.dataset})", contract.department, contract.refresh,
        f"{contract.times.known_from.usual_lag_days:g} days", ", ".join(contract.legal_basis),
        f"`{contract.consent_category}`", _names(columns) or reader,
    )  # fmt: skip


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _owner_told(owner: Owner) -> bool:
    return bool(owner.zh and owner.en and owner.law.zh and owner.law.en and owner.refresh)


def _told(contract: Contract) -> bool:
    return bool(contract.title.zh and contract.title.en and contract.refresh and contract.legal_basis)
