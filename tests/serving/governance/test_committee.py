"""The commands of the credit committee: a file is checked, submitted, approved, begun at a date, compared, rolled back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from features.calendar import DAY
from features.errors import Invalid
from serving import operations
from serving.access.model import Permission
from serving.cli import app
from serving.clock import wall_clock
from serving.governance import committee
from serving.policy.diff import differences
from serving.policy.load import CITY, HOUSING, policy_from_yaml, read_policy
from serving.registry.model import Kind
from serving.registry.repository import UnknownArtifact
from serving.registry.service import submit
from serving.settings import Settings
from tests.serving.policy.documents import CITY_POLICY, changed, rule
from tests.serving.world import Bank

RUN = CliRunner()


def as_(bank: Bank, role: str) -> Settings:
    """The bank's settings with somebody's token."""
    return replace(bank.settings, token=bank.tokens[role])


def edited(folder: Path, before: str, after: str) -> Path:
    """The city's policy as a file with one text replaced."""
    text = CITY.read_text(encoding="utf-8")
    assert before in text
    path = folder / "policy.yaml"
    path.write_text(text.replace(before, after, 1), encoding="utf-8")
    return path


def test_a_file_is_checked_with_all_its_findings_and_an_exit_code(tmp_path: Path) -> None:
    for shipped in (CITY, HOUSING):
        done = RUN.invoke(app, ["policy", "check", str(shipped)])
        assert (done.exit_code, "0 errors, 0 warnings" in done.stdout) == (0, True)
    path = edited(tmp_path, "fact: bur_hard_enq_cnt_3m", "fact: bur_no_such")
    path.write_text(
        path.read_text().replace("en: Renovation", 'en: ""').replace("grades: [8, 8]", "grades: [7, 8]", 1)
    )
    done = RUN.invoke(app, ["policy", "check", str(path), "--json"])
    found = json.loads(done.stdout)
    assert done.exit_code == 1
    assert {(each["code"], each["place"]) for each in found} == {
        ("unknown_fact", "KO-08 when.any[0].fact"), ("text_missing", "purposes.renovation"), ("overlap", "tables.cutoffs"),
    }  # fmt: skip
    assert all(each["remedy"] and each["severity"] == "error" for each in found)


def test_a_policy_is_checked_for_the_day_on_which_it_is_to_begin(tmp_path: Path) -> None:
    path = edited(tmp_path, "source: REG-PR-01, value", "effective_to: 2027-06-01, source: REG-PR-01, value")
    assert RUN.invoke(app, ["policy", "check", str(path), "--on", "2026-01-01"]).exit_code == 0
    done = RUN.invoke(app, ["policy", "check", str(path), "--on", "2027-01-01", "--json"])
    assert [each["code"] for each in json.loads(done.stdout)] == ["runs_out"]


def test_differences_are_told_by_rule_and_row_and_name_what_was_added_or_taken_out() -> None:
    def change(document: dict) -> None:
        document["tables"]["prices"][6]["rate_ppm"] = 45_000
        document["gates"][4]["rules"][1]["when"]["any"][0]["value"] = 2000
        document["gates"][5]["rules"].append(rule("NEW", "refer", "any", ("age_years", "gt", 90)))
        del document["tables"]["cutoffs"][5]
        document["tables"]["cutoffs"][4]["grades"] = [7, 10]
        document["segments"].reverse()

    found = [str(each) for each in differences(CITY_POLICY, read_policy(changed(change)))]
    assert "tables prices p2024-1-year rate_ppm: 42000 -> 45000" in found
    assert any(each.startswith("gates bureau rules KO-03 when any") and "1000" in each for each in found)
    assert any(each.startswith("gates business rules NEW: added") for each in found)
    assert any(each.startswith("tables cutoffs thin-decline: removed") for each in found)
    assert "tables cutoffs thin-refer grades: [7,8] -> [7,10]" in found
    assert any(each.startswith("segments order") for each in found)
    assert len(found) == 6
    assert differences(CITY_POLICY, CITY_POLICY) == []


def test_a_change_goes_from_a_file_to_the_day_on_which_it_begins_and_back(bank: Bank, tmp_path: Path) -> None:
    analyst, officer = as_(bank, "analyst"), as_(bank, "risk_officer")
    path = edited(tmp_path, "rate_ppm: 42000", "rate_ppm: 45000")
    name = committee.submit(analyst, path, "dearer money")
    operations.approve(officer, name[:12])
    differs = committee.compare(officer, "policy", str(path))
    assert [str(each) for each in differs] == ["tables prices p2024-1-year rate_ppm: 42000 -> 45000"]
    assert committee.compare(officer, "policy", name[:8]) == differs
    day = wall_clock() // DAY * DAY + 30 * DAY
    assert committee.activate(officer, name[:12], begin=day).slots == {"policy": name}
    shown = [(one.slot, one.digest, one.since) for one in committee.standing(officer)]
    assert shown[-1] == ("policy", name, day)
    assert shown[0][:2] == ("policy", CITY_POLICY.digest)
    assert operations.rollback(officer, "policy").slots == {"policy": CITY_POLICY.digest}
    assert {one.digest for one in committee.standing(officer)} == {CITY_POLICY.digest}


def test_a_policy_without_a_loan_goes_into_a_slot_of_its_name(bank: Bank) -> None:
    name = committee.submit(as_(bank, "analyst"), HOUSING, "")
    operations.approve(as_(bank, "risk_officer"), name)
    done = committee.activate(as_(bank, "risk_officer"), name)
    assert done.slots == {"policy.housing": name}
    products = {
        one.slot: list(one.policy.document.products) for one in committee.standing(as_(bank, "auditor"))
    }
    assert products == {"policy": ["business", "consumer"], "policy.housing": ["rental_housing"]}


def test_what_cannot_be_is_refused_with_a_remedy(bank: Bank, tmp_path: Path) -> None:
    officer = as_(bank, "risk_officer")
    with pytest.raises(Invalid, match="is not in the future"):
        committee.activate(officer, CITY_POLICY.digest, begin=wall_clock() - DAY)
    bundle = operations.active(officer)["bundle.risk"]
    with pytest.raises(Invalid, match="is a bundle"):
        committee.activate(officer, bundle)
    path = edited(tmp_path, "effect: refer", "effect: maybe")
    with pytest.raises(Invalid, match="not refer or decline"):
        committee.submit(as_(bank, "analyst"), path, "")
    with pytest.raises(Invalid, match="not refer or decline"):
        committee.compare(officer, "policy", str(path))


def test_the_policy_in_force_is_written_as_a_file_that_is_the_same_policy(bank: Bank, tmp_path: Path) -> None:
    officer = as_(bank, "risk_officer")
    for slot, name in operations.active(officer).items():
        if slot.startswith("policy"):
            out = tmp_path / f"{slot}.yaml"
            assert committee.write_policy(officer, slot, out) == name
            assert policy_from_yaml(out).digest == name
            assert RUN.invoke(app, ["policy", "check", str(out)]).exit_code == 0
            assert committee.compare(officer, slot, str(out)) == []
    assert {one.slot for one in committee.standing(officer, "policy")} == {"policy"}
    with pytest.raises(UnknownArtifact):
        committee.write_policy(officer, "policy.nobody", tmp_path / "none.yaml")
    assert not (tmp_path / "none.yaml").exists()


def test_a_policy_of_the_first_schema_is_written_as_it_was_stored(bank: Bank, tmp_path: Path) -> None:
    data = (Path(__file__).parents[1] / "policy" / "golden" / "policy_1.json").read_bytes()
    name = submit(
        bank.database, bank.authority("analyst", Permission.SUBMIT), Kind.POLICY, data, bank.clock()
    )
    out = tmp_path / "first.yaml"
    assert committee.write_policy(as_(bank, "analyst"), name[:12], out) == name
    assert policy_from_yaml(out).digest == name
