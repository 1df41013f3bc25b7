"""The reference pages of contracts and features, written from the data that they describe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from features.consent import BASES
from features.contracts.model import Contract, Field, TimeSource
from features.definitions.columns import REQUEST
from features.definitions.model import Conditions, Definition, PlanDocument
from features.definitions.plan import FeaturePlan
from features.matrix import Column

_SIGNS = {1: "raises", -1: "lowers", 0: "free"}
GENERATED = "Generated from the data by `yidai features docs`; do not edit.\n"
"""The line under the title of each page."""


def contracts_page(contracts: Mapping[str, Contract]) -> str:
    """Markdown of every dataset: who sends it, what it holds, when it is known, who may read it."""
    head = ["# Contracts", "", GENERATED]
    head += ["Bases under which a purpose needs no consent, in their exact words:", ""]
    head += [*(f"- `{name}`: {text.zh} / {text.en}" for name, text in BASES.items()), ""]
    head += table(
        ("dataset", "title", "department", "consent category"),
        [(f"[{name}](#{name})", f"{c.title.zh} / {c.title.en}", c.department, c.consent_category)
         for name, c in sorted(contracts.items())],
    )  # fmt: skip
    return "\n".join([*head, *(line for _, c in sorted(contracts.items()) for line in _contract(c))]) + "\n"


def _bases(contract: Contract) -> str:
    if contract.only_purpose:
        return f"{contract.only_purpose} and nothing else: `{contract.bases.get(contract.only_purpose, 'consent')}`"
    return ", ".join(f"{purpose}: `{basis}`" for purpose, basis in contract.bases.items()) or "none stated"


def features_page(plan: FeaturePlan) -> str:
    """Markdown of every feature column, by dataset, with the texts that an applicant is told."""
    document = msgspec.json.decode(plan.document, type=PlanDocument)
    columns = {column.name: column for column in plan.columns}
    lines = ["# Features", "", GENERATED, f"{len(columns)} columns; definitions `{plan.digest[:12]}`.", ""]
    for file in document.definitions:
        lines += [f"## {file.dataset or 'composites'}", "", *_consent(plan, file.dataset)]
        rows = []
        for definition in file.features:
            made = _columns_of(definition, columns)
            rows += [_feature_row(column, window, definition) for column, window in made]
        titles = ("column", "名称", "name", "window", "risk", "unit", "computed as", "rationale", "reason")
        lines += table(titles, rows)
        lines += [f"- `{code}`: {text.zh} / {text.en}" for code, text in file.reasons.items()]
        lines += [""]
    return "\n".join(lines).rstrip() + "\n"


def _columns_of(definition: Definition, columns: Mapping[str, Column]) -> list[tuple[Column, str]]:
    named = (
        (definition.name if w in {"all", "now"} else f"{definition.name}_{w}", w) for w in definition.windows
    )
    return [(columns[name], "" if definition.of else window) for name, window in named]


def _feature_row(column: Column, window: str, definition: Definition) -> Sequence[str]:
    return (
        f"`{column.name}`", column.zh, column.en, window, _SIGNS[column.sign], column.unit, _recipe(definition),
        column.rationale, f"`{column.reason}`",
    )  # fmt: skip


def _recipe(definition: Definition) -> str:
    if definition.of:
        return f"{definition.aggregate} of {', '.join(f'`{name}`' for name in definition.of)}"
    parts = [definition.aggregate, f"of `{definition.column}`" if definition.column else ""]
    parts += [f"weighted by `{definition.weight}`" if definition.weight else ""]
    parts += [f"where {_conditions(definition.where)}" if definition.where else ""]
    parts += [f"against {_conditions(definition.against) or 'all'}" if definition.against is not None else ""]
    return " ".join(filter(None, parts))


def _conditions(conditions: Conditions) -> str:
    return ", ".join(f"{name} {_condition(value)}" for name, value in conditions.items())


def _condition(value: Any) -> str:
    if isinstance(value, dict):
        return " and ".join(f"{operator} {limit}" for operator, limit in value.items())
    return " or ".join(str(one) for one in value) if isinstance(value, list) else f"= {value}"


def _consent(plan: FeaturePlan, dataset: str) -> list[str]:
    if not dataset:
        return ["Composed of the columns above; readable where all of their sources are.", ""]
    if dataset == REQUEST:
        return ["What the applicant asks for; no department is asked.", ""]
    contract = plan.contracts[dataset.split("@", maxsplit=1)[0]]
    owner = " Seen from the owner of each firm." if "@" in dataset else ""
    return [f"Consent category `{contract.consent_category}`.{owner}", ""]


def _contract(contract: Contract) -> list[str]:
    times = contract.times
    facts = [
        ("department", contract.department),
        ("subject", f"{contract.subject} by `{contract.subject_field}`"),
        ("key", ", ".join(f"`{name}`" for name in contract.key) or "one row a subject"),
        ("true from", _time(times.valid_from)),
        ("true until", _time(times.valid_to) if times.valid_to else "open"),
        (
            "known from",
            f"{_time(times.known_from)}; without it {times.known_from.usual_lag_days:g} days after",
        ),
        ("consent category", f"`{contract.consent_category}`"),
        ("legal basis", ", ".join(contract.legal_basis)),
        ("purposes without consent", _bases(contract)),
        ("sensitivity", str(contract.sensitivity)),
        ("retention", f"{contract.retention_months} months"),
        ("refresh", contract.refresh),
        ("history", str(contract.history)),
        ("links", "; ".join(f"{link.kind} {link.to} by `{link.field}`" for link in contract.links) or "none"),
    ]
    lines = ["", f"## {contract.dataset}", "", f"{contract.title.zh} / {contract.title.en}", ""]
    lines += [f"- {name}: {text}" for name, text in facts]
    return [
        *lines,
        "",
        *table(("field", "type", "名称", "name", "rules"), [_field_row(f) for f in contract.fields]),
    ]


def _time(source: TimeSource) -> str:
    return f"`{source.field}`" if source.field else (source.constant or "the usual lag")


def _field_row(field: Field) -> Sequence[str]:
    rules = ["required"] if field.required else []
    rules += [f"unit {field.unit}"] if field.unit else []
    rules += [f"at least {field.min:g}"] if field.min is not None else []
    rules += [f"at most {field.max:g}"] if field.max is not None else []
    rules += [f"{field.scale} decimals"] if field.scale else []
    rules += (
        [f"special {', '.join(f'{code:g}' for code in field.special_codes)}"] if field.special_codes else []
    )
    rules += (
        [f"one of {', '.join(f'{code} ({text.zh})' for code, text in field.codes.items())}"]
        if field.codes
        else []
    )
    return f"`{field.name}`", str(field.type), field.zh, field.en, "; ".join(rules)


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table, and an empty one."""
    lines = [titles, tuple("---" for _ in titles), *rows]
    return [f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines] + [""]
