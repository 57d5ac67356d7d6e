"""Build a simulated competition from a word folder: test speakers are unseen in training, test targets are known.

python -m benchmarks.held_out WORDS OUT                          # holds out six speakers, 4,000 training mixtures
python -m benchmarks.held_out WORDS OUT --speakers 165 --train-size 100000 --test-size 10000   # the competition's size

The output works with `train.py` as data=competition data.root=OUT (OUT/train/*, OUT/train_answer.csv, OUT/test/*,
OUT/submission.csv) and as data=words data.root=OUT/words data.submission=OUT (single words by the training speakers).
For `benchmarks.score` it contains test sets by the held-out speakers, OUT/test_sets/<name>/ with the targets in
OUT/test_sets/<name>.csv: the test clips (`test`), mixtures of 1, 2, 3 or 5 words, words up to 12 dB apart, and white
noise 10 dB below the speech.
"""

import argparse
import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import soundfile

from datamodules.audio_files import list_recordings
from datamodules.clips import render
from datamodules.mixer import Mixer
from datamodules.recordings import read_clips
from datamodules.waveforms import SAMPLE_RATE


class MixtureSet(NamedTuple):
    """How to generate one set of mixtures."""

    size: int
    k: int = 4  # words per clip
    gain_db: float = 3.0  # each word is attenuated by up to this level
    noise_db: float | None = None  # level of white noise below the mixture


TEST_SETS = {
    "test": MixtureSet(1000),
    "words2": MixtureSet(500, k=2),
    "words3": MixtureSet(500, k=3),
    "words5": MixtureSet(500, k=5),
    "gain12": MixtureSet(500, gain_db=12.0),
    "noise10": MixtureSet(500, noise_db=10.0),
    "words1": MixtureSet(500, k=1),
}


class Words:
    """The recordings of a word folder in memory; their file names are `<speaker>_...`."""

    def __init__(self, root: Path, num_held_out: int, seed: int) -> None:
        self.names = sorted(folder.name for folder in root.iterdir() if folder.is_dir())
        self.paths = paths = [path for name in self.names for path in list_recordings(root / name)]
        self.waveforms = np.concatenate(list(read_clips(paths)))
        self.labels = np.array([self.names.index(path.parent.name) for path in paths])
        speakers = np.array([path.name.split("_")[0] for path in paths])
        held_out = np.random.default_rng(seed).permutation(np.unique(speakers))[:num_held_out]
        self.held_out = np.isin(speakers, held_out)

    def copy(self, folder: Path) -> None:
        """Copy the recordings of the training speakers to a word folder."""
        for path, held_out in zip(self.paths, self.held_out, strict=True):
            if not held_out:
                (folder / path.parent.name).mkdir(parents=True, exist_ok=True)
                shutil.copy(path, folder / path.parent.name)

    def write(self, folder: Path, table: Path, spec: MixtureSet, held_out: bool, seed: list[int]) -> None:
        """Write mixtures by the held-out speakers, or by the training speakers, to `folder` and targets to `table`."""
        rng = np.random.default_rng(seed)
        rows = [np.flatnonzero((self.labels == i) & (self.held_out == held_out)) for i in range(len(self.names))]
        mixtures = Mixer(rows, k=(spec.k, spec.k), gain_db=spec.gain_db, offset=0.02).draw(spec.size, rng)
        folder.mkdir(parents=True, exist_ok=True)
        ids = [f"{folder.name}_{i:05d}" for i in range(spec.size)]
        clips = (render(self.waveforms, mixtures, np.arange(spec.size)[i : i + 256]) for i in range(0, spec.size, 256))
        for clip_id, clip in zip(ids, (clip.numpy() for chunk in clips for clip in chunk), strict=True):
            if spec.noise_db is not None:
                level = np.sqrt(np.mean(np.square(clip))) * 10 ** (-spec.noise_db / 20)
                clip = clip + level * rng.standard_normal(len(clip))
            soundfile.write(folder / f"{clip_id}.flac", clip / max(1.0, np.abs(clip).max()), SAMPLE_RATE)
        targets = pd.DataFrame(mixtures.targets, columns=self.names)
        targets.insert(0, "id", ids)
        targets.to_csv(table, index=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", type=Path, help="folder with one sub-folder of recordings per word")
    parser.add_argument("out", type=Path, help="folder to write to")
    parser.add_argument("--speakers", type=int, default=6, help="number of held-out speakers")
    parser.add_argument("--train-size", type=int, default=4000, help="number of training mixtures")
    parser.add_argument("--test-size", type=int, default=1000, help="of the set `test`; others are half as large")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    words, out = Words(arguments.words, arguments.speakers, arguments.seed), arguments.out
    words.copy(out / "words")
    words.write(out / "train", out / "train_answer.csv", MixtureSet(arguments.train_size), False, [arguments.seed, 0])
    for i, (name, test_set) in enumerate(TEST_SETS.items(), start=1):
        test_set = test_set._replace(size=test_set.size * arguments.test_size // 1000)
        words.write(out / "test_sets" / name, out / "test_sets" / f"{name}.csv", test_set, True, [arguments.seed, i])
    (out / "test").symlink_to("test_sets/test")
    submission = pd.read_csv(out / "test_sets" / "test.csv")
    submission.iloc[:, 1:] = 0
    submission.to_csv(out / "submission.csv", index=False)


if __name__ == "__main__":
    main()
