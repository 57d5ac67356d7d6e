"""MAC, the winning network: a VGG-like stack of convolutions over multi-resolution mel features."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from lightning_modules.network import Network
from overlapped_words.settings.fields import Share

POOLS = {
    "avg": (nn.AvgPool2d, nn.AdaptiveAvgPool2d),
    "max": (nn.MaxPool2d, nn.AdaptiveMaxPool2d),
}


class ConvBlock(nn.Sequential):
    """BatchNorm2d -> LeakyReLU(0.1) -> Conv2d with bias: `(B, in_chans, F, T)` -> `(B, out_chans, F, T)`."""

    def __init__(self, in_chans: int, out_chans: int, kernel_size: int) -> None:
        super().__init__(
            nn.BatchNorm2d(in_chans),
            nn.LeakyReLU(0.1, inplace=True),
            nn.Conv2d(in_chans, out_chans, kernel_size, padding=kernel_size // 2),
        )


class Stage(nn.Sequential):
    """Four blocks with kernels 1, 3, 1, 3; the first block changes the number of channels.

    With `residual`, a connection skips the second block, and another one the last two, as in a pre-activation ResNet
    (arXiv 1603.05027).
    """

    def __init__(self, in_chans: int, out_chans: int, residual: bool) -> None:
        super().__init__(
            ConvBlock(in_chans, out_chans, 1),
            ConvBlock(out_chans, out_chans, 3),
            ConvBlock(out_chans, out_chans, 1),
            ConvBlock(out_chans, out_chans, 3),
        )
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        if not self.residual:
            return super().forward(x)
        first, second, third, fourth = self
        x = first(x)
        x = x + second(x)
        return x + fourth(third(x))


class MAC(Network):
    """Features `(B, in_chans, F, T)` -> log-probabilities `(B, num_classes)`; F and T at least 32.

    `pool`, "avg" or "max", is the kind of all pools: the four between the stages and the global one. With a `width` of
    24, as in the notebook, and 30 classes it has 1,539,918 parameters. `residual` adds residual connections to the
    stages, which have no parameters; the notebook has none. `freq_bins` is the number of frequency bins that the global
    pool keeps, one in the notebook: the pitch of a sound distinguishes words, its time does not. The first `time_pools`
    of the four pools between the stages halve both axes, in the notebook all; the others halve the frequency axis only.
    For `output` and `k` see Network.

    Source: the winning notebook, class MAC (its MODEL_FACTOR is `width`).
    """

    def __init__(
        self,
        pool: Literal["avg", "max"] = "avg",
        num_classes: int = 30,
        width: Annotated[int, Ge(1), Le(512)] = 24,
        in_chans: int = 4,
        drop_rate: Share = 0.25,
        residual: bool = False,
        freq_bins: Annotated[int, Ge(1), Le(32)] = 1,
        time_pools: Annotated[int, Ge(0), Le(4)] = 4,
        output: Literal["softmax", "set"] = "softmax",
        k: Sequence[int] | None = None,
    ) -> None:
        super().__init__(num_classes, output, k)
        local_pool, global_pool = POOLS[pool]
        self.residual = residual
        w = width
        self.stem = nn.Conv2d(in_chans, 2 * w, kernel_size=6, stride=2, padding=2)  # (B, 2w, F / 2, T / 2)
        pools = [local_pool((2, 2 if i < time_pools else 1)) for i in range(4)]
        self.stages = nn.Sequential(  # (B, 8w, F / 32, T / 2^(1 + time_pools))
            Stage(2 * w, w, residual),
            pools[0],
            Stage(w, 2 * w, residual),
            pools[1],
            Stage(2 * w, 4 * w, residual),
            pools[2],
            Stage(4 * w, 6 * w, residual),
            pools[3],
            Stage(6 * w, 8 * w, residual),
        )
        # (B, 16w * freq_bins)
        self.head = nn.Sequential(ConvBlock(8 * w, 16 * w, 1), global_pool((freq_bins, 1)), nn.Flatten())
        self.dense = nn.Sequential(
            nn.Linear(16 * w * freq_bins, 8 * w),
            nn.Dropout(drop_rate),
            nn.BatchNorm1d(8 * w),
            nn.LeakyReLU(0.25, inplace=True),
            nn.Linear(8 * w, self.output.num_logits),
        )

    def logits(self, features: Tensor) -> Tensor:
        return self.dense(self.head(self.stages(self.stem(features))))

    def folded(self) -> "MAC":
        """A copy for prediction in which each batch norm directly after a convolution is folded into its kernel.

        A batch norm after a pool stays, as a maximum does not commute with a negative scale, and so does one after a
        sum.
        """
        network = deepcopy(self).eval()
        stages: list[Any] = [stage for stage in network.stages if isinstance(stage, Stage)]
        pairs = [(third, fourth) for _, _, third, fourth in stages]
        if not self.residual:
            pairs += [pair for first, second, third, _ in stages for pair in ((first, second), (second, third))]
            pairs.append((stages[-1][-1], network.head[0]))  # no pool between them
        for block, after in pairs:
            block[2] = fuse_conv_bn_eval(block[2], after[0])
            after[0] = nn.Identity()
        network.stem = fuse_conv_bn_eval(network.stem, stages[0][0][0])
        stages[0][0][0] = nn.Identity()
        return network
