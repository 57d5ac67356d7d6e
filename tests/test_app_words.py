"""The page's tab that records single words into a word folder."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("gradio", reason="the page's extra is not installed")
import gradio as gr

from overlapped_words.app.word_folder import WordRecorder, build_tab
from overlapped_words.cli import as_overrides
from overlapped_words.errors import DataError
from overlapped_words.settings.check import check
from overlapped_words.settings.train import Train
from tests.helpers.composed import configuration
from tests.helpers.fake_recordings import RATE, speech

WAVEFORM, NAME = speech(0), "name=my_words"


def test_a_recording_is_saved_under_its_word_and_speaker(tmp_path: Path) -> None:
    recorder, older = WordRecorder(tmp_path / "my words"), tmp_path / "my words" / "사과" / "ann lee_0.wav"
    older.parent.mkdir(parents=True)
    older.write_text("is not overwritten")
    path = recorder.save(" 사과 ", "ann lee", WAVEFORM, RATE)
    assert path == older.with_name("ann lee_1.wav") and older.read_text() == "is not overwritten"
    samples, rate = soundfile.read(path)
    assert rate == RATE and soundfile.info(path).subtype == "PCM_16"
    np.testing.assert_allclose(samples, WAVEFORM, atol=1e-4)
    recorder.save("up", "bob", WAVEFORM, RATE)
    assert recorder.counts() == "3 recordings of 2 words by 2 speakers"
    train, *listen = recorder.commands.splitlines()
    assert listen[0] == "python app.py run_dir=outputs/my_words" and len(listen) == 2
    arguments = shlex.split(train)[2:]
    assert arguments == [
        "experiment=spotter",
        "data.words=[up, 사과]",
        "data.language=en",
        'data.root="my words"',
        NAME,
    ]
    data = check(Train, configuration("train", *as_overrides([*arguments, "member=one", "run_dir=."], Train))).data
    assert (data["words"], data["root"], data["k"]) == (["up", "사과"], "my words", [0, 2])


@pytest.mark.parametrize(
    ("word", "speaker", "message"),
    [
        ("up", "  ", "give the speaker, up to 60 characters"),
        ("w" * 61, "ann", "give the word, up to 60 characters"),
        ("../up", "ann", "word '../up': use letters"),
        ("up\\down", "ann", "use letters"),
        ("~", "ann", "use letters"),
        (".hidden", "ann", "use letters"),
        ("up\0", "ann", "use letters"),
        ("up, down", "ann", "use letters"),
        ("up", "../ann", "speaker '../ann': use letters"),
        ("up", "ann_lee", "speaker 'ann_lee': use letters"),
        ("_background_noise_", "ann", "use letters"),
    ],
)
def test_names_that_lead_elsewhere_are_errors(tmp_path: Path, word: str, speaker: str, message: str) -> None:
    with pytest.raises(DataError, match=re.escape(message)):
        WordRecorder(tmp_path / "WORDS").save(word, speaker, WAVEFORM, RATE)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_saved_is_an_error(tmp_path: Path) -> None:
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
            WordRecorder(tmp_path / folder).save("up", "ann", waveform, RATE)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_without_a_folder_the_page_says_which_setting_to_give() -> None:
    with gr.Blocks() as page:
        build_tab(None, None)  # type: ignore[arg-type]
    assert "start `app.py` with `record_dir=WORDS`" in str(page.config)
