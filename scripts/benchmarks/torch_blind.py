"""The joint blind search in PyTorch: the rival that our search is timed against.

One photo, eager, as the released program of Tran et al. 2021 runs it. Images are NCHW
float32 in [0, 1] with sides that are multiples of 128, at least 256. Parameters carry
the names of the published checkpoints, so `weights.from_torch` takes them.
"""

import torch
from benchmarks.torch_kernel_space import KernelExtractor, KernelSpace
from torch import Tensor, nn
from torch.nn import functional as F

# Of the first half of the steps: VGG19, 1 - SSIM, |k|, hyper-Laplacian.
WEIGHTS = (0.6, 1.0, 5e-5, 2e-2)
RATE, JITTER = 5e-4, 1e-3
VGG_STAGES = (2, 2, 4, 4, 1)  # the last one no further than what is compared
VGG_WEIGHTS = (0.2, 0.4, 0.8, 1.0, 3.0)


def _from_one(*layers: nn.Module) -> nn.Sequential:
    """Layers in a row, which the checkpoints count from one."""
    named = nn.Sequential()
    for number, layer in enumerate(layers, start=1):
        named.add_module(str(number), layer)
    return named


def _conv(inputs: int, outputs: int, side: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, side, stride, side // 2))


def _layer(inputs: int, outputs: int, side: int, stride: int = 1) -> list[nn.Module]:
    return [
        _conv(inputs, outputs, side, stride),
        nn.BatchNorm2d(outputs),
        nn.LeakyReLU(0.2, inplace=True),
    ]


class NonLocal(nn.Module):
    """x + BN(W sum_j theta_i . phi_j / J g_j), phi and g pooled (Wang et al. 2018)."""

    def __init__(self, width: int):
        super().__init__()
        inner = width // 2
        self.theta = nn.Conv2d(width, inner, 1)
        self.phi = nn.Sequential(nn.Conv2d(width, inner, 1), nn.MaxPool2d(2))
        self.g = nn.Sequential(nn.Conv2d(width, inner, 1), nn.MaxPool2d(2))
        norm = nn.BatchNorm2d(width)
        nn.init.zeros_(norm.weight)
        self.W = nn.Sequential(nn.Conv2d(inner, width, 1), norm)

    def forward(self, x: Tensor) -> Tensor:
        theta, phi, g = (part(x).flatten(2) for part in (self.theta, self.phi, self.g))
        attention = theta.mT @ phi / phi.shape[2]
        seen = (attention @ g.mT).mT.unflatten(2, x.shape[2:])
        return self.W(seen) + x


class Beside(nn.ModuleList):
    """What several paths make of x, channel upon channel."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([path(x) for path in self], dim=1)


def _scale(index: int, scales: int, inputs: int, width: int, skip: int) -> list:
    """One scale of the skip network, and within it all smaller ones."""
    deep = _layer(inputs, width, 3, 2)
    if index > 1:
        deep.append(NonLocal(width))
    deep += _layer(width, width, 3)
    if index + 1 < scales:
        deep.append(_from_one(*_scale(index + 1, scales, width, width, skip)))
    deep.append(nn.Upsample(scale_factor=2, mode="bilinear"))
    return [
        Beside([_from_one(*_layer(inputs, skip, 1)), _from_one(*deep)]),
        nn.BatchNorm2d(skip + width),
        *_layer(skip + width, width, 3),
        *_layer(width, width, 1),
    ]


class ImagePrior(nn.Module):
    """The skip network (Ulyanov et al. 2018): noise of 8 channels to x, zero padding.

    A side must be a multiple of 2^scales.
    """

    def __init__(self, width: int = 128, skip: int = 16, scales: int = 5):
        super().__init__()
        layers = _scale(0, scales, 8, width, skip)
        self.model = _from_one(*layers, _conv(width, 3, 1), nn.Sigmoid())

    def forward(self, z: Tensor) -> Tensor:
        return self.model(z)


class KernelPrior(KernelExtractor):
    """Noise (1, inputs, 64 h, 64 w) to a code (1, outputs, 2h, 2w)."""

    def __init__(
        self, inputs: int = 64, width: int = 64, outputs: int = 512, blocks: int = 6
    ):
        super().__init__(inputs, width, outputs, blocks, "reflect", bias=True)


class VGG19(nn.Module):
    """relu1_1, relu2_1, ..., relu5_1 of images as they are, in [0, 1]."""

    def __init__(self, widths: tuple[int, ...] = (64, 128, 256, 512, 512)):
        super().__init__()
        layers: list[nn.Module] = []
        self.seen: list[int] = []
        before = 3
        for width, convolutions in zip(widths, VGG_STAGES, strict=True):
            if layers:
                layers.append(nn.MaxPool2d(2))
            self.seen.append(len(layers) + 1)
            for _ in range(convolutions):
                layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU(True)]
                before = width
        self.features = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> list[Tensor]:
        found = []
        for number, layer in enumerate(self.features):
            x = layer(x)
            if number in self.seen:
                found.append(x)
        return found


def ssim(x: Tensor, y: Tensor) -> Tensor:
    """Mean SSIM (Wang et al. 2004): 11x11 Gaussian window of sigma 1.5, zero border."""
    channels = x.shape[1]
    taps = torch.exp(-(torch.arange(-5.0, 6.0) ** 2) / (2 * 1.5**2)).to(x)
    taps /= taps.sum()
    window = (taps[:, None] * taps).expand(channels, 1, 11, 11)

    def mean(image: Tensor) -> Tensor:
        return F.conv2d(image, window, padding=5, groups=channels)

    mean_x, mean_y = mean(x), mean(y)
    squares = mean_x**2 + mean_y**2
    variances = mean(x * x) + mean(y * y) - squares
    covariance = mean(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + 0.01**2) / (squares + 0.01**2)
    return (luminance * (2 * covariance + 0.03**2) / (variances + 0.03**2)).mean()


def hyper_laplacian(x: Tensor, alpha: float = 0.66) -> Tensor:
    """mean (g_h^2 + g_w^2 + 1e-6)^(alpha/2), Sobel g of the channel sum."""
    sobel = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]).to(x)
    both = torch.stack([sobel, sobel.T])[:, None]
    gradient = F.conv2d(x.sum(1, keepdim=True), both, padding=1)
    return ((gradient**2).sum(1) + 1e-6).pow(alpha / 2).mean()


class JointSearch:
    """x and k behind one photo: both networks move at each step (Tran et al. 2021).

    L = 0.6 VGG(F, y) + 1 - SSIM(F, y) + 5e-5 |k|_2 + 2e-2 HL(x),    F = F(x, k)

    What VGG19 sees of the photo is found once, as in our search.
    """

    def __init__(
        self,
        space: KernelSpace,
        vgg: VGG19,
        image: ImagePrior,
        code: KernelPrior,
        z: tuple[Tensor, Tensor],
        y: Tensor,
        jitter: float = JITTER,
    ):
        self.space = space.requires_grad_(False)
        self.vgg = vgg.requires_grad_(False)
        self.image, self.code, self.z, self.y = image, code, z, y
        self.jitter = jitter
        self.target = vgg(y)
        self.optimisers = [
            torch.optim.Adam(prior.parameters(), lr=RATE) for prior in (image, code)
        ]

    def loss(self) -> Tensor:
        z_x, z_k = (z + self.jitter * torch.randn_like(z) for z in self.z)
        x, k = self.image(z_x), self.code(z_k)
        blurred = self.space.blur(x, k)
        perceptual = sum(
            weight * F.l1_loss(ours, theirs)
            for weight, ours, theirs in zip(
                VGG_WEIGHTS, self.vgg(blurred), self.target, strict=True
            )
        )
        terms = (perceptual, 1 - ssim(blurred, self.y), k.norm(), hyper_laplacian(x))
        total = sum(w * term for w, term in zip(WEIGHTS, terms, strict=True))
        assert isinstance(total, Tensor)
        return total

    def step(self) -> Tensor:
        """One Adam step of both; returns the loss before it."""
        for optimiser in self.optimisers:
            optimiser.zero_grad(set_to_none=True)
        loss = self.loss()
        loss.backward()
        for optimiser in self.optimisers:
            optimiser.step()
        return loss.detach()
