"""The catalogue from YAML, checked against the contracts: everybody's datasets, and nobody's twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from features.catalogue.model import Catalogue, OwnerKind
from features.contracts.documents import BrokenDocument, read_yaml
from features.contracts.model import Contract

BUILTIN = Path(__file__).with_name("departments.yaml")
"""The departments that Yidai ships."""


def load_catalogue(contracts: Mapping[str, Contract], path: Path = BUILTIN) -> Catalogue:
    """The checked catalogue.

    Raises:
        BrokenDocument: a code or dataset that stands twice, a dataset without contract, a contract of a
            department that does not list it, or a partner among the departments.
    """
    catalogue = read_yaml(path, Catalogue)
    if catalogue.schema != 1:
        raise BrokenDocument(path, f"schema {catalogue.schema} is not known.", "Write schema: 1.")
    _check_once(catalogue, path)
    _check_kinds(catalogue, path)
    _check_contracts(catalogue, contracts, path)
    return catalogue


def _check_once(catalogue: Catalogue, path: Path) -> None:
    twice = sorted(name for name, times in _by_kind(catalogue).items() if times > 1)
    if twice:
        raise BrokenDocument(path, f"{', '.join(twice)} stands twice.", "Take one away.")


def _by_kind(catalogue: Catalogue) -> Counter[str]:
    """How often each code and each dataset stands; a code may be spelt like a dataset."""
    codes = Counter(f"department {owner.code}" for owner in catalogue.owners)
    return codes + Counter(f"dataset {name}" for owner in catalogue.owners for name in owner.datasets)


def _check_kinds(catalogue: Catalogue, path: Path) -> None:
    for owner in catalogue.owners:
        if (owner.kind is OwnerKind.PARTNER) != (owner in catalogue.partners):
            problem = f"{owner.code} is of the kind {owner.kind}."
            raise BrokenDocument(path, problem, "Partners, and only partners, stand under `partners`.")


def _check_contracts(catalogue: Catalogue, contracts: Mapping[str, Contract], path: Path) -> None:
    listed = {name: owner.code for owner in catalogue.owners for name in owner.datasets}
    for name in (*listed, *(name for master in catalogue.masters for name in master.datasets)):
        if name not in contracts:
            raise BrokenDocument(path, f"there is no contract of {name!r}.", "Add it, or take the name away.")
    for name, contract in contracts.items():
        if listed.get(name) != contract.department:
            problem = f"dataset {name!r} is of {contract.department!r}, which does not list it."
            raise BrokenDocument(path, problem, "List it under that department.")
