"""The gates of a promotion: each is a figure of the evidence beside its limit, with what to do where it is missed.

Pure: evidence and limits in, standings out. Who may waive one, and the transaction, are ``serving.governance.promotion``'s.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from features.canonical import UNREADABLE
from features.errors import Invalid
from training.gates import GateFile
from training.scale import holm
from training.validation import GradeTest, Interval, Metrics


class Gate(StrEnum):
    """What is looked at. The first three are about integrity and are never waived."""

    APPROVAL = "approval"
    VECTORS = "vectors"
    DEFINITIONS = "definitions"
    INVENTORY = "inventory"
    REPORT = "report"
    AUC = "auc"
    CHAMPION = "champion"
    SCORECARD = "scorecard"
    CALIBRATION = "calibration"
    GRADES = "grades"
    PSI = "psi"
    FAIRNESS = "fairness"


NEVER_WAIVED = frozenset({Gate.APPROVAL, Gate.VECTORS, Gate.DEFINITIONS})


class Standing(msgspec.Struct, frozen=True):
    """How a version stands at one gate."""

    gate: Gate
    met: bool
    figure: str
    limit: str
    remedy: str = ""

    def __str__(self) -> str:
        """One sentence, as a refusal tells it."""
        return f"{self.gate}: {self.figure}; the limit is {self.limit}." + f" {self.remedy}" * (not self.met)


class _Origin(msgspec.Struct, frozen=True):
    bundle: str
    definitions: str


class _Month(msgspec.Struct, frozen=True):
    month: str
    psi: float
    by_chance: float


class ReportFigures(msgspec.Struct, frozen=True):
    """What the gates read of a validation report's JSON twin, whatever else it holds."""

    portfolio: str
    model: str
    out_of_time: bool
    metrics: Metrics
    gap: Interval | None
    grades: tuple[GradeTest, ...]
    stability: tuple[_Month, ...]
    origin: _Origin


class _Group(msgspec.Struct, frozen=True):
    attribute: str
    group: str
    rows: int
    impact: Interval | None


class FairnessFigures(msgspec.Struct, frozen=True):
    """What the gates read of a fairness report's JSON twin."""

    digest: str
    groups: tuple[_Group, ...]


class Comparison(msgspec.Struct, frozen=True):
    """A version and the champion on the same held-out rows; ``unseen`` says that neither learned from them."""

    schema: int
    bundle: str
    champion: str
    split: str
    unseen: bool
    rows: int
    bads: int
    auc: Interval
    champion_auc: Interval
    gap: Interval


class BrokenEvidence(Invalid):
    """A document that is not the evidence that it is brought as."""

    def __init__(self, kind: str, problem: str) -> None:
        super().__init__(
            problem,
            place=f"{kind} of the model",
            remedy="Bring the JSON file that the command wrote, unchanged.",
        )


def read_evidence(kind: str, data: bytes) -> ReportFigures | FairnessFigures | Comparison:
    """A report, fairness or comparison document.

    Raises:
        BrokenEvidence: it is none.
    """
    types = {"report": ReportFigures, "fairness": FairnessFigures, "comparison": Comparison}
    if kind not in types:
        raise BrokenEvidence(kind, f"there is no such kind; there are {', '.join(types)}.")
    try:
        found: ReportFigures | FairnessFigures | Comparison = msgspec.json.decode(data, type=types[kind])
    except UNREADABLE as error:
        raise BrokenEvidence(kind, f"it cannot be read: {error}.") from None
    return found


def digest_of(evidence: ReportFigures | FairnessFigures | Comparison) -> str:
    """The bundle that a document speaks of."""
    if isinstance(evidence, ReportFigures):
        return evidence.origin.bundle
    return evidence.digest if isinstance(evidence, FairnessFigures) else evidence.bundle


def report_gates(limits: GateFile, report: ReportFigures | None, digest: str) -> list[Standing]:
    """Every gate that the validation report answers; one alone where there is none."""
    if report is None:
        remedy = f"Bring it: yidai models attach {digest[:12]} report.json (`yidai train` wrote it beside the bundle)."
        return [Standing(Gate.REPORT, False, "there is no validation report", "one", remedy)]
    held = Standing(Gate.REPORT, True, f"of {report.metrics.rows:,} rows, {report.metrics.bads:,} bad", "one")
    return [held, _auc(limits, report), _scorecard(limits, report), _calibration(limits, report),
            _grades(limits, report), _psi(limits, report)]  # fmt: skip


def _auc(limits: GateFile, report: ReportFigures) -> Standing:
    least, auc = limits.gates.min_auc_low, report.metrics.auc
    remedy = "Train on more rows or better sources, or look at the label."
    return Standing(Gate.AUC, auc.low >= least, f"AUC {auc}", f"a lower end of at least {least:g}", remedy)


def _scorecard(limits: GateFile, report: ReportFigures) -> Standing:
    most = limits.gates.max_auc_below_challenger
    limit = f"at most {most:g} below the scorecard"
    if report.gap is None:
        return Standing(Gate.SCORECARD, True, "it is the simple model itself", limit)
    remedy = "Promote the scorecard instead, or find what the booster overlearns."
    return Standing(Gate.SCORECARD, report.gap.value >= -most, f"AUC gap {report.gap}, paired", limit, remedy)


def _calibration(limits: GateFile, report: ReportFigures) -> Standing:
    m, g = report.metrics, limits.gates
    low, high = g.predicted_over_actual
    most = max(g.max_ece_over_chance * m.ece_by_chance, g.max_ece_over_rate * m.bads / m.rows)
    met = low <= m.predicted_over_actual <= high and m.ece <= most
    figure = f"predicted over actual {m.predicted_over_actual:.3f}, ECE {m.ece:.4f}"
    remedy = "Calibrate anew on recent rows; look at the months after the split."
    return Standing(Gate.CALIBRATION, met, figure, f"{low:g} to {high:g}, ECE at most {most:.4f}", remedy)


def _grades(limits: GateFile, report: ReportFigures) -> Standing:
    least = limits.gates.min_grade_p_value
    tested = [g for g in report.grades if g.rows]
    adjusted = holm([g.p_value for g in tested])
    low = [(g.grade, p) for g, p in zip(tested, adjusted, strict=True) if p < least]
    told = ", ".join(f"grade {grade} (p {p:.4f})" for grade, p in low)
    figure = f"told too low: {told}" if low else "no grade is told too low"
    return Standing(Gate.GRADES, not low, figure, f"a p-value over all grades of at least {least:g}", "Calibrate anew, or keep the grades' PD higher.")  # fmt: skip


def _psi(limits: GateFile, report: ReportFigures) -> Standing:
    most = limits.promotion.max_psi
    limit = f"at most {most:g}, or what chance gives"
    if not report.stability:
        return Standing(Gate.PSI, True, "the portfolio has no later months", limit)
    worst = max(report.stability, key=lambda one: one.psi - max(most, one.by_chance))
    remedy = "Find which features moved in the report's stability, and whether their source changed."
    met = worst.psi <= max(most, worst.by_chance)
    return Standing(
        Gate.PSI,
        met,
        f"PSI {worst.psi:.3f} in {worst.month}, where chance gives {worst.by_chance:.3f}",
        limit,
        remedy,
    )


def fairness_gate(limits: GateFile, found: FairnessFigures | None, digest: str) -> Standing:
    """The worst group's impact ratio, where its whole interval lies beyond the limit."""
    least, fewest = limits.promotion.min_impact_ratio, limits.promotion.min_group_rows
    limit = f"an impact ratio of {least:g} to {1 / least:g}, its interval counted"
    if found is None:
        remedy = f"Test it: yidai models fairness {digest[:12]}, then yidai models attach {digest[:12]} fairness.json."
        return Standing(Gate.FAIRNESS, False, "there is no fairness report", limit, remedy)
    told = [(one, one.impact) for one in found.groups if one.impact is not None and one.rows >= fewest]
    beyond = [(one, i) for one, i in told if i.high < least or i.low > 1 / least]
    shown = beyond or told
    if not shown:
        return Standing(Gate.FAIRNESS, True, f"no group has {fewest} rows", limit)
    group, impact = min(shown, key=lambda pair: min(pair[1].value, 1 / max(pair[1].value, 1e-9)))
    figure = f"{group.attribute} {group.group}: {impact}"
    remedy = (
        "Take the less discriminatory alternative of the fairness report, or write down why none will do."
    )
    return Standing(Gate.FAIRNESS, not beyond, figure, limit, remedy)


def champion_gate(
    limits: GateFile,
    digest: str,
    report: ReportFigures | None,
    champion: str,
    champion_report: ReportFigures | None,
    comparison: Comparison | None,
) -> Standing:
    """Beside the version in force: paired on rows that neither has seen, else, where a portfolio has none
    because it holds out by folds, the figures of both reports.
    """
    most = limits.promotion.max_auc_below_champion
    limit = f"at most {most:g} below the champion, and not surely below it"
    remedy = f"Compare them: yidai models validate {digest[:12]}; a version that ranks worse needs a reason."
    if not champion:
        return Standing(Gate.CHAMPION, True, "it is the first version", limit)
    if comparison is not None and comparison.unseen:
        gap = comparison.gap
        figure = f"AUC gap {gap} to {champion[:12]}, paired on {comparison.rows:,} rows"
        return Standing(Gate.CHAMPION, gap.value >= -most and gap.high >= 0, figure, limit, remedy)
    if report and champion_report and not (report.out_of_time or champion_report.out_of_time):
        value = report.metrics.auc.value - champion_report.metrics.auc.value
        figure = f"AUC {value:+.4f} to {champion[:12]}, by the reports of both"
        return Standing(Gate.CHAMPION, value >= -most, figure, limit, remedy)
    return Standing(Gate.CHAMPION, False, f"not compared with {champion[:12]}", limit, remedy)
