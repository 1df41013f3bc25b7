"""`make serve` stands on the moment of the demo's city, unless it is told another or today."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from features.calendar import instant
from serving.demo.run import leave_moment
from tests.architecture.proofs import ROOT

AS_OF = "2026-07-01"
STAND_IN = """#!/bin/bash
echo "$YIDAI_AS_OF" > "$OUT/$1"
if test "$1" = serve; then until test -s "$OUT/worker" && test -s "$OUT/console"; do sleep 0.02; done; fi
"""
"""A `yidai` that writes down as of when it was started, and ends when all three have."""


@pytest.mark.parametrize(
    ("demo", "told", "stands"),
    [(True, None, AS_OF), (True, "", ""), (True, "2025-01-01", "2025-01-01"), (False, None, "")],
)
def test_all_three_processes_stand_on_the_same_moment(
    tmp_path: Path, *, demo: bool, told: str | None, stands: str
) -> None:
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    (tmp_path / "demo").mkdir()
    if demo:
        leave_moment(tmp_path, instant(AS_OF))
    program = tmp_path / "yidai"
    program.write_text(STAND_IN, encoding="utf-8")
    program.chmod(0o755)
    given = {name: value for name, value in os.environ.items() if name != "YIDAI_AS_OF"}
    given |= {"YIDAI_HOME": str(tmp_path), "OUT": str(tmp_path)} | (
        {} if told is None else {"YIDAI_AS_OF": told}
    )
    command = ["make", "-s", "-o", "setup", "serve", f"BIN={tmp_path}"]
    done = subprocess.run(
        command, cwd=ROOT, env=given, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert [
        (tmp_path / name).read_text(encoding="utf-8").strip() for name in ("serve", "worker", "console")
    ] == [stands] * 3
