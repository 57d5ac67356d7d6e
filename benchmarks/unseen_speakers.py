"""Metrics on mixtures of none to four words by speakers that a model was not trained on, for its card.

python -m benchmarks.unseen_speakers WORDS [--model MODEL]

WORDS is a word folder of those speakers. MODEL is what `load` takes, by default the network of the project.
"""

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from datamodules.audio_files import find_words
from datamodules.clips import render
from datamodules.long_recordings import GeneratedNoise
from datamodules.mixer import Mixer
from datamodules.recordings import read_clips
from datamodules.waveforms import NUM_SAMPLES, SAMPLE_RATE, to_int16
from lightning_modules.metrics.kl import kl
from lightning_modules.metrics.recall import recall
from overlapped_words import load
from overlapped_words.pretrained import PRETRAINED

SIZE, NOISE_DB = 1000, 10  # clips of each kind; noise below a word


class Words(NamedTuple):
    """The recordings of a word folder: names of the words, paths, `(N, T)` int16, the rows of each word."""

    names: list[str]
    paths: list[Path]
    waveforms: np.ndarray
    rows: list[np.ndarray]


def read_words(root: Path) -> Words:
    names, paths, labels = find_words(root, "give a folder with one subfolder of recordings per word")
    waveforms = np.concatenate(list(read_clips(paths)))
    return Words(names, paths, waveforms, [np.flatnonzero(labels == i) for i in range(len(names))])


def mixtures(words: Words, noises: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Clips `(SIZE, T)` of one to four words, some with noise, by name, each with targets `(SIZE, num_classes)`."""
    array, sets = np.concatenate([words.waveforms, noises]), {}
    for k, noisy in ((1, False), (2, False), (3, False), (4, False), (1, True), (4, True)):
        rng = np.random.default_rng(k)
        drawn = Mixer(words.rows, k=(k, k), offset=0.02).draw(SIZE, rng)
        name = f"{k} word{'s' if k > 1 else ''}"
        if noisy:
            starts = NUM_SAMPLES * (len(words.waveforms) + rng.integers(len(noises), size=SIZE))
            drawn = drawn.with_sounds(starts, np.full(SIZE, 10 ** (-NOISE_DB / 20)), np.zeros(SIZE))
            name += f", noise {NOISE_DB} dB below a word"
        sets[name] = to_int16(render(array, drawn, np.arange(SIZE)).numpy()), drawn.targets
    return sets


def print_table(index: str, table: pd.DataFrame) -> None:
    """Print a Markdown table of strings; `index` is the header of its index."""
    for row in ([index, *table], ["---"] * (1 + table.shape[1]), *table.astype(str).itertuples(name=None)):
        print("|", " | ".join(map(str, row)), "|")
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", type=Path, help="word folder of speakers that the model was not trained on")
    parser.add_argument("--model", type=Path, default=PRETRAINED, help="what `load` takes")
    arguments = parser.parse_args()
    words, model = read_words(arguments.words), load(arguments.model)
    assert model.class_names == words.names
    print(f"{len(words.waveforms)} recordings of words")
    table = pd.DataFrame(columns=["KL", "recall", "number of words right"])
    for name, (clips, targets) in mixtures(words, np.concatenate(list(GeneratedNoise().rows()))).items():
        number = pd.DataFrame(model.word_sets(clips, SAMPLE_RATE)).filter(like="num_words_").to_numpy().argmax(axis=1)
        right, probs = np.mean(number == (targets > 0).sum(axis=1)), np.asarray(model(clips, SAMPLE_RATE))
        table.loc[name] = [f"{kl(targets, probs).mean():.3f}", f"{recall(targets, probs).mean():.1%}", f"{right:.1%}"]
    print_table("clips", table)


if __name__ == "__main__":
    main()
