"""The page's live timeline: the last second of a stream of chunks, drawn as a picture."""

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("gradio", reason="the page's extra is not installed")

from overlapped_words import load
from overlapped_words.app.live import Stream
from overlapped_words.app.model import AppModel
from overlapped_words.app.rolling import Moment, draw
from tests.helpers.fake_recordings import RATE, speech
from tests.helpers.served_app import write_home

WORDS = ["up", "<b>downwards</b>", "go"]


def chunks(folder: Path, waveform: np.ndarray, rate: int) -> list[Path]:
    """Files of a tenth of a second, as the page sends them."""
    paths = []
    for i, start in enumerate(range(0, len(waveform), rate // 10)):
        paths.append(folder / f"{i}.wav")
        soundfile.write(paths[-1], waveform[start : start + rate // 10], rate, subtype="FLOAT")
    return paths


@pytest.mark.parametrize("output", [{}, {"output": "set", "k": [0, 2]}])
@pytest.mark.parametrize("rate", [RATE, 48_000])
def test_a_stream_gives_the_probabilities_of_its_last_second(tmp_path: Path, rate: int, output: dict) -> None:
    model = load(write_home(tmp_path, **output) / "sweep", "cpu")
    app_model, stream = AppModel(model, 60, 0.25), Stream()
    waveform = speech(1, 2.3 * rate / RATE)
    for path in chunks(tmp_path, waveform, rate):
        stream.add(path)
        stream.predict(app_model)
    stream.predict(app_model)  # without new sound
    assert len(stream.moments) == 23 and stream.seconds == pytest.approx(2.3)
    last = stream.moments[-1]
    expected = model(waveform[-rate:], rate)
    if output:
        sets = model.word_sets(waveform[-rate:], rate)
        expected = expected * (1 - sets["num_words_0"]) if sets["words"] else expected[:0]
        assert last.answer == f"{', '.join(sets['words']) or 'none of the words'} ({sets['probability']:.1%})"
    assert not last.narrowband and last.probs == pytest.approx(expected.to_dict(), abs=1e-3)
    stream.clear()
    assert not stream.moments and stream.seconds == 0


def test_the_picture_shows_the_likely_words_of_the_last_seconds() -> None:
    moments = [Moment(i / 5, {"up": float(i < 20), WORDS[1]: float(i > 70), "go": 0.01}, "") for i in range(1, 80)]
    html = draw(moments, seconds=10)
    assert re.findall(r"<text[^>]*>([^<]*)</text>", html) == ["&lt;b&gt;downward…", "10 s ago", "now"]
    rectangles = [tuple(map(float, found)) for found in re.findall(r'x="([\d.]+)" y="\d+" width="([\d.]+)"', html)]
    assert len(rectangles) == 9 and sum(rectangles[-1]) == pytest.approx(400, abs=0.2)
    assert '<p class="now">Now: &lt;b&gt;downwards&lt;/b&gt; (100.0%)</p>' in html
    assert 'aria-label="Words of the last 10 seconds: &lt;b&gt;downwards&lt;/b&gt;"' in html


def test_nothing_is_drawn_where_no_word_is_the_most_likely_answer() -> None:
    html = draw([Moment(0.2, {}, "none of the words (93.0%)")], seconds=10)
    assert "<rect" not in html and "Now: none of the words (93.0%)" in html and "narrowband" not in html
    assert "microphone: narrowband" in draw([Moment(0.2, {}, "", narrowband=True)], seconds=10)
    assert "Not listening yet" in draw([], seconds=10)
