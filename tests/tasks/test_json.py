"""JSON that is read piece by piece: the same as the standard library, and no broken file goes unnoticed."""

import json

import pytest

from tasks import DataError
from tasks import _json as reading

RECORDS = [
    {"id": 12345, "text": 'a "dog" \\ {[é…', "more": [{"x": [1.5, None, True]}, {}], "yes": True},
    {"id": -6, "text": "", "more": [], "yes": False},
    {"id": 7, "text": "a\nb, c: }]", "more": [1], "yes": True},
]
FIELDS = {"id": int, "text": str, "more": list, "yes": bool}
VALUES = [tuple(record.values()) for record in RECORDS]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file.json"


def listed(path):
    return list(reading.in_list(path, "records", FIELDS))


@pytest.fixture(params=[1, 2, 7, 1 << 20], ids=lambda size: f"blocks of {size}")
def block(request, monkeypatch):
    monkeypatch.setattr(reading, "_BLOCK", request.param)


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_records_come_as_the_standard_library_reads_them(path, block, indent, ascii_only):
    whole = {"info": {"records": [1]}, "year": 2017, "records": RECORDS, "last": [{}, "x"]}
    path.write_text(json.dumps(whole, indent=indent, ensure_ascii=ascii_only), "utf-8")
    assert listed(path) == VALUES
    named = {f'"{number}"': record for number, record in enumerate(RECORDS)}
    path.write_text(json.dumps(named, indent=indent, ensure_ascii=ascii_only), "utf-8")
    assert list(reading.in_object(path, FIELDS)) == [(f'"{n}"', *values) for n, values in enumerate(VALUES)]


def test_records_on_lines(path):
    lines = [json.dumps(record) for record in RECORDS]
    path.write_text(f"{lines[0]}\n\n{lines[1]}\r\n  {lines[2]}", "utf-8-sig")
    assert list(reading.in_lines(path, FIELDS)) == VALUES


def test_nothing_is_no_record(path):
    for text, read in (('{"records": []}', listed), ("{}", lambda p: list(reading.in_object(p, FIELDS)))):
        path.write_text(text)
        assert read(path) == []
    path.write_text("\n")
    assert list(reading.in_lines(path, FIELDS)) == []


@pytest.mark.parametrize("size", [3, 1 << 20])
def test_a_file_cut_off_anywhere_is_refused(path, monkeypatch, size):
    monkeypatch.setattr(reading, "_BLOCK", size)
    whole = json.dumps({"year": 2017, "records": RECORDS, "last": 1})
    for end in range(len(whole)):
        path.write_text(whole[:end])
        with pytest.raises(DataError, match=r"file\.json: line 1, column \d+: .*fetch it again"):
            listed(path)
        with pytest.raises(DataError):
            list(reading.in_object(path, FIELDS))


def refused(read, path):
    with pytest.raises(DataError) as error:
        read(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)
    return str(error.value)


def test_line_and_column_are_those_of_the_error(path, block):
    text = json.dumps({"first": 1, "records": RECORDS}, indent=1)
    place = text.index("-6")
    path.write_text(text.replace("-6", "-x"))
    before = text[:place]
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    assert f"line {line}, column {column}: Expecting value" in refused(listed, path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected '{'"),
        ("[]", "line 1, column 1: expected '{'"),
        ("{1: 2}", "expected a name"),
        ('{"records" 1}', "expected ':'"),
        ('{"a": 1}', "has no list 'records'"),
        ('{"records": {}}', "has no list 'records'"),
        ('{"records": []} x', "line 1, column 17: expected the end"),
        ('{"records": [}', "Expecting value"),
        ('{"records": ' + "[" * 100_000, "recursion"),
        ('{"a": ' + "1" * 5000 + "}", "4300 digits"),
    ],
)
def test_what_is_no_such_object_is_refused(path, text, said):
    path.write_text(text)
    assert said in refused(listed, path)


@pytest.mark.parametrize(
    ("field", "value"), [("id", "1"), ("id", 1.0), ("id", True), ("text", None), ("yes", 1), ("more", {})]
)
def test_a_field_of_another_type_is_named_with_its_record(path, field, value):
    path.write_text(json.dumps({"records": [RECORDS[0], RECORDS[1] | {field: value}]}, indent=0))
    message = refused(listed, path)
    assert f"record 2 of records: {field} is absent or of another type; expected id (integer)" in message
    assert "line 2" in message


def test_an_absent_field_and_a_record_that_is_none_are_named(path):
    for record, said in (({"id": 1, "text": "", "yes": True}, "more is absent"), ([1, 2], "id, text, more, yes is")):
        path.write_text(json.dumps({"b": record}))
        assert f"record 'b': {said}" in refused(lambda path: list(reading.in_object(path, FIELDS)), path)
        path.write_text(f"\n{json.dumps(record)}")
        assert "line 2" in refused(lambda path: list(reading.in_lines(path, FIELDS)), path)


def test_a_line_that_is_broken_is_named(path):
    whole = json.dumps(RECORDS[1])
    for second in (whole[:-3], whole + whole, "x"):
        path.write_text(f"{whole}\n{second}\n{whole}\n")
        assert "line 2, column" in refused(lambda path: list(reading.in_lines(path, FIELDS)), path)


def test_files_that_cannot_be_read(path):
    assert "cannot be read (No such file or directory)" in refused(listed, path)
    assert "cannot be read" in refused(lambda path: reading.values_of(path, "x"), path)
    path.write_bytes(b'{"records": ["\xff"]}')
    assert "is not UTF-8 text" in refused(listed, path)


def test_values_of_a_field_are_scanned_wherever_it_stands(path):
    path.write_text('{"a": {"name": "one"}, "b": [{"name"\n:\t"two"}, {"name": 3, "says": "\\"name\\": \\"four\\""}]}')
    assert reading.values_of(path, "name") == {"one", "two"}
    path.write_text("")
    assert reading.values_of(path, "name") == set()
