"""Whatever a file, document or line holds: it is read, or it is refused by an error of ours."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import YidaiError
from tests.fuzz.parsers import PARSERS, Parser

CASES, CASES_OF_CAMPAIGN = 12, 400
JUNK = [
    None, True, -1, 2**63, 10**400, 0.5, -0.0, 1e308, "", "x", "\0", "\u202e", "9" * 5_000, [], [[]], {}, {"": 0}, [None], "2026-02-30",
    "{", "*a", "!!python/object:os.system",
]  # fmt: skip
WHOLE = [
    b"", b"\0", b"\xff\xfe", b"{}", b"[]", b"null", b"NaN", b"[" * 3_000, b'{"a":' * 5_000, b'"\\ud800"', b"9" * 5_000, b"- " * 1_500,
    b'{"schema":1,"schema":1}', b"a: &a [*a]", b"a: &a [x, x]\nb: &b [*a, *a]\n", b"\xef\xbb\xbfa,b\n1,2\n", b'"\n', b",\n,\n",
    b'{"schema": 1e999}', b"schema: .nan", b"\r\r\n", b'{"schema":1,"x":"\xed\xa0\x80"}',
]  # fmt: skip


def tree_of(seed: bytes) -> Any:
    """The seed as a plain value; None where it is no tree."""
    for read in (msgspec.json.decode, yaml.safe_load):
        try:
            found = read(seed)
        except (msgspec.DecodeError, UnicodeDecodeError, yaml.YAMLError):
            continue
        return found if isinstance(found, dict | list) else None
    return None


def nodes(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The places of a tree, at most some hundreds of each list."""
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree[:3]) if isinstance(tree, list) else ()
    return [path] * bool(path) + [place for name, value in inner for place in nodes(value, (*path, name))]


def replaced(tree: Any, path: tuple[Any, ...], value: Any, *, gone: bool) -> Any:
    """The tree with another value in a place, or without it."""
    if not path:
        return value
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    if gone and len(path) == 1:
        del copy[path[0]]
    else:
        copy[path[0]] = replaced(copy[path[0]], path[1:], value, gone=gone)
    return copy


@st.composite
def spoiled(draw: st.DrawFn, seed: bytes, tree: Any, places: list[tuple[Any, ...]]) -> bytes:
    """Bytes that have nothing or nearly everything in common with a good example."""
    how = draw(st.sampled_from(["whole", "bytes", "tree", "tree", "text"]))
    if how == "tree" and places:
        made = replaced(
            tree, draw(st.sampled_from(places)), draw(st.sampled_from(JUNK)), gone=draw(st.booleans())
        )
        return (
            yaml.safe_dump(made, allow_unicode=True).encode()
            if draw(st.booleans())
            else msgspec.json.encode(told(made))
        )
    if how == "bytes":
        return draw(st.binary(max_size=200))
    if how == "whole":
        return draw(st.sampled_from(WHOLE))
    start, length = draw(st.integers(0, len(seed))), draw(st.integers(0, 40))
    return seed[:start] + draw(st.binary(max_size=12)) + seed[start + length :]


def told(value: Any) -> Any:
    """As JSON can write it: integers of any size as they are, dates as texts."""
    if isinstance(value, dict):
        return {str(name): told(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [told(inner) for inner in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**63:
        return msgspec.Raw(str(value).encode())
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def try_all(parser: Parser, folder: Path, cases: int) -> None:
    """Read the good example, what is wrong for everybody, and as many spoiled examples."""
    tree, file = tree_of(parser.seed), folder / "given.yaml"

    @settings(max_examples=cases)
    @given(spoiled(parser.seed, tree, nodes(tree)))
    def tried(data: bytes) -> None:
        read_or_refused(parser, data, file)

    read_or_refused(parser, parser.seed, file)
    tried()


@pytest.mark.parametrize("name", PARSERS)
def test_no_document_lets_another_error_out(name: str, tmp_path: Path) -> None:
    try_all(PARSERS[name], tmp_path, CASES)


@pytest.mark.parametrize(
    "name", [name for name in PARSERS if "YAML" not in name or name.startswith("contract")]
)
def test_nor_does_what_is_wrong_for_every_kind(name: str, tmp_path: Path) -> None:
    for data in WHOLE:
        read_or_refused(PARSERS[name], data, tmp_path / "given.yaml")


@pytest.mark.campaign
@pytest.mark.parametrize("name", PARSERS)
def test_nor_do_very_many(name: str, tmp_path: Path) -> None:
    try_all(PARSERS[name], tmp_path, CASES_OF_CAMPAIGN)


def read_or_refused(parser: Parser, data: bytes, file: Path) -> None:
    """Read these bytes; what is raised is of ours."""
    file.write_bytes(data)
    with suppress(YidaiError):
        parser.read(data, file)


@pytest.mark.parametrize("name", [
    "contract (YAML)", "policy (YAML)", "classes (YAML)", "bundle (JSON)", "receipt (JSON)", "folded receipt (JSON)",
    "definitions (registry)", "application (JSON)", "checkpoint (note)", "key file", "feed (CSV)", "list (registry)",
])  # fmt: skip
def test_the_good_example_is_good(name: str, tmp_path: Path) -> None:
    parser = PARSERS[name]
    file = tmp_path / "given.yaml"
    file.write_bytes(parser.seed)
    parser.read(parser.seed, file)
