"""The Python API: arrays, tensors, lists and paths get the probabilities that predict.py gives the recording."""

import re

import numpy as np
import pandas as pd
import pytest
import torch

from datamodules.decoding import Header
from datamodules.recordings import fit_length, read_clips
from datamodules.waveforms import to_int16
from overlapped_words import DataError, Model, load
from tests.helpers.fake_members import WORDS
from tests.helpers.fake_recordings import RATE, speech, tone, write
from tests.helpers.networks import write_members

CLIP = speech(0)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(write_members(tmp_path_factory.mktemp("sweep")), "cpu")


def test_one_waveform_gives_a_probability_for_each_word(model, tmp_path):
    assert repr(model) == "<Model: 2 members, 4 words (yes, 하나, no, thanks and 1 more), 16000 Hz>"
    probs = model(CLIP, RATE)
    assert isinstance(probs, pd.Series) and list(probs.index) == WORDS == model.class_names
    assert probs.sum() == pytest.approx(1, abs=1e-6) and (probs > 0).all()
    assert not np.allclose(probs, model(tone(440), RATE), atol=1e-4)
    write_members(tmp_path)
    members = [load(tmp_path / name)(CLIP, RATE) for name in ("avg_seed0", "max_seed0/checkpoints/last.ckpt")]
    np.testing.assert_allclose(probs, sum(members) / 2, atol=1e-6)
    assert not np.allclose(*members, atol=1e-4)
    # Samples beyond full scale are scaled down.
    np.testing.assert_allclose(model(CLIP * 30_000, RATE), model(CLIP / np.abs(CLIP).max(), RATE), atol=1e-5)


@pytest.mark.parametrize("seconds", [0.3, 1, 2.7])
@pytest.mark.parametrize("rate", [RATE, 44_100])
def test_arrays_tensors_and_the_recording_get_equal_probabilities(model, tmp_path, seconds, rate):
    samples = to_int16(speech(1, seconds, rate))
    path = write(tmp_path / "clip.wav", samples, rate)
    expected = model.predictor.predict_clips(next(read_clips([path]))).probs[0]
    floats, wide = samples / 32768, samples.astype(np.int32) << 16
    for waveform in (samples, wide, floats, floats.astype(np.float32), torch.tensor(floats), torch.tensor(samples)):
        assert np.array_equal(model(waveform, float(rate)), expected)
    assert np.array_equal(model(path), expected) and np.array_equal(model(str(path)), expected)


def test_the_loudest_second_of_a_longer_waveform_is_used(model, tmp_path, caplog, monkeypatch):
    long = np.concatenate([0.1 * speech(1, 2), CLIP, 0.1 * speech(2, 2)])
    pd.testing.assert_series_equal(model(long, RATE), model(fit_length(long), RATE))
    assert not np.allclose(model(long, RATE), model(long[:RATE], RATE), atol=1e-4)
    paths = [write(tmp_path / f"{i}.wav", long[: seconds * RATE]) for i, seconds in enumerate((5, 5, 2))]
    model(paths)
    (message,) = caplog.messages
    both = ", ".join(f"5 s ({path})" for path in paths[:2])
    assert message.startswith(f"only the loudest second of {both} is used; add hop=0.25")
    monkeypatch.setattr("datamodules.recordings.read_header", lambda path: Header())  # as of a pipe, or an old MP3
    model(paths[0])
    assert len(caplog.messages) == 2


def test_a_batch_or_a_list_gives_a_table_and_channels_are_averaged(model, tmp_path):
    clips = np.stack([speech(i, 1.5) for i in range(70)])  # more than one batch
    probs = model(clips, RATE)
    assert isinstance(probs, pd.DataFrame) and probs.shape == (70, len(WORDS)) and list(probs) == WORDS
    for i in (0, 63, 69):
        np.testing.assert_allclose(probs.iloc[i], model(clips[i], RATE), atol=1e-5)
    assert model(clips[:1], RATE).shape == (1, len(WORDS))
    clips = torch.from_numpy(np.stack([speech(i) for i in range(6)])).reshape(3, 2, RATE)
    probs = model(clips.mean(dim=1), RATE)
    pd.testing.assert_frame_equal(model(clips, RATE), probs)
    lazily_negated = torch.complex(clips, clips).conj().imag
    pd.testing.assert_frame_equal(model(lazily_negated, RATE), model(-clips, RATE))
    for dtype in (torch.float16, torch.bfloat16):
        np.testing.assert_allclose(model(clips.to(dtype), RATE), probs, atol=0.02)
    waveforms = [speech(0), speech(1, 0.6), speech(2, 1.7)]
    paths = [write(tmp_path / f"{i}.flac", waveforms[i], subtype="PCM_24") for i in range(3)]
    table = model([paths[0], str(paths[1]), paths[2]])
    assert list(table.index) == list(map(str, paths)) and list(table.columns) == WORDS
    for path in paths:
        np.testing.assert_allclose(table.loc[str(path)], model(path), atol=1e-5)
    arrays = model([waveforms[0], torch.from_numpy(waveforms[1]), waveforms[2]], RATE)
    assert list(arrays.index) == [0, 1, 2]
    np.testing.assert_allclose(arrays, table, atol=1e-3)
    assert model([]).shape == (0, len(WORDS))


def test_invalid_audio_is_an_error(model):
    for waveform, sample_rate, message in (
        (CLIP, None, "sample_rate is None; give the waveform's sample rate"),
        (CLIP, float("nan"), "sample_rate is nan"),
        (CLIP, 44_101, "cannot resample from 44101 Hz to 16000 Hz; convert"),
        (np.zeros((0, RATE)), RATE, "shape (0, 16000)"),
        (np.zeros((RATE, 2)), RATE, "shape (16000, 2), time first"),
        (np.stack([CLIP, CLIP + np.inf]), RATE, "sample 0 of waveform 1 is not a finite number"),
        (np.arange(RATE), RATE, "dtype int64; give floats, int16 or int32"),
        ([CLIP, np.zeros((2, RATE))], RATE, "item 1 of the list has shape (2, 16000); give only waveforms (T,), or"),
        ([CLIP, "a.wav"], RATE, "item 1 of the list is 'a.wav'; give only waveforms (T,), or only paths"),
        ("nix.wav", None, "nix.wav: file not found"),
        (__file__, RATE, "do not pass sample_rate with a path"),
        (__file__, None, "cannot be read as audio"),
    ):
        with pytest.raises(DataError, match=re.escape(message)):
            model(waveform, sample_rate)


def test_a_timeline_has_the_probabilities_of_every_window(model, tmp_path):
    waveform = speech(3, 3.1)
    path = write(tmp_path / "talk.wav", waveform)
    timeline = model.timeline(waveform, RATE, hop=0.5)
    assert list(timeline) == WORDS and timeline.index.names == ["start_s", "end_s"]
    assert [start for start, _ in timeline.index] == [0, 0.5, 1, 1.5, 2, 2.1]
    assert [end for _, end in timeline.index] == [1, 1.5, 2, 2.5, 3, 3.1]
    for (start, _), probs in timeline.iterrows():
        first = round(start * RATE)
        np.testing.assert_allclose(probs, model(waveform[first : first + RATE], RATE), atol=1e-5)
    pd.testing.assert_frame_equal(model.timeline(path, hop=0.5), timeline)
    assert timeline.index[0] != timeline.index[-1] and timeline.std().max() > 1e-3
    parts = list(model.stream(speech(5, 20), RATE))
    assert [len(part) for part in parts] == [64, 13]
    pd.testing.assert_frame_equal(pd.concat(parts), model.timeline(speech(5, 20), RATE))
    short = model.timeline(speech(4, 0.3), RATE)
    assert short.index.tolist() == [(0, 0.3)] and np.array_equal(short.iloc[0], model(speech(4, 0.3), RATE))


def test_invalid_timelines_are_errors(model):
    with pytest.raises(DataError, match=r"shape \(2, 16000\), a batch; a timeline needs one waveform"):
        model.timeline(np.zeros((2, RATE)), RATE)
    for hop in (0, 1.5, float("nan"), None):
        with pytest.raises(DataError, match=f"hop is {hop}; give 0.01 to 1"):
            model.timeline(CLIP, RATE, hop)
