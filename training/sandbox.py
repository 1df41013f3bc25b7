"""A small city made on the spot, ingested and ready to learn from: what the notebooks begin with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from features.city.make import make_city
from features.contracts.load import BUILTIN, load_contracts
from features.identity.vault import MemoryVault
from features.timeline.door import Door
from features.timeline.ingest import ingest_folder
from features.timeline.lake import Lake
from training.models import ModelName
from training.portfolio import Portfolio, find_portfolio, load_portfolio
from training.run import Prepared, Trained, lake_door, models_folder, prepare, train_model

HOUSEHOLDS, MONTHS, SEED = 1_200, 48, 7
CITY = "city"


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A lake with a city in it, as of ``as_of`` (µs), and the shipped portfolio of it."""

    folder: Path
    as_of: int
    portfolio: Portfolio

    @property
    def lake(self) -> Lake:
        """Where its records lie."""
        return Lake(self.folder / "lake")

    @property
    def door(self) -> Door:
        """To the lake for model development; reads are logged beside it."""
        found = lake_door(self.portfolio, self.folder / "lake", self.as_of, actor="notebook")
        assert found is not None
        return found

    def prepare(self) -> Prepared:
        """The portfolio's rows, read once."""
        return prepare(self.portfolio, door=self.door)

    def train(self, prepared: Prepared, model: str) -> Trained:
        """A model with its report, under the sandbox's folder and in no account of MLflow."""
        return train_model(prepared, ModelName(model), self.folder / "models", tracking=False)


def small_city(
    home: Path | None = None, *, households: int = HOUSEHOLDS, months: int = MONTHS, seed: int = SEED
) -> Sandbox:
    """The sandbox under ``home`` (`notebooks` beside the models without it), made if it is not there yet."""
    base = home or models_folder().parent / "notebooks"
    folder = base / f"city-{households}-{months}-{seed}"
    done = folder / "ready"
    if not done.exists():
        make_city(folder / "feeds", households=households, months=months, seed=seed)
        ingest_folder(folder / "feeds", load_contracts([BUILTIN]), MemoryVault(), Lake(folder / "lake"))
        done.touch()
    ends_at = int(msgspec.json.decode((folder / "feeds" / "city.json").read_bytes())["ends_at"])
    return Sandbox(folder, ends_at, load_portfolio(find_portfolio(CITY)))
