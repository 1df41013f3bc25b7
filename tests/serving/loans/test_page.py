"""docs/loans.md: every line of code and every request on it is executed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest

from tests.serving.world import MIDDLE, Bank

PAGE = (Path(__file__).parents[3] / "docs" / "loans.md").read_text(encoding="utf-8")


def blocks(language: str) -> str:
    """All code of a language on the page."""
    return "\n".join(re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL))


def test_the_code_of_the_page_holds() -> None:
    told: dict[str, object] = {}
    exec(compile(blocks("python"), "docs/loans.md", "exec"), told)
    assert len(told["events"]) == 2


def test_every_request_of_the_page_is_answered(bank: Bank, address: str, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    script = "set -euo pipefail\n" + blocks("bash").replace("http://localhost:8100", address)
    variables = {
        "TOKEN": bank.tokens["integration_engineer"],
        "NUMBER": MIDDLE,
        "PATH": "/usr/bin:/bin:/usr/local/bin",
    }
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    paid = msgspec.json.decode((tmp_path / "paid.json").read_bytes())
    assert paid["loan"]["paid"] == {"fee_fen": 0, "interest_fen": 5_000, "principal_fen": 81_066}
