"""The main job as a newcomer starts it, in processes of its own, twice."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.campaign
RUNS = ("first",) if os.environ.get("YIDAI_CAMPAIGN") == "slice" else ("first", "second")
"""The slice of the long runs tries the demo once."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    ports = {"YIDAI_PORT": str(free_port()), "YIDAI_MLFLOW_PORT": str(free_port())}
    environment = {**os.environ, "YIDAI_HOME": str(home), **ports}
    command = [sys.executable, "-m", "serving.cli", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=800)


def test_the_demo_runs_and_runs_again_without_harm(tmp_path: Path) -> None:
    from serving.settings import Settings
    from serving.store.engine import stop_embedded

    try:
        for time in RUNS:
            done = run(tmp_path, "demo", "--households", "1500")
            assert done.returncode == 0, f"{time}: {done.stdout[-2000:]} {done.stderr[-2000:]}"
            said = done.stdout
            for word in (
                "approved",
                "referred to a person",
                "declined",
                "to the same bytes",
                "open loans",
                "nothing was changed",
                "/console/",
            ):
                assert word in said, word
            assert "different" not in said
            assert (tmp_path / "demo" / "as_of").read_text(encoding="utf-8").startswith("2026-07-01")
            assert "Traceback" not in said + done.stderr
        assert time == "first" or "is there already" in said
        assert time == "first" or "0 alerts are new" in said
    finally:
        stop_embedded(Settings(home=tmp_path))
