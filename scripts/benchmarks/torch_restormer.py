"""Restormer in PyTorch: the rival that our JAX version is timed against.

Written from the same equations as ours (Zamir et al., CVPR 2022), as PyTorch users
write it. Images are NCHW in [0, 1], of any size. Parameters carry the names of
published checkpoints; the small classes with one `body` keep these.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


class _LayerNorm(nn.Module):
    """The channels of each pixel to zero mean and unit variance, then an affine map."""

    def __init__(self, width: int):
        super().__init__()
        self.body = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        # PyTorch's own normalises the last axis, where `channels_last` has them.
        return self.body(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def _depthwise(width: int) -> nn.Conv2d:
    return nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False)


class _Attention(nn.Module):
    """Softmax over the channels of a head, of channels compared over all pixels."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.qkv = nn.Conv2d(width, 3 * width, 1, bias=False)
        self.qkv_dwconv = _depthwise(3 * width)
        self.project_out = nn.Conv2d(width, width, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        n, c, height, width = x.shape
        shape = (n, len(self.temperature), -1, height * width)
        q, k, v = (
            part.reshape(shape) for part in self.qkv_dwconv(self.qkv(x)).chunk(3, 1)
        )
        q, k = functional.normalize(q, dim=-1), functional.normalize(k, dim=-1)
        shares = (q @ k.transpose(-2, -1) * self.temperature).softmax(-1)
        return self.project_out((shares @ v).reshape(n, c, height, width))


class _FeedForward(nn.Module):
    def __init__(self, width: int, expansion: float):
        super().__init__()
        hidden = int(width * expansion)
        self.project_in = nn.Conv2d(width, 2 * hidden, 1, bias=False)
        self.dwconv = _depthwise(2 * hidden)
        self.project_out = nn.Conv2d(hidden, width, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        u, v = self.dwconv(self.project_in(x)).chunk(2, 1)
        return self.project_out(functional.gelu(u) * v)


class _Block(nn.Module):
    def __init__(self, width: int, heads: int, expansion: float):
        super().__init__()
        self.norm1, self.norm2 = _LayerNorm(width), _LayerNorm(width)
        self.attn = _Attention(width, heads)
        self.ffn = _FeedForward(width, expansion)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.ffn(self.norm2(x))


class _Resized(nn.Module):
    """A convolution, then pixels into channels or channels into pixels."""

    def __init__(self, width: int, features: int, shuffle: nn.Module):
        super().__init__()
        conv = nn.Conv2d(width, features, 3, padding=1, bias=False)
        self.body = nn.Sequential(conv, shuffle)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


class _Embedding(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.proj = nn.Conv2d(3, width, 3, padding=1, bias=False)

    def forward(self, y: Tensor) -> Tensor:
        return self.proj(y)


class Restormer(nn.Module):
    """Blurry y to sharp x, without biases and with centred norms."""

    def __init__(
        self,
        width: int = 48,
        blocks: tuple[int, ...] = (4, 6, 6, 8),
        refinement: int = 4,
        heads: tuple[int, ...] = (1, 2, 4, 8),
        expansion: float = 2.66,
    ):
        super().__init__()
        widths = [width * 2**level for level in range(4)]

        def stack(count: int, level: int, features: int) -> nn.Sequential:
            return nn.Sequential(
                *(_Block(features, heads[level], expansion) for _ in range(count))
            )

        self.patch_embed = _Embedding(width)
        for level in range(3):
            name, wide = f"{level + 1}_{level + 2}", widths[level]
            down = _Resized(wide, wide // 2, nn.PixelUnshuffle(2))
            setattr(self, f"down{name}", down)
            name = f"{level + 2}_{level + 1}"
            up = _Resized(2 * wide, 4 * wide, nn.PixelShuffle(2))
            setattr(self, f"up{name}", up)
            encoder = stack(blocks[level], level, wide)
            setattr(self, f"encoder_level{level + 1}", encoder)
            decoder = stack(blocks[level], level, wide if level else 2 * wide)
            setattr(self, f"decoder_level{level + 1}", decoder)
            if level:
                reduce = nn.Conv2d(2 * wide, wide, 1, bias=False)
                setattr(self, f"reduce_chan_level{level + 1}", reduce)
        self.latent = stack(blocks[3], 3, widths[3])
        self.refinement = stack(refinement, 0, 2 * width)
        self.output = nn.Conv2d(2 * width, 3, 3, padding=1, bias=False)

    def forward(self, y: Tensor) -> Tensor:
        height, width = y.shape[2:]
        down, right = (-side % 8 for side in (height, width))
        padded = y
        if down or right:
            padded = functional.pad(y, (0, right, 0, down), mode="reflect")
        layer = lambda name: getattr(self, name)
        x, skips = self.patch_embed(padded), []
        for level in (1, 2, 3):
            x = layer(f"encoder_level{level}")(x)
            skips.append(x)
            x = layer(f"down{level}_{level + 1}")(x)
        x = self.latent(x)
        for level in (3, 2, 1):
            x = torch.cat([layer(f"up{level + 1}_{level}")(x), skips.pop()], 1)
            if level > 1:
                x = layer(f"reduce_chan_level{level}")(x)
            x = layer(f"decoder_level{level}")(x)
        x = self.output(self.refinement(x))
        return (padded + x)[..., :height, :width]
