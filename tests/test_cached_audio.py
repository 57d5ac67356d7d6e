"""The audio in report.html: from the cache of training, and nothing else, because a run may come from a stranger."""

import json
import re
import webbrowser
from base64 import b64decode
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import yaml

from datamodules.waveforms import NUM_SAMPLES
from overlapped_words.report import report
from overlapped_words.runs.folder import RunFolder
from overlapped_words.training.results import write_predictions
from tests.helpers.composed import settings_of
from tests.helpers.data_modules import attend, on_competition, on_words
from tests.helpers.fake_members import write_member

KEY = "0123456789abcdef"


def page_of(sweep: Path) -> str:
    report.run(settings_of("ensemble", f"run_dir={sweep}"))
    return (sweep / "report.html").read_text(encoding="utf-8")


def decode(flac: str) -> np.ndarray:
    return soundfile.read(BytesIO(b64decode(flac)), dtype="int16")[0]


@pytest.fixture
def member(tmp_path: Path) -> Path:
    """A run whose two validation clips are rows 4 and 0 of an array in the cache."""
    member = write_member(tmp_path / "sweep", "avg", 0, test=False, cache_keys={"val": KEY})
    (tmp_path / "cache").mkdir()
    save(member, np.random.default_rng(0).integers(-99, 99, (5, NUM_SAMPLES)).astype(np.int16))
    np.save(member / "val_cache_rows.npy", np.array([4, 0], np.int32))
    configure(member)
    return member


def edit(member: Path, **changes: object) -> None:
    metrics = json.loads((member / "metrics.json").read_text())
    (member / "metrics.json").write_text(json.dumps(metrics | changes))


def save(member: Path, array: np.ndarray) -> None:
    np.save(member.parents[1] / "cache" / f"waveforms-{KEY}.npy", array)


def configure(member: Path, features: dict | None = None, **data: object) -> None:
    data = {"cache_dir": str(member.parents[1] / "cache")} | data
    config = {"data": data, "features": features or {"win_lengths": [250, 1000]}}
    (member / ".hydra" / "config.yaml").write_text(yaml.safe_dump(config))


@pytest.mark.parametrize("source", [on_competition, on_words])
def test_the_sound_is_that_of_the_clips(tmp_path: Path, competition: Path, words: Path, cache_dir: Path, source):
    data = attend(source(competition if source is on_competition else words, cache_dir))
    clips, num_classes = data.splits.val, len(data.class_names)
    member = write_member(tmp_path / "sweep", "avg", 0, val=False, test=False, cache_keys=data.keys)
    predictions = {name: torch.rand(len(own), num_classes).softmax(1) for name, own in data.fixed_splits.items()}
    write_predictions(RunFolder(member), data, {"val": predictions["val"]})
    configure(member, cache_dir=str(cache_dir))
    before = sorted(cache_dir.iterdir())
    page = page_of(member.parent)
    shown = re.findall(r'<h3>(\w+) .*?flac;base64,([^"]+)', page, re.DOTALL)
    assert len({sound for _, sound in shown}) == len(clips) // 2 * 2 == page.count("flac;base64,")
    assert page.count("data:image/webp") == page.count("<path d=") == len(shown) and "audio is missing" not in page
    assert sorted(cache_dir.iterdir()) == before
    for clip_id, sound in shown:
        row = clips.rows[list(clips.ids).index(clip_id)]
        np.testing.assert_array_equal(decode(sound), clips.array[row])


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda member: edit(member, cache_keys={"val": "../../secret"}), "does not record its training data"),
        (lambda member: edit(member, cache_keys={"val": "f" * 16}), "no longer contains the clips of avg_seed0"),
        (lambda member: configure(member, cache_dir="~nobody\0"), "embedded null byte"),
        (lambda member: save(member, np.zeros((5, 3), np.int16)), "contains other clips than those of"),
        (lambda member: save(member, np.array([print], object)), "not an array"),
        (lambda member: (member / "val_cache_rows.npy").unlink(), "does not record its training data"),
        (lambda member: np.save(member / "val_cache_rows.npy", np.arange(3, dtype=np.int32)), "contains other clips"),
        (lambda member: configure(member, features={"hop_length": 1, "n_fft": 65_536}), "features cannot be computed"),
    ],
)
def test_without_the_array_there_is_no_sound(member: Path, damage, reason: str) -> None:
    damage(member)
    page = page_of(member.parent)
    assert page.count(reason) == 1 and "<audio" not in page


def test_nothing_that_a_run_names_is_built_or_written(member: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert page_of(member.parent).count("flac;base64,") == 2
    monkeypatch.setattr(webbrowser, "open", lambda *_: pytest.fail("called"))
    elsewhere = member.parents[1] / "elsewhere"
    data = {"cache_dir": str(elsewhere / "cache"), "root": str(elsewhere), "val_size": 200_000}
    for target in ("webbrowser.open", "datamodules.sources.SpeechCommands"):
        configure(member, source={"_target_": target}, speaker_regex="(a+)+$", **data)
        page = page_of(member.parent)
        assert "no longer contains the clips" in page and "<audio" not in page and not elsewhere.exists()
