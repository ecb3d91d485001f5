"""Files as they come: separators, encodings, several parts; and files that are no tables, each refused in one line."""

from __future__ import annotations

import gzip
import os

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather

from whence.data import Kind, files, read
from whence.errors import DataError

LAZY = pytest.mark.parametrize("lazy", [False, True], ids=["memory", "disk"])


def refused(source, code: str, *says: str, **settings) -> str:
    with pytest.raises(DataError) as caught:
        read(source, **settings).moments()
    message = str(caught.value)
    assert caught.value.code == code, message
    assert caught.value.remedy
    assert "\n" not in message
    for words in says:
        assert words in message
    return message


def text(folder, content, name="table.csv"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@LAZY
@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_separator_is_found(tmp_path, lazy, mark):
    rows = [["dose", "ward", "n"], ["0.5", "a", "1"], ["1.5", "b", "2"], ["NA", "a, b", "3"], ["2.5", "", "4"]]
    content = "\n".join(mark.join(f'"{cell}"' if "," in cell else cell for cell in row) for row in rows)
    table = read(text(tmp_path, content + "\n"), lazy=lazy)
    assert table.names == ("dose", "ward", "n")
    assert {name: column.missing for name, column in table.columns.items()} == {"dose": 1, "ward": 1, "n": 0}
    assert table.columns["ward"].levels == ("a", "a, b", "b")
    np.testing.assert_allclose(table.moments(["dose", "n"]).mean, [1.5, 7 / 3])


@LAZY
def test_decimal_commas_of_semicolon_files_are_numbers(tmp_path, lazy):
    table = read(text(tmp_path, "dose;cure;n\n0,5;-1,25;1\n1,5;2,0;2\n2,25;3,0;3\n"), lazy=lazy)
    assert table.kinds()["dose"] is Kind.CONTINUOUS
    np.testing.assert_allclose(table.moments().mean, [4.25 / 3, 3.75 / 3, 2.0])


def test_runs_of_spaces_part_columns(tmp_path):
    path = text(tmp_path, "age  dose\n 31  0.5\n 44   1.5\n29 2.5\n", "table.txt")
    np.testing.assert_allclose(read(path).moments().mean, [104 / 3, 1.5])
    refused(path, "E107", "runs of spaces", lazy=True)


def test_other_encodings_are_read_and_noted(tmp_path):
    path = text(tmp_path, "größe,x\n1.5,ä\n2.5,ö\n3.5,ü\n".encode("cp1252"))
    table = read(path)
    assert table.names == ("größe", "x")
    assert "cp1252" in table.notes[0]
    refused(path, "E107", "not UTF-8", lazy=True)
    assert read(text(tmp_path, b"\xef\xbb\xbfa,b\n1,2\n3,4\n5,7\n")).names == ("a", "b")


@LAZY
def test_packed_text_is_read(tmp_path, lazy):
    path = tmp_path / "table.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n1,2.5\n3,4.5\n5,7.5\n"))
    np.testing.assert_allclose(read(path, lazy=lazy).moments().mean, [3.0, 14.5 / 3])
    path.write_bytes(path.read_bytes()[:20])
    refused(path, "E107", "'table.csv.gz'", lazy=lazy)


@LAZY
@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl", "arrow"])
def test_all_files_of_a_pattern_are_read(tmp_path, lazy, ending):
    for k in range(3):
        part = pa.table({"x": [k + 0.25, k + 0.5], "y": [k, k + 1]})
        path = tmp_path / f"part-{k}.{ending}"
        if ending == "parquet":
            pq.write_table(part, path)
        elif ending == "arrow":
            feather.write_feather(part, path)
        elif ending == "csv":
            path.write_text("x,y\n" + "".join(f"{row['x']},{row['y']}\n" for row in part.to_pylist()))
        else:
            path.write_text("".join(str(row).replace("'", '"') + "\n" for row in part.to_pylist()))
    table = read(str(tmp_path / f"part-*.{ending}"), lazy=lazy)
    assert table.n_rows == 6
    assert "3 files" in table.source
    np.testing.assert_allclose(table.moments().mean, [1.375, 1.5])


def test_files_of_different_columns_are_not_put_together(tmp_path):
    for name, column in (("a", "x"), ("b", "z")):
        pq.write_table(pa.table({column: [1.5, 2.5], "y": [1, 2]}), tmp_path / f"{name}.parquet")
        text(tmp_path, f"{column},y\n1.5,1\n2.5,2\n", f"{name}.csv")
    refused(str(tmp_path / "*.parquet"), "E108", "'x'", "b.parquet")
    refused(str(tmp_path / "*.csv"), "E108", "'x'")
    refused(str(tmp_path / "*.csv"), "E108", "b.csv", lazy=True)
    refused(str(tmp_path / "?.*"), "E106", "endings")
    refused(str(tmp_path / "c*.csv"), "E106", "no file matches")


def test_names_with_brackets_are_files_before_patterns(tmp_path):
    assert read(text(tmp_path, "a,b\n1,2\n3,4\n5,6\n", "run[1].csv")).n_rows == 3


def test_large_files_stay_on_disk_unless_asked_for(tmp_path, monkeypatch):
    path = text(tmp_path, "a,b\n1,2\n3,4\n5,6\n")
    assert read(path).in_memory
    monkeypatch.setattr(files, "LAZY_BYTES", 5)
    table = read(path)
    assert not table.in_memory
    assert "stay on disk" in table.notes[0]
    assert read(path, lazy=False).in_memory


@LAZY
def test_first_lines_do_not_decide_the_type_of_later_ones(tmp_path, lazy):
    body = "".join(f"{k},{k % 2}\n" for k in range(30_000)) + "0.5,2\nNA,NA\n"
    table = read(text(tmp_path, "x,k\n" + body), lazy=lazy)
    assert table.kinds() == {"x": Kind.CONTINUOUS, "k": Kind.COUNT}
    assert table.columns["x"].missing == 1
    assert table.moments(["k"]).n == 30_001


BAD = {
    "empty": (b"", "E101", "empty"),
    "blank": (b"\n\n  \n", "E101", "empty"),
    "header only": (b"a,b\n", "E101", "no rows"),
    "twice": (b"a,b,a\n1,2,3\n3,4,5\n", "E102", "'a' twice"),
    "nameless": (b"a,,c\n1,2,3\n3,4,5\n", "E102", "column 2"),
    "ragged": (b"a,b\n1,2\n3,4,5\n6,7\n", "E108", "3"),
    "picture": (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)), "E107", "binary"),
    "stray word": (b"a,b\n1,2\nx,4\n5,6\n7,8\n", "E103", "'x'"),
    "infinite": (b"a,b\n1,2\ninf,4\n5,6\n7,8\n", "E104", "'a'"),
}


@LAZY
@pytest.mark.parametrize("case", BAD, ids=list(BAD))
def test_text_that_is_no_table_is_refused_in_one_line(tmp_path, lazy, case):
    content, code, says = BAD[case]
    path = text(tmp_path, content)
    message = refused(path, code, says, lazy=lazy)
    assert "'a'" in message or "table.csv" in message
    assert sorted(tmp_path.iterdir()) == [path]


@LAZY
@pytest.mark.parametrize("ending", ["parquet", "arrow", "jsonl"])
def test_a_file_that_is_not_what_its_ending_says(tmp_path, lazy, ending):
    path = text(tmp_path, "a,b\n1,2\n3,4\n" * 20, f"table.{ending}")
    refused(path, "E107", f"table.{ending}", lazy=lazy)


@LAZY
@pytest.mark.parametrize("kept", [3, 200, 4000, -1])
def test_truncated_parquet_is_named(tmp_path, lazy, kept):
    path = tmp_path / "table.parquet"
    rng = np.random.default_rng(0)
    pq.write_table(pa.table({"a": rng.normal(size=2000), "b": rng.normal(size=2000)}), path)
    path.write_bytes(path.read_bytes()[:kept])
    refused(path, "E107", "'table.parquet'", lazy=lazy)


def test_parquet_damaged_inside_is_named(tmp_path):
    path = tmp_path / "table.parquet"
    rng = np.random.default_rng(0)
    pq.write_table(pa.table({"a": rng.normal(size=2000), "b": rng.normal(size=2000)}), path)
    raw = bytearray(path.read_bytes())
    raw[4:600] = bytes(596)
    path.write_bytes(bytes(raw))
    refused(path, "E107", "damaged", lazy=False)
    refused(path, "E109", lazy=True)


def test_paths_that_lead_nowhere_say_what_is_near(tmp_path):
    text(tmp_path, "a,b\n1,2\n", "patients.csv")
    refused(tmp_path / "patient.csv", "E106", "'patients.csv'")
    refused(tmp_path, "E106", "folder")
    if os.geteuid() != 0:
        os.chmod(tmp_path / "patients.csv", 0)
        refused(tmp_path / "patients.csv", "E106", "may not be read")


def test_databases_and_tables_that_are_not_there(tmp_path):
    path = tmp_path / "store.db"
    with duckdb.connect(str(path)) as connection:
        connection.execute('CREATE TABLE "odd ""name"" :" AS SELECT range / 3 AS x FROM range(30)')
    assert read(f'duckdb:///{path}::odd "name" :').n_rows == 30
    refused(f"duckdb:///{path}::none", "E106", "'none'", "odd")
    refused(f"duckdb:///{path}", "E106", "no table")
    refused(f"duckdb:///{tmp_path}/none.db::t", "E106", "none.db")
    broken = text(tmp_path, b"not a database" * 100, "broken.db")
    refused(f"duckdb:///{broken}::t", "E107", "broken.db")
    held = tmp_path / "held.db"
    with duckdb.connect(str(held)):
        refused(f"duckdb:///{held}::t", "E107", "held.db")


def test_text_with_enormous_cells_is_read_or_refused_in_one_line(tmp_path):
    content = "a,b\n" + "1," + "x" * 200_000 + "\n2,y\n3,z\n"
    assert read(text(tmp_path, content)).n_rows == 3
    quoted = 'a,b\n1,"' + "x" * 200_000 + '"\n2,y\n3,z\n'
    refused(text(tmp_path, quoted.replace("2,y", "2,y,w")), "E108", "table.csv")


def test_a_spreadsheet_is_named_with_the_way_round_it(tmp_path):
    (tmp_path / "table.xlsx").write_bytes(b"PK\x03\x04")
    with pytest.raises(DataError, match=r"spreadsheet.*Save the sheet as CSV"):
        read(tmp_path / "table.xlsx")


def test_utf_16_is_read_and_said(tmp_path):
    (tmp_path / "table.csv").write_bytes("größe,x\n1.5,2\n2.5,3\n".encode("utf-16"))
    data = read(tmp_path / "table.csv")
    assert data.names == ("größe", "x")
    assert any("utf-16" in note for note in data.notes)
    with pytest.raises(DataError, match="not UTF-8 and cannot stay on disk"):
        read(tmp_path / "table.csv", lazy=True)


def test_a_json_array_is_read(tmp_path):
    path = tmp_path / "table.json"
    path.write_text('[{"a": 1, "b": "x"},\n {"b": "y", "c": 2.5}]')
    assert read(path).to_arrow().to_pydict() == {"a": [1, None], "b": ["x", "y"], "c": [None, 2.5]}
    for text, says in (("[1, 2]", "other things than objects"), ('[{"a": 1},', "not JSON")):
        path.write_text(text)
        with pytest.raises(DataError, match=says):
            read(path)


COMMENTS = {
    "a sentence": ("# made by hand\n# in May, twice\na,b,c\n1,2,3\n4,5,6\n", ("a", "b", "c"), 2),
    "names behind the sign": ("#id,age\n1,50\n2,60\n", ("#id", "age"), 0),
    "one column": ("# numbers\nx\n1\n2\n", ("x",), 1),
}


@pytest.mark.parametrize("case", COMMENTS)
def test_comments_before_the_table_are_left_out_and_said(case, tmp_path):
    text, names, count = COMMENTS[case]
    (tmp_path / "table.csv").write_text(text)
    data = read(tmp_path / "table.csv")
    assert (data.names, data.n_rows) == (names, 2)
    assert any("comment" in note for note in data.notes) is bool(count)
    if count:
        with pytest.raises(DataError, match="lines of comment"):
            read(tmp_path / "table.csv", lazy=True)


SPELLED = {
    "percent": (["10%", "2.5 %", None, "-3%"], [10, 2.5, None, -3]),
    "dollars": (["$1,200.50", "$30", "$7"], [1200.5, 30, 7]),
    "thousands": (["1,200", "1,200,300", "17"], [1200, 1200300, 17]),
    "thousands and points": (["1,200.5", "2,300.5"], [1200.5, 2300.5]),
    "decimal commas": (["1,5", "2,25", "0,125"], "decimal commas"),
    "thousands or decimals": (["1,200", "2,300"], "decimal commas"),
    "points between thousands": (["1.200.300", "12 000", "1'000"], "other signs"),
}


@pytest.mark.parametrize("case", SPELLED)
def test_numbers_spelled_with_signs_are_read_where_plain_and_said(case):
    texts, expected = SPELLED[case]
    table = {"x": texts, "y": [float(k) for k in range(len(texts))]}
    data = read(table)
    (note,) = data.notes
    if isinstance(expected, str):
        assert expected in note
        assert data.to_arrow()["x"].to_pylist() == texts
    else:
        assert "was read as numbers" in note
        assert data.to_arrow()["x"].to_pylist() == expected
    assert read(table, kinds={"x": "categorical"}).to_arrow()["x"].to_pylist() == texts


def test_words_dates_and_codes_are_no_spelled_numbers():
    data = read({"a": ["2020-01-01", "2020-01-02"], "b": ["A1", "12%x"], "c": ["24.12.2020", "1.1.2021"]})
    assert data.notes == ()
