"""Competition folders: mixtures with targets for training, mixtures without for prediction."""

from dataclasses import replace
from pathlib import Path, PurePosixPath
from zlib import crc32

import numpy as np
import pandas as pd

from datamodules.audio_files import EXTENSIONS, FFMPEG_EXTENSIONS, check_words, existing_folder, find_recordings
from datamodules.cache import fingerprint
from datamodules.clips import Clips, Splits
from datamodules.long_recordings import cached_waveforms
from datamodules.speakers import ONE_OR_NONE, ONE_WORD, split_folds
from overlapped_words.errors import DataError
from overlapped_words.messages import first_names, normalize_name
from overlapped_words.settings.fields import Count, Index, Seed, Share, Text
from overlapped_words.tables import read_table


class CompetitionFolder:
    """Recordings of mixtures, `root/train/*` and `root/test/*`, `root/train_answer.csv` and `root/submission.csv`.

    Recordings and rows are matched by id (the file's name with or without its extension), never by position.

    Args:
        root: the folder; without a submission.csv there is no test split.
        val_fraction: fraction of the training clips for validation, the first ones of the shuffled order.
        split_seed: shuffles the clips before the split.
        fold: which of the `round(1 / val_fraction)` parts of the shuffled order is for validation; None: the first
            `val_fraction` of it.
        limit: use the first clips of a split, this many, and write nothing to the cache; for a trial run.
    """

    def __init__(
        self,
        root: Text,
        val_fraction: Share = 0.1,
        split_seed: Seed = 0,
        fold: Index | None = None,
        limit: Count | None = None,
    ) -> None:
        self.root, self.val_fraction = Path(root).expanduser(), val_fraction
        self.split_seed, self.fold, self.limit = split_seed, fold, limit

    def load(self, cache_dir: Path, seed: int) -> Splits:
        """Load the splits; `seed` is unused, because nothing is random here.

        Raises:
            DataError: with the file, the row and what to do.
        """
        existing_folder(self.root, "set data.root to the folder with train/ and train_answer.csv")
        # Check all tables and file names first: decoding the recordings may take an hour.
        targets = _read_answers(self.root / "train_answer.csv")
        names = list(targets.columns)
        if len(names) == 1:
            remedy = f"add clips of another word, or, with recordings of single words, data=words and {ONE_OR_NONE}"
            raise DataError(f"{self.root / 'train_answer.csv'}: has one word, {names[0]}, {ONE_WORD}; {remedy}")
        submission = self._submission(names) if (self.root / "submission.csv").exists() else None
        held_out = self._held_out(len(targets))
        paths = self._recordings("train", targets)
        test_paths = {} if submission is None else self._recordings("test", submission)
        rows = np.sort(np.concatenate([np.flatnonzero(held_out == split)[: self.limit] for split in (False, True)]))
        # One array in the cache for all training clips: train and val are rows of it, whatever the split.
        labeled = self._clips("train", targets.iloc[rows], paths, cache_dir)
        splits = {"train": labeled.subset(np.flatnonzero(~held_out[rows]))}
        if held_out.any():
            splits["val"] = labeled.subset(np.flatnonzero(held_out[rows]))
        if submission is not None:
            splits["test"] = self._test_clips(submission, test_paths, cache_dir)
        sizes = {split: {"recordings": len(clips)} for split, clips in splits.items()}
        fingerprints = {split: _fingerprint(clips) for split, clips in splits.items()}
        columns = _columns(targets if submission is None else submission)
        train, val, test = (splits.get(split) for split in ("train", "val", "test"))
        assert train
        return Splits(names, columns, train, val, test, sizes, fingerprints=fingerprints)

    def load_test(self, cache_dir: Path, class_names: list[str]) -> tuple[list[str], Clips, str]:
        """The columns of submission.csv, the clips to predict and their fingerprint, for other training recordings.

        Raises:
            DataError: with the file, the row and what to do; also if the words differ from `class_names`.
        """
        existing_folder(self.root, "set data.submission to a folder with test/ and submission.csv")
        submission = self._submission(class_names)
        clips = self._test_clips(submission, self._recordings("test", submission), cache_dir)
        return _columns(submission), clips, _fingerprint(clips)

    def _submission(self, class_names: list[str]) -> pd.DataFrame:
        """The submission.csv, whose words must be `class_names`, in any order."""
        path = self.root / "submission.csv"
        submission = _read_answers(path, sums=False)
        missing, unknown = set(class_names) - set(submission.columns), set(submission.columns) - set(class_names)
        if missing or unknown:
            names = f"missing {first_names(sorted(missing))}; unknown {first_names(sorted(unknown))}"
            raise DataError(f"{path}: its words differ from those of training: {names}; use the same header")
        return submission

    def _held_out(self, num_clips: int) -> np.ndarray:
        """`(num_clips,)` bool, true for the clips of the validation split."""
        order = np.random.default_rng(self.split_seed).permutation(num_clips)
        if self.fold is None:
            val = order[: round(self.val_fraction * num_clips)]
        else:
            val = split_folds(order, self.val_fraction, self.fold, "training clips")[self.fold]
        return np.isin(np.arange(num_clips), val)

    def _recordings(self, split: str, table: pd.DataFrame) -> dict[str, Path]:
        """The recordings of a split, sorted by name, each with the id of its row in the table.

        An id is a file's name without extension, or else with it, its path, or both.
        """
        file, folder = f"{split}_answer.csv" if split == "train" else "submission.csv", self.root / split
        paths = find_recordings(
            [existing_folder(folder, f"create it and add the recordings of {file}")], f"add those of {file}"
        )
        stems = pd.Index([normalize_name(path.stem) for path in paths])
        if (twice := stems.duplicated(keep=False)).any():
            files = first_names(path.name for path, is_twice in zip(paths, twice, strict=True) if is_twice)
            raise DataError(f"{folder}: {files} have the same id; keep one of them")
        names = table.index.where(table.index.isin(stems), table.index.map(_file_stem))
        for faulty, fault in (
            (table.index[~names.isin(stems)], f"has no recording in {folder}; add the recording or remove the row"),
            (table.index[names.duplicated()], "is the recording of another row, too; keep one row"),
        ):
            if len(faulty):
                raise DataError(f"{self.root / file}: the row {faulty[0]} {fault} ({len(faulty)} such rows)")
        if extra := [stem for stem in stems if stem not in names]:
            raise DataError(f"{folder}: no row in {file} for {first_names(extra)}; add the row or remove the recording")
        id_of = dict(zip(names, table.index, strict=True))
        return {id_of[stem]: path for stem, path in zip(stems, paths, strict=True)}

    def _test_clips(self, table: pd.DataFrame, recordings: dict[str, Path], cache_dir: Path) -> Clips:
        return replace(self._clips("test", table[: self.limit], recordings, cache_dir), targets=None)

    def _clips(self, split: str, table: pd.DataFrame, recordings: dict[str, Path], cache_dir: Path | None) -> Clips:
        """The clips in the rows of a table, in that order."""
        ids = table.index.tolist()
        if self.limit:
            cache_dir, recordings = None, {clip_id: recordings[clip_id] for clip_id in ids}
        array, key = cached_waveforms(list(recordings.values()), cache_dir, f"reading {split}")
        position = {clip_id: i for i, clip_id in enumerate(recordings)}
        return Clips(ids, array, np.array([position[clip_id] for clip_id in ids]), table.to_numpy(np.float32), key)


def _read_answers(path: Path, sums: bool = True) -> pd.DataFrame:
    table = read_table(path, DataError, sums)
    check_words(table.columns, path)
    return table


def _columns(table: pd.DataFrame) -> list[str]:
    return [str(table.index.name), *table.columns]


def _file_stem(clip_id: str) -> str:
    """`train/c0.wav` -> `c0`: the file name without the extension of a recording."""
    name = PurePosixPath(clip_id.replace("\\", "/"))
    return name.stem if name.suffix.lower() in EXTENSIONS | FFMPEG_EXTENSIONS else name.name


def _fingerprint(clips: Clips) -> str:
    """A hash of the id, the samples and the target of each clip."""
    targets = clips.targets if clips.targets is not None else np.zeros((len(clips), 0))
    rows = zip(clips.ids, clips.rows, targets, strict=True)
    return fingerprint([i, crc32(bytes(clips.array[row])), target.tobytes().hex()] for i, row, target in rows)
