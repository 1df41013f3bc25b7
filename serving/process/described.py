"""What the OpenAPI document says of every route alike: its refusals, who may ask, and what follows from an answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from serving.process.problems import MEDIA

_NAME = "Problem"
_REF = {"$ref": f"#/components/schemas/{_NAME}"}
_PROBLEM: dict[str, Any] = {
    "title": "A refusal (RFC 9457)",
    "description": "`code` is stable; `place` names the field, line or object, `remedy` says what to do next.",
    "type": "object",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string", "pattern": "^urn:yidai:problem:"}, "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599}, "code": {"type": "string"},
        "detail": {"type": "string"}, "place": {"type": "string"}, "remedy": {"type": "string"},
        "request_id": {"type": "string"},
    },
    "additionalProperties": False,
}  # fmt: skip
_AFTER = {
    "Retry-After": {"schema": {"type": "integer", "minimum": 1}, "description": "Seconds.", "required": True}
}
_ASKS = {"WWW-Authenticate": {"schema": {"type": "string"}, "required": True}}
_SAID = {
    "401": "Nobody known is asking.",
    "403": "The asker, the consent or the purpose does not allow it.",
    "404": "It does not exist for this asker.",
    "409": "It contradicts what is already stored.",
    "413": "The body is over its limit.",
    "422": "Something in the request breaks its contract.",
    "429": "The tenant asks more often than it may.",
    "500": "Something of ours failed; nothing was done.",
    "503": "A part that is needed does not answer, or too many wait; the same request may be sent again.",
}
_HEADERS = {"401": _ASKS, "429": _AFTER, "503": _AFTER}
_WRITES = {"post", "put", "patch", "delete"}
_UNUSED = ("HTTPValidationError", "ValidationError")
"""What the framework describes as its own refusal; ours is the problem."""

LINKS: Mapping[tuple[str, str, str], Mapping[str, str]] = {
    ("post", "/v1/decisions", "201"): {"decision_id": "decision_id"},
    ("post", "/v1/consents", "201"): {"consent_id": "consent_id"},
    ("post", "/v1/disputes", "201"): {"dispute_id": "dispute_id"},
    ("post", "/v1/loans", "201"): {"loan_id": "loan_id"},
}
"""Answers with an id, by the name under which later paths take it."""


def describe(schema: dict[str, Any]) -> None:
    """Add to a document of the framework what holds for all routes."""
    parts = schema.setdefault("components", {}).setdefault("schemas", {})
    parts[_NAME] = _PROBLEM
    for name in _UNUSED:
        parts.pop(name, None)
    schema["components"]["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            told = {status: _refusal(status) for status in statuses(method, path, operation)}
            operation["responses"] = operation["responses"] | told
            if path.startswith("/v1"):
                operation["security"] = [{"bearer": []}]
    for (method, path, status), taken in LINKS.items():
        answer = schema["paths"][path][method]["responses"][status]
        answer["links"] = dict(_links(schema, path, taken))


def statuses(method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    """The refusals that a route may answer, in order."""
    asked = path.startswith("/v1")
    has_body = "requestBody" in operation
    if asked:
        yield from ("401", "403", "404")
    if method in _WRITES:
        yield from ("409", "413")
    if has_body or operation.get("parameters") or path.endswith("/ready"):
        yield "422"
    if asked:
        yield "429"
    yield "500"
    if asked or path.endswith("/ready"):
        yield "503"


def _refusal(status: str) -> dict[str, Any]:
    told: dict[str, Any] = {"description": _SAID[status], "content": {MEDIA: {"schema": _REF}}}
    return told | ({"headers": _HEADERS[status]} if status in _HEADERS else {})


def _links(schema: Mapping[str, Any], made_by: str, taken: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """Every route whose path takes the id that an answer gave."""
    for field, place in taken.items():
        for path, methods in schema["paths"].items():
            if f"{{{place}}}" in path and path != made_by:
                for operation in methods.values():
                    name = operation["operationId"]
                    values = {f"path.{place}": f"$response.body#/{field}"}
                    yield name, {"operationId": name, "parameters": values}
