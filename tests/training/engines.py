"""Bundles of every kind, their probes as a table, and what a database makes of them."""

from __future__ import annotations

from functools import cache
from typing import Any

import duckdb
import msgspec
import numpy as np
import psycopg
import pyarrow as pa

from tests.training.samples import made_sample
from training.boosting import Booster, BoosterSettings, constant_part, fit_booster, tree_parts
from training.bundle import FIXED, Bins, Bundle, BundleColumn, Line, Scorer
from training.candidates import Candidate
from training.models import ModelName, Origin, master_scale, train
from training.probes import Probes, boundary_probes
from training.sql import Dialect, bundle_sql

ORIGIN = Origin("made", "credit_approval", "d" * 64, 1_700_000_000_000_000)
KINDS = ("card", "booster", "blend", "logistic")


@cache
def bundle_of(kind: str) -> Bundle:
    """A scorecard, trees alone, both, or lines with a category."""
    if kind == "card":
        return train(ModelName.RATING, made_sample(900), ORIGIN)
    if kind == "logistic":
        return _logistic()
    bundle = _booster()
    if kind == "booster":
        return bundle
    card = bundle_of("card")
    own = {column.name: one for column, one in zip(card.columns, card.bins, strict=True)}
    bins = tuple(own.get(column.name, Bins((), (0,), 0)) for column in bundle.columns)
    return msgspec.structs.replace(bundle, bins=bins)


@cache
def few_trees() -> Booster:
    """Fold boosters of six small trees each; the fifth column is a category."""
    common = {"objective": "binary", "min_data_in_leaf": 20, "verbosity": -1}
    return fit_booster(made_sample(900), BoosterSettings((Candidate("few", common | {"num_leaves": 8}, 6),)))


def _booster() -> Bundle:
    sample, fitted = made_sample(900), few_trees()
    columns = tuple(
        BundleColumn(
            c.name, c.dataset, s, c.zh, c.en, c.reason, "", c.kind.value, c.special_codes if s else ()
        )
        for c, s in zip(sample.matrix.columns, fitted.signs, strict=True)
    )
    base = round(constant_part(fitted) * FIXED)
    return Bundle(
        1, "made", "few", "booster", "credit_approval", base, columns, master_scale(), "", "", 0,
        trees=tree_parts(fitted), encodings=fitted.encodings,
    )  # fmt: skip


def _logistic() -> Bundle:
    columns = tuple(
        BundleColumn(name, "one", 0, "", "", "R", kind=kind)
        for name, kind in (("x", "numeric"), ('odd "name', "numeric"), ("kind", "category"))
    )
    lines = (Line(0.1 + 0.2, 1 / 3, 12_345), Line(-7.7e-3, 1e4, -9), Line(0.0, 0.0))
    bins = (Bins((), (0,), 0), Bins((), (0,), 0), Bins((), (5,), 7, (3.0, 281474976710655.0), (-11, 13)))
    return Bundle(
        1, "made", "line", "imported", "credit_approval", -10**9, columns, master_scale(), "", "", 0, bins=bins, lines=lines
    )  # fmt: skip


def probes_of(bundle: Bundle) -> Probes:
    """The boundary probes, and rows of random kinds of missing value."""
    probes = boundary_probes(bundle)
    g = np.random.default_rng(3)
    picked = g.integers(0, len(probes.values), (40, len(bundle.columns)))
    values = probes.values[picked, np.arange(len(bundle.columns))]
    missing = g.choice([0, 0, 1, 2, 3], picked.shape).astype(np.uint8)
    return Probes(
        np.vstack([probes.values, np.where(missing == 0, values, 0.0)]), np.vstack([probes.missing, missing])
    )


def table_of(bundle: Bundle, values: Any, missing: Any) -> pa.Table:
    """The table that the statement reads, with a row number."""
    held: dict[str, Any] = {"row": np.arange(len(values))}
    for place, column in enumerate(bundle.columns):
        held[column.name] = values[:, place]
        held[f"{column.name}__missing"] = missing[:, place].astype(np.int16)
    return pa.table(held)


def by_duckdb(bundle: Bundle, features: pa.Table) -> list[tuple[Any, ...]]:
    """(log_odds, pd, grade) of each row."""
    with duckdb.connect() as connection:
        connection.register("features", features)
        return connection.execute(_in_order(bundle_sql(bundle, Dialect.DUCKDB))).fetchall()


def by_postgres(url: str, bundle: Bundle, features: pa.Table) -> list[tuple[Any, ...]]:
    """(log_odds, pd, grade) of each row."""
    names = ", ".join('"' + name.replace('"', '""') + '"' for name in features.column_names)
    kinds = ", ".join(
        '"'
        + name.replace('"', '""')
        + '" '
        + ("float8" if pa.types.is_floating(features[name].type) else "int")
        for name in features.column_names
    )
    with psycopg.connect(url) as connection:
        connection.execute(f"CREATE TEMP TABLE features ({kinds})")
        with connection.cursor().copy(f"COPY features ({names}) FROM STDIN") as copy:
            for row in zip(*(features[name].to_pylist() for name in features.column_names), strict=True):
                copy.write_row(row)
        return connection.execute(_in_order(bundle_sql(bundle, Dialect.POSTGRES))).fetchall()


def _in_order(statement: str) -> str:
    return f"SELECT log_odds, pd, grade FROM ({statement}) AS scored ORDER BY row"


def check(bundle: Bundle, probes: Probes, found: list[tuple[Any, ...]]) -> None:
    """Scores and grades are the scorer's exactly, PD within 1e-9."""
    scores = Scorer(bundle, "").score(probes.values, probes.missing)
    assert [row[0] for row in found] == scores.log_odds.tolist()
    assert [row[2] for row in found] == scores.grade.tolist()
    assert np.abs(np.array([row[1] for row in found]) - scores.pd).max() < 1.5e-9
