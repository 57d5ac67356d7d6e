"""Word folders: recordings of single words, mixed into clips with known targets."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.audio_files import existing_folder, find_words, normalize_name, walk_recordings
from datamodules.background import find_background, take_split
from datamodules.cache import cache_key, cached_array
from datamodules.clips import Clips, OnTheFlyMixtures, Splits, render
from datamodules.competition import CompetitionFolder
from datamodules.mixing import Mixer, default_k
from datamodules.speakers import find_speakers, split_speakers
from datamodules.waveform_cache import cached_waveforms
from datamodules.waveforms import NUM_SAMPLES, to_int16
from overlapped_words.errors import DataError
from overlapped_words.messages import count, first_names

UNKNOWN_SHARE = 0.25  # of the places that a clip with fewer words leaves free


class WordFolder:
    """`root/<word>/*`: recordings of single words, mixed into clips with known targets.

    Args:
        root: the folder, one subfolder per word.
        k: number of different words per clip, or a range (min, max); None: see `default_k`.
        gain_db: each word is attenuated by a level uniform in [0, gain_db] dB.
        offset: each word is shifted by a time uniform in [-offset, offset] seconds.
        speed: speed perturbation of each training word, by a factor in [1 / (1 + speed), 1 + speed].
        speed_speakers: words with more training speakers than this are not perturbed; None: all words are.
        curriculum: share of the epochs over which k rises from 1 to its value.
        num_epochs: epochs of the training; required for a curriculum.
        background: folder of recordings of noise and other sounds, mixed into half of the clips; None: if clips may
            have no words (k from 0), `root/_background_noise_` or else white to brown noise, otherwise no background.
        unknown: folder of recordings of other words. With it, or if clips may have no words, other speech is mixed into
            clips with fewer words than the maximum: these recordings, and words played backward.
        speaker_regex: its first group, found in a file's name, is the speaker; no speaker is in two splits.
        val_fraction, test_fraction: shares of the speakers.
        train_size: mixtures per epoch, new in every epoch.
        val_size, test_size: number of fixed mixtures.
        split_seed: seed of the speakers' split and of the fixed mixtures, the same for all members of an ensemble.
        fold: which of the `round(1 / val_fraction)` folds of the speakers is for validation; None: a plain split. The
            test speakers are the same in all folds and in the plain split.
        submission: a competition's folder (see CompetitionFolder) whose clips are the test split, in the order and
            columns of its submission.csv; all speakers of `root` are then for training and validation.
    """

    def __init__(
        self,
        root: str,
        k: int | Sequence[int] | None = None,
        gain_db: float = 3.0,
        offset: float = 0.1,
        speed: float = 0.0,
        speed_speakers: int | None = 100,
        curriculum: float = 0.0,
        num_epochs: int | None = None,
        background: str | None = None,
        unknown: str | None = None,
        speaker_regex: str = r"^([^_]+)_",
        val_fraction: float = 0.15,
        test_fraction: float = 0.15,
        train_size: int = 4_000,
        val_size: int = 1_000,
        test_size: int = 1_000,
        split_seed: int = 0,
        fold: int | None = None,
        submission: str | None = None,
    ) -> None:
        self.root, self.speaker_regex = Path(root).expanduser(), speaker_regex
        self.split_seed, self.fold = split_seed, fold
        self.mixing: dict[str, Any] = {"gain_db": gain_db, "offset": offset}
        if k is not None:
            self.mixing["k"] = (k, k) if isinstance(k, int) else tuple(k)
        self.speed, self.speed_speakers = speed, speed_speakers
        self.ramp = curriculum_epochs(curriculum, num_epochs)
        self.background = None if background is None else Path(background).expanduser()
        self.unknown = None if unknown is None else Path(unknown).expanduser()
        self.submission = None if submission is None else CompetitionFolder(submission)
        self.fractions = {"val": val_fraction, "test": 0.0 if submission else test_fraction}
        self.train_size, self.sizes = train_size, {"val": val_size, "test": test_size}

    def load(self, cache_dir: Path, seed: int) -> Splits:
        """Load the splits; `seed` is that of the training mixtures.

        Raises:
            DataError: with the file or folder and what to do.
        """
        names, paths, labels = self._recordings()
        unknown = self._unknown_recordings(names)
        background = find_background(self.background, self.root, needed=self.mixing["k"][0] == 0)
        labels = np.concatenate([labels, np.full(len(unknown), -1)])
        speakers, split_of = self._split([*paths, *unknown], labels)
        mixers, sizes = {}, {}
        for split in ("train", *(split for split, share in self.fractions.items() if share)):
            in_split = split_of == split
            rows = [np.flatnonzero((labels == i) & in_split) for i in range(len(names))]  # per word
            self._check_words(split, dict(zip(names, map(len, rows), strict=True)), speakers)
            mixers[split] = Mixer(
                rows,
                **self.mixing,
                speeds=[self._speed(len(set(speakers[row]))) if split == "train" else 0.0 for row in rows],
                unknown_share=UNKNOWN_SHARE if unknown or self.mixing["k"][0] == 0 else 0.0,
                unknown=np.flatnonzero((labels == -1) & in_split),
                background=len(labels) + take_split(background, split, **self.fractions),
            )
            if split != "train":  # clips without words have no target, and so no KL divergence
                mixers[split] = replace(mixers[split], k=(max(1, self.mixing["k"][0]), self.mixing["k"][1]))
            sizes[split] = {"recordings": int(in_split.sum()), "speakers": len(set(speakers[in_split]))}
        submission = self.submission.load_test(cache_dir, names) if self.submission else None
        # One array `(N, 16000)` for all splits; each split mixes its own rows of it.
        array, key = cached_waveforms([*paths, *unknown], cache_dir, "reading words", background)

        def fixed(split: str) -> Clips | None:
            return self._fixed_mixtures(split, array, key, mixers[split], cache_dir) if split in mixers else None

        train = OnTheFlyMixtures(array, mixers["train"], self.train_size, seed, key, self.ramp)
        val = fixed("val")
        columns, test = submission or (["id", *names], fixed("test"))
        if submission and test:
            sizes["test"] = {"recordings": len(test)}
        held_out = next((split for split in ("test", "val") if split in mixers), None)
        no_words = None
        if held_out and self.mixing["k"][0] == 0:
            no_words = self._fixed_mixtures(held_out, array, key, mixers[held_out], cache_dir, words=False)
        return Splits(names, columns, train, val, test, sizes, no_words)

    def _split(self, paths: Sequence[Path], labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The speaker of each recording and the name of its split; label -1 is another word."""
        speakers = find_speakers(paths, self.speaker_regex)
        return speakers, split_speakers(speakers, labels, self.fractions, self.fold, self.split_seed)

    def _unknown_recordings(self, names: Sequence[str]) -> list[Path]:
        """Recordings of other words: those of `unknown` that are not in a subfolder of one of the words."""
        if self.unknown is None:
            return []
        min_k, max_k = self.mixing["k"]
        if min_k == max_k:
            raise DataError(
                f"data.unknown needs clips with fewer than {max_k} words; give a range, such as data.k=[0,{max_k}]"
            )
        existing_folder(self.unknown, "set data.unknown to a folder with recordings of other words")
        paths = [path for path in walk_recordings(self.unknown) if normalize_name(path.parent.name) not in names]
        if not paths:
            raise DataError(f"{self.unknown}: contains no recordings of other words; add some, or data.unknown=null")
        return paths

    def _speed(self, num_speakers: int) -> float:
        """Speed perturbation of a word: many speakers differ enough."""
        return self.speed if self.speed_speakers is None or num_speakers <= self.speed_speakers else 0.0

    def _check_words(self, split: str, recordings: Mapping[str, int], speakers: np.ndarray) -> None:
        """Check that a split has recordings of every word.

        Args:
            recordings: the number of recordings in the split, by word.
            speakers: the speaker of each recording, in all splits.

        Raises:
            DataError: with a word that has none, and the first speakers found in the file names.
        """
        for name in (name for name, number in recordings.items() if not number):
            known = sorted(set(speakers))
            raise DataError(
                f"{self.root / name}: no recordings by speakers of the {split} split; data.speaker_regex "
                f"({self.speaker_regex}) finds {count(len(known), 'speaker')}: {first_names(known)}; correct it if "
                "these are not speakers, otherwise record more speakers or change data.val_fraction, "
                "data.test_fraction or data.split_seed"
            )

    def _recordings(self) -> tuple[list[str], list[Path], np.ndarray]:
        """The words, the paths of all recordings, and the word index of each recording `(N,)`."""
        names, paths, labels = find_words(self.root, "set data.root to a folder with one subfolder per word")
        min_k, max_k = self.mixing.setdefault("k", default_k(len(names)))
        if not (0 <= min_k <= max_k <= len(names) and max_k):
            k = min_k if min_k == max_k else f"[{min_k}, {max_k}]"
            raise DataError(
                f"data.k is {k}, but there are {count(len(names), 'word')} in {self.root}; choose 1 to {len(names)}"
            )
        return names, paths, np.array(labels)

    def _fixed_mixtures(
        self, split: str, array: np.ndarray, key: str, mixer: Mixer, cache_dir: Path, words: bool = True
    ) -> Clips:
        """The mixtures of a validation or test split, from the cache; the same for all members of an ensemble.

        Without `words`, only of background and other speech.
        """
        size = self.sizes[split]
        name, seed = split, [self.split_seed, {"val": 1, "test": 2}[split]]
        if split == "val" and self.fold is not None:
            name, seed = f"fold{self.fold}_val", [*seed, self.fold]
        if words:
            mixtures = mixer.draw(size, np.random.default_rng(seed))
        else:
            name, mixer = f"{name}_no_words", replace(mixer, k=self.mixing["k"])
            mixtures = mixer.draw_without_words(size, np.random.default_rng(seed))
        key = cache_key("mixtures", key, seed, size, asdict(mixer))
        waveforms = cached_array(
            cache_dir / f"mixtures-{key}.npy",
            (size, NUM_SAMPLES),
            np.int16,
            lambda: (
                to_int16(render(array, mixtures, chunk).numpy())
                for chunk in np.array_split(np.arange(size), max(1, size // 256))
            ),
            f"mixing {name}",
        )
        ids = [f"{name}_{i:05d}" for i in range(size)]
        return Clips(ids, waveforms, np.arange(size), mixtures.targets, key)


def curriculum_epochs(share: float, num_epochs: int | None) -> int:
    """The number of epochs that the curriculum takes.

    Raises:
        DataError: the share is not in [0, 1], or the number of epochs is unknown.
    """
    if not 0 <= share <= 1:
        raise DataError(f"data.curriculum is {share}; choose a share of the epochs from 0 to 1")
    if share and (num_epochs is None or num_epochs < 1):
        raise DataError("data.curriculum is a share of the epochs: set trainer.max_epochs, or data.curriculum=0")
    return round(share * (num_epochs or 0))
