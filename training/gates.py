"""The gates of ``mlflow/promotion.yaml`` over a model's figures; a missed gate is a warning in the report."""

from __future__ import annotations

from pathlib import Path

import msgspec

from features.contracts.documents import read_yaml
from training.scale import MAX_SHARE
from training.validation import GradeTest, Interval, Metrics

PROMOTION = Path(__file__).parents[1] / "mlflow" / "promotion.yaml"


class Gates(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits; what each means is written beside it in the file."""

    min_auc_low: float
    predicted_over_actual: tuple[float, float]
    max_ece_over_chance: float
    max_ece_over_rate: float
    max_auc_below_challenger: float
    min_grade_p_value: float


class PromotionGates(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits that a version in force is asked for, beside those of ``Gates``."""

    max_auc_below_champion: float
    max_psi: float
    min_impact_ratio: float
    min_group_rows: int


class GateFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``promotion.yaml``."""

    schema: int
    gates: Gates
    promotion: PromotionGates


def gate_file(path: Path = PROMOTION) -> GateFile:
    """All limits in force.

    Raises:
        BrokenDocument: the file is not there or breaks its schema.
    """
    return read_yaml(path, GateFile)


def load_gates(path: Path = PROMOTION) -> Gates:
    """The gates of a training; see ``gate_file``."""
    return gate_file(path).gates


def missed_gates(
    gates: Gates, metrics: Metrics, gap: Interval | None, grades: list[GradeTest]
) -> tuple[str, ...]:
    """A sentence for each gate that the figures miss; ``gap`` is the AUC over the challenger's."""
    found = []
    if not metrics.auc.low >= gates.min_auc_low:
        found.append(f"AUC {metrics.auc}: its lower end is under {gates.min_auc_low}.")
    low, high = gates.predicted_over_actual
    if not low <= metrics.predicted_over_actual <= high:
        found.append(
            f"Predicted over actual is {metrics.predicted_over_actual:.3f}, outside {low} to {high}."
        )
    rate = metrics.bads / metrics.rows
    chance = metrics.ece_by_chance
    if metrics.ece > max(gates.max_ece_over_chance * chance, gates.max_ece_over_rate * rate):
        found.append(
            f"ECE is {metrics.ece:.4f}, where chance gives {chance:.4f}; the bad rate is {rate:.4f}."
        )
    if gap is not None and gap.value < -gates.max_auc_below_challenger:
        found.append(f"AUC is {gap} from the challenger's: the simpler model ranks better.")
    found += [
        f"Grade {one.grade}: {one.bads} of {one.rows} bad where {one.mean_pd:.2%} were expected "
        f"(p {one.p_adjusted:.4f} over all grades)."
        for one in grades
        if one.rows and one.p_adjusted < gates.min_grade_p_value
    ]
    return tuple(found)


def too_full(grades: list[GradeTest]) -> list[str]:
    """A sentence for a grade that holds too much of the rows judged: a finding, for the scale is fixed across models."""
    total = sum(one.rows for one in grades)
    return [
        f"Grade {one.grade} holds {one.rows / total:.0%} of the rows judged, over {MAX_SHARE:.0%}."
        for one in grades
        if one.rows > MAX_SHARE * total
    ]
