"""The tab that records single words into a word folder, the layout of data=words."""

import re
import shlex
from io import BytesIO
from pathlib import Path

import gradio as gr
import numpy as np
import soundfile

from datamodules.audio_files import list_recordings
from datamodules.waveforms import to_int16
from overlapped_words.app import parts
from overlapped_words.app.model import AppModel
from overlapped_words.errors import DataError
from overlapped_words.messages import count

MOST = 60  # characters of a name
QUIET = 1e-3  # peak of a recording without sound
NOT_SET = (
    "This tab can save recordings of single words, to train on them. To use it, start `app.py` with `record_dir=WORDS`."
)


class WordRecorder:
    """Saves recordings as `root/<word>/<speaker>_<n>.wav`; no file is overwritten.

    Args:
        root: the word folder; made with the first recording.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser()
        self.name = self.root.resolve().name  # visitors need not know the path

    def save(self, word: str, speaker: str, waveform: np.ndarray, sample_rate: int) -> Path:
        """Write a waveform `(T,)` in [-1, 1] as 16-bit WAV. Return the file.

        Raises:
            DataError: a name that cannot be one of a folder or file, silence, or a folder that cannot be written.
        """
        word, speaker = check_name("word", word), check_name("speaker", speaker)
        if word.startswith("_") or "_" in speaker:
            raise DataError(
                "a word must not begin with _, and a speaker's name must not contain _; choose another name"
            )
        if np.abs(waveform).max() < QUIET:
            raise DataError("the recording is silent; check the microphone and record again")
        content = BytesIO()
        soundfile.write(content, to_int16(waveform), sample_rate, format="WAV")
        folder = self.root / word
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not folder.resolve().is_relative_to(self.root.resolve()):
                raise DataError(f"word {word!r}: its folder is a link to another place; choose another word")
            return write_new(folder, speaker, content.getvalue())
        except OSError as error:
            raise DataError(f"{word}: cannot be saved ({error.strerror}); check record_dir on the server") from error

    def counts(self) -> str:
        """What the folder contains: `12 recordings of 3 words by 2 speakers`."""
        folders = [path for path in self.root.glob("[!._]*") if path.is_dir()]
        files = [file for folder in folders for file in list_recordings(folder)]
        words, speakers = {file.parent.name for file in files}, {file.name.split("_")[0] for file in files}
        return f"{count(len(files), 'recording')} of {count(len(words), 'word')} by {count(len(speakers), 'speaker')}"

    @property
    def command(self) -> str:
        """The command that trains on the folder, for a shell where it is."""
        root = self.name
        if not re.fullmatch(r"[\w./-]+", root, re.ASCII):
            root = '"{}"'.format(root.replace("\\", r"\\").replace('"', r"\""))  # quotes for Hydra
        return shlex.join(["python", "train.py", "experiment=best_words", f"data.root={root}", "name=my_words"])


def check_name(what: str, name: str) -> str:
    """A name that is a folder's or a file's in one place, without surrounding spaces.

    Raises:
        DataError: it is empty or too long, is hidden, or contains separators or characters that are not printable.
    """
    name = name.strip()
    if not name or len(name) > MOST:
        raise DataError(f"give the {what}, up to {MOST} characters")
    if re.search(r'[/\\:*?"<>|]', name) or name[0] in ".~" or not name.isprintable():
        raise DataError(rf"{what} {name!r}: use letters, digits, spaces and hyphens only")
    return name


def write_new(folder: Path, speaker: str, content: bytes) -> Path:
    """Write `<speaker>_<n>.wav` with the first free number, from 0 on."""
    n = 0
    while True:
        path = folder / f"{speaker}_{n}.wav"
        try:
            with path.open("xb") as file:  # an error if it exists, also if someone else makes it at this moment
                file.write(content)
            return path
        except FileExistsError:
            n += 1


def build_tab(model: AppModel, record_dir: str | None) -> None:
    """Build the tab in the page that is being built; without `record_dir` it says which setting to give."""
    with gr.Tab("Record words"):
        if record_dir is None:
            gr.Markdown(NOT_SET)
            return
        recorder = WordRecorder(Path(record_dir))

        def on_save(word: str, speaker: str, path: str | None) -> tuple:
            try:
                if path is None:
                    raise DataError("record the word first")
                recording = model.read(path)
                saved = recorder.save(word, speaker, recording.waveform, model.model.sample_rate)
            except DataError as error:
                return gr.Audio(), recorder.counts(), parts.show(error)
            status = f"Saved {saved.parent.name}/{saved.name}. {recorder.counts()}. {recording.note}".rstrip()
            return None, status, parts.show("")

        gr.Markdown("Record one word at a time, each by several speakers, and train on the folder.")
        with gr.Row():
            word = gr.Textbox(label="Word", placeholder="for example " + model.model.class_names[0], max_length=MOST)
            speaker = gr.Textbox(label="Speaker, without _", placeholder="for example ann", max_length=MOST)
        audio = gr.Audio(
            sources=["microphone", "upload"], type="filepath", label="Recording of the word", buttons=["download"]
        )
        save = gr.Button("Save", variant="primary")
        error = parts.text_box("Error")
        status = gr.Textbox(recorder.counts(), label=f"In {recorder.name}", interactive=False)
        gr.Textbox(recorder.command, label="Train on it", interactive=False, buttons=["copy"])
        save.click(on_save, [word, speaker, audio], [audio, status, error], api_name="save")
