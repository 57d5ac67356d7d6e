"""Word folders: recordings of single words, mixed into clips with known targets."""

import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import numpy as np
from annotated_types import Ge, Le, Len

from datamodules.audio_files import find_words
from datamodules.cache import cache_key, cached_array, fingerprint
from datamodules.clips import Clips, OnTheFlyMixtures, Splits, render
from datamodules.competition import CompetitionFolder
from datamodules.long_recordings import LongRecordings, OtherSounds, cached_waveforms, find_background, find_sounds
from datamodules.spans import Spans, find_extents, find_spans, split_recordings
from datamodules.speakers import Recordings, check_k, find_speaker, find_speakers, split_speakers
from datamodules.timeline import TimelineMixer
from datamodules.waveforms import NUM_SAMPLES, to_int16
from overlapped_words.errors import DataError
from overlapped_words.messages import count, first_names
from overlapped_words.settings.fields import Count, Fraction, Index, Regex, Seed, Share, Text

UNKNOWN_SHARE = 0.25  # of the slots that a clip with fewer words leaves free
NumWords = Count | Annotated[Sequence[Index], Len(2, 2)]
Folders = Text | Sequence[Text]
NO_SOUNDS = LongRecordings([])


class WordFolder:
    """`root/<word>/*`: recordings of single words, mixed into clips with known targets.

    Args:
        root: the folder, one subfolder per word.
        k: number of different words per clip, or a range (min, max); None: four, as in the competition,
            or one to all of at most four words.
        gain_db: each word is attenuated by a level uniform in [0, gain_db] dB.
        offset: each word is shifted by a time uniform in [-offset, offset] seconds.
        speed: speed perturbation of each training word, by a factor in [1 / (1 + speed), 1 + speed].
        speed_speakers: words with more training speakers than this are not perturbed; None: all words are.
        curriculum: share of the epochs over which k rises from 1 to its value.
        num_epochs: of the training run; required for a curriculum.
        background: folder of noise and other sounds, or several, mixed into half of the clips. None: if clips may have
            no words (k from 0), `root/_background_noise_` or else white to brown noise, otherwise no background.
        unknown: folder of other words and speech, or several. With it, or if clips may have no words, other speech is
            mixed into clips with fewer words than the maximum: windows of these recordings, and words played backward.
            Recordings of both kinds may be of any length and in subfolders; a random second of them is used each time.
        timeline: share of the training clips that are like windows of a long recording: up to two words, anywhere in
            it, other speech before and after or below it, and words of which at most half is inside, which do not
            count; see `datamodules.timeline`. Needs k from 0.
        speaker_regex: its first group, found in a file's name, is the speaker; no speaker is in two splits.
        val_fraction, test_fraction: shares of the speakers.
        train_size: mixtures per epoch, new in every epoch.
        val_size, test_size: number of fixed mixtures.
        split_seed: seed of the speakers' split and of the fixed mixtures, the same for all members of an ensemble.
        fold: which of the `round(1 / val_fraction)` folds of the speakers is for validation; None: a plain split. The
            test speakers are the same in all folds.
        submission: a competition's folder (see CompetitionFolder) whose clips are the test split, in the order and
            columns of its submission.csv; all speakers of `root` are then for training and validation.
        limit: use this many clips of a split at most, of one recording per word, and write nothing to the cache; for a
            trial run.
    """

    def __init__(
        self,
        root: Text,
        k: NumWords | None = None,
        gain_db: Annotated[float, Ge(0), Le(100)] = 3.0,
        offset: Fraction = 0.1,
        speed: Annotated[float, Ge(0), Le(4)] = 0.0,
        speed_speakers: Count | None = 100,
        curriculum: Fraction = 0.0,
        num_epochs: int | None = None,
        background: Folders | None = None,
        unknown: Folders | None = None,
        timeline: Fraction = 0.0,
        speaker_regex: Regex = r"^([^_]+)_",
        val_fraction: Share = 0.15,
        test_fraction: Share = 0.15,
        train_size: Count = 4_000,
        val_size: Count = 1_000,
        test_size: Count = 1_000,
        split_seed: Seed = 0,
        fold: Index | None = None,
        submission: Text | None = None,
        limit: Count | None = None,
    ) -> None:
        self.root, self.speaker_regex, self.k = Path(root).expanduser(), speaker_regex, k
        self.other_regex = speaker_regex  # of the names of other speech
        self.split_seed, self.fold, self.limit = split_seed, fold, limit
        self.gain_db, self.offset, self.speed, self.speed_speakers = gain_db, offset, speed, speed_speakers
        if curriculum and (num_epochs is None or num_epochs < 1):
            raise DataError("data.curriculum is a share of the epochs: set trainer.max_epochs, or data.curriculum=0")
        self.ramp = round(curriculum * (num_epochs or 0))  # epochs
        self.background, self.unknown, self.timeline = _as_paths(background), _as_paths(unknown), timeline
        self.submission = None if submission is None else CompetitionFolder(submission, limit=limit)
        self.fractions = {"val": val_fraction, "test": 0.0 if submission else test_fraction}
        sizes = {"train": train_size, "val": val_size, "test": test_size}
        self.sizes = {split: min(size, limit or size) for split, size in sizes.items()}

    def load(self, cache_dir: Path, seed: int) -> Splits:
        """Load the splits, with training mixtures by `seed`; a DataError names the file or folder and what to do."""
        names, paths, labels = self._recordings()
        self.num_words = min_k, _ = check_k(self.k, names, self.root)
        self._check_free_slots()
        recordings = Recordings(names, paths, labels, *self._split(paths, labels))
        unknown: OtherSounds = find_sounds(self.unknown, "data.unknown", "other words and speech", names)
        background = find_background(self.background, self.root, min_k == 0)
        splits = ["train", *(split for split, share in self.fractions.items() if share)]
        for split in splits:
            self._check_speakers(split, recordings)
        folder: Path | None = cache_dir
        if self.limit:
            recordings, folder, unknown, background = recordings.one_of_each(), None, NO_SOUNDS, NO_SOUNDS
        submission = self.submission.load_test(cache_dir, names) if self.submission else None
        # One array `(N, 16000)` for all splits: a row for each word, then other speech and background in rows of one
        # second. Each split mixes its own part of it.
        array, key = cached_waveforms(recordings.paths, folder, "reading words", [unknown, background])
        unknown_of, background_of = self._split_sounds(recordings, unknown, background, array)
        extents = find_extents(array[: len(recordings.paths)]) if self.timeline else None
        mixers = {
            split: self._mixer(split, recordings, unknown_of[split], background_of[split], extents) for split in splits
        }

        train = OnTheFlyMixtures(array, mixers["train"], self.sizes["train"], seed, key, self.ramp)
        held_out = {split: self._fixed_mixtures(split, array, key, mixers[split], folder) for split in splits[1:]}
        no_words = None
        if held_out and min_k == 0:
            last = splits[-1]  # the test, if there is one
            no_words = self._fixed_mixtures(last, array, key, mixers[last], folder, words=False)
        columns, sizes = ["id", *names], {split: recordings.size(split) for split in splits}
        fingerprints = {
            split: fingerprint([*recordings.content(split, array), *unknown_of[split].content(array)])
            for split in splits
        }
        if submission:
            columns, held_out["test"], fingerprints["test"] = submission
            sizes["test"] = {"recordings": len(held_out["test"])}
        val, test = held_out.get("val"), held_out.get("test")
        return Splits(names, columns, train, val, test, sizes, no_words, fingerprints)

    def _recordings(self) -> tuple[list[str], list[Path], np.ndarray]:
        """The words, the paths of all recordings, and the word index of each recording `(N,)`."""
        return find_words(self.root, "set data.root to a folder with one subfolder per word")

    def _split(self, paths: Sequence[Path], labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The speaker of each recording and the name of its split."""
        speakers = find_speakers(paths, self.speaker_regex)
        return speakers, split_speakers(speakers, labels, self.fractions, self.fold, self.split_seed)

    def _check_free_slots(self) -> None:
        """Check that clips have room for other speech, if the settings ask for it."""
        min_k, max_k = self.num_words
        if self.unknown and min_k == max_k:
            raise DataError(
                f"data.unknown needs clips with fewer than {max_k} words; give a range, such as data.k=[0,{max_k}]"
            )
        if self.timeline and min_k:
            raise DataError(f"data.timeline needs clips without words; set data.k=[0,{max_k}], or data.timeline=0")

    def _check_speakers(self, split: str, recordings: Recordings) -> None:
        """Check that each word has recordings in a split."""
        for label, name in enumerate(recordings.names):
            if not len(recordings.rows(split, label)):
                known = sorted(set(recordings.speakers))
                raise DataError(
                    f"{self.root / name}: no recordings by speakers of the {split} split; data.speaker_regex "
                    f"({self.speaker_regex}) finds {count(len(known), 'speaker')}: {first_names(known)}; correct it if "
                    "these are not speakers, otherwise record more speakers or change data.val_fraction, "
                    "data.test_fraction or data.split_seed"
                )

    def _split_sounds(
        self, recordings: Recordings, unknown: OtherSounds, background: OtherSounds, array: np.ndarray
    ) -> list[dict[str, Spans]]:
        """The parts of other speech and of background in each split.

        Speakers of other speech are in one split, that of their words if they recorded any.
        """
        pairs = zip(recordings.speakers.tolist(), recordings.split_of.tolist(), strict=True)
        split_of = {speaker: split for speaker, split in pairs if split != "unused"}
        row, parts = len(recordings.paths), []
        for sounds, regex in ((unknown, self.other_regex), (background, None)):
            groups = [(regex and find_speaker(name, regex)) or name for name in sounds.names]
            first = NUM_SAMPLES * (row + sounds.num_rows.cumsum() - sounds.num_rows)
            cuts = split_recordings(sounds.lengths, groups, split_of, self.fractions, self.split_seed)
            parts.append({split: find_spans(first[:, None] + cut, array) for split, cut in cuts.items()})
            row += int(sounds.num_rows.sum())
        return parts

    def _mixer(
        self, split: str, recordings: Recordings, unknown: Spans, background: Spans, extents: np.ndarray | None
    ) -> TimelineMixer:
        """What samples the mixtures of a split. Only training has clips without words, which have no KL divergence."""
        rows = [recordings.rows(split, label) for label in range(len(recordings.names))]  # per word
        (min_k, max_k), training = self.num_words, split == "train"
        most = self.speed_speakers or math.inf  # more speakers differ enough
        few = [training and len(set(recordings.speakers[row])) <= most for row in rows]
        return TimelineMixer(
            rows,
            k=(min_k if training else max(1, min_k), max_k),
            gain_db=self.gain_db,
            offset=self.offset,
            speeds=[self.speed if perturbed else 0.0 for perturbed in few],
            unknown_share=UNKNOWN_SHARE if self.unknown or min_k == 0 else 0.0,
            unknown=unknown,
            background=background,
            timeline=self.timeline if training else 0.0,
            extents=extents,
        )

    def _fixed_mixtures(
        self, split: str, array: np.ndarray, key: str, mixer: TimelineMixer, cache_dir: Path | None, words: bool = True
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
            name, mixer = f"{name}_no_words", replace(mixer, k=self.num_words, timeline=self.timeline)
            mixtures = mixer.draw_without_words(size, np.random.default_rng(seed))
        key = cache_key("mixtures", key, seed, size, asdict(mixer))
        waveforms = cached_array(
            cache_dir and cache_dir / f"mixtures-{key}.npy",
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


def _as_paths(folders: Folders | None) -> list[Path]:
    return [Path(folder).expanduser() for folder in ([folders] if isinstance(folders, str) else folders or [])]
