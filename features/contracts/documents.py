"""YAML as checked documents: what is wrong in a file is told with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from features.errors import Invalid

_DEEPEST = 100
"""Levels; none of our documents has more than a few."""
_Document = TypeVar("_Document")


class _Loader(yaml.CSafeLoader):
    """YAML whose dates stay text, as our own calendar reads them, and where no key stands twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - the library's own signature
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                problem = f"the key {key.value!r} stands twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class BrokenDocument(Invalid):
    """A YAML file that is not what it should be."""

    def __init__(self, path: Path | str, problem: str, remedy: str = "") -> None:
        super().__init__(problem, place=str(path), remedy=remedy)


def read_yaml(path: Path, kind: type[_Document]) -> _Document:
    """The document in a YAML file, checked against its type.

    Raises:
        BrokenDocument: not there, not YAML (with line and column), or not of that shape (with the field).
    """
    return convert(parse_yaml(path), kind, path)


def parse_yaml(path: Path) -> Any:
    """The plain value in a YAML file; see ``read_yaml``."""
    try:
        return parse_text(path.read_text(encoding="utf-8"), path)
    except FileNotFoundError:
        raise BrokenDocument(path, "there is no such file.", "Check the path.") from None
    except UnicodeDecodeError:
        raise BrokenDocument(path, "not valid YAML: it is not UTF-8 text.", "Mend that line.") from None


def parse_text(text: str, path: Path | str) -> Any:
    """As ``parse_yaml``, of a text; ``path`` is named in errors."""
    try:
        if _is_deep(text):
            raise BrokenDocument(path, "it is nested too deeply.", "Take levels away.")
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else path
        told = getattr(error, "problem", None) or error
        raise BrokenDocument(where, f"not valid YAML: {told}.", "Mend that line.") from None


def _is_deep(text: str) -> bool:
    """Whether it has more levels than any document of ours; far deeper ones would exhaust the library's stack."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            return True
    return False


def convert(value: Any, kind: type[_Document], path: Path | str) -> _Document:
    """A plain value as a document of that type; ``path`` is named in errors."""
    try:
        return msgspec.convert(value, kind)
    except (msgspec.ValidationError, RecursionError, UnicodeEncodeError) as error:
        raise BrokenDocument(path, f"{error}.", "Compare with the reference of this kind of file.") from None
