"""Score a run of experiment=pretrained on the speakers that it held out: one to four words, noise, and no words.

python -m benchmarks.unseen_speakers outputs/pretrained/avg_seed0            # a run, with the speakers that it held out
python -m benchmarks.unseen_speakers outputs/pretrained/avg_seed0 --model words.safetensors

Prints the tables of the network's model card. The number of words is not given to the network. Words are up to 3 dB
apart. KL is in nats. A clip without words is a false alarm if the most likely set of words is not empty; per hour means
per 3,600 such clips of one second.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from datamodules.background import GeneratedNoise, background_rows

from benchmarks.score import recall_of
from datamodules.audio_files import list_recordings, walk_recordings
from datamodules.clips import render
from datamodules.mixing import Mixer, Mixtures
from datamodules.recordings import read_clips
from datamodules.speakers import find_speakers, split_speakers
from datamodules.waveforms import NUM_SAMPLES, SAMPLE_RATE, to_int16
from lightning_modules.metrics import uniform
from lightning_modules.metrics.kl import kl
from lightning_modules.metrics.recall import recall
from overlapped_words import load

SIZE = 1000  # clips per set
NOISE_DB = 10  # below a word
THRESHOLDS = (0.1, 0.5, 0.9, 0.97)  # of the probability of any word


@dataclass
class Recordings:
    """Recordings of the held-out speakers: `(N, T)` int16, the rows of each word, of other words and of noise."""

    names: list[str]
    array: np.ndarray
    words: list[np.ndarray]
    others: np.ndarray
    noise: np.ndarray
    num_speakers: int
    scarce: list[int]  # words with fewer than 100 training recordings


def held_out(data: dict[str, Any]) -> Recordings:
    """Split the speakers as the run with the settings `data` did."""
    root, unknown = Path(data["root"]), data["unknown"]
    names = sorted(folder.name for folder in root.iterdir() if folder.is_dir() and folder.name[0] not in "._")
    of_words = [(path, i) for i, name in enumerate(names) for path in list_recordings(root / name)]
    others = [path for path in walk_recordings(Path(unknown)) if path.parent.name not in names] if unknown else []
    paths = [path for path, _ in of_words] + others
    labels = np.array([i for _, i in of_words] + [-1] * len(others))
    speakers = find_speakers(paths, data["speaker_regex"])
    fractions = {split: data[f"{split}_fraction"] for split in ("val", "test")}
    split_of = split_speakers(speakers, labels, fractions, data["fold"], data["split_seed"])
    test = np.flatnonzero(split_of == "test")
    noise = GeneratedNoise()
    noises = np.concatenate(list(noise.clips()))[background_rows(noise, "test", **fractions)]
    num_train = np.bincount(labels[(split_of == "train") & (labels >= 0)])
    return Recordings(
        names,
        array=np.concatenate([*read_clips([paths[i] for i in test], SAMPLE_RATE, NUM_SAMPLES), noises]),
        words=[np.flatnonzero(labels[test] == i) for i in range(len(names))],
        others=np.flatnonzero(labels[test] == -1),
        noise=len(test) + np.arange(len(noises)),
        num_speakers=len(set(speakers[test][labels[test] >= 0])),
        scarce=[i for i, number in enumerate(num_train) if number < 100],
    )


def with_words(recordings: Recordings) -> dict[str, Mixtures]:
    """Mixtures of one to four words, some with noise, by name."""
    sets = {}
    for k, noisy in ((1, False), (2, False), (3, False), (4, False), (1, True), (4, True)):
        rng = np.random.default_rng(k)
        mixtures = Mixer(recordings.words, k=(k, k), offset=0.02).draw(SIZE, rng)
        name = f"{k} word{'s' if k > 1 else ''}"
        if noisy:
            name += f", noise {NOISE_DB} dB below a word"
            noise = alone(rng.choice(recordings.noise, SIZE), gain=10 ** (-NOISE_DB / 20))
            columns = ("recordings", "gains", "offsets", "speeds")
            joined = {column: np.hstack([getattr(mixtures, column), getattr(noise, column)]) for column in columns}
            mixtures = Mixtures(**joined, targets=mixtures.targets)
        sets[name] = mixtures
    return sets


def without_words(recordings: Recordings) -> dict[str, Mixtures]:
    """Clips of noise, of other words, and of words played backward."""
    rng = np.random.default_rng(0)
    sets = {"noise, white to brown": alone(rng.choice(recordings.noise, SIZE))}
    if len(recordings.others):
        sets["other words"] = alone(rng.choice(recordings.others, SIZE))
    sets["words played backward"] = alone(rng.choice(np.concatenate(recordings.words), SIZE), speed=-1)
    return sets


def alone(rows: np.ndarray, gain: float = 1, speed: float = 1) -> Mixtures:
    """Clips of one recording each, `rows` `(n,)`, without targets."""
    column = np.ones((len(rows), 1), np.float32)
    offsets, targets = np.zeros(column.shape, np.int64), np.zeros((len(rows), 0), np.float32)
    return Mixtures(rows[:, None], gain * column, offsets, speed * column, targets)


def print_table(header: str, rows: dict[str, list[str]]) -> None:
    """Print a Markdown table."""
    print(f"\n| {header} |\n|{' --- |' * (header.count('|') + 1)}")
    for name, cells in rows.items():
        print("|", " | ".join([name, *cells]), "|")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run_dir", type=Path, help="folder of a run of train.py with data=words")
    parser.add_argument("--model", type=Path, help="what to score, by default the run itself")
    arguments = parser.parse_args()
    data = yaml.safe_load((arguments.run_dir / ".hydra" / "config.yaml").read_text(encoding="utf-8"))["data"]
    recordings, model = held_out(data), load(arguments.model or arguments.run_dir)
    assert model.class_names == recordings.names
    print(f"{recordings.num_speakers} unseen speakers, {sum(map(len, recordings.words))} recordings of words")
    metrics, alarms, any_word = {}, {}, {}
    for name, mixtures in (with_words(recordings) | without_words(recordings)).items():
        clips = to_int16(render(recordings.array, mixtures, np.arange(SIZE)).numpy())
        sets = pd.DataFrame(model.word_sets(clips, SAMPLE_RATE))
        words_above = [np.mean(1 - sets["num_words_0"] > threshold) for threshold in THRESHOLDS]
        any_word[name] = [f"{share:.1%}" for share in words_above]
        if mixtures.targets.size:
            targets, probs = mixtures.targets, np.asarray(model(clips, SAMPLE_RATE))
            number = sets.filter(like="num_words_").to_numpy().argmax(axis=1)
            right = np.mean(number == (targets > 0).sum(axis=1))
            shares = (recall(targets, probs).mean(), right, recall_of(recordings.scarce, targets, probs))
            kls = (kl(targets, probs).mean(), kl(targets, uniform(targets)).mean())
            metrics[name] = [*(f"{kl:.3f}" for kl in kls), *(f"{share:.1%}" for share in shares)]
        else:
            share = sets["words"].map(bool).mean()
            alarms[name] = [f"{share:.1%}", f"{3600 * share:.0f}"]
    print_table("clips | KL | uniform prediction | recall | number of words right | recall of scarce words", metrics)
    print_table("clips without words | false alarms | per hour", alarms)
    print_table(f"probability of any word above | {' | '.join(map(str, THRESHOLDS))}", any_word)


if __name__ == "__main__":
    main()
