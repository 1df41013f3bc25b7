"""The tenths that a warning bundle keeps, against a plain count."""

from __future__ import annotations

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.training.samples import made_sample
from training.models import ModelName, Origin, train
from training.telling import TENTHS, tenth_of, tenths_note

BUNDLE = train(ModelName.RATING, made_sample(), Origin("made", "early_warning", "0" * 64, 0))


@given(st.lists(st.floats(0.0005, 0.9), min_size=20, max_size=60))
def test_a_tenth_counts_the_cuts_that_a_pd_has_reached(pds) -> None:
    pd = np.round(np.array(pds), 9)
    note = tenths_note(pd)
    bundle = msgspec.structs.replace(BUNDLE, notes=BUNDLE.notes | {TENTHS: note})
    cuts = [float(cut) for cut in note.split(",")]
    assert tenth_of(bundle, pd).tolist() == [1 + sum(one >= cut for cut in cuts) for one in pd.tolist()]


def test_a_bundle_of_before_tells_none() -> None:
    assert np.isnan(tenth_of(BUNDLE, np.array([0.1, 0.2]))).all()
    told = msgspec.structs.replace(BUNDLE, notes={TENTHS: ",".join(["0.1"] * 9)})
    assert np.isnan(tenth_of(told, np.array([np.nan, 0.2]))).tolist() == [True, False]
