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
from tests.helpers.pages import files
from tests.helpers.runtime import ARCHIVE
from tests.helpers.scripts import ENVIRONMENT, ROOT, run, start

WORDS = ("down", "left", "no", "right", "up", "yes")
SPEAKERS = [f"{name}-take" for name in ("ann", "bob", "cleo", "dan", "eve", "finn", "gus", "hal", "ida", "jo")]
MEANT = {"<name>": "demo", "ROW": "features", "URL": str(ROOT)}  # what a reader fills in
FEWER = {r"range\(\d\)": "range(2)", "expect=16": "expect=4", "shards=8": "shards=2"}  # members and shards
NOT_COPIED = (".git", ".venv*", ".*cache", "__pycache__", "*.egg-info", "build", "node_modules", "outputs")

# What makes training short on a source, and the sources of the experiments; others: words.
MIXED = ["data.train_size=8", "data.val_size=8", "data.test_size=8"]
SMALL = {"words": MIXED, "synthetic": [*MIXED, "data.num_voices=7", "data.takes=1"]}
SOURCE = {"winner": "competition", "best": "competition"} | dict.fromkeys(("demo", "smoke", "spotter"), "synthetic")
# What makes a module short.
MODULES = {
    "benchmarks.held_out": ["--train-size", "32", "--test-size", "16"],
    "benchmarks.speed": ["--rounds", "1"],
    "benchmarks.gpu": ["--tiny"],
}
# Commands of servers -> what a process of Python runs, and how it is given a port.
SERVERS = {
    "python app.py": (["app.py"], "port={}"),
    "python -m http.server": (["-m", "http.server"], "{}"),
    "tensorboard": (["-m", "tensorboard.main"], "--port={}"),
    "mlflow": (["-m", "mlflow"], "--port={}"),
}


def shorten(words: list[str]) -> list[str]:
    """What is appended to a command of train.py: one epoch of one batch for a narrow network, without drawings."""
    given = dict(word.split("=", 1) for word in words if "=" in word)
    source = given.get("data", SOURCE.get(given.get("experiment", "demo"), "words"))
    short = ["data.batch_size=8", "trainer.limit_train_batches=1", "callbacks.dashboard=null", *SMALL.get(source, [])]
    short += ["trainer.max_epochs=1"] if "trainer.fast_dev_run" not in given else []
    return short if {"model", "model.width"} & set(given) else [*short, "model.width=2"]


class Project:
    """A copy of the project outside of the checkout, with what a reader has: recordings, their words and tables."""

    def __init__(self, root: Path) -> None:
        self.root = root / "overlapped-words"
        self.environment = {**ENVIRONMENT, "PYTHONPATH": str(self.root), "XDG_CACHE_HOME": str(root / "cache")}
        self.environment["PATH"] = f"{Path(sys.executable).parent}:{ENVIRONMENT['PATH']}"
        self.options = {"cwd": self.root, "root": self.root, "environment": self.environment}
        shutil.copytree(ROOT, self.root, ignore=shutil.ignore_patterns(*NOT_COPIED))
        for path, text in files():
            if not (file := self.root / path).exists():  # else a page shows a part of it
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")
        self._add_recordings()
        cache = root / "cache" / ARCHIVE.parent.name
        cache.mkdir(parents=True)
        (cache / ARCHIVE.name).symlink_to(ARCHIVE)

    def _add_recordings(self) -> None:
        write_competition(self.root / "DIR", num_train=40, words=WORDS, tones=True)
        names = sorted(f"train/{path.name}" for path in (self.root / "DIR/train").iterdir())
        rows = [(name, " ".join(WORDS[i % 6 :][:2])) for i, name in enumerate(names)]
        pd.DataFrame(rows, columns=["path", "words"]).to_csv(self.root / "DIR/recordings.csv", index=False)
        write_word_folder(self.root / "WORDS", WORDS, SPEAKERS, takes=1)
        write_word_folder(self.root / "OTHER", ["apple", "bed"], SPEAKERS, takes=1)
        (self.root / "folder").mkdir()
        for seed, name in enumerate(("clip.wav", "my_clip.wav", "talk.mp3", "folder/a.wav", "folder/b.flac")):
            soundfile.write(self.root / name, speech(seed, seconds=2.5), RATE)

    def execute(self, command: str) -> str:
        """Run a command -> what it printed."""
        for name, meaning in MEANT.items():
            command = command.replace(name, meaning)
        for pattern, fewer in FEWER.items():
            command = re.sub(pattern, fewer, command)
        for server, (script, port) in SERVERS.items():
            if command.startswith(f"{server} "):
                return self.serve(*script, *shlex.split(command.removeprefix(server)), port=port)
        words = shlex.split(command)
        if words[0] == "overlapped-words":
            words[:1] = ["python", "-m", "overlapped_words"]
        if "train" in words[3:4] or words[:2] == ["python", "train.py"]:
            words += [] if {"--help", "--cfg", "-sc"} & set(words) else shorten(words)
        match words:
            case ["wandb", "sync", *folders]:
                return self.call("bash", "-c", f"wandb sync --dry-run {' '.join(folders)}")
            case ["pytest", *arguments] | ["python", "-m", "pytest", *arguments]:
                return self.call(sys.executable, "-m", "pytest", *arguments)
            case ["python", *arguments] if "hydra/launcher=" in command:
                return self.call(sys.executable, *arguments)
            case ["python", "-m", module, *arguments]:
                return run("-m", module, *arguments, *MODULES.get(module, []), **self.options)
            case ["python", *arguments]:
                return run(*arguments, **self.options)
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
        return self.call("bash", "-c", command, cwd=self.root.parent if words[0] == "cd" else self.root)

    def call(self, *command: str, cwd: Path | None = None) -> str:
        """A process of its own, for what no fork can do."""
        done = subprocess.run(command, cwd=cwd or self.root, env=self.environment, text=True, capture_output=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def serve(self, script: str, *arguments: str, port: str) -> str:
        """A server: it runs until it has answered."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            number = free.getsockname()[1]
        output = self.root.parent / "served.txt"
        output.touch()
        process = start(script, *arguments, port.format(number), output=str(output), **self.options)
        try:
            while True:
                assert process.is_alive(), output.read_text()
                with closing(socket.socket()) as connection:
                    if connection.connect_ex(("127.0.0.1", number)) == 0:
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
