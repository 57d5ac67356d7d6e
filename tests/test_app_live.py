"""The page's live timeline: the last second of a stream of chunks, drawn as a picture."""

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("gradio", reason="the page's extra is not installed")

from overlapped_words import load
from overlapped_words.app.live import Moment, Stream, draw
from overlapped_words.app.model import AppModel
from tests.helpers.fake_recordings import RATE, speech
from tests.helpers.served_app import write_home

WORD = "<b>downwards</b>"


@pytest.mark.parametrize(("rate", "output"), [(RATE, {}), (48_000, {"output": "set", "k": [0, 2]})])
def test_a_stream_gives_the_probabilities_of_its_last_second(tmp_path: Path, rate: int, output: dict) -> None:
    model = load(write_home(tmp_path, **output) / "sweep", "cpu")
    app_model, stream = AppModel(model, 60, 0.25), Stream()
    waveform = speech(1, 2.3 * rate / RATE)
    for chunk in np.split(waveform, 23):  # of a tenth of a second, as the page sends them
        soundfile.write(tmp_path / "chunk.wav", chunk, rate, subtype="FLOAT")
        stream.add(tmp_path / "chunk.wav")
        stream.predict(app_model)
    stream.predict(app_model)  # without new sound
    assert len(stream.moments) == 23 and stream.seconds == pytest.approx(2.3)
    last = stream.moments[-1]
    expected = model(waveform[-rate:], rate)
    answer = f"{expected.idxmax()} ({expected.max():.1%})"
    if output:
        sets = model.word_sets(waveform[-rate:], rate)
        expected = expected * (1 - sets["num_words_0"]) if sets["words"] else expected[:0]
        answer = f"{', '.join(sets['words']) or 'none of the words'} ({sets['probability']:.1%})"
    assert last.answer == answer
    assert not last.narrowband and last.probs == pytest.approx(expected.to_dict(), abs=1e-3)


def test_the_picture_shows_the_likely_words_of_the_last_seconds() -> None:
    probs = [{"up": float(i < 20), WORD: float(i > 70), "go": 0.01} for i in range(1, 80)]
    moments = [Moment(i / 5, own, WORD) for i, own in enumerate(probs, 1)]
    html = draw(moments)
    assert re.findall(r"<text[^>]*>([^<]*)</text>", html) == ["&lt;b&gt;downward…", "10 s ago", "now"]
    rectangles = [tuple(map(float, found)) for found in re.findall(r'x="([\d.]+)" y="\d+" width="([\d.]+)"', html)]
    assert len(rectangles) == 9 and sum(rectangles[-1]) == pytest.approx(400, abs=0.2)
    assert '<p class="now">Now: &lt;b&gt;downwards&lt;/b&gt;</p>' in html
    assert 'aria-label="Words of the last 10 seconds: &lt;b&gt;downwards&lt;/b&gt;"' in html


def test_nothing_is_drawn_where_no_word_is_the_most_likely_answer() -> None:
    html = draw([Moment(0.2, {}, "none of the words (93.0%)")])
    assert "<rect" not in html and "Now: none of the words (93.0%)" in html and "narrowband" not in html
    assert "microphone: narrowband" in draw([Moment(0.2, {}, "", narrowband=True)])
    assert "Not listening yet" in draw([])
