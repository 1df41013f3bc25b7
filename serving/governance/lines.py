"""Which line of a text of YAML a finding speaks of: by its own line, by the path to a field, or by the names in its place."""

from __future__ import annotations

import re

import yaml

_AT = re.compile(r":(\d+):(\d+)$")
_PATH = re.compile(r"`(\$[^`]*)`")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_LARGEST = 500_000


def line_of(text: str, place: str, problem: str = "") -> int:
    """The line, counted from 1; 0 where none can be named."""
    told = _AT.search(place)
    if told:
        return int(told[1])
    path = _PATH.search(problem)
    if path:
        return _by_path(text, path[1])
    return _by_names(text.splitlines(), place)


def _by_path(text: str, path: str) -> int:
    """The line of the deepest field of a path such as ``$.gates[0].rules`` that is there."""
    try:
        node = yaml.compose(text[:_LARGEST], Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError, ValueError):
        return 0
    for name, index in _STEP.findall(path):
        inner = _item(node, int(index)) if index else _value(node, name)
        if inner is None:
            break
        node = inner
    return 0 if node is None else int(node.start_mark.line) + 1


def _value(node: yaml.Node | None, name: str) -> yaml.Node | None:
    pairs = node.value if isinstance(node, yaml.MappingNode) else ()
    return next((value for key, value in pairs if key.value == name), None)


def _item(node: yaml.Node | None, index: int) -> yaml.Node | None:
    held = node.value if isinstance(node, yaml.SequenceNode) else ()
    return held[index] if index < len(held) else None


def _by_names(lines: list[str], place: str) -> int:
    """The names of a place one within the other: each is looked for after the one before it."""
    at = found = 0
    for name in re.findall(r"[\w.-]+", place):
        own = re.compile(
            rf"(\b(id|code|name|policy|table)\s*:\s*['\"]?{re.escape(name)}['\"]?\s*([,}}\]#]|$))|(^\s*-?\s*['\"]?{re.escape(name)}['\"]?\s*:)"
        )
        line = next((number for number in range(at, len(lines)) if own.search(lines[number])), None)
        if line is not None:
            at, found = line, line + 1
    return found
