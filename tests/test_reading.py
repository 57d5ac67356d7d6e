"""Files of a run folder: valid, damaged and hostile."""

import json
import os
from pathlib import Path

import pytest

from overlapped_words.ensembling.ensemble_file import read_ensemble
from overlapped_words.errors import RunError
from overlapped_words.runs.reading import read_config, read_epochs, read_metrics

STACKING = {"used": True, "weights": {}, "offsets": {}, "floor": 0.1, "val_kl": 0.2, "mean_kl": 0.3}
METRICS = {"status": "complete", "pool": "avg", "seed": 3}


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_plain_values_are_read_as_they_are_and_an_ensemble_of_an_earlier_version(tmp_path):
    assert read_metrics(tmp_path) == {} and read_config(tmp_path) == {}
    assert read_epochs(tmp_path / "metrics.csv").empty
    metrics = {**METRICS, "fold": None, "val_kl": 1, "note": ["하나", {"a": None}], "error": "\x1b[2J"}
    write(tmp_path / "metrics.json", json.dumps(metrics))
    assert read_metrics(tmp_path) == metrics
    write(tmp_path / ".hydra" / "config.yaml", "seed: 3\ndata: {root: '~/a', k: [1, 2]}\naugment: null\n")
    assert read_config(tmp_path) == {"seed": 3, "data": {"root": "~/a", "k": [1, 2]}, "augment": None}
    write(tmp_path / "metrics.csv", "epoch,step,train/loss,seconds,val/kl\n0,4,2.5,9,\n1,8,2.1,9,2\n")
    assert read_epochs(tmp_path / "metrics.csv")["val/kl"].tolist()[1:] == [2]
    stack = {"taken": True, **{name: value for name, value in STACKING.items() if name != "used"}}
    path = write(tmp_path / "ensemble.json", json.dumps({"members": [], "stack": stack, "figures": []}))
    assert read_ensemble(path)[1].floor == 0.1
    write(path, json.dumps({"members": [], "stack": stack | {"taken": False}, "figures": []}))
    assert read_ensemble(path)[1] is None


def test_damaged_json_and_wrong_or_missing_metrics_are_named_with_a_remedy(tmp_path):
    for content, message in (
        ("", "not plain JSON"),
        (b"\xff\xfe\x00", "not plain JSON"),
        ("[" * 5000, r"not plain JSON \(.*"),
        ("[1e999]", "its content: Input should be a valid dictionary"),
        ('"' + "a" * 2**20 + '"', "1,048,578 bytes"),
    ):
        path = write(tmp_path / "metrics.json", content)
        with pytest.raises(RunError, match=f"^{path}: {message}.*; train the member again with overwrite=true, or"):
            read_metrics(tmp_path)
        path = write(tmp_path / "ensemble.json", content)
        with pytest.raises(RunError, match=f"^{path}: {message}.*; run ensemble.py again, or delete the file$"):
            read_ensemble(path)
    wrong = [("seed", True), ("seed", 2**53 + 1), ("splits", {"train": {"recordings": "many"}})]
    hostile = [("val_kl", float("nan")), ("error", "a" * 70000 + "\ud800"), ("other", {"deep": [float("-inf")]})]
    hostile += [("other", json.loads("[" * 30 + "]" * 30)), ("\ud800", 1)]
    for name, value in wrong + hostile:
        write(tmp_path / "metrics.json", json.dumps(METRICS | {name: value}))
        fault = rf"{name}.*: Input should be .{{,60}}" if (name, value) in wrong else r"not plain JSON \(.*\)"
        with pytest.raises(RunError, match=f"metrics.json: {fault}; t"):
            read_metrics(tmp_path)
    write(tmp_path / "metrics.json", '{"status": "complete", "pool": "avg"}')
    with pytest.raises(RunError, match=r"metrics.json: seed is missing"):
        read_metrics(tmp_path)


BOMB = "a: &a [x, x]\n" + "".join(f"{chr(b + 1)}: &{chr(b + 1)} [*{chr(b)}, *{chr(b)}]\n" for b in range(97, 121))


def test_a_damaged_or_hostile_configuration_is_named(tmp_path):
    for content, message in (
        ("", "its content: Input should be a valid dictionary"),
        ("a: [1", r"not plain YAML .*expected"),
        ("[" * 3000, "not plain YAML"),
        ("a: " + "{b: " * 30 + "}" * 30, "not plain YAML"),
        ("a: 0x" + "f" * 6000, "not plain YAML"),
        ("data: {train_size: many}", "data.train_size: Input should be a valid integer"),
        (BOMB, "not plain YAML .*an alias"),
        ("a: !!python/object/apply:os.system ['touch pwned']", "not plain YAML .*a tag"),
        ("data: {root: '${oc.env:HOME}'}", "not plain YAML .*an interpolation"),
        ("a: " + "b" * 2**16, "65,539 bytes"),
    ):
        write(tmp_path / ".hydra" / "config.yaml", content)
        with pytest.raises(RunError, match=f"config.yaml: {message}.*; restore or delete it$"):
            read_config(tmp_path)


def test_a_damaged_or_hostile_table_of_epochs_is_named(tmp_path):
    for content, message in (
        ("", "not a table"),
        ("epoch,step,train/loss,seconds\n0,4\n1,2,3,4,5\n", "not a table"),
        ("," * (2**24 - 1) + "\n", "its first line is longer than 262,144 bytes"),
        ("epoch,loss\n0,1\n", "the column seconds is missing"),
        ("epoch,step,train/loss,seconds\n0,1e999,2,9\n", "not every step is a number"),
    ):
        path = write(tmp_path / "metrics.csv", content)
        with pytest.raises(RunError, match=f"metrics.csv: {message}"):
            read_epochs(path)


def test_an_ensemble_of_wrong_types_is_named(tmp_path):
    for content, message in (
        ({"stacking": None}, "members: Field required"),
        ({"members": [], "stacking": STACKING | {"weights": {"a": None}}}, "stacking.weights.a: Input should be a"),
        ({"members": [], "stacking": STACKING | {"floor": 0}}, "the floor of stacking is 0, not between 0 and 1"),
    ):
        path = write(tmp_path / "ensemble.json", json.dumps(content))
        with pytest.raises(RunError, match=f"ensemble.json: {message}"):
            read_ensemble(path)


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, lambda path: os.symlink("/dev/zero", path)])
def test_only_regular_files_are_opened(tmp_path, make):
    (tmp_path / ".hydra").mkdir()
    for name, read in {
        "metrics.json": read_metrics,
        ".hydra/config.yaml": read_config,
        "metrics.csv": lambda folder: read_epochs(folder / "metrics.csv"),
        "ensemble.json": lambda folder: read_ensemble(folder / "ensemble.json"),
    }.items():
        make(tmp_path / name)
        with pytest.raises(RunError, match=f"{name}: not a file"):
            read(tmp_path)
