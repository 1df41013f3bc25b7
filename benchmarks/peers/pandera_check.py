"""pandera: each file read by pandas and validated whole (lazily) under a schema of the same demands as its contract.

Argument: a JSON file, [{"path", "columns": [{"name", "kind", "required", "min", "max", "codes", "pattern"}]}]. Prints
the seconds of each file, and of pandas' and pyarrow's plain ``read_csv``.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pandas as pd
import pandera.pandas as pandera
import pyarrow as pa
import pyarrow.csv as pa_csv


def column_of(spec: dict) -> pandera.Column:
    checks = []
    if spec["pattern"]:
        checks.append(pandera.Check.str_matches(spec["pattern"]))
    if spec["codes"]:
        checks.append(pandera.Check.isin(spec["codes"]))
    if spec["min"] is not None:
        checks.append(pandera.Check.ge(spec["min"]))
    if spec["max"] is not None:
        checks.append(pandera.Check.le(spec["max"]))
    kind = "float64" if spec["kind"] == "number" else "object"
    return pandera.Column(kind, checks, nullable=not spec["required"], coerce=spec["kind"] == "number")


def timed(once) -> float:
    found = []
    for _ in range(2):
        start = time.perf_counter()
        once()
        found.append(time.perf_counter() - start)
    return min(found)


def main(specs: str) -> None:
    told = {}
    for spec in json.loads(Path(specs).read_text()):
        path = spec["path"]
        schema = pandera.DataFrameSchema({each["name"]: column_of(each) for each in spec["columns"]})

        def check(path=path, schema=schema) -> None:
            frame = pd.read_csv(path, dtype=object, keep_default_na=False, na_values=[""])
            try:
                schema.validate(frame, lazy=True)
            except pandera.errors.SchemaErrors as error:
                len(error.failure_cases)

        one = pa_csv.ReadOptions(use_threads=False)
        told[path] = {
            "pandera": timed(check), "pandas": timed(lambda path=path: pd.read_csv(path)),
            "pyarrow": timed(lambda path=path, one=one: pa_csv.read_csv(path, read_options=one)),
        }  # fmt: skip
    print(json.dumps(told))


if __name__ == "__main__":
    pa.set_cpu_count(1)
    main(sys.argv[1])
