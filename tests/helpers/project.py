"""A copy of the project in which the commands of the docs run, in the order of a reader."""

import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pandas as pd
import soundfile

from tests.helpers.fake_recordings import RATE, speech, write_competition, write_word_folder
from tests.helpers.pages import TEXTS, files
from tests.helpers.runtime import ARCHIVE
from tests.helpers.scripts import ENVIRONMENT, ROOT, run, start

WORDS = ("down", "left", "no", "right", "up", "yes")
SPEAKERS = [f"{name}-take" for name in ("ann", "bob", "cleo", "dan", "eve", "finn", "gus", "hal", "ida", "jo")]
MEANT = {"<name>": "demo", "ROW": "features", "URL": str(ROOT)}  # what a reader fills in

# What training on each source needs to be short.
MIXED = ["data.train_size=8", "data.val_size=8", "data.test_size=8"]
SMALL = {
    "synthetic": [*MIXED, "data.num_voices=7", "data.takes=1"],
    "words": MIXED,
    "competition": [],
    "listed": [],
}
SOURCE = {
    "winner": "competition",
    "best": "competition",
    "best_words": "words",
    "distill_words": "words",
    "pretrained": "words",
}  # of an experiment
BENCHMARKS = {
    "benchmarks.held_out": ["--train-size", "32", "--test-size", "16"],
    "benchmarks.score": [],
    "benchmarks.stacking": ["--clips", "4", "--draws", "1"],
    "benchmarks.speed": ["--rounds", "1"],
    "benchmarks.growth": ["64"],
    "benchmarks.folder": ["--clips", "64"],
    "benchmarks.onnx": ["--members", "1"],
    "benchmarks.start": ["--rounds", "1"],
    "benchmarks.gpu": ["--tiny"],
    "datamodules.voices": [],
}


def shorten(arguments: list[str]) -> list[str]:
    """What is appended to a command of train.py: one epoch of one batch for a narrow network, without drawings."""
    given = dict(argument.split("=", 1) for argument in arguments if "=" in argument)
    source = given.get("data", SOURCE.get(given.get("experiment", ""), "synthetic"))
    short = ["data.batch_size=8", "trainer.limit_train_batches=1", "callbacks.dashboard=null", *SMALL[source]]
    short += ["trainer.max_epochs=1"] if "trainer.fast_dev_run" not in given else []
    return short + (["model.width=2"] if "model.width" not in given else [])


class Project:
    """A copy of the project outside of the checkout, with what a reader has: recordings, their words and tables."""

    def __init__(self, root: Path) -> None:
        self.root = root / "overlapped-words"
        self.environment = {**ENVIRONMENT, "PYTHONPATH": str(self.root), "XDG_CACHE_HOME": str(root / "cache")}
        self.environment["PATH"] = f"{Path(sys.executable).parent}:{ENVIRONMENT['PATH']}"
        folders = {"benchmarks", "conf", "docs", "examples", *(path.parent.name for path in ROOT.glob("*/__init__.py"))}
        self.root.mkdir()
        for path in ROOT.iterdir():
            if path.name in folders:
                shutil.copytree(path, self.root / path.name, ignore=shutil.ignore_patterns("__pycache__"))
            elif path.is_file() and path.name != ".git":
                shutil.copy(path, self.root)
        self._add_recordings()
        self._add_files_of_pages()
        self._add_runtime()

    def _add_recordings(self) -> None:
        write_competition(self.root / "DIR", num_train=40, words=WORDS, tones=True)
        names = sorted(f"train/{path.name}" for path in (self.root / "DIR/train").iterdir())
        rows = [(name, " ".join(WORDS[i % 6 :][:2])) for i, name in enumerate(names)]
        pd.DataFrame(rows, columns=["path", "words"]).to_csv(self.root / "DIR/recordings.csv", index=False)
        write_word_folder(self.root / "WORDS", WORDS, SPEAKERS, takes=1)
        write_word_folder(self.root / "OTHER_WORDS", ["apple", "bed"], SPEAKERS, takes=1)
        (self.root / "folder").mkdir()
        for seed, name in enumerate(("clip.wav", "my_clip.wav", "talk.mp3", "folder/a.wav", "folder/b.flac")):
            soundfile.write(self.root / name, speech(seed, seconds=2.5), RATE)

    def _add_files_of_pages(self) -> None:
        for path, text in files():
            (self.root / path).write_text(text, encoding="utf-8")
        (block,) = re.findall(
            r"```python\n([^`]*^NETWORKS.*?\n)```", TEXTS["docs/adding_a_model.md"], flags=re.MULTILINE
        )
        file = self.root / "lightning_modules/registry.py"
        text, count = re.subn(r"^NETWORKS: .*\n", block, file.read_text(encoding="utf-8"), flags=re.MULTILINE)
        assert count == 1
        file.write_text(text, encoding="utf-8")

    def _add_runtime(self) -> None:
        cache = self.root.parent / "cache" / ARCHIVE.parent.name
        cache.mkdir(parents=True)
        (cache / ARCHIVE.name).symlink_to(ARCHIVE)

    def execute(self, command: str) -> str:
        """Run a command -> what it printed."""
        for name, meaning in MEANT.items():
            command = command.replace(name, meaning)
        words = shlex.split(command)
        match words:
            case ["python", "app.py", *arguments]:
                return self.serve("app.py", *arguments, ending="port={}")
            case ["tensorboard", *arguments]:
                return self.serve("-m", "tensorboard.main", *arguments, ending="--port={}")
            case ["python", "-m", "http.server", *arguments]:
                return self.serve("-m", "http.server", *arguments, ending="{}")
            case ["mlflow", *arguments]:
                return self.serve("-m", "mlflow", *arguments, ending="--port={}")
            case ["wandb", "sync", *folders]:
                return self.call("bash", "-c", f"wandb sync --dry-run {' '.join(folders)}")
            case ["python", script, *arguments] if "hydra/launcher=" in command:
                short = shorten(arguments) if script == "train.py" else []
                return self.call(sys.executable, script, *arguments, *short)
            case ["python", "train.py", *arguments] if not {"--help", "--cfg", "-sc"} & set(arguments):
                return self.python("train.py", *arguments, *shorten(arguments))
            case ["python", "-m", "pytest", *arguments] | ["pytest", *arguments]:
                return self.call(sys.executable, "-m", "pytest", *arguments)
            case ["python", "-m", module, *arguments]:
                return self.python("-m", module, *arguments, *BENCHMARKS[module])
            case ["python", *arguments]:
                return self.python(*arguments)
            case ["python3", "-m", "venv", folder]:
                return self.call(sys.executable, "-m", "venv", "--without-pip", folder)
            case ["pip", *arguments]:
                return self.call(sys.executable, "-m", "pip", *arguments, "--dry-run")
            case ["make", target]:
                return self.make(target)
            case [".venv/bin/pre-commit", *arguments]:
                self.call("git", "init")
                return self.call(sys.executable, "-m", "pre_commit", *arguments)
            case ["git", "clone", *_]:
                (self.root.parent / "cloned").mkdir()
                return self.call(*words, cwd=self.root.parent / "cloned")
            case ["cd", *_]:
                return self.call("bash", "-c", command, cwd=self.root.parent)
        return self.call("bash", "-c", command)

    def python(self, script: str, *arguments: str) -> str:
        return run(script, *arguments, cwd=self.root, root=self.root, environment=self.environment)

    def call(self, *command: str, cwd: Path | None = None) -> str:
        """A process of its own, for what no fork can do."""
        done = subprocess.run(command, cwd=cwd or self.root, env=self.environment, text=True, capture_output=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def serve(self, script: str, *arguments: str, ending: str) -> str:
        """A server: it runs until it has answered."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        output = self.root.parent / "served.txt"
        output.touch()
        given = {"cwd": self.root, "root": self.root, "output": str(output), "environment": self.environment}
        process = start(script, *arguments, ending.format(port), **given)
        try:
            while True:
                assert process.is_alive(), output.read_text()
                with closing(socket.socket()) as connection:
                    if connection.connect_ex(("127.0.0.1", port)) == 0:
                        return output.read_text()
                time.sleep(0.05)
        finally:
            process.terminate()
            process.join()

    def make(self, target: str) -> str:
        """List what make would run; of `make demo`, run the lines that need no network."""
        listed = self.call("make", "--dry-run", target, f"PYTHON={sys.executable}")
        for line in listed.splitlines() if target == "demo" else []:
            words = line.removeprefix(".venv/bin/").replace(sys.executable, "python3")
            if words.startswith("python"):
                self.execute(words)
        return listed
