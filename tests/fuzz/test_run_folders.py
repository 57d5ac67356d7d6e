"""Run folders of which files are damaged, or come from somebody who means harm."""

import io
import json
import shutil
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from overlapped_words.errors import UserError
from overlapped_words.inference.checkpoints import find_checkpoints, find_fitted
from overlapped_words.report.report import print_status
from overlapped_words.runs.folder import RunFolder
from tests.fuzz.damage import changed, damaged
from tests.helpers.fake_members import write_unequal
from tests.helpers.scripts import combine

CONFIG = yaml.safe_load("""
name: demo
seed: 0
data: {source: {_target_: datamodules.sources.WordFolder}, root: words, k: 2, train_size: 100, cache_dir: cache}
features: {n_mels: 80, win_lengths: [250, 1000]}
augment: {_target_: datamodules.augment.Augment, transforms: []}
model: {name: mac, pool: avg}
optimizer: {name: SGD, lr: 0.1}
trainer: {max_epochs: 2, precision: 32-true}
""")
FACTS = yaml.safe_load("""
{error: null, host: here, pid: 1, max_epochs: 2, val_kl: 1.5, cache_keys: {val: 0123456789abcdef}, git_dirty: false,
 git_commit: 0123456789abcdef, versions: {python: 3.11.7, torch: 2.14.1}, device: cpu}
""")
JSON = ("avg_seed0/metrics.json", "ensemble.json")
YAML = "avg_seed0/.hydra/config.yaml"
TABLES = tuple(f"avg_seed0/{name}.csv" for name in ("metrics", "predictions", "val_predictions", "val_answers"))


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stacked ensemble of two members with everything that reports read."""
    folder = tmp_path_factory.mktemp("fuzz") / "sweep"
    write_unequal(folder, num_clips=12)
    for member in folder.iterdir():
        metrics = json.loads((member / "metrics.json").read_text())
        (member / "metrics.json").write_text(json.dumps(metrics | FACTS))
        (member / ".hydra" / "config.yaml").write_text(yaml.safe_dump(CONFIG))
        (member / "metrics.csv").write_text("epoch,step,train/loss,val/kl,seconds\n0,4,2.5,2.2,9\n1,8,2.1,2.0,9\n")
        (member / "heartbeat").touch()
        (member / "checkpoints").mkdir()
        (member / "checkpoints" / "last.ckpt").touch()
    average(folder)
    return folder


def average(folder: Path, html: bool = False) -> None:
    with redirect_stdout(io.StringIO()) as printed:
        combine(folder, partial=True, html=html, combine="stacked")
    assert printed.getvalue().replace("\n", "").isprintable()


@given(data=st.data(), html=st.booleans())
def test_a_run_folder_is_used_or_an_error(sweep: Path, data: st.DataObject, html: bool):
    folder = sweep.parent / "damaged"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(sweep, folder)
    name = data.draw(st.sampled_from([*JSON, YAML, *TABLES]))
    content = (folder / name).read_bytes()
    if name in JSON and data.draw(st.booleans()):
        content = json.dumps(data.draw(changed(json.loads(content)))).encode()
    elif name == YAML and data.draw(st.booleans()):
        content = yaml.dump(data.draw(changed(CONFIG)), allow_unicode=True).encode(errors="replace")
    else:
        content = data.draw(damaged(content))
    (folder / name).write_bytes(content)
    kept = {path: path.read_bytes() for path in folder.glob("*/**/*") if path.is_file()}
    checkpoints = used(find_checkpoints, folder)
    used(find_fitted, checkpoints or [])
    with redirect_stdout(io.StringIO()) as printed:
        used(print_status, folder)
    assert printed.getvalue().replace("\n", "").isprintable()
    used(average, folder, html)
    for path, before in kept.items():
        assert path.read_bytes() == before, path
    for overwrite in (False, True):
        used(partial(RunFolder(folder / "avg_seed0").prepare, pool="avg", seed=0), CONFIG, [], overwrite)


def used(function, *arguments):
    try:
        return function(*arguments)
    except (UserError, OSError) as error:
        assert str(error)
        return None
