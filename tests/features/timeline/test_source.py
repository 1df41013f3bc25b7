"""A portfolio's own files: several, joined by a statement, with its own words for nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from features.calendar import instant
from features.contracts.model import Contract, Source
from features.errors import Invalid
from features.identity.vault import MemoryVault
from features.timeline.ingest import ingest_folder, ingest_source, quarantine
from features.timeline.lake import Lake
from features.timeline.source import read_source
from features.timeline.text import UnreadableFeed

ORDERS: dict[str, Any] = {
    "schema": 1, "dataset": "orders", "department": "shop", "title": {"zh": "订单", "en": "Orders"}, "subject": "opaque",
    "subject_field": "who", "consent_category": "trade", "legal_basis": ["consent"],
    "times": {"valid_from": {"field": "on"}, "known_from": {"usual_lag_days": 2}}, "key": ["no"],
    "fields": [{"name": "no", "type": "id", "required": True}, {"name": "on", "type": "date"}, {"name": "value", "type": "money"}],
}  # fmt: skip
JOINED = {"tables": {"orders": "orders*.csv", "cards": "cards.csv"},
          "sql": 'SELECT cards.who, no, "on", value FROM orders JOIN cards USING (card)'}  # fmt: skip


def contract_of(**source: Any) -> Contract:
    return msgspec.convert(ORDERS | ({"source": source} if source else {}), Contract)


def put(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


def load(contract: Contract, folder: Path) -> tuple[list, Lake]:
    lake = Lake(folder / "lake")
    return ingest_source(contract, folder, MemoryVault(), lake), lake


def test_several_files_with_another_delimiter_are_one_dataset(tmp_path) -> None:
    put(tmp_path, a_1="who;no;on;value\nann;1;2024-01-01;5\n", a_2="who;no;on;value\nbob;2;2024-01-02;7.50\n")
    contract = contract_of(files=["a_*.csv"], delimiter=";")
    reports, lake = load(contract, tmp_path)
    assert [(report.file, report.loaded) for report in reports] == [("a_1.csv", 1), ("a_2.csv", 1)]
    table = lake.read(contract)
    assert sorted(table.columns["value"].tolist()) == [500, 750]
    assert sorted((table.known_from - table.valid_from).tolist()) == [2 * 86_400_000_000] * 2


def test_a_portfolio_s_words_for_nothing_are_nothing(tmp_path) -> None:
    put(tmp_path, a="who,no,on,value\nann,1,2024-01-01,NA\nbob,2,2024-01-01, ? \ncid,3,2024-01-01,n/a\n")
    reports, lake = load(contract_of(files=["a.csv"], nulls=["", "NA", "?"]), tmp_path)
    assert reports[0].loaded == 2
    assert (lake.read(contract_of()).columns["value"] == np.iinfo(np.int64).min).all()
    assert [(f.line, f.field) for f in quarantine(lake, "orders")] == [(4, "value")]


def test_a_dataset_reaches_its_subject_by_a_join(tmp_path) -> None:
    put(tmp_path, orders_1="card,no,on,value\nx,1,2024-01-01,5\ny,2,2024-01-01,6\n", orders_2="card,no,on,value\nx,3,2024-01-01,7\nq,4,2024-01-01,8\n",
        cards="card,who\nx,ann\ny,\n")  # fmt: skip
    reports, lake = load(contract_of(**JOINED), tmp_path)
    assert (reports[0].rows, reports[0].loaded, reports[0].quarantined) == (3, 2, 1)
    assert [(f.field, f.value_class, f.file) for f in quarantine(lake)] == [("who", "empty", "joined")]
    assert sorted(lake.read(contract_of()).columns["value"].tolist()) == [500, 700]


def test_a_join_that_does_not_run_and_files_that_are_missing_are_named(tmp_path) -> None:
    with pytest.raises(UnreadableFeed, match=r"no file matches orders\*\.csv\. Check the data folder"):
        load(contract_of(**JOINED), tmp_path)
    with pytest.raises(UnreadableFeed, match=r"no file matches a\.csv, b\.csv"):
        load(contract_of(files=["a.csv", "b.csv"]), tmp_path)
    put(tmp_path, orders="card,no\nx,1\n", cards="card,who\nx,ann\n")
    with pytest.raises(UnreadableFeed, match=r"the contract's sql does not run: .*Mend the statement"):
        load(contract_of(**JOINED), tmp_path)
    with pytest.raises(Invalid, match="dataset orders names no source"):
        load(contract_of(), tmp_path)


def test_a_constant_time_is_that_of_every_row(tmp_path) -> None:
    contract = msgspec.convert(
        ORDERS | {"times": {"valid_from": {"constant": "1999-01-01"}, "known_from": {"constant": "1999-02-01"}},
                  "source": {"files": ["a.csv"]}}, Contract,
    )  # fmt: skip
    put(tmp_path, a="who,no,on,value\nann,1,2024-01-01,5\n")
    reports, lake = load(contract, tmp_path)
    table = lake.read(contract)
    assert (table.valid_from.tolist(), table.known_from.tolist()) == (
        [instant("1999-01-01")],
        [instant("1999-02-01")],
    )
    assert reports[0].imputed_known == 0


def test_a_row_without_any_time_is_kept_and_never_known(tmp_path) -> None:
    put(tmp_path, a="who,no,on,value\nann,1,,5\n")
    _, lake = load(contract_of(files=["a.csv"]), tmp_path)
    table = lake.read(contract_of())
    assert len(table) == 1
    assert len(table.visible(instant("2200-01-01"))) == 0


def test_a_folder_without_a_feed_and_progress_over_one_with(tmp_path) -> None:
    with pytest.raises(Invalid, match=r"there is no feed here\. Feeds are <dataset>\.csv"):
        ingest_folder(tmp_path, {}, MemoryVault(), Lake(tmp_path / "lake"))
    put(tmp_path, orders="who,no,on,value\nann,1,2024-01-01,5\n")
    seen: list[tuple[str, int, int]] = []
    report = ingest_folder(
        tmp_path, {"orders": contract_of()}, MemoryVault(), Lake(tmp_path / "lake"), lambda *s: seen.append(s)
    )
    assert seen == [("orders", 0, 1)]
    assert (report.loaded, report.quarantined) == (1, 0)


@pytest.mark.parametrize(
    ("text", "lines", "broken"),
    [
        ("1 2\n3\n5 6\n", [1, 3], (2,)),
        ("a b\n1 2\n3\n5 6\n", [2, 4], (3,)),
        ("@data\n\n1 2\n3\n5 6\n", [3, 5], (4,)),
    ],
)
def test_a_file_without_a_header_gets_the_contracts_and_keeps_its_lines(
    tmp_path: Path, text: str, lines: list[int], broken: tuple[int, ...]
) -> None:
    (tmp_path / "a.data").write_text(text)
    source = Source(files=("a.data",), delimiter=" ", header=("a", "b"), skip=("@",), row_number="row")
    [(_, raw)] = read_source(source, tmp_path)
    assert raw.table.to_pydict() == {"a": ["1", "5"], "b": ["2", "6"], "row": [str(line) for line in lines]}
    assert (raw.lines.tolist(), raw.broken) == (lines, broken)


def test_a_given_file_stands_for_the_first_of_the_joined_tables(tmp_path: Path) -> None:
    (tmp_path / "loan.csv").write_text("id,place\n1,x\n")
    (tmp_path / "place.csv").write_text("place,rate\nx,5\ny,7\n")
    (tmp_path / "new.csv").write_text("id,place\n9,y\n")
    sql = "select id, rate from loan join place using (place)"
    source = Source(sql=sql, tables={"loan": "loan.csv", "place": "place.csv"})
    [(_, stored)], [(_, new)] = (
        read_source(source, tmp_path),
        read_source(source, tmp_path, tmp_path / "new.csv"),
    )
    assert (stored.table.to_pylist(), new.table.to_pylist()) == (
        [{"id": "1", "rate": "5"}],
        [{"id": "9", "rate": "7"}],
    )


def test_a_quote_that_is_not_closed_takes_its_own_line_and_no_other(tmp_path: Path) -> None:
    lines = ["id,text", *(f"{n},t{n}" for n in range(2, 1000))]
    lines[10], lines[20] = '11,"t11', '21,"a, b"'
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    [(_, raw)] = read_source(Source(files=("a.csv",)), tmp_path)
    assert raw.broken == (11,)
    assert raw.lines.tolist() == [n for n in range(2, 1000) if n != 11]
    assert raw.table["text"].to_pylist()[18] == "a, b"
