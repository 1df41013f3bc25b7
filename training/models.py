"""One command, one model: fitted, calibrated, put into a bundle with its test vectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.contracts.documents import convert
from features.errors import Invalid
from features.terminal import Step
from training.boosting import Booster, constant_part, fit_booster, fold_boosters, tree_parts
from training.bundle import (
    FIXED,
    MODEL_KINDS,
    Bins,
    Bundle,
    BundleColumn,
    Encoding,
    MasterScale,
    Scorer,
    Tree,
    with_vectors,
)
from training.calibration import Calibration, calibrate
from training.cards import Cards, describe, fit_cards
from training.level import StatedLevel
from training.points import point_scale
from training.probes import covering_probes
from training.sample import Sample, folds
from training.scale import shift_to
from training.scorecard import Scorecard, bundle_column, card_parts
from training.withheld import with_uncertainty

VECTORS = 12
FOLDS = 5
SEED = 11


class ModelName(StrEnum):
    """The models that score."""

    RATING = "rating"
    RISK = "risk"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a model comes from: recorded in its bundle."""

    portfolio: str
    model_kind: str
    definitions_digest: str
    created_at: int
    level: StatedLevel | None = None
    """Where the portfolio states the level of its PDs."""


def master_scale() -> MasterScale:
    """The fixed bands of all models."""
    import yaml  # noqa: PLC0415 - only here

    text = (files("training") / "scales" / "master_scale.yaml").read_text(encoding="utf-8")
    return convert(yaml.safe_load(text)["scale"], MasterScale, "training/scales/master_scale.yaml")


def train(
    name: ModelName,
    sample: Sample,
    origin: Origin,
    progress: Step | None = None,
    *,
    base_rate: float | None = None,
) -> Bundle:
    """A fitted bundle.

    ``base_rate`` is the bad rate of the population where the sample's own is known to be another: whoever
    stays good applies again, so that leaving out households of the later rows leaves out goods. The score is
    shifted by the difference of the logits. A long-run average that the portfolio states counts before it.

    Raises:
        Unlearnable: rows that cannot teach.
        Invalid: a model kind that is not of the statutory list (REG-IL-01).
    """
    bundle = fit(name, sample, origin, progress, base_rate=base_rate)
    chosen = sample.matrix.select(tuple(column.name for column in bundle.columns))
    rows = np.linspace(0, len(sample) - 1, VECTORS).astype(int)
    probes = covering_probes(bundle)
    return with_vectors(bundle, chosen.values[rows], chosen.missing[rows], (probes.values, probes.missing))


def fit(
    name: ModelName,
    sample: Sample,
    origin: Origin,
    progress: Step | None = None,
    *,
    base_rate: float | None = None,
    stated: bool = True,
) -> Bundle:
    """``train`` without test vectors; without ``stated`` without its interval and neutral points as well."""
    sample.check()
    fitted = _fit(name, sample, origin, progress)
    bundle = fitted.bundle
    if stated:
        bundle = with_uncertainty(bundle, fitted.parts(), folds(sample, FOLDS, SEED), sample)
    return _anchored(bundle, sample, _rate(origin, base_rate))


@dataclass(frozen=True, slots=True)
class _Fitted:
    """A model; ``parts`` fits what shows how uncertain it is: one a fold, None where a fold teaches nothing."""

    bundle: Bundle
    parts: Callable[[], list[Bundle | None]]


def _fit(name: ModelName, sample: Sample, origin: Origin, progress: Step | None) -> _Fitted:
    """The bundle without interval and test vectors."""
    if origin.model_kind not in MODEL_KINDS:
        problem = f"{origin.model_kind!r} is no kind of model."
        raise Invalid(problem, place="model_kind", remedy=f"Choose of: {', '.join(MODEL_KINDS)}.")
    return _rating(sample, origin) if name is ModelName.RATING else _risk(sample, origin, progress)


def _rate(origin: Origin, base_rate: float | None) -> float | None:
    stated = None if origin.level is None else origin.level.long_run
    return base_rate if stated is None else stated.rate


def _anchored(bundle: Bundle, sample: Sample, base_rate: float | None) -> Bundle:
    if base_rate is None or not 0 < base_rate < 1:
        return bundle
    shift = shift_to(sample.bads / len(sample), base_rate)
    notes = bundle.notes | {"base_rate": base_rate, "base_rate_shift": shift}
    return msgspec.structs.replace(bundle, base=bundle.base + round(shift * FIXED), notes=notes)


def predictor(name: ModelName, origin: Origin, base_rate: float | None = None) -> _Predictor:
    """Fits on one sample and scores another, as cross-validation wants it: through the bundle itself."""
    return _Predictor(name, origin, base_rate)


@dataclass(frozen=True, slots=True)
class _Predictor:
    name: ModelName
    origin: Origin
    base_rate: float | None

    def __call__(self, train_sample: Sample, test: Sample) -> NDArray[np.float64]:
        bundle = fit(self.name, train_sample, self.origin, base_rate=self.base_rate, stated=False)
        scorer = Scorer(bundle, "")
        chosen = test.matrix.select(scorer.columns)
        return scorer.score(chosen.values, chosen.missing).pd


def _rating(sample: Sample, origin: Origin) -> _Fitted:
    splits = folds(sample, FOLDS, SEED)
    cards = fit_cards(sample, splits)
    mended = calibrate(sample.target, cards.out_of_fold[:, None], splits)

    def of(one: Scorecard | None) -> Bundle | None:
        return None if one is None else _of_card(sample, origin, one, mended, cards)

    return _Fitted(
        _of_card(sample, origin, cards.card, mended, cards), lambda: [of(one) for one in cards.parts]
    )


def _of_card(sample: Sample, origin: Origin, card: Scorecard, mended: Calibration, cards: Cards) -> Bundle:
    base, columns, bins = card_parts(card, mended.weights[0], mended.shift)
    notes: dict[str, float | int | str] = {
        "learner": "scorecard",
        "candidate": describe(cards.settings),
        "columns": len(columns),
        **msgspec.structs.asdict(point_scale()),
        "calibration_slope": mended.weights[0],
        "calibration_shift": mended.shift,
        "log_loss_scorecard": mended.before,
        "log_loss_calibrated": mended.after,
    }
    notes |= {f"log_loss_{name}": loss for name, loss in cards.losses.items()}
    return _bundle(ModelName.RATING, "scorecard", sample, origin, base, columns, notes, bins=bins)


def _risk(sample: Sample, origin: Origin, progress: Step | None) -> _Fitted:
    booster = fit_booster(sample, progress=progress)
    cards = fit_cards(sample, folds(sample, FOLDS, SEED))
    weights = _weights(sample, booster, cards)
    notes: dict[str, float | int | str] = {
        "learner": "booster",
        "candidate": "+".join(booster.members),
        "trees": booster.trees,
        "candidate_scorecard": describe(cards.settings),
        "weight_booster": weights.weights[0],
        "weight_scorecard": weights.weights[1],
        "log_loss_booster": weights.before,
        "log_loss_blend": weights.after,
    }
    notes |= {f"log_loss_{name}": loss for name, loss in booster.losses.items()}

    def parts() -> list[Bundle | None]:
        boosters = fold_boosters(booster, sample, folds(sample, FOLDS, SEED))
        return [
            None if one is None else _combine(sample, origin, own, one, weights, {})
            for own, one in zip(boosters, cards.parts, strict=True)
        ]

    return _Fitted(_combine(sample, origin, booster, cards.card, weights, notes), parts)


def _weights(sample: Sample, booster: Booster, cards: Cards) -> Calibration:
    """The blend where it helps out of fold; the booster alone elsewhere."""
    scores = np.column_stack([booster.out_of_fold, cards.out_of_fold])
    return calibrate(sample.target, scores, folds(sample, FOLDS, SEED))


def _combine(
    sample: Sample,
    origin: Origin,
    booster: Booster,
    card: Scorecard,
    weights: Calibration,
    notes: dict[str, float | int | str],
) -> Bundle:
    trees = tree_parts(booster, weights.weights[0]) if weights.weights[0] > 0 else ()
    card_base, card_columns, card_bins = card_parts(card, weights.weights[1])
    base = round((weights.shift + weights.weights[0] * constant_part(booster)) * FIXED)
    use_card = weights.weights[1] > 0
    names = [column.name for column in sample.matrix.columns]
    used = {names[place] for tree in trees for place in tree.columns}
    used |= {column.name for column in card_columns} if use_card else set()
    order = [place for place, name in enumerate(names) if name in used]
    columns = tuple(_with_sign(sample, booster, place) for place in order)
    at = {place: seat for seat, place in enumerate(order)}
    moved = tuple(msgspec.structs.replace(t, columns=tuple(at[c] for c in t.columns)) for t in trees)
    encodings = tuple(
        msgspec.structs.replace(e, column=at[e.column]) for e in booster.encodings if e.column in at
    )
    bins: tuple[Bins, ...] = ()
    if use_card:
        own = {column.name: one for column, one in zip(card_columns, card_bins, strict=True)}
        bins = tuple(own.get(names[place], Bins((), (0,), 0)) for place in order)
        base += card_base
    return _bundle(
        ModelName.RISK, "booster", sample, origin, base, columns, notes, bins=bins, trees=moved, encodings=encodings
    )  # fmt: skip


def _with_sign(sample: Sample, booster: Booster, place: int) -> BundleColumn:
    column = bundle_column(sample.matrix.columns[place])
    sign = booster.signs[place]
    absent = sample.matrix.columns[place].special_codes if sign else ()
    return msgspec.structs.replace(column, sign=sign, absent_codes=absent)


def _bundle(
    name: ModelName,
    kind: str,
    sample: Sample,
    origin: Origin,
    base: int,
    columns: tuple[BundleColumn, ...],
    notes: dict[str, float | int | str],
    bins: tuple[Bins, ...] = (),
    trees: tuple[Tree, ...] = (),
    encodings: tuple[Encoding, ...] = (),
) -> Bundle:
    return Bundle(
        1, origin.portfolio, name.value, kind, origin.model_kind, base, columns, master_scale(),
        origin.definitions_digest, sample.digest(), origin.created_at, bins, encodings, trees,
        notes | {"rows": len(sample), "bads": sample.bads} | (origin.level.notes if origin.level else {}),
    )  # fmt: skip
