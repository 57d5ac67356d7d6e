"""Word folders: recordings of single words, mixed into clips whose answers are known."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torchaudio.datasets import SPEECHCOMMANDS

from datamodules.audio_files import existing_folder, list_recordings
from datamodules.cache import cache_key, cached_array
from datamodules.clips import Clips, OnTheFlyMixtures, Splits, render
from datamodules.competition import CompetitionFolder
from datamodules.folds import check_share, take_fold
from datamodules.mixing import Mixer
from datamodules.recordings import (
    NUM_SAMPLES,
    SAMPLE_RATE,
    cached_waveforms,
    to_int16,
)
from errors import DataError
from messages import count, first_names


class WordFolder:
    """`root/<word>/*`: recordings of single words, mixed here into clips with known answers.

    Args:
        k: words at once, a number or the range (least, most).
        gain_db: each word is turned down by a level uniform in 0 .. gain_db dB.
        offset: each word is shifted by a time uniform in +-offset seconds.
        speed: in training each word is played at a speed from 1 / (1 + speed) to 1 + speed.
        curriculum: the share of `num_epochs`, those of the training, in which k rises from 1 to its value.
        speaker_regex: its first group, found in a file's name, is the speaker; no speaker is in two splits.
        val_fraction, test_fraction: shares of the speakers.
        train_size: mixtures an epoch, drawn anew every epoch; val_size, test_size: fixed mixtures.
        split_seed: shuffles the speakers and draws the fixed mixtures; the same for all members of an ensemble.
        fold: of the `round(1 / val_fraction)` folds of the speakers outside of the test split, the one for validation;
            None is the plain split, which has the same test speakers.
        submission: a competition's folder (see CompetitionFolder) whose clips are the test split, then, in the order
            and columns of its submission.csv; all speakers here are for training and validation.
    """

    def __init__(
        self,
        root: str,
        k: int | Sequence[int] = 4,
        gain_db: float = 3.0,
        offset: float = 0.1,
        speed: float = 0.0,
        curriculum: float = 0.0,
        num_epochs: int | None = None,
        speaker_regex: str = r"^([^_]+)_",
        val_fraction: float = 0.15,
        test_fraction: float = 0.15,
        train_size: int = 10_000,
        val_size: int = 1_000,
        test_size: int = 1_000,
        split_seed: int = 0,
        fold: int | None = None,
        submission: str | None = None,
    ) -> None:
        self.root, self.speaker_regex = Path(root).expanduser(), speaker_regex
        self.split_seed, self.fold = split_seed, fold
        least, most = (k, k) if isinstance(k, int) else k
        self.law: dict[str, Any] = {"k": (least, most), "gain_db": gain_db, "offset": offset}
        self.speed, self.ramp = speed, curriculum_epochs(curriculum, num_epochs)
        self.submission = None if submission is None else CompetitionFolder(submission)
        self.fractions = {"val": val_fraction, "test": 0.0 if submission else test_fraction}
        self.train_size, self.sizes = train_size, {"val": val_size, "test": test_size}

    def load(self, cache_dir: Path, seed: int) -> Splits:
        """The splits; `seed` draws the training mixtures.

        Raises:
            DataError: naming the file or folder and the remedy.
        """
        names, every, labels = self._recordings()
        speakers = np.array(self._speakers(every))
        split_of = self._split_speakers(speakers)
        mixers, sizes = {}, {}
        for split in ("train", *(split for split, share in self.fractions.items() if share)):
            chosen = split_of == split
            rows = [np.flatnonzero((labels == i) & chosen) for i in range(len(names))]
            self._check_words(split, {name: len(found) for name, found in zip(names, rows, strict=True)}, speakers)
            mixers[split] = Mixer(rows, **self.law, sample_rate=SAMPLE_RATE, speed=self.speed * (split == "train"))
            sizes[split] = {"recordings": int(chosen.sum()), "speakers": len(set(speakers[chosen]))}
        given = self.submission.load_test(cache_dir, names) if self.submission else None
        array, key = cached_waveforms(every, cache_dir, "reading words")

        def fixed(split: str) -> Clips | None:
            return self._fixed_mixtures(split, array, key, mixers[split], cache_dir) if split in mixers else None

        train = OnTheFlyMixtures(array, mixers["train"], self.train_size, seed, key, self.ramp)
        val = fixed("val")
        columns, test = given or (["id", *names], fixed("test"))
        if given and test:
            sizes["test"] = {"recordings": len(test)}
        return Splits(names, columns, train, val, test, sizes)

    def _check_words(self, split: str, recordings: Mapping[str, int], speakers: np.ndarray) -> None:
        """Whether a split has recordings of every word; `speakers` are those of all recordings.

        Raises:
            DataError: naming a word without any, and some of the speakers that the file names gave.
        """
        for name in (name for name, number in recordings.items() if not number):
            known = sorted(set(speakers))
            raise DataError(
                f"{self.root / name}: no recording by a speaker of the {split} split; data.speaker_regex "
                f"({self.speaker_regex}) finds {count(len(known), 'speaker')}: {first_names(known)}; correct it if "
                "these are not speakers, else record more speakers or change data.val_fraction, data.test_fraction or "
                "data.split_seed"
            )

    def _recordings(self) -> tuple[list[str], list[Path], np.ndarray]:
        """The words, all their recordings, and of each recording the number of its word."""
        existing_folder(self.root, "set data.root to a folder with one sub-folder of recordings a word")
        names = sorted(folder.name for folder in self.root.iterdir() if folder.is_dir() and folder.name[0] not in "._")
        paths = {name: list_recordings(self.root / name) for name in names}
        if not names:
            raise DataError(f"{self.root}: holds no sub-folder; a word folder has one sub-folder of recordings a word")
        for name in names:
            if not paths[name]:
                raise DataError(f"{self.root / name}: holds no recording; add some or remove the folder")
        least, most = self.law["k"]
        if not 1 <= least <= most <= len(names):
            raise DataError(
                f"{self.root}: data.k is {least} .. {most}, with {len(names)} words; choose 1 .. {len(names)}"
            )
        labels = np.repeat(np.arange(len(names)), [len(paths[name]) for name in names])
        return names, [path for name in names for path in paths[name]], labels

    def _split_speakers(self, speakers: np.ndarray) -> np.ndarray:
        """Of each recording, the name of its split, by its speaker."""
        for split, share in self.fractions.items():
            check_share(f"data.{split}_fraction", share)
        order = np.random.default_rng(self.split_seed).permutation(sorted(set(speakers)))
        num_val, num_test = (round(share * len(order)) or int(share > 0) for share in self.fractions.values())
        val, test, train = np.split(order, [num_val, num_val + num_test])
        if self.fold is not None:
            val = take_fold(
                np.concatenate([val, train]), self.fractions["val"], self.fold, "speakers outside of the test split"
            )
        split_of = dict.fromkeys(order, "train") | dict.fromkeys(val, "val") | dict.fromkeys(test, "test")
        return np.array([split_of[speaker] for speaker in speakers])

    def _speakers(self, paths: Sequence[Path]) -> list[str]:
        """Of each recording, the speaker."""
        try:
            pattern = re.compile(self.speaker_regex)
        except re.error as error:
            text = f"data.speaker_regex ({self.speaker_regex}) is no regular expression ({error}); correct it"
            raise DataError(text) from error
        speakers = []
        for path in paths:
            found = pattern.search(path.name)
            speaker = found and found[min(1, pattern.groups)]
            if not speaker:
                raise DataError(
                    f"{path}: data.speaker_regex ({self.speaker_regex}) finds no speaker in its name; "
                    "rename it or give an expression whose first group is the speaker"
                )
            speakers.append(speaker)
        return speakers

    def _fixed_mixtures(self, split: str, array: np.ndarray, key: str, mixer: Mixer, cache_dir: Path) -> Clips:
        size = self.sizes[split]
        name, seed = split, [self.split_seed, {"val": 1, "test": 2}[split]]
        if split == "val" and self.fold is not None:
            name, seed = f"fold{self.fold}_val", [*seed, self.fold]
        mixtures = mixer.draw(size, np.random.default_rng(seed))
        key = cache_key("mixtures", key, seed, size, self.law, [rows.tolist() for rows in mixer.words])
        waveforms = cached_array(
            cache_dir / f"mixtures-{key}.npy",
            (size, NUM_SAMPLES),
            np.int16,
            lambda: (
                to_int16(render(array, mixtures, chunk).numpy())
                for chunk in np.array_split(np.arange(size), max(1, size // 256))
            ),
            f"mixing {split}",
        )
        ids = [f"{name}_{i:05d}" for i in range(size)]
        return Clips(ids, waveforms, np.arange(size), mixtures.targets, key)


def curriculum_epochs(share: float, num_epochs: int | None) -> int:
    """How many of a training's epochs the curriculum takes.

    Raises:
        DataError: a share outside of 0 .. 1, or of a training without an end.
    """
    if not 0 <= share <= 1:
        raise DataError(f"data.curriculum is {share}; choose a share of the epochs, 0 .. 1")
    if share and (num_epochs is None or num_epochs < 1):
        raise DataError("data.curriculum is a share of the epochs: set trainer.max_epochs, or data.curriculum=0")
    return round(share * (num_epochs or 0))


class SpeechCommands(WordFolder):
    """A `WordFolder` of Google Speech Commands v0.01 (30 words, arXiv 1804.03209), downloaded to `root` at first."""

    def load(self, cache_dir: Path, seed: int) -> Splits:
        download = self.root
        try:
            download.mkdir(parents=True, exist_ok=True)
            SPEECHCOMMANDS(download, url="speech_commands_v0.01", download=True)
        except (OSError, RuntimeError) as error:
            raise DataError(
                f"{download}: cannot download Speech Commands to it ({error}); "
                "see to the network and to the room there, or set data.root to another folder"
            ) from error
        self.root = download / "SpeechCommands" / "speech_commands_v0.01"
        return super().load(cache_dir, seed)
