"""``yidai backtest`` on the small city: a stricter policy swaps out, the page and the twin say the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from features.errors import Invalid
from serving.cli import app
from serving.policy.load import CITY, HOUSING
from serving.swaps.reading import Asked, NoModel, run
from tests.features.conftest import small_city
from tests.serving.governance.test_fairness import bundle, settings

__all__ = ["settings", "small_city"]


def stricter(folder: Path) -> Path:
    """The city's policy with a lower bound on enquiries."""
    text = CITY.read_text(encoding="utf-8")
    before = "when: {any: [{fact: bur_hard_enq_cnt_3m, op: ge, value: 8}]}"
    assert before in text
    path = folder / "stricter.yaml"
    path.write_text(text.replace(before, before.replace("value: 8", "value: 2")), encoding="utf-8")
    return path


def test_a_stricter_rule_only_swaps_out_and_is_the_cause(settings, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("YIDAI_HOME", str(settings.home))
    monkeypatch.setenv("YIDAI_DATABASE_URL", settings.database_url)
    model, page = str(bundle(tmp_path, "city")), tmp_path / "page.html"
    done = CliRunner().invoke(app, [
        "backtest", "--policy", str(stricter(tmp_path)), "--against", str(CITY), "--model", model, "--against-model", model,
        "--no-band", "--out", str(page), "--json",
    ])  # fmt: skip
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    moves = {(m["before"], m["after"]): m["expected"]["rows"] for m in told["moves"]}
    assert moves["approve", "refer"] > 0
    assert sum(moves.values()) == told["rows"]
    assert not any(after == "approve" != before for before, after in moves)
    causes = {r["code"]: (r["before"], r["after"]) for r in told["reasons"]}
    assert causes["MANY_ENQUIRIES"][1] > causes["MANY_ENQUIRIES"][0]
    text = page.read_text(encoding="utf-8")
    assert text.count("<svg") == 2
    assert f"{moves['approve', 'refer']:,}" in text
    assert "http" not in text.replace("http://www.w3.org", "")


def test_a_policy_by_rules_alone_is_refused(settings) -> None:
    with pytest.raises(NoModel, match="by rules alone"):
        run(settings, "city", Asked(str(HOUSING), str(CITY)))


def test_a_portfolio_without_a_lake_is_refused(settings, tmp_path) -> None:
    model = str(bundle(tmp_path, "city"))
    with pytest.raises(Invalid):
        run(settings, "gmsc", Asked(str(CITY), str(CITY), model, model))
