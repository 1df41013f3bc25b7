"""A LightGBM text model as trees of a bundle.

A bundle's trees have at most seven comparisons, so that they can be tabulated. A larger tree is cut into
pieces: each holds the comparisons on the way to a part of the tree and that part, and is 0 elsewhere. Exactly
one piece speaks for a row, and since path-dependent Shapley values are linear in the leaves, the pieces'
contributions add up to the tree's.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from pathlib import Path
from typing import Any

from features.errors import Invalid
from training.bundle import FIXED, Tree
from training.trees import MAX_NODES

_MOST_COVER = 2**50


class NotCarried(Invalid):
    """A part of a LightGBM model that has no counterpart in a bundle."""

    def __init__(self, path: Path, part: str, problem: str, remedy: str) -> None:
        super().__init__(problem, place=f"{path}, {part}" if part else str(path), remedy=remedy)


@dataclass(frozen=True, slots=True)
class LightgbmParts:
    """``names`` of its columns, ``trees`` over their numbers, ``base`` in 1e-9 logits; ``source_trees`` as trained."""

    names: tuple[str, ...]
    trees: tuple[Tree, ...]
    base: int
    source_trees: int


@dataclass(frozen=True, slots=True)
class _Step:
    """A comparison that a row must pass: left (``x <= threshold``) or right, with its share of training rows."""

    column: int
    threshold: float
    left: bool
    absent_passes: bool
    inside: int
    outside: int


def read_lightgbm(path: Path) -> LightgbmParts:
    """The parts of a model that predicts one probability.

    Raises:
        NotCarried: not such a model, or a split that a bundle cannot hold: the tree and column are named.
    """
    import lightgbm as lgb  # noqa: PLC0415 - seconds that only an import pays

    try:
        model = lgb.Booster(model_file=str(path)).dump_model()
    except lgb.basic.LightGBMError as error:
        remedy = "Write it with Booster.save_model."
        raise NotCarried(path, "", f"LightGBM cannot read it: {error}.", remedy) from None
    scale = _scale(path, model) * FIXED
    base, trees = 0.0, []
    for number, info in enumerate(model["tree_info"]):
        root = info["tree_structure"]
        if "split_feature" in root:
            _check_tree(path, number, root, model["feature_names"])
            trees += _pieces(path, number, root, scale)
        else:
            base += root["leaf_value"] * scale
    return LightgbmParts(tuple(model["feature_names"]), tuple(trees), round(base), len(model["tree_info"]))


def _scale(path: Path, model: dict[str, Any]) -> float:
    """What turns raw scores into log-odds."""
    name, *parameters = str(model.get("objective", "")).split()
    if name not in {"binary", "cross_entropy"}:
        problem = f"its objective is {name or 'unknown'!r}, which predicts no probability."
        raise NotCarried(path, "objective", problem, "Train it with objective=binary.")
    if model["num_tree_per_iteration"] != 1:
        raise NotCarried(path, "num_class", "it has several classes.", "Train it with two outcomes.")
    if model["average_output"]:
        raise NotCarried(path, "boosting", "it is a random forest.", "Train it with boosting=gbdt.")
    given = dict(parameter.split(":", 1) for parameter in parameters if ":" in parameter)
    return float(given.get("sigmoid", 1.0))


def _check_tree(path: Path, number: int, node: dict[str, Any], names: list[str]) -> None:
    if "split_feature" not in node:
        if "leaf_coeff" in node:
            remedy = "Train it with linear_tree=false."
            raise NotCarried(path, f"tree {number}", "its leaves are linear models.", remedy)
        return
    part = f"tree {number}, split on {names[node['split_feature']]}"
    if node["decision_type"] != "<=":
        raise NotCarried(
            path, part, "it is a split by a set of categories.",
            "Train it with the categories as numbers, and give their `codes` in reasons.yaml.",
        )  # fmt: skip
    if node["missing_type"] == "Zero":
        remedy = "Train it with zero_as_missing=false."
        raise NotCarried(path, part, "it reads 0 as absent, which is another thing here.", remedy)
    _check_tree(path, number, node["left_child"], names)
    _check_tree(path, number, node["right_child"], names)


def _pieces(path: Path, number: int, root: dict[str, Any], scale: float) -> list[Tree]:
    found: list[Tree] = []

    def cut(node: dict[str, Any], way: tuple[_Step, ...]) -> None:
        steps = _merged(way)
        if len(steps) + _comparisons(node) <= MAX_NODES:
            found.append(_piece(steps, node, scale))
        elif "split_feature" in node:
            for left in (True, False):
                cut(node["left_child" if left else "right_child"], (*way, _step(node, left=left)))
        else:
            problem = f"a leaf of it lies behind {len(steps)} different bounds; {MAX_NODES} are the most."
            raise NotCarried(path, f"tree {number}", problem, f"Train it with max_depth={MAX_NODES}.")

    cut(root, ())
    return found


def _comparisons(node: dict[str, Any]) -> int:
    if "split_feature" not in node:
        return 0
    return 1 + _comparisons(node["left_child"]) + _comparisons(node["right_child"])


def _step(node: dict[str, Any], *, left: bool) -> _Step:
    covers = _count(node["left_child"]), _count(node["right_child"])
    inside, outside = covers if left else covers[::-1]
    passes = _missing_left(node) == left
    return _Step(node["split_feature"], node["threshold"], left, passes, inside, outside)


def _merged(way: tuple[_Step, ...]) -> tuple[_Step, ...]:
    """Steps of one column and direction as one: the narrower bound, and the product of the shares."""
    found: dict[tuple[int, bool], _Step] = {}
    for step in way:
        key = step.column, step.left
        before = found.get(key)
        found[key] = step if before is None else _both(before, step)
    return tuple(found.values())


def _both(one: _Step, other: _Step) -> _Step:
    narrower = min if one.left else max
    inside = one.inside * other.inside
    outside = (one.inside + one.outside) * (other.inside + other.outside) - inside
    common = gcd(inside, outside) or 1
    inside, outside = inside // common, outside // common
    excess = max(1, (inside + outside) // _MOST_COVER)
    return _Step(
        one.column, narrower(one.threshold, other.threshold), one.left, one.absent_passes and other.absent_passes,
        max(inside // excess, 1), outside // excess,
    )  # fmt: skip


def _piece(steps: tuple[_Step, ...], part: dict[str, Any], scale: float) -> Tree:
    """The steps in a chain whose other sides are 0, then the part."""
    nodes: list[tuple[int, float, bool, tuple[int, int]]] = []
    children: list[list[int]] = []
    leaves = [0.0] if steps else []
    for place, step in enumerate(steps):
        cover = (step.inside, step.outside) if step.left else (step.outside, step.inside)
        nodes.append((step.column, step.threshold, step.absent_passes == step.left, cover))
        children.append([place + 1, -1] if step.left else [-1, place + 1])

    def visit(node: dict[str, Any]) -> int:
        if "split_feature" not in node:
            leaves.append(node["leaf_value"] * scale)
            return -len(leaves)
        place = len(nodes)
        cover = (_count(node["left_child"]), _count(node["right_child"]))
        nodes.append((node["split_feature"], node["threshold"], _missing_left(node), cover))
        children.append([0, 0])
        children[place] = [visit(node["left_child"]), visit(node["right_child"])]
        return place

    first = visit(part)
    if steps:
        children[len(steps) - 1][0 if steps[-1].left else 1] = first
    columns, thresholds, missing, covers = zip(*nodes, strict=True)
    left, right = zip(*children, strict=True)
    return Tree(columns, thresholds, missing, left, right, covers, tuple(leaves))


def _missing_left(node: dict[str, Any]) -> bool:
    """Where LightGBM sends an absent value; a split that never saw one reads it as 0."""
    if node["missing_type"] == "NaN":
        return bool(node["default_left"])
    return bool(node["threshold"] >= 0.0)


def _count(node: dict[str, Any]) -> int:
    return max(int(node.get("internal_count", node.get("leaf_count", 0))), 1)
