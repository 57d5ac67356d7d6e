"""Generated recordings and folders of them: a word is a tone, a speaker a level with noise."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

RATE = 16_000
WORDS = ("down", "left", "right", "up")
SPEAKERS = ("ann", "bob", "cleo", "dan", "eve", "finn")


def tone(hertz: float, rate: int = RATE, seconds: float = 1.0, level: float = 0.5) -> np.ndarray:
    return level * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)


def speech(seed: int, seconds: float = 1.0, rate: int = RATE) -> np.ndarray:
    """Noise under a Hann window, `(T,)` float64 in steps of 16 bits, the same for equal seeds."""
    samples = round(seconds * rate)
    noise = np.random.default_rng(seed).uniform(-0.6, 0.6, samples) * np.hanning(samples)
    return np.round(noise * 32768) / 32768


def talk(rate: int = RATE) -> np.ndarray:
    """Rising tones in faint noise, 4 seconds `(T,)`: `write_network(..., output="set", k=[0, 2])` has events in it."""
    tones = np.concatenate([tone(hertz, rate) for hertz in (128, 400, 1300, 3600)])
    return tones + 1e-3 * np.random.default_rng(0).standard_normal(len(tones))


def write(path: Path, samples: np.ndarray, rate: int = RATE, **options: str) -> Path:
    soundfile.write(path, samples, rate, **options)
    return path


def encode(samples: np.ndarray, kind: str, rate: int = RATE, **options: str) -> bytes:
    """The content of a file in a format of libsndfile, such as WAV."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, **options)
    return file.getvalue()


def write_word_folder(
    root: Path, words: Sequence[str] = WORDS, speakers: Sequence[str] = SPEAKERS, takes: int = 2
) -> Path:
    """Write `root/<word>/<speaker>_<take>.wav`."""
    for i, word in enumerate(words):
        (root / word).mkdir(parents=True)
        for j, speaker in enumerate(speakers):
            for take in range(takes):
                rng = np.random.default_rng([i, j, take])
                clip = tone(200 + 300 * i, level=0.1 + 0.1 * j) * np.hanning(RATE) + rng.normal(0, 0.01, RATE)
                soundfile.write(root / word / f"{speaker}_{take}.wav", clip, RATE)
    return root


def write_competition(
    root: Path, num_train: int = 12, num_test: int = 4, words: Sequence[str] = WORDS, *, tones: bool = False
) -> Path:
    """Write `root/train/*.wav`, `root/test/*.flac`, `root/train_answer.csv` and `root/submission.csv`.

    Clips are noise with random targets; with `tones`, each is the sum of two words' tones, which can be learned.
    """
    rng = np.random.default_rng(0)
    targets = rng.dirichlet(np.ones(len(words)), num_train)
    if tones:
        targets = np.array([rng.permutation(len(words)) < 2 for _ in range(num_train)]) / 2
    for split, size, extension in (("train", num_train, "wav"), ("test", num_test, "flac")):
        (root / split).mkdir(parents=True)
        for i in range(size):
            clip = speech(i + 1000 * (split == "test"))
            if tones:
                present = np.flatnonzero(targets[i % num_train])
                clip = 0.02 * clip + sum(tone(400 * 2.7**word, level=0.2) for word in present)
            soundfile.write(root / split / f"{split}_{i:03d}.{extension}", clip, RATE)
    rows = [[f"train_{i:03d}", *map("{:.6f}".format, row)] for i, row in enumerate(targets)]
    write_table(root / "train_answer.csv", [["id", *words], *rows])
    rows = [[f"test_{i:03d}", *"0" * len(words)] for i in range(num_test)]
    write_table(root / "submission.csv", [["id", *words], *rows])
    return root


def read_table(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def write_table(path: Path, rows: Sequence[Sequence[str]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def cached_files(cache_dir: Path) -> list[str]:
    """The files in the cache without locks; after an error there should be none."""
    return sorted(path.name for path in cache_dir.glob("*") if path.suffix != ".lock") if cache_dir.is_dir() else []
