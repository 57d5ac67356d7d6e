"""Competition folders: mixtures with targets for training, mixtures without for prediction."""

from dataclasses import replace
from pathlib import Path
from zlib import crc32

import numpy as np

from datamodules.audio_files import existing_folder, find_recordings, normalize_name
from datamodules.cache import fingerprint
from datamodules.clips import Clips, Splits
from datamodules.long_recordings import cached_waveforms
from datamodules.speakers import take_fold
from datamodules.targets_table import TargetTable, read_targets
from datamodules.word_recordings import ONE_OR_NONE, ONE_WORD
from overlapped_words.errors import DataError
from overlapped_words.settings.fields import Count, Index, Seed, Share, Text


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
        targets = read_targets(self.root / "train_answer.csv")
        targets.check_distributions()
        if len(targets.class_names) == 1:
            remedy = f"add clips of another word, or, with recordings of single words, data=words and {ONE_OR_NONE}"
            raise DataError(f"{targets.path}: has one word, {targets.class_names[0]}, {ONE_WORD}; {remedy}")
        submission = None
        if (self.root / "submission.csv").exists():
            submission = self._submission(targets.class_names, targets.path.name)
        held_out = self._held_out(len(targets.ids))
        paths = self._recordings("train", targets)
        recordings = {"train": paths, "val": paths, "test": self._recordings("test", submission) if submission else {}}
        rows = np.sort(np.concatenate([np.flatnonzero(held_out == split)[: self.limit] for split in (False, True)]))
        # One array in the cache for all training clips: train and val are rows of it, whatever the split.
        labeled = self._clips("train", targets, rows, paths, cache_dir)
        splits = {"train": labeled.subset(np.flatnonzero(~held_out[rows]))}
        if held_out.any():
            splits["val"] = labeled.subset(np.flatnonzero(held_out[rows]))
        if submission:
            splits["test"] = self._test_clips(submission, recordings["test"], cache_dir)
        sizes = {split: {"recordings": len(clips)} for split, clips in splits.items()}
        fingerprints = {split: _fingerprint(clips) for split, clips in splits.items()}
        columns, val, test = (submission or targets).columns, splits.get("val"), splits.get("test")
        return Splits(targets.class_names, columns, splits["train"], val, test, sizes, fingerprints=fingerprints)

    def load_test(self, cache_dir: Path, class_names: list[str]) -> tuple[list[str], Clips, str]:
        """The columns of submission.csv, the clips to predict and their fingerprint, for other training recordings.

        Raises:
            DataError: with the file, the row and what to do; also if the words differ from `class_names`.
        """
        existing_folder(self.root, "set data.submission to a folder with test/ and submission.csv")
        submission = self._submission(class_names, "the training recordings")
        clips = self._test_clips(submission, self._recordings("test", submission), cache_dir)
        return submission.columns, clips, _fingerprint(clips)

    def _submission(self, class_names: list[str], where: str) -> TargetTable:
        """Ids and columns of submission.csv, whose words must be `class_names`; `where` names their source."""
        submission = read_targets(self.root / "submission.csv")
        submission.check_columns(class_names, where)
        return submission

    def _held_out(self, num_clips: int) -> np.ndarray:
        """`(num_clips,)` bool, true for the clips of the validation split."""
        order = np.random.default_rng(self.split_seed).permutation(num_clips)
        if self.fold is None:
            val = order[: round(self.val_fraction * num_clips)]
        else:
            val = take_fold(order, self.val_fraction, self.fold, "training clips")
        return np.isin(np.arange(num_clips), val)

    def _recordings(self, split: str, table: TargetTable) -> dict[str, Path]:
        """The recordings of a split, sorted by name, each with the id of its row in the table."""
        folder = existing_folder(self.root / split, f"create it and add the recordings of {table.path.name}")
        recordings: dict[str, Path] = {}
        for path in find_recordings([folder], f"add those of {table.path.name}"):
            other = recordings.setdefault(normalize_name(path.stem), path)
            if other != path:
                raise DataError(f"{folder}: {other.name} and {path.name} have the same id; keep one of them")
        id_of = dict(zip(table.match(recordings, folder), table.ids, strict=True))
        return {id_of[name]: path for name, path in recordings.items()}

    def _test_clips(self, table: TargetTable, recordings: dict[str, Path], cache_dir: Path) -> Clips:
        rows = np.arange(len(table.ids))[: self.limit]
        return replace(self._clips("test", table, rows, recordings, cache_dir), targets=None)

    def _clips(
        self, split: str, table: TargetTable, rows: np.ndarray, recordings: dict[str, Path], cache_dir: Path | None
    ) -> Clips:
        """The clips in `rows` of a table, in that order."""
        ids = [table.ids[i] for i in rows]
        if self.limit:
            cache_dir, recordings = None, {clip_id: recordings[clip_id] for clip_id in ids}
        array, key = cached_waveforms(list(recordings.values()), cache_dir, f"reading {split}")
        position = {clip_id: i for i, clip_id in enumerate(recordings)}
        return Clips(ids, array, np.array([position[clip_id] for clip_id in ids]), table.values[rows], key)


def _fingerprint(clips: Clips) -> str:
    """A hash of the id, the samples and the target of each clip."""
    targets = clips.targets if clips.targets is not None else np.zeros((len(clips), 0))
    rows = zip(clips.ids, clips.rows, targets, strict=True)
    return fingerprint([i, crc32(bytes(clips.array[row])), target.tobytes().hex()] for i, row, target in rows)
