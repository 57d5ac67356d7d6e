"""From Python: whatever a notebook holds of a sound, the answer is that of predict.py for the same recording."""

import re
import traceback
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch

import overlapped_words
from datamodules.recordings import fit_length, read_clips, to_int16
from overlapped_words import DataError, Model, RunError, UserError, load
from tests.helpers.fake_members import WORDS, write_network
from tests.helpers.fake_recordings import RATE, speech, tone

CLIP = speech(0)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep's folder with two members."""
    sweep = tmp_path_factory.mktemp("sweep")
    for pool in ("avg", "max"):
        write_network(sweep, pool, 0)
    return sweep


@pytest.fixture(scope="module")
def model(sweep: Path) -> Model:
    return load(sweep, "cpu")


def test_one_waveform_gives_a_probability_for_each_word(model):
    probs = model(CLIP, RATE)
    assert isinstance(probs, pd.Series) and list(probs.index) == WORDS == model.class_names
    assert probs.sum() == pytest.approx(1, abs=1e-6) and (probs > 0).all()
    assert not np.allclose(probs, model(tone(440), RATE), atol=1e-4)  # it does listen


def test_a_sweep_is_the_mean_of_its_members(model, sweep):
    members = [load(sweep / name)(CLIP, RATE) for name in ("avg_seed0", "max_seed0/checkpoints/last.ckpt")]
    np.testing.assert_allclose(model(CLIP, RATE), sum(members) / 2, atol=1e-6)
    assert not np.allclose(*members, atol=1e-4)


@pytest.mark.parametrize("seconds", [0.3, 1, 2.7])
@pytest.mark.parametrize("rate", [RATE, 44_100])
def test_an_array_a_tensor_and_the_recording_get_one_answer(model, tmp_path, seconds, rate):
    samples = to_int16(speech(1, seconds, rate))
    soundfile.write(tmp_path / "clip.wav", samples, rate)
    wanted = model.predictor.predict_clips(next(read_clips([tmp_path / "clip.wav"], RATE, RATE)))[0]
    floats = samples / 32768
    for sound in (samples, floats, floats.astype(np.float32), torch.tensor(floats), torch.tensor(samples)):
        assert np.array_equal(model(sound, rate), wanted)
    assert np.array_equal(model(samples.astype(np.int32) << 16, float(rate)), wanted)
    assert np.array_equal(model(tmp_path / "clip.wav"), wanted)
    assert np.array_equal(model(str(tmp_path / "clip.wav")), wanted)


def test_the_loudest_second_of_a_longer_waveform_is_heard(model):
    long = np.concatenate([0.1 * speech(1, 2), CLIP, 0.1 * speech(2, 2)])
    pd.testing.assert_series_equal(model(long, RATE), model(fit_length(long), RATE))
    assert not np.allclose(model(long, RATE), model(long[:RATE], RATE), atol=1e-4)


def test_sound_beyond_full_scale_is_turned_down(model):
    np.testing.assert_allclose(model(CLIP * 30_000, RATE), model(CLIP / np.abs(CLIP).max(), RATE), atol=1e-5)


def test_a_batch_gives_a_table(model):
    clips = np.stack([speech(i, 1.5) for i in range(70)])  # more than the network takes at a time
    probs = model(clips, RATE)
    assert isinstance(probs, pd.DataFrame) and probs.shape == (70, len(WORDS)) and list(probs) == WORDS
    for i in (0, 63, 69):
        np.testing.assert_allclose(probs.iloc[i], model(clips[i], RATE), atol=1e-5)
    assert model(clips[:1], RATE).shape == (1, len(WORDS))


def test_channels_are_averaged(model):
    clips = torch.from_numpy(np.stack([speech(i) for i in range(6)])).reshape(3, 2, RATE)
    pd.testing.assert_frame_equal(model(clips, RATE), model(clips.mean(dim=1), RATE))


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_half_precision_is_taken(model, kind):
    np.testing.assert_allclose(model(torch.from_numpy(CLIP).to(kind), RATE), model(CLIP, RATE), atol=0.02)


@pytest.mark.parametrize(
    ("sound", "sample_rate", "message"),
    [
        (CLIP, None, "sample_rate is None; give how many samples"),
        (CLIP, 16_000.5, "sample_rate is 16000.5"),
        (CLIP, float("nan"), "sample_rate is nan"),
        (CLIP, "16 kHz", "sample_rate is '16 kHz'"),
        (CLIP, 0, "cannot resample from 0 Hz to 16000 Hz"),
        (CLIP, -RATE, "cannot resample from -16000 Hz"),
        (CLIP, 44_101, "cannot resample from 44101 Hz to 16000 Hz; convert"),
        (CLIP, 10**12, "cannot resample from 1000000000000 Hz"),
        (CLIP[:0], RATE, "shape (0,)"),
        (np.array(1.0), RATE, "shape ()"),
        (np.zeros((1, 1, 1, RATE)), RATE, "shape (1, 1, 1, 16000)"),
        (np.zeros((0, RATE)), RATE, "shape (0, 16000)"),
        (np.zeros((RATE, 2)), RATE, "shape (16000, 2), time first"),
        (np.where(np.arange(RATE) == 1234, np.nan, CLIP), RATE, "sample 1234 of waveform 0 is not a finite number"),
        (np.stack([CLIP, CLIP + np.inf]), RATE, "sample 0 of waveform 1 is not a finite number"),
        (np.arange(RATE), RATE, "samples are int64; give floats, int16 or int32"),
        (np.zeros(RATE, np.uint8), RATE, "samples are uint8"),
        (np.zeros(RATE, complex), RATE, "samples are complex128"),
        ([0.5, *CLIP], RATE, "item 0 of the list is 0.5; give waveforms (T,), or paths alone"),
        ("nix.wav", None, "nix.wav: no such file"),
        (__file__, RATE, "a recording knows its sample rate; leave out sample_rate=16000"),
        (__file__, None, "cannot be read as audio"),
    ],
)
def test_what_is_no_sound_is_refused(model, sound, sample_rate, message):
    with pytest.raises(DataError, match=re.escape(message)):
        model(sound, sample_rate)


def test_a_list_gives_a_row_for_each_path_or_waveform(model, tmp_path):
    sounds = [speech(0), speech(1, 0.6), speech(2, 1.7)]
    paths = [tmp_path / f"{i}.flac" for i in range(3)]
    for path, sound in zip(paths, sounds, strict=True):
        soundfile.write(path, sound, RATE, subtype="PCM_24")
    table = model([paths[0], str(paths[1]), paths[2]])
    assert list(table.index) == list(map(str, paths)) and list(table.columns) == WORDS
    for path in paths:
        np.testing.assert_allclose(table.loc[str(path)], model(path), atol=1e-5)
    arrays = model([sounds[0], torch.from_numpy(sounds[1]), sounds[2]], RATE)
    assert list(arrays.index) == [0, 1, 2]
    np.testing.assert_allclose(arrays, table, atol=1e-3)
    assert model([]).shape == (0, len(WORDS))


@pytest.mark.parametrize(
    ("sounds", "sample_rate", "message"),
    [
        ([CLIP, np.zeros((2, RATE))], RATE, "item 1 of the list has shape (2, 16000); give waveforms (T,), or paths"),
        ([CLIP, "a.wav"], RATE, "item 1 of the list is 'a.wav'; give waveforms (T,), or paths alone"),
        ([CLIP, np.array([0, np.nan])], RATE, "sample 1 of waveform 1 is not a finite number"),
        ([CLIP], None, "sample_rate is None"),
        (["nix.wav"], None, "nix.wav: no such file"),
        ([__file__], None, "1 of 1 recordings cannot be used"),
    ],
)
def test_a_list_that_cannot_be_used_says_which_item(model, sounds, sample_rate, message):
    with pytest.raises(DataError, match=re.escape(message)):
        model(sounds, sample_rate)


def test_a_model_says_what_it_is(model, sweep):
    assert repr(model) == "<Model: 2 members, 4 words (yes, 하나, no, thanks and 1 more), 16000 Hz>"
    assert repr(load(sweep / "avg_seed0", "cpu")).startswith("<Model: 1 member, 4 words")


def test_the_module_has_a_version_and_its_errors():
    assert overlapped_words.__version__ == version("overlapped-words")
    assert all(hasattr(overlapped_words, name) for name in overlapped_words.__all__)
    assert issubclass(DataError, UserError) and issubclass(RunError, UserError)


def test_what_is_no_checkpoint_is_an_error_without_the_advice_of_pytorch(tmp_path):
    torch.save(torch.nn.Linear(1, 1), tmp_path / "whole.ckpt")
    with pytest.raises(RunError, match=r"whole\.ckpt: not a checkpoint of train\.py") as caught:
        load(tmp_path / "whole.ckpt")
    assert "weights_only" not in "".join(traceback.format_exception(caught.value))


def test_a_folder_without_a_trained_run_is_refused(tmp_path):
    with pytest.raises(RunError, match="no members in it; "):
        load(tmp_path)


def test_a_timeline_has_the_answer_for_every_window(model, tmp_path):
    sound = speech(3, 3.1)
    soundfile.write(tmp_path / "talk.wav", sound, RATE)
    timeline = model.timeline(sound, RATE, hop=0.5)
    assert list(timeline) == WORDS and timeline.index.names == ["start_s", "end_s"]
    assert [start for start, _ in timeline.index] == [0, 0.5, 1, 1.5, 2, 2.1]
    assert [end for _, end in timeline.index] == [1, 1.5, 2, 2.5, 3, 3.1]
    for (start, _), probs in timeline.iterrows():
        first = round(start * RATE)
        np.testing.assert_allclose(probs, model(sound[first : first + RATE], RATE), atol=1e-5)
    pd.testing.assert_frame_equal(model.timeline(tmp_path / "talk.wav", hop=0.5), timeline)
    assert timeline.index[0] != timeline.index[-1] and timeline.std().max() > 1e-3


@pytest.mark.parametrize("seconds", [0.3, 1])
def test_a_timeline_of_a_second_or_less_is_the_answer(model, seconds):
    timeline = model.timeline(speech(4, seconds), RATE)
    assert timeline.index.tolist() == [(0, seconds)]
    assert np.array_equal(timeline.iloc[0], model(speech(4, seconds), RATE))


def test_a_stream_gives_the_timeline_as_it_goes(model):
    sound = speech(5, 20)
    parts = list(model.stream(sound, RATE))
    assert [len(part) for part in parts] == [64, 13]
    pd.testing.assert_frame_equal(pd.concat(parts), model.timeline(sound, RATE))


@pytest.mark.parametrize(
    ("sound", "options", "message"),
    [
        (np.zeros((2, RATE)), {"sample_rate": RATE}, "shape (2, 16000), a batch; a timeline is of one"),
        (CLIP, {"sample_rate": RATE, "hop": 0}, "hop is 0; give the seconds"),
        (CLIP, {}, "sample_rate is None"),
        ("nix.wav", {}, "nix.wav: no such file"),
    ],
)
def test_what_makes_no_timeline_is_refused(model, sound, options, message):
    with pytest.raises(DataError, match=re.escape(message)):
        model.timeline(sound, **options)
