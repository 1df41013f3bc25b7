"""Models go out as SQL and JSON and come in as challengers, by command and against a real server."""

from __future__ import annotations

import json
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from typer.testing import CliRunner

from features.errors import Invalid
from serving.cli import app
from serving.governance.exchange import find_bundle
from serving.registry.model import Kind
from serving.registry.repository import UnknownArtifact
from tests.serving.world import Bank, scorecard
from tests.training.engines import KINDS, bundle_of, by_postgres, check, probes_of, table_of
from training.bundle import Bundle, Scorer, dump_bundle
from training.exchange import BundleExport
from training.probes import reached_leaves


@pytest.mark.parametrize("kind", KINDS)
def test_postgresql_scores_as_the_bundle_does(server, kind) -> None:
    bundle = bundle_of(kind)
    probes = probes_of(bundle)
    features = table_of(bundle, probes.values, probes.missing)
    check(bundle, probes, by_postgres(_url(server), bundle, features))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_in_postgresql_too_what_the_scorer_refuses_has_no_score(server, value) -> None:
    bundle = bundle_of("blend")
    values, missing = np.zeros((2, len(bundle.columns))), np.zeros((2, len(bundle.columns)), dtype=np.uint8)
    values[0, 0] = value
    found = by_postgres(_url(server), bundle, table_of(bundle, values, missing))
    assert found[0] == (None, None, None)
    assert None not in found[1]


@pytest.mark.parametrize("kind", KINDS)
def test_the_json_holds_rows_for_every_bin_and_leaf_with_their_scores(kind, tmp_path) -> None:
    path, out = tmp_path / "bundle.json", tmp_path / "out.json"
    path.write_bytes(dump_bundle(bundle_of(kind)))
    assert _run("models", "export", str(path), "--format", "json", "--out", str(out)) == 0
    found = msgspec.json.decode(out.read_bytes(), type=BundleExport)
    scorer = Scorer(found.bundle, "")
    values = np.array([vector.values for vector in found.vectors])
    missing = np.array([vector.missing for vector in found.vectors], dtype=np.uint8)
    scores = scorer.score(values, missing)
    assert scores.log_odds.tolist() == [vector.log_odds for vector in found.vectors]
    assert scores.pd.tolist() == [vector.pd for vector in found.vectors]
    assert scores.grade.tolist() == [vector.grade for vector in found.vectors]
    _reaches_everything(found.bundle, scorer, values, missing, found.unreached_leaves)


def _reaches_everything(
    bundle: Bundle, scorer: Scorer, values: np.ndarray, missing: np.ndarray, unreached: int
) -> None:
    for place, bins in enumerate(bundle.bins):
        present = values[missing[:, place] == 0, place]
        plain = present[~np.isin(present, bins.codes)]
        assert set(np.searchsorted(bins.edges, plain, side="right")) == set(range(len(bins.points)))
        assert set(bins.codes) <= set(present.tolist())
    if bundle.trees:
        found = reached_leaves(scorer, values, missing)
        reached = sum(len(np.unique(found[:, tree])) for tree in range(len(bundle.trees)))
        assert reached == sum(len(tree.leaves) for tree in bundle.trees) - unreached


def test_a_version_of_the_registry_is_exported_by_its_digest(bank: Bank) -> None:
    data = scorecard("exported", 0.25)
    name = bank.approved("bundle.exported", Kind.BUNDLE, data)
    settings = replace(bank.settings, token=bank.tokens["auditor"])
    with pytest.raises(UnknownArtifact):
        find_bundle(settings, "ffffffff")
    assert find_bundle(settings, name[:12]).bundle_digest == name


@pytest.mark.parametrize("dialect", ["postgres", "duckdb"])
def test_the_command_writes_sql_and_says_how_large_it_is(dialect, tmp_path) -> None:
    path, out = tmp_path / "bundle.json", tmp_path / "out.sql"
    path.write_bytes(dump_bundle(bundle_of("card")))
    arguments = [
        "models",
        "export",
        str(path),
        "--format",
        "sql",
        "--dialect",
        dialect,
        "--out",
        str(out),
        "--json",
    ]
    result = CliRunner().invoke(app, [*arguments, "--table", "scoring.features"])
    assert result.exit_code == 0
    assert json.loads(result.output)["bytes"] == out.stat().st_size
    assert f"for {dialect}" in out.read_text()
    assert 'FROM "scoring"."features"' in out.read_text()


def test_a_folder_that_is_not_there_is_named(tmp_path) -> None:
    path = tmp_path / "bundle.json"
    path.write_bytes(dump_bundle(bundle_of("card")))
    result = CliRunner().invoke(
        app, ["models", "export", str(path), "--out", str(tmp_path / "no" / "x.json")]
    )
    assert isinstance(result.exception, Invalid)
    assert "Name a file in a folder that is there" in str(result.exception)


def _run(*arguments: str) -> int:
    return CliRunner().invoke(app, list(arguments)).exit_code


def _url(server) -> str:
    from serving.store.engine import open_database

    return open_database(server).admin_url
