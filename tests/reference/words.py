"""The pages of reasons and of what rules may ask, from policies, definitions and lists of reasons."""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from features.contracts.load import BUILTIN as CONTRACTS
from features.definitions.plan import BUILTIN as DEFINITIONS
from features.definitions.plan import load_plan
from features.matrix import Missing
from features.reference import table
from serving.policy import facts
from serving.policy.load import CITY, HOUSING, TAX_LOAN, policy_from_yaml
from serving.policy.model import Effect, Force, Operator
from tests.architecture.test_guards import ROOT, text_of

PEOPLE = ROOT / "serving/cases/reasons.yaml"
FACTS = {
    facts.AMOUNT: "Amount asked for, in fen.", facts.TERM: "Term asked for, in months.", facts.PURPOSE: "Code of the loan's purpose.",
    facts.PRODUCT: "Code of the product.", facts.REGION: "Where the applicant lives or works, as the application says.",
    facts.AGE: "Completed years of age on the day of the decision.", facts.AGE_AT_END: "Completed years of age when the loan would end.",
    facts.SOURCES: "How many sources have a record of the applicant.", facts.IDENTITY: "What the check of identity found.",
    facts.AML: "What the screening against money laundering found.",
}  # fmt: skip
PREFIXES = {
    facts.CONSENT: "1 where the applicant's consent covers that category, else 0.",
    facts.LIST: "1 where the applicant is on that list today, else 0; a list that is not in force did not answer.",
}
OPERATORS = {
    Operator.LT: "less than", Operator.LE: "at most", Operator.GT: "more than", Operator.GE: "at least", Operator.EQ: "equal",
    Operator.NE: "not equal", Operator.IN: "one of a list", Operator.NOT_IN: "none of a list",
}  # fmt: skip
EFFECTS = {
    Effect.PASS: "nothing; the next rule is asked", Effect.REFER: "a person decides", Effect.DECLINE: "the application is declined",
}  # fmt: skip
FORCES = {
    Force.HARD: "nobody decides otherwise, and chance approves nothing past it",
    Force.SOFT: "a person may decide otherwise, with a reason",
}
MISSING = {
    Missing.NO_RECORD: "`no_record`: the source was asked and knows nothing.",
    Missing.SOURCE_DOWN: "`source_down`: the source was not asked, or did not answer.",
    Missing.NOT_AUTHORISED: "`not_authorised`: nobody allowed it to be read.",
}


def reasons() -> Iterator[tuple[str, str, str, str]]:
    """Code, kind, Chinese and English text of every reason that an applicant may be told."""
    for path in (CITY, HOUSING, TAX_LOAN):
        document = policy_from_yaml(path).document
        for gate in document.gates:
            for rule in gate.rules:
                yield rule.code, f"rule {rule.id} of {path.stem}", rule.zh, rule.en
        if document.score_reason is not None:
            told = document.score_reason
            yield told.code, f"score of {path.stem}", told.zh, told.en
    for code, text in load_plan([CONTRACTS], [DEFINITIONS]).reasons.items():
        yield code, "score", text.zh, text.en
    for one in yaml.safe_load(text_of(PEOPLE))["reasons"]:
        yield one["code"], f"a person's, to {one['outcome']}", one["zh"], one["en"]


def reasons_page() -> str:
    """Markdown of the reasons, each text once."""
    merged: dict[tuple[str, str, str], list[str]] = {}
    for code, kind, zh, en in reasons():
        kinds = merged.setdefault((code, zh, en), [])
        kinds += [kind] if kind not in kinds else []
    lines = [
        "# Reasons",
        "",
        "Generated from the data by `python -m tests.reference.pages`; do not edit.",
        "",
    ]
    lines += [
        f"{len(merged)} reasons that an applicant may be told, at most four of them, the gravest first.",
        "",
    ]
    rows = [(f"`{code}`", zh, en, ", ".join(kinds)) for (code, zh, en), kinds in sorted(merged.items())]
    return "\n".join([*lines, *table(("code", "原因", "reason", "told by"), rows)]).rstrip() + "\n"


def facts_page() -> str:
    """Markdown of what rules may ask and how."""
    lines = [
        "# Policy facts and operators",
        "",
        "Generated from the code by `python -m tests.reference.pages`; do not edit.",
        "",
    ]
    lines += [
        "What a rule, a segment or a table of a [policy](../policy.md) may speak of besides the [features](features.md).",
        "",
    ]
    rows = [(f"`{name}`", _kind(name), about) for name, about in sorted(FACTS.items())]
    rows += [(f"`{prefix}NAME`", "0 or 1", about) for prefix, about in PREFIXES.items()]
    lines += table(("fact", "kind", "what it is"), rows)
    lines += [
        "## Operators",
        "",
        *table(
            ("operator", "holds where the fact is"), [(f"`{each}`", text) for each, text in OPERATORS.items()]
        ),
    ]
    lines += [
        "## Effects",
        "",
        *table(
            ("effect", "what comes of it"),
            [(f"`{each.name.lower()}`", text) for each, text in EFFECTS.items()],
        ),
    ]
    lines += [
        "## Force",
        "",
        *table(("force", "who may decide otherwise"), [(f"`{each}`", text) for each, text in FORCES.items()]),
    ]
    lines += ["## What is missing", "", "A rule says for each kind what it does; never silently.", ""]
    return "\n".join([*lines, *(f"- {text}" for text in MISSING.values())]) + "\n"


def _kind(name: str) -> str:
    choices = {facts.IDENTITY: facts.Identity, facts.AML: facts.Aml}.get(name)
    return (
        ", ".join(f"`{each}`" for each in choices) if choices else "text" if name in facts.TEXTS else "number"
    )
