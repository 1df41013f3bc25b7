"""Probes reach every bin, code and leaf, so that a bundle of which anything changed is not loaded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec
import numpy as np
import pytest

from features.canonical import canonical_bytes
from features.matrix import Missing
from tests.training.samples import made_sample
from training.boosting import BoosterSettings, constant_part, fit_booster, tree_parts
from training.bundle import BrokenBundle, Bundle, Scorer, dump_bundle, load_bundle, with_vectors
from training.candidates import Candidate
from training.models import ModelName, Origin, train
from training.probes import boundary_probes, covering_probes, reached_leaves

ORIGIN = Origin("made", "credit_approval", "d" * 64, 1_700_000_000_000_000)
BOTH = pytest.mark.parametrize("name", list(ModelName))
DECIDING = {"base", "points", "no_record", "code_points", "leaves"}


@cache
def small(name: ModelName) -> Bundle:
    """A bundle of a few bins or a few trees."""
    sample = made_sample(400)
    if name is ModelName.RATING:
        return train(name, sample, ORIGIN)
    parameters = {"objective": "binary", "num_leaves": 4, "min_data_in_leaf": 20, "verbosity": -1}
    booster = fit_booster(sample, BoosterSettings((Candidate("few", parameters, 2),)))
    whole = train(ModelName.RISK, sample, ORIGIN)
    at = {column.name: place for place, column in enumerate(whole.columns)}
    names = [column.name for column in sample.matrix.columns]
    trees = tuple(
        msgspec.structs.replace(tree, columns=tuple(at[names[c]] for c in tree.columns))
        for tree in tree_parts(booster)
    )
    base = round(constant_part(booster) * 1e9)
    bundle = msgspec.structs.replace(whole, trees=trees, base=base, bins=(), vectors=())
    probes = covering_probes(bundle)
    return with_vectors(bundle, probes.values[:0], probes.missing[:0], (probes.values, probes.missing))


def numbers(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every number of a JSON document."""
    if isinstance(node, dict | list):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from numbers(value, (*path, key))
    elif isinstance(node, int | float) and not isinstance(node, bool):
        yield path


def changed(data: bytes, path: tuple[Any, ...], by: float) -> dict[str, Any]:
    document = json.loads(data)
    node = document
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] += by
    return document


@BOTH
def test_a_bundle_of_which_any_number_changed_is_not_loaded(name) -> None:
    data = dump_bundle(small(name))
    for path in numbers(json.loads(data)):
        with pytest.raises(BrokenBundle):
            load_bundle(canonical_bytes(changed(data, path, 1)))


@BOTH
def test_the_vectors_alone_notice_another_point_leaf_or_table_entry(name) -> None:
    data = dump_bundle(small(name))
    looked = 0
    for path in numbers(json.loads(data)):
        if not set(path) & DECIDING:
            continue
        document = changed(data, path, 1)
        with pytest.raises(BrokenBundle, match="test vector"):
            load_bundle(dump_bundle(msgspec.convert(document, Bundle, strict=False)))
        looked += 1
    assert looked > 10


@BOTH
def test_a_vector_of_another_width_is_refused(name) -> None:
    bundle = small(name)
    first = bundle.vectors[0]
    short = msgspec.structs.replace(first, values=first.values[1:])
    with pytest.raises(BrokenBundle, match="has not the"):
        load_bundle(dump_bundle(msgspec.structs.replace(bundle, vectors=(short, *bundle.vectors[1:]))))


@BOTH
def test_a_bundle_of_before_has_no_seal_and_is_read(name) -> None:
    blank = canonical_bytes(msgspec.structs.replace(small(name), seal=""))
    assert load_bundle(blank).bundle.seal == ""


@pytest.mark.parametrize("made", [boundary_probes, covering_probes])
def test_every_leaf_that_a_row_can_reach_is_reached(made) -> None:
    sample = made_sample(900)
    bundle = train(ModelName.RISK, sample, ORIGIN)
    scorer, probes = Scorer(bundle, ""), made(bundle)
    found = reached_leaves(scorer, probes.values, probes.missing)
    leaves = sum(len(tree.leaves) for tree in bundle.trees)
    reached = sum(len(np.unique(found[:, tree])) for tree in range(len(bundle.trees)))
    assert reached == leaves - probes.unreached
    chosen = sample.matrix.select(scorer.columns)
    real = reached_leaves(scorer, chosen.values, chosen.missing)
    for tree in range(len(bundle.trees)):
        assert set(real[:, tree].tolist()) <= set(found[:, tree].tolist())


def test_leaves_are_those_that_the_scorer_adds() -> None:
    bundle = small(ModelName.RISK)
    scorer, probes = Scorer(bundle, ""), boundary_probes(bundle)
    known = (probes.missing <= Missing.NO_RECORD).all(axis=1)
    found = reached_leaves(scorer, probes.values[known], probes.missing[known])
    expected = [
        bundle.base + sum(round(tree.leaves[leaf]) for tree, leaf in zip(bundle.trees, row, strict=True))
        for row in found
    ]
    assert scorer.score(probes.values[known], probes.missing[known]).log_odds.tolist() == expected


@BOTH
def test_boundary_probes_stand_on_both_sides_of_every_bound(name) -> None:
    bundle = small(name)
    probes = boundary_probes(bundle)
    encoded = {encoding.column for encoding in bundle.encodings}
    for place in range(len(bundle.columns)):
        bounds = set(bundle.bins[place].edges) if bundle.bins else set()
        if place not in encoded:
            bounds |= {
                t
                for tree in bundle.trees
                for c, t in zip(tree.columns, tree.thresholds, strict=True)
                if c == place
            }
        held = set(probes.values[probes.missing[:, place] == 0, place].tolist())
        for bound in bounds:
            assert {bound, float(np.nextafter(bound, np.inf)), float(np.nextafter(bound, -np.inf))} <= held
        assert set(probes.missing[:, place].tolist()) == {0, 1, 2, 3}
