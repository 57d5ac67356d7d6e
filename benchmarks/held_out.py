"""A word folder -> a competition whose test speakers are never heard in training and whose test answers are known.

python -m benchmarks.held_out WORDS OUT                          # six speakers held out, 4,000 training mixtures
python -m benchmarks.held_out WORDS OUT --speakers 4 --seed 1

Writes what `train.py` takes, as data=competition data.root=OUT (OUT/train/*, OUT/train_answer.csv, OUT/test/*,
OUT/submission.csv) and as data=words data.root=OUT/words data.submission=OUT (the single words of the same speakers).
For `benchmarks.score` it writes OUT/sheets/<sheet>/ and OUT/sheets/<sheet>.csv, held-out speakers' clips and their
answers: the test clips (`test`), 2, 3 or 5 words at once, words up to 12 dB apart, white noise 10 dB below the speech.
"""

import argparse
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from datamodules.clips import render
from datamodules.mixing import Mixer
from datamodules.recordings import list_recordings, read_clips


@dataclass(frozen=True)
class Sheet:
    """One set of mixtures."""

    size: int
    k: int = 4
    gain_db: float = 3.0
    noise_db: float | None = None  # below the mixture


SHEETS = {
    "test": Sheet(1000),
    "words2": Sheet(500, k=2),
    "words3": Sheet(500, k=3),
    "words5": Sheet(500, k=5),
    "gain12": Sheet(500, gain_db=12.0),
    "noise10": Sheet(500, noise_db=10.0),
}


class Words:
    """The recordings of a word folder, named `<speaker>_...`, in memory."""

    def __init__(self, root: Path, num_held_out: int, seed: int) -> None:
        self.names = sorted(folder.name for folder in root.iterdir() if folder.is_dir())
        paths = [path for name in self.names for path in list_recordings(root / name)]
        self.paths = paths
        self.array = np.concatenate(list(read_clips(paths, 16_000, 16_000)))
        self.labels = np.array([self.names.index(path.parent.name) for path in paths])
        speakers = np.array([path.name.split("_")[0] for path in paths])
        held_out = np.random.default_rng(seed).permutation(np.unique(speakers))[:num_held_out]
        self.held_out = np.isin(speakers, held_out)

    def copy(self, folder: Path) -> None:
        """The recordings of the speakers who are not held out, as a word folder."""
        for path, held_out in zip(self.paths, self.held_out, strict=True):
            if not held_out:
                (folder / path.parent.name).mkdir(parents=True, exist_ok=True)
                shutil.copy(path, folder / path.parent.name)

    def write(self, folder: Path, table: Path, sheet: Sheet, held_out: bool, seed: list[int]) -> None:
        """The mixtures of a sheet, by the held-out speakers or by the others, and their answers."""
        rng = np.random.default_rng(seed)
        rows = [np.flatnonzero((self.labels == i) & (self.held_out == held_out)) for i in range(len(self.names))]
        mixtures = Mixer(rows, k=(sheet.k, sheet.k), gain_db=sheet.gain_db, offset=0.02).draw(sheet.size, rng)
        folder.mkdir(parents=True, exist_ok=True)
        for i in range(sheet.size):
            clip = render(self.array, mixtures, np.array([i]))[0].numpy()
            if sheet.noise_db is not None:
                level = np.sqrt(np.mean(np.square(clip))) * 10 ** (-sheet.noise_db / 20)
                clip = clip + level * rng.standard_normal(len(clip))
            soundfile.write(folder / f"{folder.name}_{i:05d}.flac", clip / max(1.0, np.abs(clip).max()), 16_000)
        answers = pd.DataFrame(mixtures.targets, columns=self.names)
        answers.insert(0, "id", [f"{folder.name}_{i:05d}" for i in range(sheet.size)])
        answers.to_csv(table, index=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--speakers", type=int, default=6, help="held out")
    parser.add_argument("--train-size", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    words, out = Words(arguments.words, arguments.speakers, arguments.seed), arguments.out
    words.copy(out / "words")
    words.write(out / "train", out / "train_answer.csv", Sheet(arguments.train_size), False, [arguments.seed, 0])
    for i, (name, sheet) in enumerate(SHEETS.items(), start=1):
        words.write(out / "sheets" / name, out / "sheets" / f"{name}.csv", sheet, True, [arguments.seed, i])
    (out / "test").symlink_to("sheets/test")
    submission = pd.read_csv(out / "sheets" / "test.csv")
    submission.iloc[:, 1:] = 0
    submission.to_csv(out / "submission.csv", index=False)


if __name__ == "__main__":
    main()
