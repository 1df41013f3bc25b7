"""The scores of a receipt as text, written from arrays for many decisions at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.canonical import canonical_bytes
from features.rows import ABSENT, NUMBER, Objects
from serving.decisions.decider import Batch
from serving.decisions.forms import Forms
from training.bundle import Scores

_POINT = Objects(("grade", "kind", "log_odds", "pd", "pd_high", "pd_low"))
"""What follows the contributions."""


def score_texts(batch: Batch, forms: Forms, rows: NDArray[np.intp], *, folded: bool) -> list[bytes]:
    """The object of all models' scores, of each row; ``folded`` without what ``Versions`` says of them."""
    models = [_of_model(batch, forms, name, rows, folded=folded) for name in sorted(batch.scores)]
    return [b"{" + b",".join(texts) + b"}" for texts in zip(*models, strict=True)] or [b"{}"] * len(rows)


def _of_model(batch: Batch, forms: Forms, name: str, rows: NDArray[np.intp], *, folded: bool) -> list[bytes]:
    scorer, scores = batch.live.scorers[name], batch.scores[name]
    form = (forms.listed.contributions if folded else forms.contributions)[name]
    exact = scores.contributions[rows].astype(np.float64)
    given = form.write(exact, np.full(exact.shape, NUMBER, dtype=np.int32))
    bundle = b"" if folded else b',"bundle":"%s"' % scorer.bundle_digest.encode()
    base = b'%s:{"base":%d%s,"contributions":' % (canonical_bytes(name), scores.base, bundle)
    ends = _points(scores, rows, b"" if folded else canonical_bytes(scorer.kind))
    return [base + text + b"," + end[1:] for text, end in zip(given, ends, strict=True)]


def _points(scores: Scores, rows: NDArray[np.intp], kind: bytes) -> list[bytes]:
    """Grade, logit and PD of each row; ``kind`` is empty where it is not told."""
    nothing = np.zeros(len(scores.pd))
    ends = (scores.pd_high, scores.pd_low)
    columns = (
        scores.grade,
        nothing,
        scores.log_odds,
        scores.pd,
        *(nothing if e is None else e for e in ends),
    )
    values = np.stack([column[rows].astype(np.float64) for column in columns], axis=1)
    words = np.full(values.shape, NUMBER, dtype=np.int32)
    words[:, 1] = 0 if kind else ABSENT
    words[:, 4:] = ABSENT if scores.pd_low is None or scores.pd_high is None else NUMBER
    return _POINT.write(values, words, [kind])
