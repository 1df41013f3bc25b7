"""What the registry takes: documents that are whole, and that fit what is in force beside them."""

from __future__ import annotations

import msgspec
import pytest

from features.canonical import canonical_bytes
from features.errors import Integrity, Invalid, YidaiError
from serving.policy.load import CITY, policy_from_yaml
from serving.registry.model import Kind
from serving.watch.signals import SHIPPED, BrokenSignal, SignalsDocument, read_signals
from tests.serving.registry.test_registry import put, say, submitted
from tests.serving.world import PLAN, Bank, scorecard


def _without(feature: str) -> bytes:
    """The city's definitions without one feature."""
    document = msgspec.json.decode(PLAN.document)
    for group in document["definitions"]:
        group["features"] = [f for f in group["features"] if not feature.startswith(f["name"])]
    return canonical_bytes(document)


@pytest.mark.parametrize("feature", ["ss_months_12m", "court_dishonest_cnt_60m"])
def test_definitions_that_lack_what_is_active_beside_them_are_refused(bank: Bank, feature: str) -> None:
    name = submitted(bank, _without(feature), Kind.DEFINITIONS)
    say(bank, name)
    with pytest.raises(Invalid, match=feature):
        put(bank, "definitions", name)


def test_a_policy_that_asks_for_an_unknown_feature_is_refused(bank: Bank) -> None:
    document = msgspec.to_builtins(policy_from_yaml(CITY).document)
    rules = [rule for gate in document["gates"][2:] for rule in gate["rules"] if rule["when"].get("any")]
    rules[0]["when"]["any"][0]["fact"] = "no_such_feature"
    name = submitted(bank, canonical_bytes(document), Kind.POLICY)
    say(bank, name)
    with pytest.raises(Invalid, match="no_such_feature"):
        put(bank, "policy", name)


def shipped_signals() -> dict:
    """The signals that Yidai ships, as a document."""
    from features.contracts.documents import read_yaml

    return msgspec.json.decode(canonical_bytes(read_yaml(SHIPPED, SignalsDocument)))


def test_signals_are_checked_when_submitted_and_against_the_features_when_activated(bank: Bank) -> None:
    document = shipped_signals()
    bank.approved("signals", Kind.SIGNALS, canonical_bytes(document))
    document["signals"][0]["levels"][0]["all"][0]["feature"] = "no_such_feature"
    name = submitted(bank, canonical_bytes(document), Kind.SIGNALS)
    say(bank, name)
    with pytest.raises(BrokenSignal, match="no_such_feature"):
        put(bank, "signals", name)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda d: d.update(schema=9), "schema 9"),
        (lambda d: d["signals"].append(d["signals"][0]), "stands twice"),
        (lambda d: d["signals"][0]["levels"].reverse(), "gravest first"),
        (lambda d: d["signals"][0]["levels"].clear(), "hit everyone"),
        (lambda d: d["signals"][0]["evidence"].update(en="{dpd"), "cannot be filled in"),
        (lambda d: d["signals"][0]["evidence"].update(en="{} days"), "cannot be filled in"),
        (lambda d: d["signals"][0]["evidence"].update(zh="{dpd:.2f}"), "cannot be filled in"),
        (lambda d: d["signals"][0]["evidence"].update(zh=" "), "cannot be filled in"),
        (lambda d: d["signals"][0].update(surprise=1), "unknown field"),
        (lambda d: d["signals"][0]["levels"][0]["all"][0].update(value="30"), "Expected `float`"),
    ],
)
def test_signals_that_could_not_be_told_are_refused(change, problem) -> None:
    document = shipped_signals()
    change(document)
    with pytest.raises(YidaiError, match=problem):
        read_signals(canonical_bytes(document))


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b"\xff\xfe", b"null", b'{"schema":1e999}', b"NaN"])
def test_bytes_that_are_no_document_are_refused_on_submit(bank: Bank, kind: Kind, data: bytes) -> None:
    with pytest.raises((Invalid, Integrity)):
        submitted(bank, data, kind)


def test_a_model_of_a_kind_that_is_not_on_the_list_is_refused(bank: Bank) -> None:
    with pytest.raises(Invalid, match="REG-IL-01"):
        submitted(bank, scorecard("risk", 0.9, model_kind="marketing"))
