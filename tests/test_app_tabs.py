"""The page's tabs that record words into a folder, and that show the events of a stream."""

import re
import resource
import shlex
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("gradio", reason="the page's extra is not installed")
from collections import deque

import gradio as gr

from overlapped_words import load
from overlapped_words.app.live import EVENTS, WAITING, Stream, draw
from overlapped_words.app.model import AppModel
from overlapped_words.app.word_folder import WordRecorder, build_tab
from overlapped_words.cli import as_overrides
from overlapped_words.errors import DataError
from overlapped_words.inference.events import Event
from overlapped_words.settings.train import Train
from tests.helpers.composed import settings_of
from tests.helpers.fake_recordings import RATE, speech, talk
from tests.helpers.networks import write_network

WAVEFORM = speech(0)


def test_a_recording_is_saved_under_its_word_and_speaker(tmp_path: Path) -> None:
    recorder, older = WordRecorder(tmp_path / "my words"), tmp_path / "my words" / "사과" / "ann lee_0.wav"
    older.parent.mkdir(parents=True)
    older.write_text("is not overwritten")
    path = recorder.save(" 사과 ", "ann lee", WAVEFORM)
    assert path == older.with_name("ann lee_1.wav") and older.read_text() == "is not overwritten"
    samples, rate = soundfile.read(path)
    assert rate == RATE and soundfile.info(path).subtype == "PCM_16"
    np.testing.assert_allclose(samples, WAVEFORM, atol=1e-4)
    recorder.save("up", "bob", WAVEFORM)
    assert recorder.counts() == "3 recordings of 2 words by 2 speakers"
    train, *listen = recorder.commands.splitlines()
    assert listen[0] == "python app.py run_dir=outputs/my_words" and len(listen) == 2
    arguments = shlex.split(train)[2:]
    assert arguments[:2] == ["experiment=spotter", "data.words=[up, 사과]"]
    assert arguments[2:] == ["data.language=en", 'data.root="my words"', "name=my_words"]
    data = settings_of("train", *as_overrides(arguments, Train)).data
    assert (data["words"], data["root"], data["k"]) == (["up", "사과"], "my words", [0, 2])


def test_names_that_lead_elsewhere_and_what_cannot_be_saved_are_errors_with_a_remedy(tmp_path: Path) -> None:
    for word, speaker, message in (
        ("up", "  ", "give the speaker, up to 60 characters"),
        ("w" * 61, "ann", "give the word, up to 60 characters"),
        ("../up", "ann", "word '../up': use letters"),
        ("@home", "ann", "word '@home': use letters"),
        ("words", "ann", "the word: a word is named words"),
        ("up", "../ann", "speaker '../ann': use letters"),
        ("up", "ann_lee", "speaker 'ann_lee': use letters"),
        *((word, "ann", "use letters") for word in ("a\\b", "~", ".hidden", "up\0", "a, b", "_background_noise_")),
    ):
        with pytest.raises(DataError, match=re.escape(message)):
            WordRecorder(tmp_path / "WORDS").save(word, speaker, WAVEFORM)
        assert list(tmp_path.iterdir()) == []
    for name in ("WORDS", "elsewhere"):
        (tmp_path / name).mkdir()
    (tmp_path / "WORDS" / "up").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "file").write_text("")
    for folder, waveform, message in (
        ("WORDS", WAVEFORM, "its folder is a link to another place"),
        ("WORDS", 0 * WAVEFORM, "the recording is silent; check the microphone"),
        ("file", WAVEFORM, r"up: cannot be saved \(.*\); check record_dir on the server"),
    ):
        with pytest.raises(DataError, match=message):
            WordRecorder(tmp_path / folder).save("up", "ann", waveform)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))  # as on a full disk
    try:
        with pytest.raises(DataError, match="left: cannot be saved"):
            WordRecorder(tmp_path / "WORDS").save("left", "ann", WAVEFORM)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list((tmp_path / "WORDS" / "left").iterdir()) == []
    assert list((tmp_path / "elsewhere").iterdir()) == []
    with gr.Blocks() as page:
        build_tab(None, None)  # type: ignore[arg-type]
    assert "start `app.py` with `record_dir=WORDS`" in str(page.config)


WORD = "<b>downwards</b>"


def heard(model: AppModel, folder: Path, rate: int, seconds: int = 4) -> Stream:
    """A stream of chunks of a tenth of a second, as the page sends them, after `listen`."""
    stream, chunk = Stream(), folder / "chunk.wav"
    for samples in np.split(talk(rate)[: seconds * rate], 10 * seconds):
        soundfile.write(chunk, samples, rate, subtype="FLOAT")
        stream.add(chunk)
    stream.stop()
    for _ in stream.listen(model):
        assert stream.windows[-1][0] - stream.windows[0][0] < 10
    return stream


@pytest.mark.parametrize("rate", [RATE, 48_000])
def test_a_stream_has_the_events_of_the_recording(tmp_path: Path, rate: int) -> None:
    write_network(tmp_path, "avg", 0, output="set", k=[0, 2])
    model = load(tmp_path, "cpu")
    page = AppModel(model, 60, 0.25)
    stream, expected = heard(page, tmp_path, rate), list(model.events(talk(rate), rate).itertuples(index=False))
    assert [event[:3] for event in reversed(stream.events)] == [event[:3] for event in expected] and len(expected) > 1
    html = draw(page, stream)
    assert f"{stream.events[0].word} at 0:0" in html and html.count("<tr>") == len(expected)
    assert 'class="event"' in html and "narrowband" not in html


def test_a_network_without_events_shows_its_shares(tmp_path: Path) -> None:
    write_network(tmp_path, "avg", 0)
    model = load(tmp_path, "cpu")
    page = AppModel(model, 60, 0.25)
    stream = heard(page, tmp_path, 8_000, seconds=2)
    expected = model(talk(8_000)[8_000:16_000], 8_000)
    assert not stream.events and stream.windows[-1][1] == pytest.approx(expected, abs=1e-3)
    html = draw(page, stream)
    assert f"Now: {expected.idxmax()} (" in html and "microphone: narrowband" in html
    assert "Not listening yet" in draw(page, None) and "Listening" in draw(page, Stream())


def test_the_picture_shows_the_likely_words_of_the_last_seconds() -> None:
    class Page:
        class_names, has_events = ("up", WORD, "go"), True

    stream = Stream()
    stream.rate = RATE
    probs = [np.array([i < 20, i > 70, 0.01], np.float32) for i in range(30, 80)]
    stream.windows = deque((i / 5, own) for i, own in enumerate(probs, 30))
    stream.events.extendleft([Event(2.0, 2.5, "up", 0.9), Event(14.5, 15.0, WORD, 0.934)] * EVENTS)
    html = draw(Page, stream)
    assert re.findall(r"<text[^>]*>([^<]*)</text>", html) == ["&lt;b&gt;downward…", "10 s ago", "now"]
    rectangles = [tuple(map(float, found)) for found in re.findall(r'x="([\d.]+)" y="\d+" width="([\d.]+)"', html)]
    assert len(rectangles) == 9 + EVENTS // 2 and sum(rectangles[8]) == pytest.approx(400 - 0.5 * 28)
    assert 'aria-label="Words of the last 10 seconds: &lt;b&gt;downwards&lt;/b&gt;"' in html and "<b>" not in html
    assert "<tr><td>0:14.5</td><td>&lt;b&gt;downwards&lt;/b&gt;</td><td>93 %</td></tr>" in html


def test_sound_waits_in_bounded_memory(tmp_path: Path) -> None:
    stream = Stream()
    soundfile.write(tmp_path / "chunk.wav", talk()[:1600], RATE)
    for _ in range(WAITING + 1):
        stream.add(tmp_path / "chunk.wav")
    assert stream.chunks.qsize() == WAITING
