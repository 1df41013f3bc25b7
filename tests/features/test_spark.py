"""The build on a cluster: the same files as the local engine's, and a clear word where Spark cannot run."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from features.build import Job, begin, build
from features.spark import NoSpark, Recipe, build_batches, require_spark
from tests.features.test_build import world

ON_CLUSTER = """
import json, sys
from pathlib import Path
from features.build import path_of
from features.spark import spark_build
from tests.features.test_build import world
job, out = world(Path(sys.argv[1])), Path(sys.argv[2])
told = []
paths = spark_build(job, out, progress=lambda *step: told.append(step))
kept = path_of(out, 0).stat().st_ino
path_of(out, 1).unlink()
spark_build(job, out)
print(json.dumps([[path.name for path in paths], told, kept == path_of(out, 0).stat().st_ino]))
"""


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return world(tmp_path / "lake")


@pytest.mark.campaign
@pytest.mark.skipif(find_spec("pyspark") is None or shutil.which("java") is None, reason="make spark")
def test_two_worker_processes_write_the_bytes_of_the_local_engine(job, tmp_path) -> None:
    words = [sys.executable, "-c", ON_CLUSTER, str(tmp_path / "again"), str(tmp_path / "spark")]
    done = subprocess.run(words, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr[-3000:]
    names, told, kept = json.loads(done.stdout.splitlines()[-1])
    local = build(job, tmp_path / "local")
    assert names == [path.name for path in local]
    assert [(tmp_path / "spark" / name).read_bytes() for name in names] == [
        path.read_bytes() for path in local
    ]
    assert sorted(path.name for path in (tmp_path / "spark").iterdir()) == sorted(
        path.name for path in (tmp_path / "local").iterdir()
    )
    assert told
    assert all(step[0] == "buckets" and step[2] == len(names) for step in told)
    assert kept, "a bucket that is there is left alone"


def test_a_task_writes_the_file_of_its_bucket_and_yields_its_name(job, tmp_path) -> None:
    out = tmp_path / "out"
    begin(job, out)
    recipe = Recipe(job.plan.document, job.lake.root, job.pin, {}, out)
    buckets = [2, 0, 1]
    rows = [np.flatnonzero(job.subjects >> 16 == bucket) for bucket in buckets]
    batch = pa.table({
        "bucket": buckets,
        "subjects": [job.subjects[each].tobytes() for each in rows],
        "as_of": [job.as_of[each].tobytes() for each in rows],
    }).to_batches()  # fmt: skip
    told = pa.Table.from_batches(list(build_batches(recipe)(batch)))
    assert told.to_pydict() == {"bucket": buckets, "file": [f"0000{bucket}.parquet" for bucket in buckets]}
    local = build(world(tmp_path / "again"), tmp_path / "local")
    assert [(out / path.name).read_bytes() for path in local] == [path.read_bytes() for path in local]


@pytest.fixture
def installed(tmp_path, monkeypatch) -> None:
    """As if pyspark were there."""
    (tmp_path / "pyspark").mkdir()
    (tmp_path / "pyspark" / "__init__.py").touch()
    monkeypatch.delitem(sys.modules, "pyspark", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))


def java(home: Path, script: str) -> Path:
    path = home / "bin" / "java"
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return home


def test_without_pyspark_the_target_that_installs_it_is_named(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark", None)
    with pytest.raises(NoSpark, match="Run `make spark`"):
        require_spark()


@pytest.mark.usefixtures("installed")
def test_without_java_the_package_is_named(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoSpark, match="openjdk-17-jre-headless"):
        require_spark()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "gone"))
    with pytest.raises(NoSpark, match="there is no Java"):
        require_spark()


@pytest.mark.usefixtures("installed")
def test_a_java_without_the_module_that_spark_needs_is_told_from_one_that_does_not_run(
    tmp_path, monkeypatch
) -> None:
    lacking = java(tmp_path / "a", "echo 'Module jdk.incubator.vector not found' >&2; exit 1")
    monkeypatch.setenv("JAVA_HOME", str(lacking))
    with pytest.raises(NoSpark, match=r"lacks the module jdk\.incubator\.vector"):
        require_spark()
    monkeypatch.setenv("JAVA_HOME", str(java(tmp_path / "b", "exit 3")))
    with pytest.raises(NoSpark, match="does not run"):
        require_spark()
    monkeypatch.setenv("JAVA_HOME", str(java(tmp_path / "c", "exit 0")))
    require_spark()
