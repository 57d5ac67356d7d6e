"""MAC, the winning network: a VGG-like stack of convolutions over multi-resolution mel features."""

from copy import deepcopy
from itertools import pairwise
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from lightning_modules.network import Network

POOLS = {
    "avg": (nn.AvgPool2d, nn.AdaptiveAvgPool2d),
    "max": (nn.MaxPool2d, nn.AdaptiveMaxPool2d),
}


class ConvBlock(nn.Sequential):
    """BatchNorm2d -> LeakyReLU(0.1) -> Conv2d with bias and same padding: of `(B, C, F, T)` only C changes."""

    def __init__(self, in_chans: int, out_chans: int, kernel_size: int) -> None:
        super().__init__(
            nn.BatchNorm2d(in_chans),
            nn.LeakyReLU(0.1, inplace=True),
            nn.Conv2d(in_chans, out_chans, kernel_size, padding=kernel_size // 2),
        )


def stage(in_chans: int, out_chans: int) -> nn.Sequential:
    """Four blocks of kernel 1, 3, 1, 3; the first one changes the number of channels."""
    return nn.Sequential(
        ConvBlock(in_chans, out_chans, 1),
        ConvBlock(out_chans, out_chans, 3),
        ConvBlock(out_chans, out_chans, 1),
        ConvBlock(out_chans, out_chans, 3),
    )


class MAC(Network):
    """Features `(B, in_chans, F, T)` -> log-probabilities `(B, num_classes)`; F and T at least 32.

    `pool` says what *every* pool is, the four between the stages and the global one: "avg" or "max".
    With the notebook's `width` of 24 and 30 classes it has 1,539,918 parameters.

    Source: the winning notebook, class MAC (its MODEL_FACTOR is `width`).
    """

    def __init__(
        self, pool: str = "avg", num_classes: int = 30, width: int = 24, in_chans: int = 4, drop_rate: float = 0.25
    ) -> None:
        super().__init__()
        if pool not in POOLS:
            raise ValueError(f"pool is {pool!r}; choose one of {', '.join(POOLS)}")
        local_pool, global_pool = POOLS[pool]
        w = width
        self.stem = nn.Conv2d(in_chans, 2 * w, kernel_size=6, stride=2, padding=2)
        self.stages = nn.Sequential(
            stage(2 * w, w),
            local_pool(2),
            stage(w, 2 * w),
            local_pool(2),
            stage(2 * w, 4 * w),
            local_pool(2),
            stage(4 * w, 6 * w),
            local_pool(2),
            stage(6 * w, 8 * w),
        )
        self.head = nn.Sequential(ConvBlock(8 * w, 16 * w, 1), global_pool(1), nn.Flatten())
        self.dense = nn.Sequential(
            nn.Linear(16 * w, 8 * w),
            nn.Dropout(drop_rate),
            nn.BatchNorm1d(8 * w),
            nn.LeakyReLU(0.25, inplace=True),
            nn.Linear(8 * w, num_classes),
        )

    def forward(self, features: Tensor) -> Tensor:
        logits = self.dense(self.head(self.stages(self.stem(features))))
        # In 16-bit a log-softmax over many classes loses digits that the KL divergence needs.
        return F.log_softmax(logits.float(), dim=1)

    def folded(self) -> "MAC":
        """A copy for prediction: each batch norm that directly follows a convolution becomes part of its kernel.

        Batch norms behind a pool stay: a maximum does not commute with a negative scale.
        """
        network = deepcopy(self).eval()
        stages: list[Any] = [block for block in network.stages if isinstance(block, nn.Sequential)]
        network.stem = fuse_conv_bn_eval(network.stem, stages[0][0][0])
        stages[0][0][0] = nn.Identity()
        stages[-1].append(network.head[0])  # no pool between them: one chain
        for blocks in stages:
            for block, after in pairwise(blocks):
                block[2] = fuse_conv_bn_eval(block[2], after[0])
                after[0] = nn.Identity()
        del stages[-1][-1]
        return network
