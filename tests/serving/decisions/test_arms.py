"""The split of an experiment: stable by subject, of the stated share, decided and explained by the arm's own model."""

from __future__ import annotations

from itertools import count
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from features.canonical import canonical_bytes
from serving.access.model import Permission
from serving.decisions.arms import ARM_KEY, in_challenge
from serving.decisions.receipt import seal_receipt
from serving.decisions.replay import ReplayStatus, replay
from serving.decisions.verdict import draws
from serving.policy.findings import Finding
from serving.registry.model import Kind
from serving.store.keys import KeyRing
from tests.serving.decisions.test_replay import tampering
from tests.serving.feeding import subject_of
from tests.serving.policy.documents import findings, plain
from tests.serving.world import DISHONEST, GOOD, LATE, MIDDLE, POOR, Bank, Client, policy_with

PEOPLE = 40_000
HALF = 500_000
RAILS = {"min_outcomes": 500, "max_bad_rate_ratio": 1.25, "max_approval_drop": 0.03}
SPLIT = {"id": "rating-2025", "challenger": "rating", "share_ppm": HALF, "effective_from": "2025-01-01"}
keys = st.binary(min_size=32, max_size=32)
shares = st.integers(1, 999_999)


def experiment(**changes: Any) -> dict[str, Any]:
    """The experiment of these tests with some parts replaced."""
    return {**SPLIT, "guardrails": RAILS, **changes}


def use(bank: Bank, *experiments: dict[str, Any]) -> None:
    """Put experiments in force, without chance and caps."""
    tables = plain()["tables"] | {"exposure_caps": []}
    document = policy_with(experiments=list(experiments), tables=tables, random_approval=None)
    bank.approved("policy", Kind.POLICY, document)


@settings(max_examples=20, deadline=None)
@given(keys, shares)
def test_the_share_holds_within_what_chance_allows(key, share) -> None:
    taken = sum(in_challenge(key, "e", subject, share) for subject in range(PEOPLE // 4))
    low, high = binom.ppf([1e-9, 1 - 1e-9], PEOPLE // 4, share / 1_000_000)
    assert low <= taken <= high


@settings(max_examples=50, deadline=None)
@given(keys, st.text(max_size=20), st.integers(0, 2**40), shares, shares)
def test_a_subject_stays_where_it_is_and_a_larger_share_loses_nobody(key, name, subject, one, other) -> None:
    small, large = sorted((one, other))
    assert in_challenge(key, name, subject, small) == in_challenge(key, name, subject, small)
    assert in_challenge(key, name, subject, small) <= in_challenge(key, name, subject, large)
    assert in_challenge(key, name, subject, 1_000_000)
    assert not in_challenge(key, name, subject, 0)


@pytest.mark.parametrize("what", ["another experiment", "the random stream"])
def test_an_arm_says_nothing_of_another_draw(what) -> None:
    key, share = b"k" * 32, 300_000
    first = [in_challenge(key, "a", subject, share) for subject in range(PEOPLE)]
    if what == "another experiment":
        second = [in_challenge(key, "b", subject, share) for subject in range(PEOPLE)]
    else:
        second = [draws(key, f"{subject}", share) for subject in range(PEOPLE)]
    both = sum(a and b for a, b in zip(first, second, strict=True))
    low, high = binom.ppf([1e-6, 1 - 1e-6], sum(first), share / 1_000_000)
    assert low <= both <= high


@pytest.fixture(scope="module")
def answers(client: Client, bank: Bank) -> dict[str, dict[str, Any]]:
    """What two applications of each were answered while the experiment ran."""
    key = KeyRing.open(bank.settings.key_file).derived(ARM_KEY)
    people = [subject_of(bank, number) for number in (GOOD, MIDDLE)]
    named = (f"rating-{k}" for k in count())
    apart = next(
        name for name in named if [in_challenge(key, name, p, HALF) for p in people] == [True, False]
    )
    use(bank, experiment(id=apart))
    found = {}
    for number in (GOOD, LATE, MIDDLE, POOR, DISHONEST):
        consent = client.consent_id(number)
        found[number], again = (client.decide(number, consent).json() for _ in range(2))
        assert found[number]["experiment"] == again["experiment"]
    return found


def test_each_arm_is_decided_and_explained_by_its_own_model(
    bank: Bank, client: Client, answers: dict
) -> None:
    key = KeyRing.open(bank.settings.key_file).derived(ARM_KEY)
    assert {answer["experiment"]["arm"] for answer in answers.values()} == {"champion", "challenger"}
    for number, answer in answers.items():
        name = answer["experiment"]["experiment"]
        challenged = in_challenge(key, name, subject_of(bank, number), HALF)
        model = "rating" if challenged else "risk"
        arm = "challenger" if challenged else "champion"
        assert answer["experiment"] == {"experiment": name, "arm": arm, "model": model}
        assert answer["score"]["model"] == model
        path = f"/v1/decisions/{answer['decision_id']}/receipt"
        receipt = client.as_("auditor").ask("GET", path).json()
        own = receipt["scores"][model]
        assert (answer["pd"], answer["grade"]) == (own["pd"], own["grade"])
        by_reason = sum(reason["log_odds"] or 0 for reason in answer["reasons"] if reason["kind"] == "score")
        assert own["base"] + answer["score"]["other"] + by_reason == own["log_odds"]
        assert receipt["case"]["arm"] == answer["experiment"]


def test_both_arms_replay(bank: Bank, answers: dict) -> None:
    auditor = bank.authority("auditor", Permission.REPLAY)
    found = {r.decision_id: r.status for r in replay(bank.settings, bank.database, auditor)}
    assert {found[UUID(answer["decision_id"])] for answer in answers.values()} == {ReplayStatus.SAME}


def test_a_receipt_that_states_another_arm_is_found_out(client: Client, bank: Bank, answers: dict) -> None:
    name = UUID(answers[GOOD]["decision_id"])
    receipt = client.as_("auditor").ask("GET", f"/v1/decisions/{name}/receipt").json()
    receipt["case"]["arm"] |= {"arm": "champion", "model": "risk"}
    with tampering(bank) as owner:
        asked = "SELECT wrapped_key FROM decision JOIN subject USING (subject_id) WHERE decision_id = %s"
        (wrapped,) = owner.execute(asked, (name,)).fetchone()
        own = KeyRing.open(bank.settings.key_file).unwrap(wrapped)
        sealed = seal_receipt(canonical_bytes(receipt), own, str(name))
        change = "UPDATE decision SET receipt = %s, receipt_hash = sha256(%s) WHERE decision_id = %s"
        owner.execute(change, (sealed, sealed, name))
    (found,) = replay(bank.settings, bank.database, bank.authority("auditor", Permission.REPLAY), name)
    assert found.status is ReplayStatus.DIFFERENT
    assert any(told.startswith("case.arm") for told in found.differences)


def test_without_an_experiment_that_runs_no_arm_is_named(client: Client, bank: Bank, answers: dict) -> None:
    use(bank, experiment(effective_from="2026-01-01"), experiment(id="past", effective_from="2024-01-01", effective_to="2025-01-02"))  # fmt: skip
    answer = client.decide(GOOD, client.consent_id(GOOD)).json()
    assert "experiment" not in answer
    assert answer["score"]["model"] == "risk"
    receipt = client.as_("auditor").ask("GET", f"/v1/decisions/{answer['decision_id']}/receipt").json()
    assert "arm" not in receipt["case"]


def found(*experiments: dict[str, Any]) -> list[Finding]:
    """What is wrong with experiments."""
    return findings(lambda document: document.update(experiments=list(experiments)))


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"challenger": "moon"}, "no challenger 'moon'"),
        ({"challenger": "risk"}, "no challenger 'risk'"),
        ({"share_ppm": 0}, "empty"),
        ({"share_ppm": 1_000_000}, "empty"),
        ({"guardrails": None}, "gone wrong"),
        ({"guardrails": RAILS | {"min_outcomes": 0}}, "min_outcomes"),
        ({"guardrails": RAILS | {"max_bad_rate_ratio": 1.0}}, "max_bad_rate_ratio"),
        ({"guardrails": RAILS | {"max_approval_drop": 1.0}}, "max_approval_drop"),
        ({"effective_to": "2024-01-01"}, "ends before"),
        ({"effective_from": "soon"}, "soon"),
    ],
)
def test_an_experiment_that_can_tell_nothing_is_refused_with_its_place(changes, word) -> None:
    wrong = found(experiment(**changes))
    assert [each.place for each in wrong] == ["experiments: rating-2025"]
    assert word in wrong[0].problem


def test_two_experiments_never_run_on_one_day() -> None:
    first, second = experiment(effective_to="2025-07-01"), experiment(id="b", effective_from="2025-06-30")
    assert [(each.code, each.place) for each in found(first, second)] == [("overlap", "experiments: b")]
    assert found(first, experiment(id="b", effective_from="2025-07-01")) == found()
    assert [each.code for each in found(experiment(), experiment())] == ["twice", "overlap"]
