"""CSV, JSON lines and Parquet: nothing is a formula, everything comes back as it was."""

import csv
import io
import json
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviews.exchange.columns import COLUMNS, Column, Type, columns
from reviews.exchange.formats import as_it_was, defused, encode

TABLE = (
    Column("text", Type.TEXT, ""),
    Column("number", Type.NUMBER, ""),
    Column("whole", Type.WHOLE, ""),
    Column("flag", Type.FLAG, ""),
    Column("time", Type.TIME, ""),
    Column("texts", Type.TEXTS, ""),
)
ROW = {
    "text": "a", "number": -0.5, "whole": -3, "flag": True,
    "time": datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC), "texts": ["x", "y"],
}  # fmt: skip


def whole(fmt, *chunks, table=TABLE):
    return b"".join(encode(chunks, fmt, table))


def read_csv(content):
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


@pytest.mark.parametrize(
    "text",
    [
        "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\r", '"=1+1"', "' =1", " =1",
        "\uff1d1", "\ufeff=1", "\x01=1", '=HYPERLINK("http://x","y")', "'=1", '" =1',
    ],
)  # fmt: skip
def test_what_a_spreadsheet_takes_for_a_formula_gets_an_apostrophe(text):
    (row,) = read_csv(whole("csv", [{"text": text}]))
    assert row["text"].startswith("'")
    assert as_it_was(row["text"]) == text


@pytest.mark.parametrize("text", ["", "a", "a=1", "1-1", "you@example.org", "é", "(=1)"])
def test_what_is_no_formula_stays(text):
    assert defused(text) == text


@given(st.text(st.characters(codec="utf-8")))
def test_every_text_comes_back(text):
    (row,) = read_csv(whole("csv", [{"text": text}]))
    assert as_it_was(row["text"]) == text


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers())
def test_numbers_stay_numbers(number, integer):
    (row,) = read_csv(whole("csv", [{"number": number, "whole": integer}]))
    assert float(row["number"]) == number
    assert int(row["whole"]) == integer


def test_csv_is_that_of_the_standard():
    content = whole("csv", [{**ROW, "text": 'say "a, b"\r\nnow'}, {}])
    assert content == (
        b"text,number,whole,flag,time,texts\r\n"
        b'"say ""a, b""\r\nnow",-0.5,-3,true,2026-01-02T03:04:05.000006+00:00,"[""x"", ""y""]"\r\n'
        b",,,,,\r\n"
    )


def test_json_lines_have_every_column_and_no_other():
    lines = whole("jsonl", [{**ROW, "stranger": 1}], [{}]).decode().splitlines()
    first, second = map(json.loads, lines)
    assert first == {**ROW, "time": "2026-01-02T03:04:05.000006+00:00"}
    assert second == dict.fromkeys(ROW)


def test_parquet_is_typed_and_has_a_row_group_for_each_chunk():
    file = pq.ParquetFile(io.BytesIO(whole("parquet", [ROW, {}], [ROW])))
    assert file.num_row_groups == 2
    assert file.read().to_pylist() == [ROW, dict.fromkeys(ROW), ROW]
    types = [file.schema_arrow.field(column.name).type for column in TABLE]
    assert types == [
        pa.string(), pa.float64(), pa.int64(), pa.bool_(), pa.timestamp("us", tz="UTC"),
        pa.list_(types[5].value_field),
    ]  # fmt: skip


@pytest.mark.parametrize("fmt", ["csv", "jsonl", "parquet"])
def test_a_chunk_is_asked_for_only_after_the_last_one_was_taken(fmt):
    asked = []

    def chunks():
        for number in range(50):
            asked.append(number)
            yield [{"text": f"{number}" * 1000}]

    pieces = encode(chunks(), fmt, TABLE)
    next(pieces)
    for number in range(50):
        assert next(pieces)
        assert len(asked) == number + 1


@pytest.mark.parametrize("fmt", ["csv", "jsonl", "parquet"])
def test_a_file_without_rows_is_a_file(fmt):
    content = whole(fmt, table=COLUMNS)
    if fmt == "parquet":
        assert pq.read_table(io.BytesIO(content)).num_rows == 0
    else:
        assert content.count(b"\n") == (fmt == "csv")


def test_texts_are_columns_only_when_asked_for():
    extra = [column.name for column in columns(texts=True)][len(COLUMNS) :]
    assert columns(texts=False) == COLUMNS
    assert extra == ["query", "cheap_answer", "expensive_answer"]
