"""The page of refusals, from the classes that raise them: nothing is imported, so that each is there."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from features import errors
from features.errors import YidaiError, _snake
from features.reference import table
from tests.architecture.test_guards import PACKAGES, ROOT, text_of, tracked

KINDS = {
    kind.__name__: kind.status
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, YidaiError)
}
FRAMEWORK = {
    "invalid_request": (422, "A body, path or query that breaks the route's contract."),
    "no_such_route": (404, "An address that the API does not have."),
    "no_such_page": (404, "An address that the console does not have."),
    "method_not_allowed": (405, "A method that the address does not take."),
    "http_error": (400, "What the framework refused before any route."),
    "internal_error": (500, "Something of ours failed; nothing was done, and the log has the details."),
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """``says`` and ``remedy`` as they are written, with what is filled in between braces."""

    code: str
    status: int
    about: str
    says: str
    remedy: str
    place: str


@cache
def refusals() -> tuple[Refusal, ...]:
    """Every class of the tree of errors, in the order of its code."""
    named = [
        (node, path)
        for path in _files()
        for node in ast.walk(ast.parse(text_of(path)))
        if isinstance(node, ast.ClassDef)
    ]
    classes = {node.name: node for node, _ in named}
    found = []
    for node, path in named:
        status = _status(node.name, classes)
        if status is not None and node.name not in KINDS and not node.name.startswith("_"):
            found.append(_refusal(node, status, path))
    return tuple(sorted(found, key=lambda one: (one.code, one.place)))


def _files() -> list[Path]:
    return [path for package in PACKAGES for path in tracked(f"{package}/*.py")]


def _status(name: str, classes: dict[str, ast.ClassDef]) -> int | None:
    """The status of a class by its first known ancestor; None for a class of another tree."""
    if name in KINDS:
        return KINDS[name]
    node = classes.get(name)
    bases = [base.id for base in node.bases if isinstance(base, ast.Name)] if node else []
    known = (_status(base, classes) for base in bases if base != name)
    return next((status for status in known if status is not None), None)


def _refusal(node: ast.ClassDef, status: int, path: Path) -> Refusal:
    says, given = "", {}
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "super().__init__":
            says = _text(call.args[0]) if call.args else ""
            given = {keyword.arg: _text(keyword.value) for keyword in call.keywords}
    about = (ast.get_docstring(node) or "").split("\n\n")[0].replace("\n", " ")
    code = given.get("code", "{…}")
    code = _snake(node.name) if "{…}" in code else code
    return Refusal(code, status, about, says, given.get("remedy", ""), path.relative_to(ROOT).as_posix())


def _text(node: ast.expr) -> str:
    """A message as it is written; what is filled in is told by its name."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{…}" for part in node.values)
    return "{…}"


def page() -> str:
    """Markdown of every refusal."""
    found = refusals()
    lines = ["# Errors", "", "Generated from the code by `python -m tests.reference.pages`; do not edit.", ""]
    lines += [
        f"{len(found)} refusals of {len(KINDS) - 1} kinds. {_ABOUT}",
        "",
        "```json",
        _EXAMPLE,
        "```",
        "",
    ]
    lines += table(("kind", "status", "when"), [
        (name, str(status), (getattr(errors, name).__doc__ or "").split("\n")[0]) for name, status in KINDS.items() if name != "YidaiError"
    ])  # fmt: skip
    lines += ["## By code", "", *table(("code", "status", "what it is", "says", "remedy"), [
        (f"`{one.code}`", str(one.status), one.about, one.says, one.remedy) for one in found
    ])]  # fmt: skip
    lines += ["## Of the framework", "", *table(("code", "status", "what it is"), [
        (f"`{code}`", str(status), about) for code, (status, about) in FRAMEWORK.items()
    ])]  # fmt: skip
    return "\n".join(lines).rstrip() + "\n"


_ABOUT = (
    "Over HTTP a refusal is `application/problem+json` (RFC 9457); `code` is stable, `place` names the field, line or object,"
    " `remedy` says what to do next, `request_id` is in the log. A command prints the same as one paragraph and ends with 2."
    " 429 and 503 say in `Retry-After` when the same request may be sent again. `{…}` is filled in."
)
_EXAMPLE = (
    '{"type": "urn:yidai:problem:consent_expired", "title": "consent expired", "status": 403, "code": "consent_expired",\n'
    ' "detail": "…", "place": "consent_id", "remedy": "…", "request_id": "…"}'
)
