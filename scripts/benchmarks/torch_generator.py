"""StyleGAN2 and a step of its latents in PyTorch: what ours is timed against.

Written from the equations (Karras et al., CVPR 2020; Menon et al., CVPR 2020), as
PyTorch users write them: weights are modulated for each image, and convolved in groups.
Images are NCHW. Layers have the names of the port that most programs read.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FIR = torch.tensor([1.0, 3.0, 3.0, 1.0])


def filtered(x: Tensor, pad: tuple[int, int]) -> Tensor:
    """The 4x4 filter of sum 4, after zeros on both sides of each axis."""
    kernel = (FIR[:, None] * FIR / 16).expand(x.shape[1], 1, 4, 4)
    return F.conv2d(F.pad(x, (*pad, *pad)), kernel.contiguous(), groups=x.shape[1])


class Linear(nn.Module):
    def __init__(self, before: int, after: int, rate: float = 1.0):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(after, before))
        self.bias = nn.Parameter(torch.zeros(after))
        self.scale, self.rate = rate / before**0.5, rate

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.scale, self.bias * self.rate)


class Modulated(nn.Module):
    def __init__(self, before, after, kernel, style, up=False, normalised=True):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1, after, before, kernel, kernel))
        self.modulation = Linear(style, before)
        self.scale = (before * kernel**2) ** -0.5
        self.up, self.normalised = up, normalised

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        n, channels, height, width = x.shape
        style = self.modulation(w).view(n, 1, channels, 1, 1)
        weight = self.scale * self.weight * style
        if self.normalised:
            power = weight.square().sum((2, 3, 4), keepdim=True)
            weight = weight * torch.rsqrt(power + 1e-8)
        after, k = weight.shape[1], weight.shape[-1]
        x = x.reshape(1, n * channels, height, width)
        if self.up:
            weight = weight.transpose(1, 2).reshape(n * channels, after, k, k)
            x = F.conv_transpose2d(x, weight, stride=2, groups=n)
            return filtered(x.view(n, after, *x.shape[2:]), (1, 1))
        weight = weight.view(n * after, channels, k, k)
        x = F.conv2d(x, weight, padding=k // 2, groups=n)
        return x.view(n, after, height, width)


class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))


class Bias(nn.Module):
    def __init__(self, features: int):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(features))


class Styled(nn.Module):
    def __init__(self, before: int, after: int, style: int, up: bool = False):
        super().__init__()
        self.conv = Modulated(before, after, 3, style, up)
        self.noise, self.activate = Scale(), Bias(after)

    def forward(self, x: Tensor, w: Tensor, noise: Tensor) -> Tensor:
        x = self.conv(x, w) + self.noise.weight * noise
        x = x + self.activate.bias.view(1, -1, 1, 1)
        return 2**0.5 * F.leaky_relu(x, 0.2)


class ToRGB(nn.Module):
    def __init__(self, before: int, style: int):
        super().__init__()
        self.conv = Modulated(before, 3, 1, style, normalised=False)
        self.bias = nn.Parameter(torch.zeros(1, 3, 1, 1))

    def forward(self, x: Tensor, w: Tensor, before: Tensor | None) -> Tensor:
        rgb = self.conv(x, w) + self.bias
        if before is None:
            return rgb
        n, c, height, width = before.shape
        spread = before.new_zeros(n, c, height, 2, width, 2)
        spread[:, :, :, 0, :, 0] = before
        spread = spread.view(n, c, 2 * height, 2 * width)
        return rgb + filtered(spread, (2, 1))


class Constant(nn.Module):
    def __init__(self, features: int):
        super().__init__()
        self.input = nn.Parameter(torch.randn(1, features, 4, 4))


class StyleGAN2(nn.Module):
    """Styles (N, L, S) and noise maps -> (N, 3, R, R)."""

    def __init__(self, widths: tuple[int, ...], style: int):
        super().__init__()
        first, *others = widths
        self.input = Constant(first)
        self.conv1, self.to_rgb1 = Styled(first, first, style), ToRGB(first, style)
        self.convs, self.to_rgbs = nn.ModuleList(), nn.ModuleList()
        for before, after in zip(widths, others, strict=False):
            self.convs.append(Styled(before, after, style, up=True))
            self.convs.append(Styled(after, after, style))
            self.to_rgbs.append(ToRGB(after, style))

    def forward(self, w: Tensor, noise: list[Tensor]) -> Tensor:
        x = self.input.input.expand(len(w), -1, -1, -1)
        x = self.conv1(x, w[:, 0], noise[0])
        rgb = self.to_rgb1(x, w[:, 1], None)
        for i, to_rgb in enumerate(self.to_rgbs):
            x = self.convs[2 * i](x, w[:, 2 * i + 1], noise[2 * i + 1])
            x = self.convs[2 * i + 1](x, w[:, 2 * i + 2], noise[2 * i + 2])
            rgb = to_rgb(x, w[:, 2 * i + 3], rgb)
        return rgb


class LatentStep:
    """One step of Adam on the sphere, for latents (1, L, S) and the first maps."""

    def __init__(self, generator, latents, noise, trained, mean, deviation, y, rate):
        self.generator, self.y = generator, y
        self.mean, self.deviation = mean, deviation
        self.latents = latents.clone().requires_grad_()
        self.noise = [n.clone() for n in noise]
        self.searched = [
            self.latents,
            *(n.requires_grad_() for n in self.noise[:trained]),
        ]
        self.radius = [self._norm(p.detach()) for p in self.searched]
        self.optimiser = torch.optim.Adam(self.searched, lr=rate)

    def __call__(self) -> Tensor:
        self.optimiser.zero_grad()
        w = F.leaky_relu(self.latents * self.deviation + self.mean, 0.2)
        x = (self.generator(w, self.noise) + 1) / 2
        loss = 100 * F.mse_loss(x, self.y) + 0.1 * self._geocross(w)
        loss.backward()
        self.optimiser.step()
        with torch.no_grad():
            for p, radius in zip(self.searched, self.radius, strict=True):
                p.mul_(radius / self._norm(p))
        return loss.detach()

    @staticmethod
    def _geocross(w: Tensor) -> Tensor:
        u, v = w[:, :, None], w[:, None]
        near = ((u - v).square().sum(-1) + 1e-9).sqrt()
        far = ((u + v).square().sum(-1) + 1e-9).sqrt()
        angle = 2 * torch.atan2(near, far)
        layers, size = w.shape[1:]
        return size * angle.square().mean((1, 2)).sum() / (layers // 2 - 1)

    @staticmethod
    def _norm(p: Tensor) -> Tensor:
        axes = tuple(range(2, p.ndim))
        return (p.square().sum(axes, keepdim=True) + 1e-9).sqrt()
