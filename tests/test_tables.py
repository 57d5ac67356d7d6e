"""Read, compare and format tables of distributions; write files atomically."""

import errno
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from overlapped_words.errors import DataError, RunError
from overlapped_words.runs.files import write_files, write_text
from overlapped_words.runs.reading import check_file
from overlapped_words.tables import difference, format_table, read_table
from overlapped_words.training.checkpoint_io import AtomicCheckpointIO

HEADER = "id,a,b\n"


def test_a_table_keeps_ids_columns_and_their_order_and_a_sum_within_the_tolerance(tmp_path):
    (tmp_path / "t.csv").write_text("file name,b,a\nNA,1,0\n1e3,.5,.5009\n1000,0,1\n")
    table = read_table(tmp_path / "t.csv", RunError)
    assert table.index.tolist() == ["NA", "1e3", "1000"] and table.index.name == "file name"
    assert table.columns.tolist() == ["b", "a"]
    assert table.to_numpy().tolist() == [[1, 0], [0.5, 0.5009], [0, 1]]


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffid,no thanks,네\n007,0.25,0.75\n0010,1,0\n",  # with a byte order mark, as Excel writes it
        "id,no thanks,네\r007,0.25,0.75\r0010,1,0",
        '\ufeff"id","no thanks","네"\r\n"007","0.25","0.75"\r\n"0010","1","0"\r\n',
        "id , no thanks,네\n 007, 2.5e-1 , .75\n0010,1.0,-0\n",
        "\nid,no thanks,네\n\n007,0.25,0.75\n,,\n0010,1,0\n  \n\n",
        "id,no thanks,ᄂ\u1166\n007,0.25,0.75\n0010,1,0\n",  # the Korean syllable decomposed, as macOS writes names
    ],
)
def test_variants_of_one_table_give_the_same_values(tmp_path, text):
    (tmp_path / "t.csv").write_bytes(text.encode())
    table = read_table(tmp_path / "t.csv", DataError)
    assert [table.index.name, *table.columns] == ["id", "no thanks", "네"]
    assert table.index.tolist() == ["007", "0010"] and table.to_numpy().tolist() == [[0.25, 0.75], [1, 0]]


def test_an_invalid_table_is_an_error_with_file_and_row(tmp_path):
    for text, message in (
        (HEADER + "x,.5,.5\ny,1.5,-0.5\n", "the row y has a negative probability; correct it (1 such rows)"),
        *((f'{HEADER}x,1,0\ny,1,"{value}"\n', "the row y has a value ") for value in ("", "inf", "a", "0,5")),
        (HEADER + "x,1,0\ny,1\n", "the row y has a value that is not a number; correct it (1 such rows)"),
        (HEADER + "x,1,0\ny,.5,.502\nz,1,1\n", "the row y does not sum to 1; divide each row by its sum (2 such rows)"),
        (HEADER + "x,1,0\ny,0,1\nx ,1,0\n", "the row x is there twice; keep one row (1 such rows)"),
        (HEADER + "x,1,0\ny,1,0,0\n", "not a table in UTF-8 ("),
        (HEADER, "has no rows; add one per clip"),
        ("", "not a table in UTF-8 (No columns to parse from file); correct it"),
        ("id,a,a\nx,.5,.5\n", "its first line must name an id and the words, each once"),
        ("id;a;b\nx;.5;.5\n", "its first line must name an id and the words, each once"),
        ("id,하나\nx,1\n".encode("cp949"), "not a table in UTF-8 ("),
    ):
        (tmp_path / "t.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(DataError) as caught:
            read_table(tmp_path / "t.csv", DataError)
        assert str(caught.value).startswith(f"{tmp_path / 't.csv'}: {message}") and "\n" not in str(caught.value)


def test_a_table_of_a_stranger_has_limits(tmp_path):
    (tmp_path / "wide.csv").write_text(",".join(map(str, range(1_000_000))) + "\nx" + ",0" * 1_000_000 + "\n")
    for name, message in {"absent": "does not exist", "wide": "its first line is longer than"}.items():
        with pytest.raises(RunError, match=f"{name}.csv: {message}"):
            check_file(tmp_path / f"{name}.csv", "restore it")


def test_difference_names_what_is_missing_unknown_or_moved():
    table = pd.DataFrame([[0.2, 0.8], [0.6, 0.4]], index=pd.Index(["x", "y"], name="id"), columns=["a", "b"])
    assert difference(table, table * 0) == ""
    assert difference(table.iloc[::-1], table) == "ids in a different order"
    assert difference(table[["b", "a"]], table) == "columns in a different order"
    assert difference(table.rename(columns={"b": "c"}), table) == "different columns (missing b; unknown c)"
    assert difference(table.iloc[:1], table) == "different ids (missing y; unknown none)"
    assert difference(table.rename_axis("file"), table) == "different columns (missing id; unknown file)"


def test_a_failed_write_leaves_the_old_files_and_a_table_keeps_small_probabilities(tmp_path):
    (tmp_path / "a.csv").write_text("old")
    absent = tmp_path / "folder" / "b.csv"
    with pytest.raises(RunError, match=rf"^{absent}: cannot be written \(No such file or directory\); check"):
        write_files({tmp_path / "a.csv": b"new", absent: b"its folder does not exist"})
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]
    assert (tmp_path / "a.csv").read_text() == "old"
    values = np.array([[1e-9, 1 - 1e-9], [1 / 3, 2 / 3]])
    table = pd.DataFrame(values, index=pd.Index(["01", "02"], name="id"), columns=["가", "b,c"])
    write_text(tmp_path / "t.csv", format_table(table))
    back = read_table(tmp_path / "t.csv", RunError)
    assert difference(back, table) == ""
    np.testing.assert_allclose(back.to_numpy(), values, rtol=1e-9)
    assert np.abs(back.to_numpy().sum(axis=1) - 1).max() < 1e-9
    assert (tmp_path / "t.csv").read_bytes().startswith('id,가,"b,c"\n01,1e-09,'.encode())


def test_a_full_disk_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "checkpoints" / "last.ckpt"
    writer = AtomicCheckpointIO()
    writer.save_checkpoint({"epoch": 1}, path)

    def full_disk(file, content):
        with file.open("wb") as half:
            half.write(content[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(RunError, match=f"^{path}: cannot be written .No space left on device.; check"):
        writer.save_checkpoint({"weights": torch.zeros(1_000_000)}, path)
    assert writer.load_checkpoint(path) == {"epoch": 1}
    assert [file.name for file in path.parent.iterdir()] == ["last.ckpt"]
