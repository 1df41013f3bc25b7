"""One small city and its lake a run: 300 households, 18 months of records and 36 of applications."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from features.city.make import make_city
from features.contracts.load import BUILTIN, load_contracts
from features.contracts.model import Contract
from features.identity.vault import MemoryVault
from features.timeline.ingest import IngestReport, ingest_folder
from features.timeline.lake import Lake

SMALL = {"households": 300, "months": 36, "seed": 2}


@dataclass(frozen=True)
class Loaded:
    """A city in a lake."""

    folder: Path
    lake: Lake
    vault: MemoryVault
    contracts: dict[str, Contract]
    report: IngestReport


@pytest.fixture(scope="session")
def small_city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("city") / "small"
    make_city(folder, **SMALL)
    return folder


@pytest.fixture(scope="session")
def loaded(small_city: Path, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    contracts = load_contracts([BUILTIN])
    lake, vault = Lake(tmp_path_factory.mktemp("lake")), MemoryVault()
    return Loaded(small_city, lake, vault, contracts, ingest_folder(small_city, contracts, vault, lake))
