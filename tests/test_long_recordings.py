"""Clips without words, other speech and background sounds in the mixtures of a word folder."""

import numpy as np
import pytest
import torch

from datamodules.long_recordings import LongRecordings
from datamodules.mixer import BACKGROUND_DB, BACKGROUND_SHARE, Mixer
from datamodules.mixing import mix
from datamodules.sources import WordFolder
from datamodules.spans import Spans, find_extents, find_spans, split_recordings
from datamodules.waveforms import to_int16
from datamodules.words import UNKNOWN_SHARE
from overlapped_words.errors import DataError
from tests.helpers.data_modules import load_error, load_words
from tests.helpers.distributions import assert_share, assert_uniform, assert_uniform_between
from tests.helpers.fake_recordings import RATE, tone, write, write_word_folder

ROWS = [np.array([0, 1]), np.array([2]), np.array([3, 4])]
# Two parts of long recordings, which have 3 and 1 windows.
SPANS = Spans(np.array([160_000, 320_000]), np.array([RATE + 2, RATE]), np.array([100.0, 200.0]))


def write_background(folder, hertz=5000, seconds=(3, 0.5)):
    folder.mkdir(parents=True)
    for i, length in enumerate(seconds):
        write(folder / f"sound{i}.wav", tone(hertz, seconds=length))
    return folder


def draw(n=6000, **options):
    return Mixer(ROWS, **{"k": (0, 3), **options}).draw(n, np.random.default_rng(0))


def test_other_speech_and_background_have_their_shares():
    mixtures = draw(unknown_share=0.25, unknown=SPANS)
    free = np.arange(3) >= (mixtures.targets > 0).sum(axis=1, keepdims=True)
    other, backward = mixtures.starts >= 160_000, mixtures.speeds < 0
    assert not (other & backward).any() and not ((other | backward) & ~free).any()
    assert_share((other | backward)[free], 0.25)
    assert_share(other[other | backward], 0.5)
    assert np.array_equal(mixtures.gains > 0, ~free | other | backward)
    windows, index = np.unique(mixtures.starts[other], return_inverse=True)
    assert windows.tolist() == [160_000, 160_001, 160_002, 320_000]
    assert_uniform(index, 4)  # all windows are equally likely, so long recordings are drawn more often
    assert np.array_equal(mixtures.levels, np.where(mixtures.starts >= 320_000, 200, np.where(other, 100, 0)))
    mixtures = draw(background=SPANS, gain_db=0)
    gains = mixtures.gains[:, -1]
    assert (mixtures.starts[:, -1] >= 160_000).all()
    assert_share(gains > 0, BACKGROUND_SHARE)
    assert_uniform_between(-20 * np.log10(gains[gains > 0]), *BACKGROUND_DB)
    assert (mixtures.offsets[:, -1] == 0).all() and (mixtures.speeds[:, -1] == 1).all()


def test_a_word_played_backward():
    words = torch.randn(1, 2, 500)
    gains, offsets = torch.tensor([[1.0, 0.0]]), torch.zeros(1, 2, dtype=torch.long)
    backward = mix(words, gains, offsets, torch.tensor([[-1.0, 1.0]]))
    torch.testing.assert_close(backward, mix(words, gains, offsets, torch.ones(1, 2)).flip(-1))
    slower = mix(words, gains, offsets, torch.tensor([[-0.8, 1.0]]))
    torch.testing.assert_close(slower, mix(words.flip(-1), gains, offsets, torch.tensor([[0.8, 1.0]])))


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


def test_recordings_of_any_length_are_stored_whole(tmp_path, monkeypatch):
    folder = write_background(tmp_path / "b", seconds=(61, 3.7, 0.5))
    sounds = LongRecordings(sorted(folder.iterdir()))
    rows = np.concatenate(list(sounds.rows()))
    assert sounds.num_rows.tolist() == [61, 4, 1] and rows.shape == (66, RATE) and rows.dtype == np.int16
    assert sounds.lengths.tolist() == [61 * RATE, 3.7 * RATE, RATE]
    expected = to_int16(np.concatenate([tone(5000, seconds=61), tone(5000, seconds=3.7)]))
    assert np.abs(rows.ravel()[: len(expected)] - expected.astype(int)).max() <= 1  # soundfile writes 16 bits
    assert not rows[64, int(0.7 * RATE) :].any() and rows[65, 5000:11_000].any() and not rows[65, : RATE // 4].any()
    (folder / "sound1.wav").write_bytes(b"")
    with pytest.raises(DataError, match=r"sound1\.wav"):
        LongRecordings(sorted(folder.iterdir()))
    monkeypatch.setattr("datamodules.long_recordings.MAX_HOURS", 0.01)
    with pytest.raises(DataError, match=r"sound0\.wav and the recordings with it last 0 hours; use at most 0\.01"):
        LongRecordings([folder / "sound0.wav"])


def test_shares_of_recordings_are_exact_and_no_sample_is_in_two_splits():
    lengths, groups = np.array([100, 50, 30, 20, 40]), ["ann", "bob", "ann", "cid", "dan"]
    shares = {"val": 0.2, "test": 0.1}
    parts = split_recordings(lengths, groups, {"dan": "test"}, shares, seed=0)
    sizes = {split: part[:, 1] - part[:, 0] for split, part in parts.items()}
    assert {split: size[:4].sum() for split, size in sizes.items()} == {"train": 140, "val": 40, "test": 20}
    assert np.array_equal(sum(sizes.values()), lengths) and sizes["test"][4] == 40  # dan's words are in the test split
    for i in range(5):
        cuts = sorted(tuple(part[i]) for part in parts.values() if part[i, 1] > part[i, 0])
        assert [end for _, end in cuts[:-1]] == [start for start, _ in cuts[1:]]
    alone = split_recordings(np.array([1000]), ["one"], {}, shares, seed=0)
    assert [alone[split].tolist() for split in ("train", "val", "test")] == [[[0, 700]], [[700, 900]], [[900, 1000]]]
    assert split_recordings(lengths[:0], [], {}, shares, seed=0)["train"].shape == (0, 2)


def test_a_word_is_found_in_its_clip_and_parts_shorter_than_a_window_are_left_out():
    array = np.full((4, RATE), 1000, np.int16)
    spans = find_spans(np.array([[0, RATE - 1], [RATE, 3 * RATE], [5, 5]]), array)
    assert (spans.first.tolist(), spans.lengths.tolist(), spans.levels.tolist()) == ([RATE], [2 * RATE], [1000.0])
    rng = np.random.default_rng(0)
    words = 0.001 * rng.standard_normal((3, RATE))
    words[0, 4000:9000] += tone(440, seconds=5000 / RATE)
    words[1, 14_000:] += tone(440, seconds=2000 / RATE)
    words[2] = 0
    assert np.abs(find_extents(to_int16(words)) - [[4000, 9000], [14_000, RATE], [0, RATE]]).max() <= 160


def test_other_speech_in_several_folders_has_speakers_of_their_split(words, cache_dir, tmp_path):
    other = write_word_folder(tmp_path / "other", ["left", "yes"])
    talk = write_background(tmp_path / "talk" / "nested", seconds=(20, 20))
    source = WordFolder(words, k=(0, 2), unknown=[str(other), str(talk.parent)], train_size=60, val_size=9, test_size=9)
    splits = source.load(cache_dir, 0)
    num_words = len(list(words.rglob("*.wav")))
    first = splits.train.mixer.unknown.first
    files = sorted((other / "yes").iterdir())
    assert first.min() >= num_words * RATE  # none of `left`, which is one of the words
    clips = first[first < (num_words + len(files)) * RATE] // RATE - num_words
    speakers = {files[row].name.split("_")[0] for row in clips}
    assert len(speakers) == splits.sizes["train"]["speakers"]
    assert splits.train.mixer.unknown.lengths.max() > 10 * RATE


def test_bad_folders(words, cache_dir, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "given").mkdir()
    for options, message in (
        ({"unknown": "given"}, "data.unknown needs clips with fewer than 2 words; give a range, such as data.k=[0,2]"),
        ({"unknown": "given", "k": (0, 2)}, "given: contains no recordings of other words and speech; add some, or"),
        ({"background": "given"}, "given: contains no recordings of noise and other sounds; add some, or remove it"),
        ({"background": ["none"]}, "none: no such folder; set data.background to a folder with recordings of noise"),
        ({"timeline": 0.5}, "data.timeline needs clips without words; set data.k=[0,2], or data.timeline=0"),
    ):
        assert load_error(WordFolder(words, **{"k": 2, **options}), cache_dir).startswith(message)
