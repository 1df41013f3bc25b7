"""A city folder: the same seed the same bytes, whole or refused, and made again where it was killed."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from features.city.make import make_city
from features.contracts.load import BUILTIN, load_contracts
from features.identity.vault import MemoryVault
from features.timeline.ingest import HalfWritten, ingest_folder
from features.timeline.lake import Lake
from tests.features.city.engineer import WITHOUT_FEED

TINY = {"households": 40, "months": 36}


def bytes_of(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*")) if path.is_file()
    }  # fmt: skip


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    make_city(folder, seed=1, **TINY)
    return folder


def test_the_same_seed_gives_the_same_bytes(tiny, tmp_path) -> None:
    make_city(tmp_path, seed=1, **TINY)
    assert bytes_of(tmp_path) == bytes_of(tiny)


def test_every_other_dataset_has_a_feed(tiny) -> None:
    """The government's, the bank's and the bureau's."""
    feeds = {path.stem for path in (tiny / "feeds").glob("*.csv")}
    assert feeds == set(load_contracts([BUILTIN])) - WITHOUT_FEED
    assert len(feeds) >= 32


def test_another_seed_gives_other_people_in_the_same_economy(tiny, tmp_path) -> None:
    make_city(tmp_path, seed=2, **TINY)
    one, other = (json.loads((folder / "city.json").read_text()) for folder in (tiny, tmp_path))
    assert one["economy"] == other["economy"]
    changed = {name for name, digest in bytes_of(tmp_path).items() if bytes_of(tiny)[name] != digest}
    assert changed >= {f"feeds/{name}.csv" for name in ("population_register", "application", "electricity")}


def test_a_shifted_economy_is_another_economy(tiny, tmp_path) -> None:
    make_city(tmp_path, seed=1, shifted=True, **TINY)
    one, other = (json.loads((folder / "city.json").read_text()) for folder in (tiny, tmp_path))
    assert not one["shifted"]
    assert other["shifted"]
    assert one["economy"]["income"] != other["economy"]["income"]


def test_the_folder_is_known_to_be_whole_by_its_last_file(tmp_path) -> None:
    seen: list[bool] = []
    make_city(tmp_path, seed=1, progress=lambda *_: seen.append((tmp_path / "city.json").exists()), **TINY)
    assert len(seen) > 50
    assert not any(seen)
    newest = max(tmp_path.rglob("*.*"), key=lambda path: path.stat().st_mtime_ns)
    assert newest.name == "city.json"
    assert not list(tmp_path.rglob("*.tmp"))


def test_making_it_again_takes_the_mark_away_first(tmp_path) -> None:
    make_city(tmp_path, seed=1, **TINY)
    seen = []

    def stop(what: str, done: int, total: int) -> None:
        if what == "electricity":
            seen.append((tmp_path / "city.json").exists())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_city(tmp_path, seed=2, progress=stop, **TINY)
    assert seen == [False]
    with pytest.raises(HalfWritten):
        ingest_folder(tmp_path, load_contracts([BUILTIN]), MemoryVault(), Lake(tmp_path / "lake"))


def test_a_half_written_city_is_refused_with_its_remedy(tiny, tmp_path) -> None:
    (tmp_path / "feeds").mkdir()
    (tmp_path / "feeds" / "loan.csv").write_bytes((tiny / "feeds" / "loan.csv").read_bytes())
    with pytest.raises(HalfWritten, match=r"city\.json is missing.*yidai city make"):
        ingest_folder(tmp_path, load_contracts([BUILTIN]), MemoryVault(), Lake(tmp_path / "lake"))
    assert not (tmp_path / "lake").exists()


def test_a_killed_making_can_be_run_again(tiny, tmp_path) -> None:
    script = (
        "from pathlib import Path; import sys; from features.city.make import make_city\n"
        "make_city(Path(sys.argv[1]), households=40, months=36, seed=1,"
        " progress=lambda what, done, total: print(what, flush=True))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if line.strip() == "electricity":
                child.send_signal(signal.SIGKILL)
                break
    deadline = time.monotonic() + 10
    while child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert child.returncode == -signal.SIGKILL
    assert not (tmp_path / "city.json").exists()
    make_city(tmp_path, seed=1, **TINY)
    assert {k: v for k, v in bytes_of(tmp_path).items() if not k.endswith(".tmp")} == bytes_of(tiny)


def test_a_city_in_one_line() -> None:
    from features.city.make import CitySummary

    text = str(CitySummary(300, 54, 100_000, 700, 500, 0.0712))
    assert "300 households" in text
    assert "7.1%" in text
