"""No key, token or password of the known kinds stands in the tree, and there is no list of those that may."""

from __future__ import annotations

import re
from functools import cache

import pytest
from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.plugins.base import RegexBasedDetector
from detect_secrets.plugins.basic_auth import BasicAuthDetector

from tests.architecture.test_guards import ROOT, text_of, tracked

HOST = re.compile(r"@?([\w.-]*)")


@cache
def patterns() -> list[tuple[str, re.Pattern[str]]]:
    """Every form of a secret that detect-secrets knows by its look; it guesses by entropy too, which digests resemble."""
    kinds = [
        kind
        for kind in get_mapping_from_secret_type_to_class().values()
        if issubclass(kind, RegexBasedDetector)
    ]
    return [
        (kind.__name__, each)
        for kind in kinds
        if kind.__name__ != "IPPublicDetector"
        for each in kind().denylist
    ]


def nowhere(text: str, found: re.Match[str]) -> bool:
    """Whether an address with a password leads to a host that cannot be: tests name those."""
    host = HOST.match(text, found.end(1))
    return host is not None and ("." not in host[1] or host[1] == "127.0.0.1" or host[1].endswith(".example"))


def secrets_of(text: str, *, test: bool) -> list[str]:
    """The kinds of secrets that a text holds."""
    return [
        name
        for name, pattern in patterns()
        for found in pattern.finditer(text)
        if not (test and name == BasicAuthDetector.__name__ and nowhere(text, found))
    ]


def test_no_text_of_the_tree_holds_a_secret() -> None:
    found = {}
    for path in tracked():
        if "requirements" not in path.parts and (text := text_of(path)):
            kinds = secrets_of(text, test="tests" in path.relative_to(ROOT).parts)
            found |= {path.relative_to(ROOT).as_posix(): kinds} if kinds else {}
    assert found == {}


@pytest.mark.parametrize(("text", "kind"), [
    ("key = AKIA" + "IOSFODNN7EXAMPLE", "AWSKeyDetector"),
    ("-----BEGIN RSA PRIV" + "ATE KEY-----", "PrivateKeyDetector"),
    ("postgresql://app:S3cretWord" + "@db.bank.cn/yidai", "BasicAuthDetector"),
    ("ghp_" + "a1B2" * 9, "GitHubTokenDetector"),
])  # fmt: skip
def test_the_search_would_find_one(text: str, kind: str) -> None:
    assert kind in secrets_of(text, test=True)
    assert secrets_of("postgresql://app:word" + "@db/yidai", test=True) == []
