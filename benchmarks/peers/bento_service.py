"""BentoML around a bare LightGBM model: one row in, one probability out. `bentoml serve bento_service:Scorer`."""

from __future__ import annotations

import os
from typing import Any

import bentoml
import lightgbm
import numpy as np


@bentoml.service(workers=int(os.environ["PEER_WORKERS"]), traffic={"timeout": 30})
class Scorer:
    """No authentication, no features, no reasons; nothing is stored."""

    def __init__(self) -> None:
        self._booster = lightgbm.Booster(model_file=os.environ["PEER_MODEL"])

    @bentoml.api
    def predict(self, row: list[float]) -> dict[str, Any]:
        """The probability of one row."""
        return {"pd": float(self._booster.predict(np.array([row]))[0])}
