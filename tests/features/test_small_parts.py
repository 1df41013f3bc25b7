"""The matrix, the vault in memory, the errors and how commands talk."""

from __future__ import annotations

import io
import json

import msgspec
import numpy as np
import pytest
from rich.console import Console

from features import errors, terminal
from features.canonical import code_of, document_digest
from features.contracts.model import SubjectKind
from features.errors import Forbidden, Invalid, YidaiError
from features.identity.vault import MemoryVault, random_ids
from features.matrix import Column, FeatureMatrix
from features.terminal import plain_errors, progress, show_json, show_table


def matrix() -> FeatureMatrix:
    columns = tuple(Column(name, "d") for name in "abc")
    return FeatureMatrix(columns, np.arange(12.0).reshape(4, 3), np.eye(4, 3, dtype=np.uint8))


def test_rows_and_columns_of_a_matrix_are_taken_with_their_marks() -> None:
    found = matrix().take(np.array([2, 0])).select(("c", "a"))
    assert found.names == ("c", "a")
    assert found.values.tolist() == [[8, 6], [2, 0]]
    assert found.missing.tolist() == [[1, 0], [0, 1]]
    assert matrix().take(np.array([False, True, False, False])).values.tolist() == [[3, 4, 5]]
    with pytest.raises(KeyError):
        matrix().select(("z",))


def test_ids_are_dense_random_and_by_kind() -> None:
    vault = MemoryVault(seed=3)
    first = vault.assign(SubjectKind.PERSON, ["a", "b", "a", "c"])
    assert first[0] == first[2]
    assert sorted(set(first.tolist())) == [0, 1, 2]
    second = vault.assign(SubjectKind.LEGAL_PERSON, ["a", "d"])
    assert set(second.tolist()) == {3, 4}
    assert vault.find(SubjectKind.PERSON, "b") == first[1]
    assert vault.find(SubjectKind.LEGAL_PERSON, "b") is None
    many = random_ids(10, 1000, np.random.default_rng(1))
    assert sorted(many.tolist()) == list(range(10, 1010))
    assert abs(np.corrcoef(many, np.arange(1000))[0, 1]) < 0.1


def test_equal_documents_have_equal_digests_and_codes_fit_a_float() -> None:
    assert document_digest({"b": 1, "a": [1.0]}) == document_digest({"a": [1], "b": 1})
    assert document_digest({"a": 1}) != document_digest({"a": "1"})
    codes = {code_of(f"text {k}") for k in range(5_000)}
    assert len(codes) == 5_000
    assert max(codes) < 2**48
    assert all(int(float(code)) == code for code in codes)
    with pytest.raises(Invalid, match="no canonical form"):
        document_digest({"a": float("nan")})


def test_the_tree_of_errors_is_the_one_that_is_drawn() -> None:
    drawn = {}
    for line in (errors.__doc__ or "").splitlines():
        parts = line.replace("├──", "").replace("└──", "").split()
        if "──" in line:
            drawn[parts[0]] = int(parts[1])
    kinds = {kind.__name__: kind.status for kind in YidaiError.__subclasses__()}
    assert drawn == {name: status for name, status in kinds.items() if name in drawn}
    assert len(drawn) == 9


def test_an_error_is_one_paragraph_of_place_message_and_remedy() -> None:
    assert (
        str(Invalid("it is wrong.", place="file.csv:3", remedy="Mend it."))
        == "file.csv:3: it is wrong. Mend it."
    )
    assert str(Invalid("it is wrong.")) == "it is wrong."
    assert Forbidden("no.").code == "forbidden"
    assert Invalid("no.", code="special").code == "special"


@pytest.fixture
def heard(monkeypatch) -> io.StringIO:
    out = io.StringIO()
    for name in ("console", "notes"):
        monkeypatch.setattr(terminal, name, Console(file=out, width=200, highlight=False))
    return out


def test_a_refusal_is_a_paragraph_and_exit_code_two(heard) -> None:
    with pytest.raises(SystemExit) as ended, plain_errors():
        raise Invalid("[bold] is wrong.", place="a.yaml", remedy="Mend it.")
    assert ended.value.code == 2
    assert heard.getvalue() == "refused a.yaml: [bold] is wrong. Mend it.\n"


def test_a_refusal_keeps_its_trace_for_who_asks_for_it(heard, monkeypatch) -> None:
    monkeypatch.setenv("YIDAI_DEBUG", "1")
    with pytest.raises(Invalid), plain_errors():
        raise Invalid("wrong.")
    assert heard.getvalue() == ""


def test_what_is_stopped_by_hand_says_that_nothing_is_lost(heard) -> None:
    with pytest.raises(SystemExit) as ended, plain_errors():
        raise KeyboardInterrupt
    assert ended.value.code == 130
    assert "may be run again" in heard.getvalue()


def test_a_fault_of_ours_is_told_in_a_line_and_shown_whole_on_demand(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end, plain_errors():
        _ = 1 / 0
    assert end.value.code == 1
    said = capsys.readouterr().err
    assert "ZeroDivisionError" in said
    assert "YIDAI_DEBUG=1" in said
    assert "Traceback" not in said
    monkeypatch.setenv("YIDAI_DEBUG", "1")
    with pytest.raises(ZeroDivisionError), plain_errors():
        _ = 1 / 0


def test_progress_names_the_step(heard) -> None:
    with progress("loading") as step:
        step("tax", 1, 2)
    assert "loading" in heard.getvalue()


def test_a_table_in_a_pipe_is_a_line_a_row_and_nothing_is_cut(capsys) -> None:
    whole = "01a21b8a-5ca2-7553-9dda-db3403e6ad87" * 9
    show_table("found", ("name", "n"), [("[bold]a[/] b\nc", 1), (whole, None)])
    assert capsys.readouterr().out.splitlines() == ["found", "name\tn", "a b c\t1", f"{whole}\tNone"]


def test_a_table_at_a_terminal_cuts_nothing_either(heard, monkeypatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    whole = "01a21b8a-5ca2-7553-9dda-db3403e6ad87" * 9
    show_table("t", ("z", "z"), [(whole, "z")])
    assert whole in "".join(each for each in heard.getvalue() if each in "0123456789abcdef-")


def test_json_for_programs_is_one_line_on_standard_output(capsys) -> None:
    class Found(msgspec.Struct):
        name: str
        at: object

    show_json([Found("电", SubjectKind.PERSON), {"path": complex(1, 2)}])
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert json.loads(out) == [{"name": "电", "at": "person"}, {"path": "(1+2j)"}]
