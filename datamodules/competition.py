"""A competition's folder: mixtures with answers to train on, mixtures without to predict."""

from pathlib import Path

import numpy as np

from datamodules.audio_files import existing_folder, list_recordings
from datamodules.clips import Clips, Splits
from datamodules.folds import check_share, take_fold
from datamodules.recordings import cached_waveforms
from datamodules.targets_table import TargetTable, normalize_name, read_targets
from errors import DataError


class CompetitionFolder:
    """Recordings of mixtures, `root/train/*` and `root/test/*`, `root/train_answer.csv` and `root/submission.csv`.

    Recordings and rows belong together by id (the file's name without its extension), never by position. The first
    `val_fraction` of the clips in an order shuffled by `split_seed` are for validation; with `fold`, that part of the
    `round(1 / val_fraction)` parts of this order. Without a submission file there is no test split.
    """

    def __init__(self, root: str, val_fraction: float = 0.1, split_seed: int = 0, fold: int | None = None) -> None:
        self.root, self.val_fraction = Path(root).expanduser(), val_fraction
        self.split_seed, self.fold = split_seed, fold

    def load(self, cache_dir: Path, seed: int) -> Splits:
        """The splits; `seed` is unused, nothing is drawn.

        Raises:
            DataError: naming the file, the row and the remedy.
        """
        existing_folder(self.root, "set data.root to the folder with train/ and train_answer.csv")
        # Every table and name is looked at before the first recording, which may be the first of an hour's reading.
        answers = read_targets(self.root / "train_answer.csv")
        answers.check_distributions()
        submission = None
        if (self.root / "submission.csv").exists():
            submission = self._submission(answers.class_names, answers.path.name)
        held_out = self._held_out(len(answers.ids))
        paths = self._recordings("train", answers)
        test_paths = self._recordings("test", submission) if submission else {}
        every = self._clips("train", answers, paths, cache_dir)
        train = every.subset(np.flatnonzero(~held_out))
        val = every.subset(np.flatnonzero(held_out)) if held_out.any() else None
        test = self._clips("test", submission, test_paths, cache_dir) if submission else None
        found = {"train": train, "val": val, "test": test}
        sizes = {split: {"recordings": len(clips)} for split, clips in found.items() if clips}
        return Splits(answers.class_names, (submission or answers).columns, train, val, test, sizes)

    def load_test(self, cache_dir: Path, class_names: list[str]) -> tuple[list[str], Clips]:
        """The columns of submission.csv and the clips to predict, for a network that was trained on other recordings.

        Raises:
            DataError: naming the file, the row and the remedy; also where the words are not `class_names`.
        """
        existing_folder(self.root, "set data.submission to a folder with test/ and submission.csv")
        submission = self._submission(class_names, "the training recordings")
        return submission.columns, self._clips("test", submission, self._recordings("test", submission), cache_dir)

    def _submission(self, class_names: list[str], where: str) -> TargetTable:
        """The ids and columns of the answer that is wanted, about the words of `where`."""
        submission = read_targets(self.root / "submission.csv")
        submission.check_columns(class_names, where)
        return submission

    def _held_out(self, num_clips: int) -> np.ndarray:
        """Of each training clip, whether it is kept for validation."""
        check_share("data.val_fraction", self.val_fraction)
        order = np.random.default_rng(self.split_seed).permutation(num_clips)
        if self.fold is None:
            chosen = order[: round(self.val_fraction * num_clips)]
        else:
            chosen = take_fold(order, self.val_fraction, self.fold, "training clips")
        return np.isin(np.arange(num_clips), chosen)

    def _recordings(self, split: str, answers: TargetTable) -> dict[str, Path]:
        """The recordings of a split by id: one for each row."""
        folder = existing_folder(self.root / split, f"put the recordings of {answers.path.name} there")
        paths = list_recordings(folder)
        if not paths:
            raise DataError(f"{folder}: holds no recording; put those of {answers.path.name} there")
        recordings: dict[str, Path] = {}
        for path in paths:
            other = recordings.setdefault(normalize_name(path.stem), path)
            if other != path:
                raise DataError(f"{folder}: {other.name} and {path.name} are recordings of one id; keep one of them")
        answers.check_ids(set(recordings), folder)
        return recordings

    def _clips(self, split: str, answers: TargetTable, recordings: dict[str, Path], cache_dir: Path) -> Clips:
        """The clips of a split in the order of its rows; test rows hold no answers yet."""
        array, key = cached_waveforms(list(recordings.values()), cache_dir, f"reading {split}")
        position = {clip_id: i for i, clip_id in enumerate(recordings)}
        rows = np.array([position[clip_id] for clip_id in answers.ids])
        return Clips(answers.ids, array, rows, answers.values if split == "train" else None, key)
