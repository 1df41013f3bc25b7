"""Keys: what is sealed opens under its own key and context only, and a lost key is never made up."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.contracts.model import SubjectKind
from serving.store.keys import BrokenKeyFile, KeyRing, Unreadable, seal, unseal

KEY, OTHER = bytes(range(32)), bytes(32)


@given(st.binary(max_size=200), st.binary(max_size=20))
def test_what_was_sealed_opens(data: bytes, context: bytes) -> None:
    assert unseal(KEY, seal(KEY, data, context), context) == data


def test_the_same_data_is_never_sealed_alike() -> None:
    assert len({seal(KEY, b"data", b"c") for _ in range(50)}) == 50


@given(st.binary(min_size=1, max_size=50), st.data())
def test_a_changed_byte_anywhere_is_found(data: bytes, draw: st.DataObject) -> None:
    sealed = bytearray(seal(KEY, data, b"c"))
    place = draw.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= draw.draw(st.integers(1, 255))
    with pytest.raises(Unreadable, match="does not decrypt"):
        unseal(KEY, bytes(sealed), b"c")


@pytest.mark.parametrize("kept", range(0, 40, 3))
def test_a_shortened_text_is_found(kept: int) -> None:
    with pytest.raises(Unreadable):
        unseal(KEY, seal(KEY, b"some data here", b"c")[:kept], b"c")


def test_another_key_or_another_context_opens_nothing() -> None:
    sealed = seal(KEY, b"data", b"receipt 1")
    for key, context in ((OTHER, b"receipt 1"), (KEY, b"receipt 2")):
        with pytest.raises(Unreadable):
            unseal(key, sealed, context)


def test_a_new_key_file_is_for_its_owner_only_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "master.key"
    first = KeyRing.open(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert KeyRing.open(path) == first
    assert [p.name for p in path.parent.iterdir()] == ["master.key"]


def test_processes_that_start_at_once_share_one_key(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = "import sys; from pathlib import Path; from serving.store.keys import KeyRing;"
    code += "print(KeyRing.open(Path(sys.argv[1])).identity)"
    command = [sys.executable, "-c", code, str(tmp_path / "master.key")]

    def one(_: int) -> str:
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.strip()

    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(one, range(4)))) == 1


@pytest.mark.parametrize("text", ["", "x" * 64, "00" * 31, "00" * 33, "schlüssel"])
def test_a_file_that_holds_no_key_is_refused_and_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "master.key"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BrokenKeyFile) as refusal:
        KeyRing.open(path)
    assert refusal.value.place == str(path)
    assert "backup" in refusal.value.remedy
    assert path.read_text(encoding="utf-8") == text


def test_keys_differ_by_purpose_and_master(tmp_path: Path) -> None:
    one, two = KeyRing.open(tmp_path / "a"), KeyRing.open(tmp_path / "b")
    purposes = ("pseudonym", "wrap", "identity", "random approvals")
    assert len({ring.derived(purpose) for ring in (one, two) for purpose in purposes}) == 8
    number = "11010120000301001X"
    hashes = {ring.pseudonym(kind, number) for ring in (one, two) for kind in SubjectKind}
    assert len(hashes) == 2 * len(SubjectKind)
    assert one.identity != two.identity


def test_a_data_key_opens_under_its_master_only(tmp_path: Path) -> None:
    one, two = KeyRing.open(tmp_path / "a"), KeyRing.open(tmp_path / "b")
    key, wrapped = one.new_data_key()
    assert one.unwrap(wrapped) == key
    with pytest.raises(Unreadable):
        two.unwrap(wrapped)


def test_a_ring_does_not_show_its_key(tmp_path: Path) -> None:
    ring = KeyRing.open(tmp_path / "a")
    assert (tmp_path / "a").read_text().strip() not in repr(ring)
    assert repr(bytes.fromhex((tmp_path / "a").read_text().strip())) not in repr(ring)
