"""The Lightning data module: loads a source, caches features, augments training batches."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from lightning import LightningDataModule, Trainer
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data.distributed import DistributedSampler

from datamodules.augment import Augment
from datamodules.cache import cache_key, cached_array
from datamodules.clips import Batch, Clips, OnTheFlyMixtures, Splits, as_waveforms
from datamodules.features import MultiResolutionMel
from datamodules.loading import DeviceCache, EpochSampler, cache_on_device, make_loader
from datamodules.seeding import step_seed
from datamodules.waveforms import from_int16
from overlapped_words.errors import DataError
from overlapped_words.messages import split_size
from overlapped_words.settings.fields import Count, Index, Seed, Text

log = logging.getLogger(__name__)

Split = TypeVar("Split", bound=Clips | OnTheFlyMixtures | None)


class OverlapDataModule(LightningDataModule):
    """Batches `(features (B, C, F, T) float32, targets (B, num_classes))` on the training device.

    Args:
        source: its method `load(cache_dir, seed)` returns Splits, with large arrays in `cache_dir`; `seed` is for the
            training mixtures, if any. See `datamodules.sources`.
        features: arguments of MultiResolutionMel.
        augment: applied to training batches, not to validation and prediction.
        batch_size: clips per step, over all devices.
        num_workers: processes that load batches; 0 loads them in the training process.
        cache: "waveforms" computes features on the device at every step; "features" reads those of fixed clips from
            disk (51 KB per clip, 205 KB with the winner's features). Features of on-the-fly mixtures and of clips
            augmented as waveforms are always computed.
        cache_dir: folder of the cached arrays, shared by all runs.
        device_cache: which training and validation data are stored in GPU memory: "features", "waveforms", "none" or
            "auto"; see `datamodules.loading.cache_on_device`. Worker processes are not used then.
        seed: seed of the shuffling, the on-the-fly mixtures and the augmentation.
    """

    trainer: Trainer

    def __init__(
        self,
        source: Any,
        features: Mapping[str, Any],
        augment: Augment,
        batch_size: Count = 128,
        num_workers: Index = 0,
        cache: Literal["features", "waveforms"] = "waveforms",
        cache_dir: Text = "~/.cache/overlapped-words",
        device_cache: DeviceCache = "none",
        seed: Seed = 0,
    ) -> None:
        super().__init__()
        self.source, self.augment = source, augment
        self.feature_options, self.features = dict(features), MultiResolutionMel(**features)
        self.batch_size, self.num_workers, self.seed = batch_size, num_workers, seed
        self.cache, self.cache_dir, self.device_cache = cache, Path(cache_dir).expanduser(), device_cache
        # Features of augmented waveforms differ from step to step, so they are not stored.
        self.augments_waveforms = len(augment.waveforms) > 0
        self.first_epoch = 0

    def setup(self, stage: str | None = None) -> None:
        if hasattr(self, "splits"):
            return
        self.splits: Splits = self.source.load(self.cache_dir, self.seed)
        self.class_names = self.splits.class_names
        for split, size in self.splits.sizes.items():
            log.info("%s split: %s", split, split_size(size))
        if len(self.splits.train) < self.batch_size:
            raise DataError(
                f"{len(self.splits.train)} training clips do not fill one batch of {self.batch_size}; "
                "lower data.batch_size or add clips"
            )
        self.train = self.splits.train if self.augments_waveforms else self._with_features(self.splits.train)
        self.val = self._with_features(self.splits.val)
        self.test = self._with_features(self.splits.test)

    @property
    def keys(self) -> dict[str, str]:
        """The cache key of each split, which changes with the recordings."""
        return {split: clips.key for split in ("train", "val", "test") if (clips := getattr(self, split))}

    @property
    def fixed_splits(self) -> dict[str, Clips]:
        """The splits that are predicted, in the order of their loaders."""
        return {name: clips for name, clips in (("val", self.val), ("test", self.test)) if clips}

    def _with_features(self, clips: Split) -> Split:
        """Fixed clips with their features from the cache, if `cache` says so; everything else unchanged."""
        if self.cache == "waveforms" or not isinstance(clips, Clips):
            return clips
        key = cache_key("features", clips.key, self.feature_options)
        waveforms = clips.array
        shape = self.features(torch.zeros(1, waveforms.shape[1])).shape[1:]

        def build() -> Iterator[np.ndarray]:
            for i in range(0, len(waveforms), 64):
                yield self.features(from_int16(torch.tensor(waveforms[i : i + 64]))).half().numpy()

        path = self.cache_dir / f"features-{key}.npy"
        return replace(clips, array=cached_array(path, (len(waveforms), *shape), np.float16, build, "features"))

    def examples(self, n: int) -> Batch:
        """The first `n` validation clips, or training clips without validation: waveforms `(n, T)` float32, targets.

        Fewer than `n` if the split is smaller.
        """
        clips = self.splits.val or self.splits.train
        batch = clips.batch(range(min(n, len(clips))))
        waveforms = as_waveforms(batch.clips)
        assert waveforms is not None
        return Batch(waveforms, batch.targets)

    def state_dict(self) -> dict[str, int]:
        return {"next_epoch": self.trainer.current_epoch + 1}  # checkpoints are written at the end of an epoch

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Restore the epoch for `train_dataloader`: workers prefetch before the trainer sets the sampler's epoch."""
        self.first_epoch = state["next_epoch"]

    def train_dataloader(self) -> DataLoader:
        if self.batch_size % self.trainer.world_size:
            raise DataError(
                f"data.batch_size={self.batch_size} is not divisible by {self.trainer.world_size} devices; "
                "choose a multiple of their number"
            )
        # Its order depends on seed and epoch alone, so a resumed run repeats it.
        sampler_class = EpochSampler if isinstance(self.train, OnTheFlyMixtures) else DistributedSampler
        devices = self.trainer.world_size, self.trainer.global_rank
        sampler: DistributedSampler = sampler_class(self.train, *devices, seed=self.seed, drop_last=True)
        sampler.set_epoch(self.first_epoch)
        to_features = None if self.augments_waveforms else self.to_features
        train = cache_on_device(self.train, self.trainer.strategy.root_device, self.device_cache, to_features)
        return self._loader(train, sampler=sampler, drop_last=True)

    def val_dataloader(self) -> DataLoader | list:
        if self.val is None:
            return []
        device = self.trainer.strategy.root_device
        return self._loader(cache_on_device(self.val, device, self.device_cache, self.to_features))

    def predict_dataloader(self) -> list[DataLoader]:
        return [self._loader(clips) for clips in self.fixed_splits.values()]

    def _loader(self, clips: Clips | OnTheFlyMixtures, **options: Any) -> DataLoader:
        # batch_size counts the clips of a step over all devices.
        batch_size = max(1, self.batch_size // (self.trainer.world_size if self.trainer else 1))
        return make_loader(clips, batch_size, self.num_workers, **options)

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """On the device: compute the features of waveforms, and augment training batches."""
        clips, targets = batch
        if not self.trainer.training:
            return Batch(self.to_features(clips), targets)
        generator = torch.Generator(clips.device).manual_seed(step_seed(self.trainer, self.seed))
        if (waveforms := as_waveforms(clips)) is not None:
            clips = self._front_end(self.augment.waveforms(waveforms, generator))
        return Batch(*self.augment(clips, targets, generator))

    def to_features(self, clips: Tensor) -> Tensor:
        """Clips of a batch, waveforms or features -> features `(B, C, F, T)` float32, not augmented."""
        waveforms = as_waveforms(clips)
        return clips.float() if waveforms is None else self._front_end(waveforms)

    def _front_end(self, waveforms: Tensor) -> Tensor:
        if self.features.slope.device != waveforms.device:  # `to` would check every buffer at every step
            self.features.to(waveforms.device)
        return self.features(waveforms)
