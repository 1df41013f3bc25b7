"""What users have today: `mlflow models serve` and BentoML with a bare model, which do a hundredth of a decision's work.

Both with two workers. MLflow is asked as its documentation asks it: a model with a signature, and a row of named columns.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import lightgbm
import msgspec
import numpy as np
import pandas as pd

from benchmarks.load import Load, Plan, loaded
from serving.demo.processes import answers, free_port

COLUMNS = 100
_NAMES = [f"feature_{at}" for at in range(COLUMNS)]
BENTO = Path(".venv-serving/bin/bentoml")
PEERS = Path(__file__).parent / "peers"


def measured(seconds: float, connections: int) -> dict[str, Load]:
    """Closed loops over each peer that is installed, by its name."""
    found = {}
    with tempfile.TemporaryDirectory(prefix="yidai-peers-") as scratch:
        model = _model(Path(scratch))
        for name, serve, path, body in _peers(Path(scratch), model):
            port = free_port(0)
            with serve(port):
                plan = Plan(
                    port, path, [body], {"Content-Type": "application/json"}, 3.0, connections, keyed=False
                )
                loaded(plan, Path(scratch))
                found[name] = loaded(msgspec.structs.replace(plan, seconds=seconds), Path(scratch))
    return found


def _model(folder: Path) -> lightgbm.Booster:
    """A booster of the size of a risk model."""
    random = np.random.default_rng(1)
    values = random.normal(size=(5_000, COLUMNS))
    labels = random.random(5_000) < 1 / (1 + np.exp(3 - values[:, 0] - values[:, 1]))
    options = {"objective": "binary", "num_leaves": 12, "verbose": -1, "seed": 1, "num_threads": 1}
    booster = lightgbm.train(options, lightgbm.Dataset(values, labels), 300)
    booster.save_model(folder / "model.txt")
    return booster


def _peers(scratch: Path, model: lightgbm.Booster):
    row = [0.0] * COLUMNS
    yield (
        "mlflow",
        _mlflow(scratch, model),
        "/invocations",
        msgspec.json.encode({"dataframe_split": {"columns": _NAMES, "data": [row]}}).decode(),
    )
    if BENTO.exists():
        yield "bentoml", _bento(scratch), "/predict", msgspec.json.encode({"row": row}).decode()


def _mlflow(scratch: Path, model: lightgbm.Booster):
    import mlflow.lightgbm  # noqa: PLC0415 - it takes seconds
    from mlflow.models import infer_signature  # noqa: PLC0415

    if not (scratch / "mlflow").exists():
        frame = pd.DataFrame([[0.0] * COLUMNS], columns=_NAMES)
        signature = infer_signature(frame, model.predict(frame))
        mlflow.lightgbm.save_model(model, scratch / "mlflow", signature=signature)
    mlflow_ = shutil.which("mlflow", path=str(Path(sys.executable).parent)) or "mlflow"

    def serve(port: int):
        command = [mlflow_, "models", "serve", "-m", str(scratch / "mlflow"), "--env-manager", "local",
                   "-p", str(port), "-w", "2"]  # fmt: skip
        return _serving(command, port, "/ping", {}, scratch / "mlflow.log")

    return serve


def _bento(scratch: Path):
    def serve(port: int):
        environment = {"PEER_WORKERS": "2", "PEER_MODEL": str(scratch / "model.txt"), "BENTOML_HOME": str(scratch),
                       "BENTOML_DO_NOT_TRACK": "true"}  # fmt: skip
        command = [
            str(BENTO.resolve()),
            "serve",
            "bento_service:Scorer",
            "--working-dir",
            str(PEERS),
            "-p",
            str(port),
        ]
        return _serving(command, port, "/readyz", environment, scratch / "bento.log")

    return serve


@contextmanager
def _serving(
    command: list[str], port: int, ready: str, environment: dict[str, str], log: Path
) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env={**os.environ, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        until = time.monotonic() + 90
        while not answers(f"http://127.0.0.1:{port}", ready):
            if process.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"{command[0]} did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.3)
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
