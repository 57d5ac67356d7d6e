"""Clips without words, other words and background sounds in the mixtures of a word folder."""

import re

import numpy as np
import pytest
import soundfile
import torch
from datamodules.background import BackgroundFolder, background_rows

from datamodules.audio_files import walk_recordings
from datamodules.mixing import BACKGROUND_DB, BACKGROUND_SHARE, Mixer, mix
from datamodules.sources import WordFolder
from datamodules.words import UNKNOWN_SHARE
from tests.helpers.data_modules import load_error, load_words
from tests.helpers.distributions import assert_share, assert_uniform, assert_uniform_between
from tests.helpers.fake_recordings import RATE, tone, write_word_folder

ROWS = [np.array([0, 1]), np.array([2]), np.array([3, 4])]


def write_background(folder, hertz=5000, seconds=(3, 0.5)):
    folder.mkdir(parents=True)
    for i, length in enumerate(seconds):
        soundfile.write(folder / f"sound{i}.wav", tone(hertz, seconds=length), RATE)
    return folder


def draw(n=6000, **options):
    return Mixer(ROWS, **{"k": (0, 3), **options}).draw(n, np.random.default_rng(0))


def test_other_speech_takes_a_share_of_the_free_places():
    mixtures = draw(unknown_share=0.25, unknown=np.array([7, 8]))
    free = np.arange(3) >= (mixtures.targets > 0).sum(axis=1, keepdims=True)
    other, backward = np.isin(mixtures.recordings, [7, 8]), mixtures.speeds < 0
    assert not (other & backward).any() and not ((other | backward) & ~free).any()
    assert_share((other | backward)[free], 0.25)
    assert_share(other[other | backward], 0.5)
    assert np.array_equal(mixtures.gains > 0, ~free | other | backward)
    assert_uniform(mixtures.recordings[other] - 7, 2)


def test_a_word_played_backward():
    words = torch.randn(1, 2, 500)
    gains, offsets = torch.tensor([[1.0, 0.0]]), torch.zeros(1, 2, dtype=torch.long)
    backward = mix(words, gains, offsets, torch.tensor([[-1.0, 1.0]]))
    torch.testing.assert_close(backward, mix(words, gains, offsets, torch.ones(1, 2)).flip(-1))
    slower = mix(words, gains, offsets, torch.tensor([[-0.8, 1.0]]))
    torch.testing.assert_close(slower, mix(words.flip(-1), gains, offsets, torch.tensor([[0.8, 1.0]])))


def test_half_of_the_mixtures_have_background_below_the_words():
    mixtures = draw(background=np.arange(10, 15), gain_db=0)
    recordings, gains = mixtures.recordings[:, -1], mixtures.gains[:, -1]
    assert_uniform(recordings - 10, 5)
    assert_share(gains > 0, BACKGROUND_SHARE)
    assert_uniform_between(-20 * np.log10(gains[gains > 0]), *BACKGROUND_DB)
    assert (mixtures.offsets[:, -1] == 0).all() and (mixtures.speeds[:, -1] == 1).all()


def test_only_training_clips_have_no_words_but_noise_other_speech_or_silence(words, cache_dir):
    splits = load_words(words, cache_dir, k=(0, 2), train_size=400)
    assert splits.train.k == (0, 2) and splits.val.k == splits.test.k == (1, 2)
    waveforms, targets = splits.train.batch(range(400))
    empty = targets.sum(dim=1) == 0
    assert_share(empty.numpy(), 1 / 3)
    silent = (1 - BACKGROUND_SHARE) * (1 - UNKNOWN_SHARE) ** 2
    assert_share((waveforms[empty] == 0).all(dim=1).numpy(), silent)


@pytest.mark.parametrize("place", ["background", "root"])
def test_background_recordings_are_mixed_in(words, cache_dir, tmp_path, place):
    folder = write_background(words / "_background_noise_" if place == "root" else tmp_path / "b")
    background = None if place == "root" else str(folder)
    splits = load_words(words, cache_dir, k=(0, 1), train_size=200, background=background)
    waveforms, targets = splits.train.batch(range(200))
    sound = waveforms[(targets.sum(dim=1) == 0) & (waveforms != 0).any(dim=1)]
    peak = torch.fft.rfft(sound).abs().argmax(dim=1)
    assert_share((peak == 5000).numpy(), 0.5 * 0.75 / (1 - 0.5 * 0.75))


def test_a_folder_of_background_is_cut_into_seconds(tmp_path):
    background = BackgroundFolder(write_background(tmp_path / "b", seconds=(10, 3.7, 0.5)))
    clips = np.concatenate(list(background.clips()))
    assert background.counts == [10, 3, 1] and clips.shape == (14, RATE) and clips.dtype == np.int16
    assert np.array_equal(clips[13, : RATE // 2], clips[13, RATE // 2 :])
    shares = [background_rows(background, split, 0.15, 0.15) for split in ("train", "val", "test")]
    assert sorted(np.concatenate(shares)) == list(range(14))
    assert list(shares[0]) == [0, 1, 2, 3, 4, 5, 6, 10, 11, 13]


def test_other_words_have_speakers_of_their_split(words, cache_dir, tmp_path):
    other = write_word_folder(tmp_path / "other", ["left", "yes"])
    source = WordFolder(words, k=(0, 2), unknown=str(other), train_size=60, val_size=40, test_size=40)
    splits = source.load(cache_dir, 0)
    paths = walk_recordings(other / "yes")
    first = len(walk_recordings(words))
    rows = splits.train.mixer.unknown
    assert (rows >= first).all() and (rows < first + len(paths)).all()  # none of `left`, which is one of the words
    speakers = {paths[row - first].name.split("_")[0] for row in rows}
    assert splits.sizes["train"]["speakers"] == len(speakers)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"unknown": "given"},
            r"data\.unknown needs clips with fewer than 2 words; give a range, such as data\.k=\[0,2\]",
        ),
        (
            {"unknown": "given", "k": (0, 2)},
            "given: contains no recordings of other words; add some, or data.unknown=null",
        ),
        ({"background": "given"}, "given: contains no recordings; add recordings of noise and other sounds"),
        ({"background": "none"}, r"none: no such folder; set data\.background to a folder with recordings of noise"),
    ],
)
def test_bad_folders(words, cache_dir, tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "given").mkdir()
    assert re.fullmatch(message, load_error(WordFolder(words, **{"k": 2, **options}), cache_dir))
