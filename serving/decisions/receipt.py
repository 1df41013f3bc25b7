"""The receipt: everything that led to a decision, canonical, compressed, under the subject's own key."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.canonical import canonical_bytes, canonical_struct, digest, number_text
from features.errors import Integrity
from features.rows import NUMBER
from serving.decisions.case import Case
from serving.decisions.decider import Batch, Decision
from serving.decisions.forms import Forms, RuleTrace, forms_of
from serving.decisions.grading import ModelScore, Point, points
from serving.decisions.shadows import Shadow
from serving.explain.reasons import Explanation
from serving.policy.model import Effect
from serving.store.keys import seal, unseal

ENGINE = "yidai 0.1.0"
SCHEMA = 4
READABLE = (1, 2, 3, 4)
"""Schema 1 knows no single records and no disputes, schema 2 no interval, schema 3 no phantom
decisions; all are written again as they were."""

_SHADOWED = 4
_ZSTD = pa.Codec("zstd", compression_level=1)
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_ENGINE = b',"engine":%s,"explanation":' % canonical_bytes(ENGINE)

FactText = float | int | str
"""A fact in a receipt: its value, or ``NO_RECORD``, ``SOURCE_DOWN``, ``NOT_AUTHORISED``."""


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

    They are ``canonical_bytes`` of ``Receipt``, put together from texts that many rows share and from objects that
    are written from arrays: a walk over the fifteen hundred values of a receipt takes a hundred times as long.
    """
    if not decisions:
        return []
    batch = decisions[0].batch
    forms, rows = forms_of(batch.live), np.array([decision.at for decision in decisions], dtype=np.intp)
    facts = forms.facts.write(batch.matrix.take(rows), [batch.requests[at] for at in rows])
    scores = _scores(batch, forms, rows)
    return [
        _receipt(decision, forms, fact, score, schema)
        for decision, fact, score in zip(decisions, facts, scores, strict=True)
    ]


def _receipt(decision: Decision, forms: Forms, facts: bytes, scores: bytes, schema: int) -> bytes:
    case = decision.case
    numbers = (
        case.as_of,
        case.decided_at,
        case.consent.valid_from,
        case.consent.valid_to,
        case.subject.subject_id,
    )
    parts = (
        b'{"answer":', decision.answer_bytes, b',"answer_digest":"', digest(decision.answer_bytes).encode(),
        b'","case":', canonical_struct(case, numbers), b',"digests":', forms.digests, _ENGINE,
        _explained(decision.explanation), b',"facts":', facts, b',"rules":', forms.traces.write(decision.rules),
        b',"schema":%d,"scores":' % schema, scores, _shadows(decision) if schema >= _SHADOWED else b"", b"}",
    )  # fmt: skip
    return b"".join(parts)


def _shadows(decision: Decision) -> bytes:
    return b',"shadows":' + canonical_bytes(decision.shadows)


def _explained(explanation: Explanation | None) -> bytes:
    if explanation is None:
        return b"null"
    return canonical_struct(explanation, [reason.share for reason in explanation.reasons])


def _scores(batch: Batch, forms: Forms, rows: NDArray[np.intp]) -> list[bytes]:
    """The object of all models' scores, of each row."""
    models = [_of_model(batch, forms, name, rows) for name in sorted(batch.scores)]
    return [b"{" + b",".join(texts) + b"}" for texts in zip(*models, strict=True)] or [b"{}"] * len(rows)


def _of_model(batch: Batch, forms: Forms, name: str, rows: NDArray[np.intp]) -> list[bytes]:
    scorer, scores = batch.live.scorers[name], batch.scores[name]
    exact = scores.contributions[rows].astype(np.float64)
    given = forms.contributions[name].write(exact, np.full(exact.shape, NUMBER, dtype=np.int32))
    base = b'%s:{"base":%d,"bundle":"%s","contributions":' % (
        canonical_bytes(name), scores.base, scorer.bundle_digest.encode()
    )  # fmt: skip
    kind = b',"kind":%s,"log_odds":' % canonical_bytes(scorer.kind)
    every = points(scores)
    return [base + text + _end(every[at], kind) for at, text in zip(rows.tolist(), given, strict=True)]


def _end(point: Point, kind: bytes) -> bytes:
    text = b',"grade":%d%s%d,"pd":%s' % (point.grade, kind, point.log_odds, number_text(point.pd).encode())
    if point.pd_low is None or point.pd_high is None:
        return text + b"}"
    ends = (number_text(point.pd_high), number_text(point.pd_low))
    return text + b',"pd_high":%s,"pd_low":%s}' % (ends[0].encode(), ends[1].encode())


def read_receipt(data: bytes) -> Receipt:
    """A receipt from its bytes.

    Raises:
        Integrity: not a receipt that this engine reads.
    """
    try:
        receipt = msgspec.json.decode(data, type=Receipt)
    except msgspec.DecodeError as error:
        raise Integrity(f"the receipt cannot be read: {error}.") from error
    if receipt.schema not in READABLE:
        raise Integrity(f"the receipt has schema {receipt.schema}, which this engine does not read.")
    return receipt


def seal_receipt(data: bytes, key: bytes, decision_id: str) -> bytes:
    """Compressed and encrypted under the subject's data key; bound to its decision.

    By Zstandard, which takes a third of zlib's time for a receipt and leaves it smaller.
    """
    return seal(key, _ZSTD.compress(data, asbytes=True), _context(decision_id))


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
