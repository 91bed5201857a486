"""NAFNet in PyTorch: the rival that our JAX version is timed against.

Written from the same equations as ours (Chen et al., ECCV 2022; local means of Chu et
al., ECCV 2022), as PyTorch users write it. Images are NCHW in [0, 1], of any size.
Parameters carry the names of published checkpoints; the `nn.Identity` layers keep the
numbering.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

WINDOW = 1.5


class _LayerNorm(nn.Module):
    """The channels of each pixel to zero mean and unit variance, then an affine map."""

    def __init__(self, width: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        # PyTorch's own normalises the last axis, where `channels_last` has them.
        y = x.permute(0, 2, 3, 1)
        y = functional.layer_norm(y, y.shape[-1:], self.weight, self.bias, 1e-6)
        return y.permute(0, 3, 1, 2)


def _gate(x: Tensor) -> Tensor:
    u, v = x.chunk(2, 1)
    return u * v


def _local_mean(x: Tensor, window: int) -> Tensor:
    """The mean over a window around each pixel; all of x where it covers x."""
    height, width = x.shape[2:]
    if window == 0 or (window >= height and window >= width):
        return x.mean((2, 3), keepdim=True)
    down, across = min(window, height), min(window, width)
    sums = functional.pad(x.cumsum(3).cumsum(2), (1, 0, 1, 0))
    top, bottom = sums[:, :, :-down], sums[:, :, down:]
    total = bottom[..., across:] - bottom[..., :-across]
    total = total - top[..., across:] + top[..., :-across]
    rows, columns = down - 1, across - 1
    sides = (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)
    return functional.pad(total / (down * across), sides, mode="replicate")


class _Block(nn.Module):
    def __init__(self, width: int, window: int):
        super().__init__()
        self.window = window
        self.norm1, self.norm2 = _LayerNorm(width), _LayerNorm(width)
        self.conv1 = nn.Conv2d(width, 2 * width, 1)
        self.conv2 = nn.Conv2d(2 * width, 2 * width, 3, padding=1, groups=2 * width)
        self.sca = nn.Sequential(nn.Identity(), nn.Conv2d(width, width, 1))
        self.conv3 = nn.Conv2d(width, width, 1)
        self.conv4 = nn.Conv2d(width, 2 * width, 1)
        self.conv5 = nn.Conv2d(width, width, 1)
        self.beta = nn.Parameter(torch.zeros(1, width, 1, 1))
        self.gamma = nn.Parameter(torch.zeros(1, width, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        u = _gate(self.conv2(self.conv1(self.norm1(x))))
        u = u * self.sca(_local_mean(u, self.window))
        x = x + self.conv3(u) * self.beta
        return x + self.conv5(_gate(self.conv4(self.norm2(x)))) * self.gamma


class NAFNet(nn.Module):
    """Blurry y to sharp x; `train_size` 0 takes every mean over the whole photo."""

    def __init__(
        self,
        width: int,
        encoder_blocks: tuple[int, ...] = (1, 1, 1, 28),
        middle_blocks: int = 1,
        decoder_blocks: tuple[int, ...] = (1, 1, 1, 1),
        train_size: int = 256,
    ):
        super().__init__()

        def blocks(count: int, scale: int) -> nn.Sequential:
            window = int(WINDOW * train_size) // 2**scale
            wide = width * 2**scale
            return nn.Sequential(*(_Block(wide, window) for _ in range(count)))

        self.scales = len(encoder_blocks)
        widths = [width * 2**scale for scale in range(self.scales)]
        self.intro = nn.Conv2d(3, width, 3, padding=1)
        self.ending = nn.Conv2d(width, 3, 3, padding=1)
        self.encoders = nn.ModuleList(
            blocks(count, scale) for scale, count in enumerate(encoder_blocks)
        )
        self.downs = nn.ModuleList(nn.Conv2d(w, 2 * w, 2, 2) for w in widths)
        self.middle_blks = blocks(middle_blocks, self.scales)
        self.ups = nn.ModuleList(
            nn.Sequential(nn.Conv2d(2 * w, 4 * w, 1, bias=False), nn.PixelShuffle(2))
            for w in reversed(widths)
        )
        self.decoders = nn.ModuleList(
            blocks(count, self.scales - 1 - step)
            for step, count in enumerate(decoder_blocks)
        )

    def forward(self, y: Tensor) -> Tensor:
        height, width = y.shape[2:]
        down, right = (-side % 2**self.scales for side in (height, width))
        padded = functional.pad(y, (0, right, 0, down))
        x, skips = self.intro(padded), []
        for encoder, shrink in zip(self.encoders, self.downs, strict=True):
            x = encoder(x)
            skips.append(x)
            x = shrink(x)
        x = self.middle_blks(x)
        for decoder, grow in zip(self.decoders, self.ups, strict=True):
            x = decoder(grow(x) + skips.pop())
        return (padded + self.ending(x))[..., :height, :width]
