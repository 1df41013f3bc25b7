"""The receipt: everything that led to a decision, canonical, compressed, under the subject's own key."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from features.canonical import UNREADABLE, canonical_bytes, canonical_struct, digest
from features.errors import Integrity
from serving.decisions.case import Case
from serving.decisions.decider import Decision
from serving.decisions.folded import (
    BEGINS,
    FOLDED,
    Folded,
    explained,
    explanation_of,
    facts_of,
    rules_of,
    scores_of,
)
from serving.decisions.forms import Forms, forms_of
from serving.decisions.grading import ModelScore
from serving.decisions.scoretext import score_texts
from serving.decisions.shadows import Shadow
from serving.decisions.traces import RuleTrace
from serving.explain.reasons import Explanation
from serving.policy.model import Effect
from serving.store.keys import seal, unseal

ENGINE = "yidai 0.1.0"
SCHEMA = 5
READABLE = (1, 2, 3, 4)
"""Schema 1 knows no single records and no disputes, schema 2 no interval, schema 3 no phantom
decisions, schema 4 tells every value beside its name; all are written again as they were."""

_SHADOWED = 4
_ZSTD = pa.Codec("zstd", compression_level=-3)
"""For numbers, of which nearly all differ: level 1 would take nearly twice the time and save a fifth of what is stored."""
_ZSTD_SMALL = pa.Codec("zstd", compression_level=19)
"""For what is compressed once and stored often."""
_MOST_ENDS = 16
"""Ends of receipts that are kept compressed."""
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_ENGINE = b',"engine":%s,"explanation":' % canonical_bytes(ENGINE)

FactText = float | int | str
"""A fact in a receipt: its value, or ``NO_RECORD``, ``SOURCE_DOWN``, ``NOT_AUTHORISED``."""


class _Schema(msgspec.Struct):
    schema: int


_schema = msgspec.json.Decoder(_Schema)


class Receipt(msgspec.Struct, frozen=True):
    """``facts`` are all features and request facts that models and rules could see."""

    schema: int
    engine: str
    case: Case
    digests: dict[str, str]
    facts: dict[str, FactText]
    rules: tuple[RuleTrace, ...]
    scores: dict[str, ModelScore]
    explanation: Explanation | None
    answer: dict[str, Any]
    answer_digest: str
    shadows: dict[str, Shadow] | msgspec.UnsetType = msgspec.UNSET

    @property
    def struck(self) -> tuple[RuleTrace, ...]:
        """The rules that did not let the case pass, in order."""
        passed = Effect.PASS.name.lower()
        return tuple(rule for rule in self.rules if rule.effect != passed)


def write_receipt(decision: Decision, schema: int = SCHEMA) -> bytes:
    """Canonical bytes of a decision's receipt; a replay writes the schema that was stored."""
    return write_receipts([decision], schema)[0]


def write_receipts(decisions: Sequence[Decision], schema: int = SCHEMA) -> list[bytes]:
    """Canonical bytes of the receipts of decisions that were made together.

    They are ``canonical_bytes`` of ``Folded`` (older ones: of ``Receipt``), put together from texts that many rows
    share and from lists that are written from arrays: a walk over the fifteen hundred values takes a hundred times
    as long.
    """
    if not decisions:
        return []
    batch = decisions[0].batch
    forms, rows = forms_of(batch.live), np.array([decision.at for decision in decisions], dtype=np.intp)
    folded = schema >= FOLDED
    form = forms.listed.facts if folded else forms.facts
    matrix = batch.matrix if np.array_equal(rows, np.arange(len(batch.requests))) else batch.matrix.take(rows)
    facts = form.write(matrix, [decision.batch.requests[decision.at] for decision in decisions])
    scores = score_texts(batch, forms, rows, folded=folded)
    write = _folded if folded else _receipt
    return [
        write(decision, forms, fact, score, schema)
        for decision, fact, score in zip(decisions, facts, scores, strict=True)
    ]


def _folded(decision: Decision, forms: Forms, facts: bytes, scores: bytes, schema: int) -> bytes:
    names = tuple(decision.batch.requests[decision.at])
    parts = (
        b'{"answer":', decision.answer_bytes, b',"answer_digest":"', digest(decision.answer_bytes).encode(),
        b'","case":', _case(decision.case), _ENGINE, explained(decision.explanation), b',"facts":', facts,
        b',"rules":', forms.listed.traces.write(decision.rules), b',"schema":%d,"scores":' % schema, scores,
        _shadows(decision), forms.vocabulary.text(names),
    )  # fmt: skip
    return b"".join(parts)


def _receipt(decision: Decision, forms: Forms, facts: bytes, scores: bytes, schema: int) -> bytes:
    parts = (
        b'{"answer":', decision.answer_bytes, b',"answer_digest":"', digest(decision.answer_bytes).encode(),
        b'","case":', _case(decision.case), b',"digests":', forms.digests, _ENGINE,
        _explained(decision.explanation), b',"facts":', facts, b',"rules":', forms.traces.write(decision.rules),
        b',"schema":%d,"scores":' % schema, scores, _shadows(decision) if schema >= _SHADOWED else b"", b"}",
    )  # fmt: skip
    return b"".join(parts)


def _case(case: Case) -> bytes:
    numbers = (
        case.as_of,
        case.decided_at,
        case.consent.valid_from,
        case.consent.valid_to,
        case.subject.subject_id,
    )
    return canonical_struct(case, numbers)


def _shadows(decision: Decision) -> bytes:
    return _shadow_text(tuple(decision.shadows.items()))


@lru_cache(maxsize=4096)
def _shadow_text(shadows: tuple[tuple[str, Shadow], ...]) -> bytes:
    return b',"shadows":' + canonical_bytes(dict(shadows))


def _explained(explanation: Explanation | None) -> bytes:
    if explanation is None:
        return b"null"
    return canonical_struct(explanation, [reason.share for reason in explanation.reasons])


def read_receipt(data: bytes) -> Receipt:
    """A receipt from its bytes.

    Raises:
        Integrity: not a receipt that this engine reads.
    """
    try:
        schema = _schema.decode(data).schema
        if schema == FOLDED:
            return _unfolded(msgspec.json.decode(data, type=Folded))
        receipt = msgspec.json.decode(data, type=Receipt)
    except (*UNREADABLE, ValueError, LookupError, TypeError) as error:
        raise Integrity(f"the receipt cannot be read: {error}.") from error
    if schema not in READABLE:
        raise Integrity(f"the receipt has schema {schema}, which this engine does not read.")
    return receipt


def _unfolded(folded: Folded) -> Receipt:
    return Receipt(
        folded.schema, folded.engine, folded.case, folded.versions.digests, facts_of(folded), rules_of(folded),
        scores_of(folded), explanation_of(folded), folded.answer, folded.answer_digest, folded.shadows,
    )  # fmt: skip


def named(data: bytes) -> bytes:
    """A receipt for who reads it, every value beside its name: a folded one in the form of schema 4, others as they are.

    Raises:
        Integrity: as ``read_receipt``.
    """
    if BEGINS not in data:
        return data
    return canonical_bytes(msgspec.structs.replace(read_receipt(data), schema=FOLDED - 1))


def seal_receipt(data: bytes, key: bytes, decision_id: str) -> bytes:
    """Compressed and encrypted under the subject's data key; bound to its decision.

    By Zstandard, in two frames: what other receipts say alike was compressed when the first of them was sealed.
    """
    shared = _shared(data)
    own = data[: len(data) - len(shared)]
    return seal(key, _ZSTD.compress(own, asbytes=True) + _packed(shared), _context(decision_id))


_ends: list[bytes] = []


def _shared(data: bytes) -> bytes:
    """The end of a folded receipt that others have too; of anything else nothing."""
    for end in _ends:
        if data.endswith(end):
            return end
    at = data.rfind(BEGINS)
    if at < 0:
        return b""
    _ends[:] = [data[at:], *_ends[: _MOST_ENDS - 1]]
    return _ends[0]


@lru_cache(maxsize=_MOST_ENDS)
def _packed(shared: bytes) -> bytes:
    return bytes(_ZSTD_SMALL.compress(shared, asbytes=True)) if shared else b""


def open_receipt(sealed: bytes, key: bytes, decision_id: str) -> bytes:
    """The bytes that were sealed, by zlib if they are older.

    Raises:
        Unreadable: changed bytes, another key or another decision's.
    """
    data = unseal(key, sealed, _context(decision_id))
    if not data.startswith(_ZSTD_MAGIC):
        return zlib.decompress(data)
    return bytes(pa.CompressedInputStream(pa.BufferReader(data), "zstd").read())


def differences(stored: bytes, computed: bytes, most: int = 20) -> list[str]:
    """Where two JSON documents differ, as ``path: stored -> computed``."""
    found: list[str] = []
    _walk("", msgspec.json.decode(stored), msgspec.json.decode(computed), found)
    return found[:most]


def _walk(path: str, left: Any, right: Any, found: list[str]) -> None:
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        for name in sorted({*left, *right}):
            _walk(f"{path}.{name}".lstrip("."), left.get(name), right.get(name), found)
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for place, (a, b) in enumerate(zip(left, right, strict=True)):
            _walk(f"{path}[{place}]", a, b, found)
    elif left != right:
        found.append(f"{path}: {left!r} -> {right!r}")


def _context(decision_id: str) -> bytes:
    return f"receipt {decision_id}".encode()
