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
from typing import Any

import numpy as np
import pandas as pd
import soundfile

from benchmarks.unseen_speakers import Words, read_words
from datamodules.clips import render
from datamodules.mixer import Mixer
from datamodules.waveforms import SAMPLE_RATE

TEST_SETS: dict[str, dict[str, Any]] = {  # name -> arguments of `write_mixtures`
    "test": {},
    "words2": {"k": 2},
    "words3": {"k": 3},
    "words5": {"k": 5},
    "gain12": {"gain_db": 12.0},
    "noise10": {"noise_db": 10.0},
    "words1": {"k": 1},
}


def write_mixtures(
    words: Words, folder: Path, size: int, seed: int, k: int = 4, gain_db: float = 3.0, noise_db: float = np.inf
) -> pd.DataFrame:
    """Write `size` mixtures of `k` words each to `folder`; return their targets.

    Each word is attenuated by up to `gain_db`; `noise_db` is the level of white noise below the mixture.
    """
    rng = np.random.default_rng([0, seed])
    mixtures = Mixer(words.rows, k=(k, k), gain_db=gain_db, offset=0.02).draw(size, rng)
    folder.mkdir(parents=True)
    ids = pd.Index([f"{folder.name}_{i:05d}" for i in range(size)], name="id")
    clips = (render(words.waveforms, mixtures, np.arange(size)[i : i + 256]) for i in range(0, size, 256))
    for clip_id, clip in zip(ids, (clip.numpy() for chunk in clips for clip in chunk), strict=True):
        level = np.sqrt(np.mean(np.square(clip))) * 10 ** (-noise_db / 20)
        clip = clip + level * rng.standard_normal(len(clip))
        soundfile.write(folder / f"{clip_id}.flac", clip / max(1.0, np.abs(clip).max()), SAMPLE_RATE)
    return pd.DataFrame(mixtures.targets, ids, words.names)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", type=Path, help="folder with one sub-folder of recordings per word")
    parser.add_argument("out", type=Path, help="folder to write to")
    parser.add_argument("--speakers", type=int, default=6, help="number of held-out speakers")
    parser.add_argument("--train-size", type=int, default=4000, help="number of training mixtures")
    parser.add_argument("--test-size", type=int, default=1000, help="of the set `test`; others are half as large")
    arguments = parser.parse_args()
    words, out = read_words(arguments.words), arguments.out
    speakers = np.array([path.name.split("_")[0] for path in words.paths])  # files are named `<speaker>_...`
    held_out = np.isin(speakers, np.random.default_rng(0).permutation(np.unique(speakers))[: arguments.speakers])
    training, unseen = (words._replace(rows=[row[kept[row]] for row in words.rows]) for kept in (~held_out, held_out))
    for path in (words.paths[row] for row in np.concatenate(training.rows)):
        (out / "words" / path.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, out / "words" / path.parent.name)
    write_mixtures(training, out / "train", arguments.train_size, seed=0).to_csv(out / "train_answer.csv")
    for seed, (name, options) in enumerate(TEST_SETS.items(), start=1):
        size = arguments.test_size if name == "test" else arguments.test_size // 2
        targets = write_mixtures(unseen, out / "test_sets" / name, size, seed, **options)
        targets.to_csv(out / "test_sets" / f"{name}.csv")
    (out / "test").symlink_to("test_sets/test")
    (pd.read_csv(out / "test_sets" / "test.csv", index_col=0) * 0).to_csv(out / "submission.csv")


if __name__ == "__main__":
    main()
