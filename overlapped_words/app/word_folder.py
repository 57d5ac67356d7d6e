"""The tab that records single words into a word folder, the layout of data=words."""

import itertools
import json
import re
import shlex
from io import BytesIO
from pathlib import Path
from typing import Literal

import gradio as gr
import numpy as np
import soundfile

from datamodules.audio_files import check_words, list_recordings
from datamodules.waveforms import SAMPLE_RATE, to_int16
from overlapped_words.app.model import AppModel
from overlapped_words.app.recording import show, text_box
from overlapped_words.errors import DataError
from overlapped_words.messages import count, normalize_name
from overlapped_words.paths import command

MOST = 60  # characters of a name


class WordRecorder:
    """Saves recordings as `root/<word>/<speaker>_<n>.wav`; no file is overwritten, `root` is made with the first."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser()
        self.name = self.root.resolve().name  # visitors need not know the path

    def save(self, word: str, speaker: str, waveform: np.ndarray) -> Path:
        """Write a waveform `(T,)` in [-1, 1] at SAMPLE_RATE as 16-bit WAV. Return the file.

        Raises:
            DataError: a name that cannot be one of a folder or file, silence, or a folder that cannot be written.
        """
        word, speaker = normalize_name(check_name("word", word, "^[_'@#$]|,")), check_name("speaker", speaker, "_")
        check_words([word], "the word")
        if np.abs(waveform).max() < 1e-3:
            raise DataError("the recording is silent; check the microphone and record again")
        folder, content = self.root / word, BytesIO()
        soundfile.write(content, to_int16(waveform), SAMPLE_RATE, format="WAV")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not folder.resolve().is_relative_to(self.root.resolve()):
                raise DataError(f"word {word!r}: its folder is a link to another place; choose another word")
            path = next(path for n in itertools.count() if not (path := folder / f"{speaker}_{n}.wav").exists())
            with path.open("xb") as file:  # an error if someone else makes it at this moment
                try:
                    file.write(content.getvalue())
                    file.flush()
                except OSError:  # the disk is full
                    path.unlink()
                    raise
            return path
        except OSError as error:
            raise DataError(f"{word}: cannot be saved ({error.strerror}); check record_dir on the server") from error

    def counts(self) -> str:
        """What the folder contains: `12 recordings of 3 words by 2 speakers`."""
        files = [file for folder in self.root.glob("[!._]*") if folder.is_dir() for file in list_recordings(folder)]
        words, speakers = {file.parent.name for file in files}, {file.name.split("_")[0] for file in files}
        return f"{count(len(files), 'recording')} of {count(len(words), 'word')} by {count(len(speakers), 'speaker')}"

    @property
    def commands(self) -> str:
        """The commands that train on the folder and then listen with the network, for a shell where the folder is."""
        words = sorted(folder.name for folder in self.root.glob("[!._]*") if folder.is_dir())
        plain = re.fullmatch(r"[\w./-]+", self.name, re.ASCII)
        root = self.name if plain else json.dumps(self.name, ensure_ascii=False)  # quotes for Hydra
        data = shlex.join([f"data.words=[{', '.join(words)}]", "data.language=en", f"data.root={root}"])
        train = f"{command('train')} experiment=spotter {data} name=my_words"
        use = f"{command('predict')} run_dir=outputs/my_words input=talk.mp3 events=true"
        return f"{train}\n{command('app')} run_dir=outputs/my_words\n{use}"


def check_name(what: str, name: str, forbidden: str) -> str:
    """A name that is a folder's or a file's in one place, without surrounding spaces; `forbidden` is a pattern.

    Raises:
        DataError: it is empty or too long, is hidden, or contains separators or characters that are not printable.
    """
    name = name.strip()
    if not name or len(name) > MOST:
        raise DataError(f"give the {what}, up to {MOST} characters")
    if re.search(rf'[/\\:*?"<>|]|^[.~]|{forbidden}', name) or not name.isprintable():
        raise DataError(f"{what} {name!r}: use letters, digits, spaces and hyphens only")
    return name


def build_tab(model: AppModel, record_dir: str | None) -> None:
    """Build the tab in the page that is being built; without `record_dir` it says which setting to give."""
    with gr.Tab("Record words") as tab:
        if record_dir is None:
            gr.Markdown(
                "This tab can save recordings of single words, to train on them. To use it, start `app.py` with "
                "`record_dir=WORDS`."
            )
            return
        recorder = WordRecorder(Path(record_dir))

        def on_save(word: str, speaker: str, path: str | None) -> tuple:
            try:
                if path is None:
                    raise DataError("record the word first")
                recording = model.read(path)
                saved = recorder.save(word, speaker, recording.waveform)
            except DataError as error:
                return gr.Audio(), recorder.counts(), show(error)
            status = f"Saved {saved.parent.name}/{saved.name}. {recorder.counts()}. {recording.note}".rstrip()
            return None, status, show("")

        gr.Markdown(
            "Record one word at a time, each five times or more and by several people if you can. Then train, and open "
            "this page again with your network, to listen in the tab Live."
        )
        with gr.Row():
            word = gr.Textbox(label="Word", placeholder="for example " + model.class_names[0], max_length=MOST)
            speaker = gr.Textbox(label="Speaker, without _", placeholder="for example ann", max_length=MOST)
        sources: list[Literal["microphone", "upload"]] = ["microphone", "upload"]  # the first one is shown first
        audio = gr.Audio(sources=sources, type="filepath", label="Recording of the word", buttons=["download"])
        save = gr.Button("Save", variant="primary")
        error = text_box("Error")
        status = gr.Textbox(label=f"In {recorder.name}", interactive=False)
        label = "Train in the language of the words, add recordings of other speech with data.unknown=DIR, and listen"
        commands = gr.Textbox(label=label, lines=3, interactive=False, buttons=["copy"])
        tab.select(recorder.counts, None, status, api_visibility="private")  # what is there now, also after a reload
        status.change(lambda: recorder.commands, None, commands, api_visibility="private")
        save.click(on_save, [word, speaker, audio], [audio, status, error], api_name="save")
