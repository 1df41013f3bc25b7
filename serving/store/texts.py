"""Personal texts and held records over PostgreSQL: a part of the vault, encrypted as numbers are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from features.identity.held import HeldRecord, PersonalText
from serving.store.keys import KeyRing, seal, unseal
from serving.store.rotation import hold_keys
from serving.store.session import Connection

_COPY_TEXTS = "COPY fresh_text (subject_id, dataset, field, text_hash, sealed) FROM STDIN"
_COPY_HELD = "COPY fresh_held (record_id, dataset, wrapped_key, sealed) FROM STDIN"
_TEXT, _RECORD = b"personal text", b"held record"
_decoder = msgspec.msgpack.Decoder(HeldRecord)


def keep(connection: Connection, keys: KeyRing, texts: Sequence[PersonalText]) -> None:
    """Store the texts that are not stored yet, each under its subject's key. Erased subjects keep none."""
    unique = dict.fromkeys(texts)
    if not unique:
        return
    hashed = {(t.subject, t.dataset, t.field, _text_hash(keys, t)): t for t in unique}
    known = connection.execute(
        "SELECT subject_id, dataset, field, text_hash FROM personal_text WHERE subject_id = ANY(%s)",
        (sorted({t.subject for t in unique}),),
    ).fetchall()
    fresh = {key: text for key, text in hashed.items() if key not in {tuple(row) for row in known}}
    wrapped = _keys_of(connection, {text.subject for text in fresh.values()})
    opened = {subject: keys.unwrap(key) for subject, key in wrapped.items()}
    connection.execute("CREATE TEMP TABLE fresh_text (LIKE personal_text) ON COMMIT DROP")
    with connection.cursor().copy(_COPY_TEXTS) as rows:
        for key, text in fresh.items():
            if text.subject in opened:
                rows.write_row((*key, seal(opened[text.subject], text.text.encode(), _TEXT)))
    connection.execute("INSERT INTO personal_text SELECT * FROM fresh_text ON CONFLICT DO NOTHING")
    connection.execute("DROP TABLE fresh_text")


def texts(connection: Connection, keys: KeyRing) -> Iterator[PersonalText]:
    """Every personal text, a subject after the other."""
    statement = """
    SELECT t.subject_id, t.dataset, t.field, t.sealed, s.wrapped_key
    FROM personal_text t JOIN subject s USING (subject_id) ORDER BY t.subject_id, t.dataset, t.field, t.text_hash"""
    at, key = -1, b""
    for subject, dataset, field, sealed, wrapped in connection.execute(statement):
        if subject != at:
            at, key = subject, keys.unwrap(wrapped)
        yield PersonalText(subject, dataset, field, unseal(key, sealed, _TEXT).decode())


def open_text(key: bytes, sealed: bytes) -> str:
    """A personal text under its subject's key."""
    return unseal(key, sealed, _TEXT).decode()


def hold(connection: Connection, keys: KeyRing, records: Sequence[HeldRecord]) -> int:
    """Store the records that are not stored yet, each under a key of its own; returns how many."""
    if not records:
        return 0
    hold_keys(connection, keys)
    connection.execute("CREATE TEMP TABLE fresh_held (LIKE held_record) ON COMMIT DROP")
    with connection.cursor().copy(_COPY_HELD) as rows:
        for record_id, record in {record_id_of(keys, r): r for r in records}.items():
            key, wrapped = keys.new_data_key()
            rows.write_row((record_id, record.dataset, wrapped, seal_record(key, record)))
    done = connection.execute("INSERT INTO held_record SELECT * FROM fresh_held ON CONFLICT DO NOTHING")
    connection.execute("DROP TABLE fresh_held")
    return done.rowcount


def record_id_of(keys: KeyRing, record: HeldRecord) -> bytes:
    """The same for two deliveries of one row, and telling nothing of it."""
    return keys.keyed_digest("held record", record.content)[:16]


def seal_record(key: bytes, record: HeldRecord) -> bytes:
    """A record's bytes under a key."""
    return seal(key, msgspec.msgpack.encode(record), _RECORD)


def open_record(key: bytes, sealed: bytes) -> HeldRecord:
    """The record that was sealed."""
    return _decoder.decode(unseal(key, sealed, _RECORD))


def _keys_of(connection: Connection, subjects: set[int]) -> dict[int, bytes]:
    statement = "SELECT subject_id, wrapped_key FROM subject WHERE subject_id = ANY(%s)"
    return dict(connection.execute(statement, (sorted(subjects),)).fetchall())


def _text_hash(keys: KeyRing, text: PersonalText) -> bytes:
    plain = "\0".join((str(text.subject), text.dataset, text.field, text.text))
    return keys.keyed_digest("personal text", plain.encode())[:16]
