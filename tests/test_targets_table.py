"""Tables of answers are taken as they are meant, or refused by file, line and remedy."""

import re
from pathlib import Path

import numpy as np
import pytest

from datamodules.targets_table import TargetTable, read_targets
from errors import DataError


def write(folder: Path, text: str | bytes, name: str = "train_answer.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_targets(path).check_distributions()
    message = str(caught.value)
    assert str(path) in message and "\n" not in message
    return message


def test_ids_words_and_values(tmp_path):
    answers = read_targets(write(tmp_path, "file_name,yes,no\nb,0.25,0.75\na,1,0\n"))
    assert answers.columns == ["file_name", "yes", "no"] and answers.class_names == ["yes", "no"]
    assert answers.ids == ["b", "a"] and answers.lines == [2, 3]
    assert answers.values.dtype == np.float32 and answers.values.tolist() == [[0.25, 0.75], [1, 0]]
    answers.check_distributions()


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffid,no thanks,네\n007,0.25,0.75\n0010,1,0\n",  # with a byte order mark, as Excel writes it
        "id,no thanks,네\r\n007,0.25,0.75\r\n0010,1,0\r\n",
        "id,no thanks,네\r007,0.25,0.75\r0010,1,0",
        '\ufeff"id","no thanks","네"\r\n"007","0.25","0.75"\r\n"0010","1","0"\r\n',
        "id , no thanks,네\n 007, 2.5e-1 , .75\n0010,1.0,-0\n",
        "\nid,no thanks,네\n\n007,0.25,0.75\n,,\n0010,1,0\n  \n\n",
        "id,no thanks,ᄂ\u1166\n007,0.25,0.75\n0010,1,0\n",  # the Korean letter in pieces, as a Mac writes names
    ],
)
def test_odd_tables_that_mean_the_same(tmp_path, text):
    answers = read_targets(write(tmp_path, text))
    assert answers.columns == ["id", "no thanks", "네"]
    assert answers.ids == ["007", "0010"]  # no numbers, and NA or null are no gaps either
    assert answers.values.tolist() == [[0.25, 0.75], [1, 0]]
    answers.check_distributions()


def test_ids_and_words_that_look_like_something_else(tmp_path):
    answers = read_targets(write(tmp_path, 'id,NaN,1,"no, thanks"\nNA,1,0,0\nnull,0,1,0\n1e3,0,0,1\n'))
    assert answers.ids == ["NA", "null", "1e3"] and answers.class_names == ["NaN", "1", "no, thanks"]


@pytest.mark.parametrize("value", ["many", "", "nan", "inf", "-inf", "1e999", "0,5", "0x1", "True", "--1"])
def test_what_is_not_a_number(tmp_path, value):
    path = write(tmp_path, f'id,yes,no\na,1,0\nb,1,"{value}"\n')
    assert refusal(path) == f"{path}, line 3 (b), column no: {value!r} is not a number; correct it"


def test_lines_are_those_that_an_editor_shows(tmp_path):
    path = write(tmp_path, "id,yes,no\n\na,1,0\n,,\n\nb,1,x\n")
    assert f"{path}, line 6 (b)" in refusal(path)
    path = write(tmp_path, 'id,yes,no\n"a\nb",1,0\nc,1,1\n')
    assert f"{path}, line 4 (c)" in refusal(path)


def test_negative_answers(tmp_path):
    path = write(tmp_path, "id,yes,no\na,1,0\nb,1.5,-0.5\nc,2,-1\n")
    assert refusal(path) == f"{path}, line 3 (b): holds a negative answer (2 such rows); correct it or remove the clip"


@pytest.mark.parametrize(
    ("row", "total"), [("0.5,0.4", "0.9"), ("0,0", "0"), ("0.5,0.5011", "1.001"), ("25,75", "100")]
)
def test_rows_that_do_not_sum_to_1(tmp_path, row, total):
    path = write(tmp_path, f"id,yes,no\na,1,0\n\nb,{row}\n")
    assert refusal(path) == (
        f"{path}, line 4 (b): sums to {total}, not to 1 (1 such rows); correct it or remove the clip"
    )


@pytest.mark.parametrize("row", ["0.333,0.333,0.333", "0.3,0.3,0.401", "0.25,0.5,0.251", "0.2,0.2,0.6005"])
def test_rows_that_were_rounded(tmp_path, row):
    read_targets(write(tmp_path, f"id,yes,no,up\na,{row}\n")).check_distributions()


@pytest.mark.parametrize("row", ["b,1", "b", "b,1,0,0", "b,1,0,"])
@pytest.mark.parametrize("line", [2, 3])
def test_ragged_rows(tmp_path, row, line):
    rows = ["id,yes,no", "a,1,0", "c,1,0"]
    rows.insert(line - 1, row)
    path = write(tmp_path, "\n".join(rows))
    fields = row.count(",") + 1
    assert refusal(path) == f"{path}, line {line} (b): {fields} fields under 3 columns; correct it"


def test_an_id_that_stands_there_twice(tmp_path):
    path = write(tmp_path, "id,yes,no\na,1,0\nb,1,0\na ,0,1\n")
    assert refusal(path) == f"{path}, line 4: the id a stands there a second time, first in line 2; keep one row"


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        ("id,yes,yes", "the column yes stands twice in its header; rename"),
        ("id,yes,", "column 3 has no name in the header; name it or remove it"),
        ("id;yes;no", "its header is 'id;yes;no'; write an id and the words there, commas between"),
        ("id", "its header is 'id'; write an id and the words there"),
        ("", "its header is 'a'; write an id"),
    ],
)
def test_headers_that_cannot_be_meant(tmp_path, header, fault):
    path = write(tmp_path, f"{header}\na\n")
    assert refusal(path).startswith(f"{path}: {fault}")


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_an_empty_table(tmp_path, text):
    assert "its header is ''; write an id and the words there" in refusal(write(tmp_path, text))


def test_a_header_alone(tmp_path):
    assert "no row; add one for each clip" in refusal(write(tmp_path, "id,yes,no\n"))


@pytest.mark.parametrize(
    "content",
    ["id,네\na,1\n".encode("cp949"), "id,yes\na,1\n".encode("utf-16"), bytes(range(256)), b'id,yes\n"a,1\nb,1\n'],
)
def test_what_is_no_table(tmp_path, content):
    assert re.search("not a table in UTF-8 with commas .*; export it again$", refusal(write(tmp_path, content)))


def test_no_such_table(tmp_path):
    assert "no such file; put it there" in refusal(tmp_path / "train_answer.csv")
    (tmp_path / "folder.csv").mkdir()
    assert "export it again" in refusal(tmp_path / "folder.csv")


@pytest.fixture
def answers(tmp_path) -> TargetTable:
    return read_targets(write(tmp_path, "id,yes,no,up\na,1,0,0\n\nb,0,1,0\nc,0,0,1\n"))


def test_rows_without_a_recording(tmp_path, answers):
    with pytest.raises(DataError) as caught:
        answers.check_ids({"a"}, tmp_path / "train")
    assert str(caught.value) == (
        f"{answers.path}, line 4: b has no recording in {tmp_path / 'train'} (2 such rows); "
        "add the recording or remove the row"
    )


def test_recordings_without_a_row(tmp_path, answers):
    answers.check_ids({"c", "b", "a"}, tmp_path / "train")
    with pytest.raises(DataError) as caught:
        answers.check_ids({*"abcdefgh"}, tmp_path / "train")
    assert str(caught.value) == (
        f"{tmp_path / 'train'}: d, e, f and 2 more without a row in {answers.path}; add the row or remove the recording"
    )


def test_columns_of_the_submission(tmp_path, answers):
    words = answers.class_names, "train_answer.csv"

    def check(header: str) -> None:
        read_targets(write(tmp_path, f"{header}\nx,0,0,0\n", "submission.csv")).check_columns(*words)

    check("name,up,yes,no")
    with pytest.raises(DataError) as caught:
        check("id,yes,No,up")
    assert str(caught.value) == (
        f"{tmp_path / 'submission.csv'}: its columns are not those of train_answer.csv: "
        "missing no; unknown No; make the headers agree"
    )
    with pytest.raises(DataError, match=r"missing none; unknown maybe; make the headers agree"):
        read_targets(write(tmp_path, "id,yes,no,up,maybe\nx,0,0,0,0\n", "submission.csv")).check_columns(*words)
    with pytest.raises(DataError, match=r"missing up; unknown none; make the headers agree"):
        read_targets(write(tmp_path, "id,yes,no\nx,0,0\n", "submission.csv")).check_columns(*words)


def test_real_answers(overlap30):
    answers = read_targets(overlap30 / "Data/train_answer.csv")
    answers.check_distributions()
    assert answers.values.shape == (4000, 30)
    assert ((answers.values == 0.25).sum(axis=1) == 4).all()
    read_targets(overlap30 / "Data/submission.csv").check_columns(answers.class_names, "train_answer.csv")
