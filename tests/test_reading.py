"""Files of a run folder: valid, damaged and hostile."""

import json
import os
from pathlib import Path

import pytest

from overlapped_words.ensembling.ensemble_file import read_ensemble
from overlapped_words.errors import RunError
from overlapped_words.runs.reading import read_config, read_epochs, read_metrics

STACK = {"taken": True, "weights": {}, "offsets": {}, "floor": 0.1, "val_kl": 0.2, "mean_kl": 0.3}
METRICS = {"status": "complete", "pool": "avg", "seed": 3}


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_missing_files_are_empty(tmp_path):
    assert read_metrics(tmp_path) == {} and read_config(tmp_path) == {}
    assert read_epochs(tmp_path / "metrics.csv").empty


def test_plain_values_are_read_as_they_are(tmp_path):
    metrics = {**METRICS, "fold": None, "val_kl": 1, "note": ["하나", {"a": None}], "error": "\x1b[2J"}
    write(tmp_path / "metrics.json", json.dumps(metrics))
    assert read_metrics(tmp_path) == metrics
    write(tmp_path / ".hydra" / "config.yaml", "seed: 3\ndata: {root: '~/a', k: [1, 2]}\naugment: null\n")
    assert read_config(tmp_path) == {"seed": 3, "data": {"root": "~/a", "k": [1, 2]}, "augment": None}
    write(tmp_path / "metrics.csv", "epoch,step,train/loss,seconds,val/kl\n0,4,2.5,9,\n1,8,2.1,9,2\n")
    assert read_epochs(tmp_path / "metrics.csv")["val/kl"].tolist()[1:] == [2]


DAMAGED_JSON = {
    "": "not JSON",
    '{"status": "comp': "not JSON",
    b"\xff\xfe\x00": "not JSON",
    "[" * 5000: r"not JSON \(nested too deeply\)",
    "1" * 5000: "not JSON",
    "[1e999]": "the content is a list, not a mapping",
    "5": "the content is 5, not a mapping",
    "null": "the content is null, not a mapping",
    '"' + "a" * 2**22 + '"': "4,194,306 bytes",
}


@pytest.mark.parametrize(("content", "message"), DAMAGED_JSON.items(), ids=range(len(DAMAGED_JSON)))
def test_damaged_json_is_named_with_a_remedy(tmp_path, content, message):
    path = write(tmp_path / "metrics.json", content)
    with pytest.raises(RunError, match=f"^{path}: {message}.*; train the member again with overwrite=true, or move"):
        read_metrics(tmp_path)
    path = write(tmp_path / "ensemble.json", content)
    with pytest.raises(RunError, match=f"^{path}: {message}.*; run ensemble.py again, or delete the file$"):
        read_ensemble(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"status": None}, "status is null, not text"),
        ({"pool": 5}, "pool is 5, not text"),
        ({"seed": "x"}, "seed is 'x', not a whole number"),
        ({"seed": True}, "seed is true, not a whole number"),
        ({"seed": 3.0}, "seed is 3.0, not a whole number"),
        ({"seed": 2**63}, "seed is an integer of more than 64 bits, not a whole number"),
        ({"fold": "0"}, "fold is '0', not a whole number or null"),
        ({"val_kl": float("nan")}, "val_kl is nan, not a number"),
        ({"train_seconds": float("inf")}, "train_seconds is inf, not a number"),
        ({"max_epochs": [3]}, "max_epochs is a list, not a whole number or null"),
        ({"cache_keys": {"val": 1}}, "cache_keys.val is 1, not text"),
        ({"versions": "3.11"}, "versions is '3.11', not a mapping"),
        ({"error": "a" * 70000 + "\ud800"}, "error is 'aaaa"),
        ({"other": {"deep": [float("-inf")]}}, r"other.deep\[0\] is -inf, not a plain value"),
    ],
)
def test_metrics_of_a_wrong_type_are_named(tmp_path, change, message):
    write(tmp_path / "metrics.json", json.dumps(METRICS | change))
    with pytest.raises(RunError, match=f"metrics.json: {message}"):
        read_metrics(tmp_path)


@pytest.mark.parametrize("name", METRICS)
def test_metrics_that_every_run_has(tmp_path, name):
    write(tmp_path / "metrics.json", json.dumps({key: value for key, value in METRICS.items() if key != name}))
    with pytest.raises(RunError, match=f"metrics.json: {name} is missing"):
        read_metrics(tmp_path)


BOMB = "a: &a [x, x]\n" + "".join(f"{chr(b + 1)}: &{chr(b + 1)} [*{chr(b)}, *{chr(b)}]\n" for b in range(97, 121))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the content is null, not a mapping"),
        ("seed", "the content is 'seed', not a mapping"),
        ("a: [1", r"not plain YAML \(line 1: expected"),
        ("a:\tb: c", "not plain YAML"),
        (b"a: \xff", "not plain YAML"),
        ("a: \x07", "not plain YAML"),
        ("[" * 3000, r"not plain YAML \(nested too deeply\)"),
        ("a: " + "{b: " * 30 + "}" * 30, "a.b.b.* is nested too deeply"),
        ("a: 2020-13-45", "not plain YAML"),
        ("a: 2020-12-24", r"a is datetime.date\(2020, 12, 24\), not a plain value"),
        ("a: 0x" + "f" * 6000, "a is an integer of more than 64 bits"),
        ("a: " + "9" * 6000, "not plain YAML"),
        ("a: 1" + ":59" * 300 + ".5", "not plain YAML"),
        ("a: .nan", "a is nan"),
        ("1: a", "the content has the key 1, which is not text"),
        ("seed: x", "seed is 'x', not a whole number"),
        ("data: [1]", "data is a list, not a mapping"),
        ("data: {train_size: many}", "data.train_size is 'many', not a whole number or null"),
        ("features: 3", "features is 3, not a mapping"),
        (BOMB, "not plain YAML .*an alias"),
        ("a: !!python/object/apply:os.system ['touch pwned']", "not plain YAML .*a tag"),
        ("a: !!timestamp x", "not plain YAML .*a tag"),
        ("data: {root: '${oc.env:HOME}'}", "not plain YAML .*an interpolation"),
        ("'${hydra:runtime.cwd}': 1", "not plain YAML .*an interpolation"),
        ("a: " + "b" * 2**16, "65,539 bytes"),
    ],
)
def test_a_damaged_or_hostile_configuration_is_named(tmp_path, content, message):
    write(tmp_path / ".hydra" / "config.yaml", content)
    with pytest.raises(RunError, match=f"config.yaml: {message}.*; restore or delete it$"):
        read_config(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not a table"),
        (b"\x00\xff\xfe\x80" * 100, "not a table"),
        ("epoch,step,train/loss,seconds\n0,4\n1,2,3,4,5\n", "not a table"),
        ("epoch,loss\n0,1\n", "the column seconds is missing"),
        ("epoch,step,train/loss,seconds\n0,4,x,9\n", "not every train/loss is a number"),
        ("epoch,step,train/loss,seconds\n0,,2,9\n", "not every step is a number"),
        ("epoch,step,train/loss,seconds\n0,1e999,2,9\n", "not every step is a number"),
        ("epoch,step,train/loss,seconds,val/kl\n0,4,2,9,[1]\n", "not every val/kl is a number"),
        ("epoch,step,train/loss,seconds\n0,4,2,True\n", "not every seconds is a number"),
    ],
)
def test_a_damaged_table_of_epochs_is_named(tmp_path, content, message):
    path = write(tmp_path / "metrics.csv", content)
    with pytest.raises(RunError, match=f"metrics.csv: {message}.*; restore or delete it$"):
        read_epochs(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"stack": None}, "members is missing"),
        ({"members": [], "stack": {"taken": True}}, "floor is missing in stack"),
        ({"members": [{"name": "a"}], "stack": None}, r"val_predictions_sha256 is missing in members\[0\]"),
        (
            {"members": [], "stack": STACK | {"weights": {"a": None}}},
            "stack.weights.a is null, not a number",
        ),
    ],
)
def test_an_ensemble_of_wrong_types_is_named(tmp_path, content, message):
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
