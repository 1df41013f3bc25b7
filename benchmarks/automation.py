"""How many applications the default policy decides without a person, and why each of the others waits for one.

Models learn from the loans of one sample city; every application of the last months of another one, which they have
never seen, is decided as ``yidai decide`` does it, on the day on which all parts of the policy are in force. Every applicant consents to everything and passes the bank's checks,
no list is in force, and no household has promises of before: what is left is the policy, the models and the records.

    python -m benchmarks.automation [--quick] [--json]
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from pathlib import Path

import msgspec
import numpy as np

from benchmarks.applications import Applications, applications
from benchmarks.common import finish
from features.calendar import instant
from serving.decisions.decider import Decision, decide_many
from serving.policy.days import date_text
from serving.policy.model import Outcome

MONTHS_JUDGED = 0.4
"""Share of the judged city's applications, the last ones."""
CHUNK = 256
BY_GRADE = "(the grade alone)"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="1,000 households on either side instead of 4,000"
    )
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    options = parser.parse_args()
    households = 1_000 if options.quick else 4_000
    with tempfile.TemporaryDirectory(prefix="yidai-bench-") as scratch:
        found = applications(Path(scratch), households, households)
    decisions = decided(found)
    bad = found.bad[-len(decisions) :]
    figures = shares(decisions) | bad_rates(decisions, bad)
    for (code, what), count in Counter(whys(decisions)).most_common():
        print(f"  {count:6,} {count / len(decisions):6.2%}  {code:24} {what}")
    finish(
        "automation",
        {"households": households, "applications": len(decisions)},
        figures,
        {},
        as_json=options.json,
    )


def decided(found: Applications) -> list[Decision]:
    """The decisions on the applications of the last months."""
    first = round(len(found.cases) * (1 - MONTHS_JUDGED))
    today = instant(date_text(found.live.policy.settled_day))
    cases = [msgspec.structs.replace(case, decided_at=max(case.decided_at, today)) for case in found.cases]
    decisions = []
    for at in range(first, len(found.cases), CHUNK):
        rows = slice(at, at + CHUNK)
        part = found.matrix.take(np.arange(len(found.cases))[rows])
        decisions += decide_many(cases[rows], part, found.sources[rows], found.live, b"benchmark")
    return decisions


def shares(decisions: list[Decision]) -> dict[str, float]:
    """What becomes of them, as shares of all."""
    outcomes = Counter(decision.answer.outcome for decision in decisions)
    share = {outcome: outcomes[outcome] / len(decisions) for outcome in Outcome}
    untold = sum(not d.answer.reasons for d in decisions if d.answer.outcome is Outcome.REFER)
    by_chance = sum(decision.answer.stream == "random" for decision in decisions)
    return {
        "straight_through": 1 - share[Outcome.REFER], "refer_share": share[Outcome.REFER],
        "approve_share": share[Outcome.APPROVE], "decline_share": share[Outcome.DECLINE],
        "random_share": by_chance / len(decisions), "referrals_without_reason": float(untold),
    }  # fmt: skip


def bad_rates(decisions: list[Decision], bad: np.ndarray) -> dict[str, float]:
    """The share that would default, of each outcome, by the city's truth."""
    outcomes = np.array([decision.answer.outcome.value for decision in decisions])
    return {f"bad_rate.{each}": float(bad[outcomes == each].mean()) for each in np.unique(outcomes)}


def whys(decisions: list[Decision]) -> list[tuple[str, str]]:
    """Code and text of the first reason of each referral that is no part of the score; each has one or its grade."""
    found = []
    for decision in decisions:
        if decision.answer.outcome is Outcome.REFER:
            rules = [reason for reason in decision.answer.reasons if reason.kind != "score"]
            cutoff = f"grade {decision.answer.grade}, row {decision.answer.rows.get('cutoffs', '')}"
            found.append((rules[0].code, rules[0].en) if rules else (BY_GRADE, cutoff))
    return found


if __name__ == "__main__":
    main()
