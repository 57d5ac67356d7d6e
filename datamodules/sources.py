"""Where clips and their answers come from; every source gives `Splits`."""

from pathlib import Path

import numpy as np

from datamodules.answers import Answers, normal, read_answers
from datamodules.clips import Clips, Splits
from datamodules.folds import check_share, take_fold
from datamodules.recordings import DataError, cached_waveforms, existing_folder, list_recordings
from datamodules.words import SpeechCommands, WordFolder

__all__ = ["CompetitionFolder", "SpeechCommands", "WordFolder"]


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
        tables = {"train": read_answers(self.root / "train_answer.csv")}
        tables["train"].check_distributions()
        if (self.root / "submission.csv").exists():
            tables["test"] = read_answers(self.root / "submission.csv")
            tables["test"].check_columns(tables["train"])
        held_out = self._held_out(len(tables["train"].ids))
        paths = {split: self._recordings(split, table) for split, table in tables.items()}
        clips = {split: self._clips(split, tables[split], paths[split], cache_dir) for split in tables}
        return Splits(
            class_names=tables["train"].class_names,
            columns=tables.get("test", tables["train"]).columns,
            train=clips["train"].subset(np.flatnonzero(~held_out)),
            val=clips["train"].subset(np.flatnonzero(held_out)) if held_out.any() else None,
            test=clips.get("test"),
        )

    def _held_out(self, num_clips: int) -> np.ndarray:
        """Of each training clip, whether it is kept for validation."""
        check_share("data.val_fraction", self.val_fraction)
        order = np.random.default_rng(self.split_seed).permutation(num_clips)
        if self.fold is None:
            chosen = order[: round(self.val_fraction * num_clips)]
        else:
            chosen = take_fold(order, self.val_fraction, self.fold, "training clips")
        return np.isin(np.arange(num_clips), chosen)

    def _recordings(self, split: str, answers: Answers) -> dict[str, Path]:
        """The recordings of a split by id: one for each row."""
        folder = existing_folder(self.root / split, f"put the recordings of {answers.path.name} there")
        paths = list_recordings(folder)
        if not paths:
            raise DataError(f"{folder}: holds no recording; put those of {answers.path.name} there")
        recordings: dict[str, Path] = {}
        for path in paths:
            other = recordings.setdefault(normal(path.stem), path)
            if other != path:
                raise DataError(f"{folder}: {other.name} and {path.name} are recordings of one id; keep one of them")
        answers.check_ids(set(recordings), folder)
        return recordings

    def _clips(self, split: str, answers: Answers, recordings: dict[str, Path], cache_dir: Path) -> Clips:
        """The clips of a split in the order of its rows; test rows hold no answers yet."""
        array, key = cached_waveforms(list(recordings.values()), cache_dir, f"reading {split}")
        position = {clip_id: i for i, clip_id in enumerate(recordings)}
        rows = np.array([position[clip_id] for clip_id in answers.ids])
        return Clips(answers.ids, array, rows, answers.values if split == "train" else None, key)
