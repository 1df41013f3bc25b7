"""Everything that can be known of a policy without an applicant: what is wrong with it, where, and what to mend."""

from __future__ import annotations

from collections.abc import Iterator

from serving.policy import facts as names
from serving.policy.coverage import coverage
from serving.policy.days import first_day
from serving.policy.findings import Finding, error
from serving.policy.logic import Columns, logic
from serving.policy.numbers import numbers
from serving.policy.policy import Policy
from serving.policy.required import required
from serving.policy.wording import wording

OF_REQUEST = names.NUMBERS | names.TEXTS


def analyse(policy: Policy, columns: Columns | None = None, on: int | None = None) -> list[Finding]:
    """All findings, errors and warnings, in the order of the document.

    ``columns`` are those of the definitions, by name: without them features are not looked for. ``on`` is the day
    on which the policy is to begin or be judged: its tables must reach a year beyond it.
    """
    return [
        *wording(policy.document),
        *(required(policy.document) if policy.schema > 1 else ()),
        *numbers(policy.document),
        *_facts(policy, columns),
        *_over(policy),
        *logic(policy, columns),
        *coverage(policy, on),
    ]


def _facts(policy: Policy, columns: Columns | None) -> Iterator[Finding]:
    known = OF_REQUEST if policy.grades else OF_REQUEST - names.OF_A_LOAN
    for place, name in policy.asked:
        if name in OF_REQUEST:
            if name not in known:
                problem = f"an application without a loan has no {name}."
                yield error("unknown_fact", place, problem, "Take it out.")
        elif not name.startswith((names.CONSENT, names.LIST)) and columns is not None and name not in columns:
            problem = f"no definition gives the feature {name!r}."
            yield error("unknown_fact", place, problem, "Define it, or ask for another one.")


def _over(policy: Policy) -> Iterator[Finding]:
    since = first_day(policy.document.effective_from)
    for ready in policy.ready:
        if ready.end <= since:
            problem = "it is over before the policy begins."
            yield error("never_in_force", ready.rule.id, problem, "Take it out, or mend effective_to.")
