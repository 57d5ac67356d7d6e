"""Tables of targets are read, or give an error with file, line and what to do."""

import re
from pathlib import Path

import numpy as np
import pytest

from datamodules.targets_table import read_targets
from overlapped_words.errors import DataError


def write(folder: Path, text: str | bytes, name: str = "train_answer.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def read_error(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_targets(path).check_distributions()
    message = str(caught.value)
    assert str(path) in message and "\n" not in message
    return message


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffid,no thanks,네\n007,0.25,0.75\n0010,1,0\n",  # with a byte order mark, as Excel writes it
        "id,no thanks,네\r\n007,0.25,0.75\r\n0010,1,0\r\n",
        "id,no thanks,네\r007,0.25,0.75\r0010,1,0",
        '\ufeff"id","no thanks","네"\r\n"007","0.25","0.75"\r\n"0010","1","0"\r\n',
        "id , no thanks,네\n 007, 2.5e-1 , .75\n0010,1.0,-0\n",
        "\nid,no thanks,네\n\n007,0.25,0.75\n,,\n0010,1,0\n  \n\n",
        "id,no thanks,ᄂ\u1166\n007,0.25,0.75\n0010,1,0\n",  # the Korean syllable decomposed, as macOS writes names
    ],
)
def test_variants_of_one_table_give_the_same_targets(tmp_path, text):
    targets = read_targets(write(tmp_path, text))
    assert targets.columns == ["id", "no thanks", "네"]
    assert targets.ids == ["007", "0010"]  # text, not numbers
    assert targets.values.tolist() == [[0.25, 0.75], [1, 0]]
    targets.check_distributions()


def test_ids_and_words_that_look_like_something_else_and_rounded_rows(tmp_path):
    targets = read_targets(write(tmp_path, 'name,NaN,1,"no, thanks"\nNA,1,0,0\n\nnull,0,1,0\n1e3,0,0,1\n'))
    assert targets.ids == ["NA", "null", "1e3"] and targets.lines == [2, 4, 5] and targets.columns[0] == "name"
    assert targets.class_names == ["NaN", "1", "no, thanks"] and targets.values.dtype == np.float32
    rows = "\na,0.333,0.333,0.333\nb,0.3,0.3,0.401\nc,0.25,0.5,0.251\nd,0.2,0.2,0.6005\n"
    read_targets(write(tmp_path, f"id,yes,no,up{rows}")).check_distributions()


VALUES = ["many", "", "nan", "-inf", "1e999", "0,5"]
DIVIDE, CORRECT = "divide each row by its sum", "correct it or remove the clip"
HEADER = "the first line must be a comma-separated header: id, word, word, ..."
FAULTS = [  # text, message; lines are counted as in an editor
    *((f'id,yes,no\na,1,0\nb,1,"{value}"\n', f", line 3 (b), column no: {value!r} is not") for value in VALUES),
    ("id,yes,no\n\na,1,0\n,,\n\nb,1,x\n", ", line 6 (b), column no: 'x' is not a number; correct it"),
    ('id,yes,no\n"a\nb",1,0\nc,1,x\n', ", line 4 (c), column no: 'x' is not a number; correct it"),
    ("id,yes,no\na,1.5,-0.5\nb,2,-1\n", f", line 2 (a): contains a negative probability (2 such rows); {CORRECT}"),
    ("id,yes,no\na,1,0\n\nb,.5,.4\n", f", line 4 (b): sums to 0.9, not to 1 (1 such rows); {DIVIDE}"),
    ("id,yes,no\na,0.5,0.5011\nb,1,1\n", f", line 2 (a): sums to 1.001, not to 1 (2 such rows); {DIVIDE}"),
    ("id,yes,no\na,1,1\n", f", line 2 (a): sums to 2, not to 1 (1 such rows); {DIVIDE}"),
    ("id,yes,no\na,0,0\n", f", line 2 (a): sums to 0, not to 1 (1 such rows); {CORRECT}"),
    ("id,yes,no\na,1\nb,1,0\n", ", line 2 (a): 2 fields, but the header has 3; correct the row"),
    ("id,yes,no\nb,1,0\na,1,0,\n", ", line 3 (a): 4 fields, but the header has 3; correct the row"),
    ("id,yes,no\na,1,0\nb,1,0\na ,0,1\n", ", line 4: duplicate id a, first in line 2; keep one row"),
    ("id,yes,yes\n", ": duplicate column yes; rename or remove one"),
    ("id,\u110b\u1161,\uc544\n", ": duplicate column \uc544; rename or remove one"),  # one syllable, spelled twice
    ("id,yes,num_words_0\n", ": a word is named num_words_0, but tables have the columns id, words and num_words_0"),
    ("name,yes,id\n", ": a word is named id, but tables have the columns id, words and num_words_0"),
    ("id,yes,\n", ": column 3 has no name in the header; name it or remove it"),
    ("id;yes;no\n", f": the header is 'id;yes;no'; {HEADER}"),
    ("\n\n", f": the header is ''; {HEADER}"),
    ("id,yes,no\n", ": is empty; add one row per clip"),
]


@pytest.mark.parametrize(("text", "message"), FAULTS)
def test_faults_in_a_table(tmp_path, text, message):
    path = write(tmp_path, text)
    assert read_error(path).startswith(f"{path}{message}")


@pytest.mark.parametrize(
    "content",
    ["id,네\na,1\n".encode("cp949"), "id,yes\na,1\n".encode("utf-16"), bytes(range(256)), b'id,yes\n"a,1\nb,1\n'],
)
def test_files_that_are_not_tables(tmp_path, content):
    assert re.search("not a comma-separated table in UTF-8 .*; export it again$", read_error(write(tmp_path, content)))
    assert "file not found; it needs an id and one column per word" in read_error(tmp_path / "none.csv")


def test_rows_and_recordings_are_matched_by_file_name(tmp_path):
    ids = ["a", "b.wav", "train/c.FLAC", "train\\d.mp4", "x/e", "f.wav", "g.1"]
    table = read_targets(write(tmp_path, "\n".join(["id,yes,no", *(f"{clip_id},1,0" for clip_id in ids)])))
    assert table.match(["g.1", "f.wav", "e", "d", "c", "b", "a"], tmp_path) == ["a", "b", "c", "d", "e", "f.wav", "g.1"]
    assert table.ids == ids  # those of the submission stay as they are
    table = read_targets(write(tmp_path, "id,yes,no\na,1,0\na.wav,0,1\n"))
    with pytest.raises(DataError, match=r"line 3: a\.wav is the recording of line 2; keep one row$"):
        table.match({"a"}, tmp_path)


def test_columns_of_the_submission(tmp_path):
    def check(header: str) -> None:
        table = read_targets(write(tmp_path, f"{header}\nx{',0' * header.count(',')}\n", "submission.csv"))
        table.check_columns(["yes", "no", "up"], "train_answer.csv")

    check("name,up,yes,no")
    differ = f"^{tmp_path / 'submission.csv'}: columns differ from train_answer.csv: "
    with pytest.raises(DataError, match=f"{differ}missing no; unknown No; use the same header"):
        check("id,yes,No,up")
    with pytest.raises(DataError, match=f"{differ}missing up; unknown none; use the same header"):
        check("id,yes,no")
