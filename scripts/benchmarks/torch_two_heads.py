"""The adaptive basis in PyTorch, to be raced against: network and Richardson-Lucy.

Written from the same papers as ours, as PyTorch users write it: eager, one direct
convolution a kernel and channel. Layer names are those of published checkpoints.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SLOPE = 0.01


def _conv(inputs: int, outputs: int, side: int = 3, pad: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, side, padding=pad), nn.LeakyReLU())


class _Double(nn.Module):
    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.double_conv = nn.Sequential(
            *_conv(inputs, outputs), *_conv(outputs, outputs)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.double_conv(x)


class _Up(nn.Module):
    def __init__(self, inputs: int, outputs: int, skip: int):
        super().__init__()
        self.up = nn.ConvTranspose2d(inputs, inputs, 2, 2)
        self.double_conv = _Double(inputs, outputs).double_conv
        self.feat = _conv(outputs + skip, outputs)

    def forward(self, x: Tensor, skip: Tensor | None = None) -> Tensor:
        x = self.double_conv(self.up(x))
        if skip is not None:
            if skip.shape[-1] == 1:
                skip = skip.expand(-1, -1, *x.shape[2:])
            x = torch.cat([skip, x], 1)
        return self.feat(x)


class TwoHeads(nn.Module):
    """y (N, 3, H, W), sides multiples of 32 -> kernels (N, B, 33, 33) and masks."""

    def __init__(self, width: int = 64, basis: int = 25):
        super().__init__()
        w = [width * factor for factor in (1, 2, 4, 8, 16)]
        self.inc_rgb, self.inc_gray = _conv(3, width), _conv(1, width)
        for i, (inputs, outputs) in enumerate(zip([width, *w], w, strict=False)):
            setattr(self, f"down{i + 1}", _Double(inputs, outputs))
        self.feat = _conv(w[4], w[4])
        before = w[4]
        for i, (outputs, skip) in enumerate(
            zip((w[3], w[2], w[1], w[0], w[0]), w[::-1], strict=True)
        ):
            setattr(self, f"up{i + 1}", _Up(before, outputs, skip))
            before = outputs
        self.masks_end = self._end(width, basis, 3, 1)
        before = w[4]
        for i, (outputs, skip) in enumerate(
            zip((w[3], w[2], w[2], w[1], w[0]), w[::-1], strict=True)
        ):
            setattr(self, f"kernel_up{i + 1}", _Up(before, outputs, skip))
            before = outputs
        self.kernels_end = self._end(width, basis, 2, 1)

    @staticmethod
    def _end(width: int, basis: int, side: int, pad: int) -> nn.Sequential:
        return nn.Sequential(
            *_conv(width, width, side, pad),
            *_conv(width, width),
            nn.Conv2d(width, basis, 3, padding=1),
        )

    def forward(self, y: Tensor) -> tuple[Tensor, Tensor]:
        x, skips = self.inc_rgb(y**2.2 - 0.5), []
        for i in range(5):
            x = getattr(self, f"down{i + 1}")(x)
            skips.append(x)
            x = F.max_pool2d(x, 2)
        x = self.feat(x)
        k, m = x.mean((2, 3), keepdim=True), x
        for i, skip in enumerate(reversed(skips)):
            m = getattr(self, f"up{i + 1}")(m, skip)
            k = getattr(self, f"kernel_up{i + 1}")(k, skip.mean((2, 3), keepdim=True))
        kernels = self.kernels_end(k)
        kernels = torch.softmax(kernels.flatten(2), 2).view_as(kernels)
        return kernels, torch.softmax(self.masks_end(m), 1)


def richardson_lucy(
    y: Tensor, kernels: Tensor, masks: Tensor, *, steps: int = 30, gamma: float = 2.2
) -> Tensor:
    """x <- z (A^T (y^gamma / A z) + e) / (A^T 1 + e) in linear light: (1, C, H, W).

    z is ahead of x, by Nesterov; A x = sum_b m_b . (h_b * x), on a domain larger than
    the photo by the kernels; e holds what the photo hardly sees.
    kernels: (B, k, k), convolved; masks: (B, H, W).
    """
    reach, least, darkest = kernels.shape[-1] // 2, 1e-2, 1e-6
    turned = kernels.flip(1, 2)[:, None]

    def blur(x: Tensor) -> Tensor:
        channels = [
            (F.conv2d(x[:, c : c + 1], turned) * masks).sum(1, keepdim=True)
            for c in range(x.shape[1])
        ]
        return torch.cat(channels, 1)

    def adjoint(r: Tensor) -> Tensor:
        channels = [
            F.conv_transpose2d(masks * r[:, c : c + 1], turned)
            for c in range(r.shape[1])
        ]
        return torch.cat(channels, 1)

    light = y**gamma
    x = before = F.pad(light, (reach,) * 4, mode="replicate")
    seen = adjoint(torch.ones_like(light)) + least
    for step in range(steps):
        z = (x + step / (step + 3) * (x - before)).clamp_min(darkest)
        asked = adjoint(light / blur(z).clamp_min(darkest)) + least
        x, before = z * asked / seen, x
    x = x[..., reach : x.shape[-2] - reach, reach : x.shape[-1] - reach]
    return x ** (1 / gamma)
