"""DeblurGAN-v2's FPN-MobileNet in PyTorch: the rival of our JAX version.

Written from the same equations as ours (Kupyn et al., ICCV 2019; MobileNetV2 of Sandler
et al., CVPR 2018), as PyTorch users write it. Images are NCHW in [-1, 1], with sides
that are multiples of 32. Parameters carry the names of published checkpoints; the trunk
ends where the pyramid stops looking.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

# Of each block of the trunk: the channels that it gives, and its stride.
BLOCKS = (
    *((16, 1), (24, 2), (24, 1), (32, 2), (32, 1), (32, 1)),
    *((64, 2), (64, 1), (64, 1), (64, 1), (96, 1), (96, 1), (96, 1)),
    *((160, 2), (160, 1)),
)
SEEN = (1, 3, 6, 10, 15)


class _Norm(nn.BatchNorm2d):
    """Batch norm; without running statistics each image is a batch by itself."""

    def forward(self, x: Tensor) -> Tensor:
        if self.track_running_stats or len(x) == 1:
            return super().forward(x)
        return functional.instance_norm(
            x, weight=self.weight, bias=self.bias, eps=self.eps
        )


class _Residual(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int, tracked: bool):
        super().__init__()
        # The first block, of the stem's 32 channels, does not widen them.
        wide = inputs if outputs == 16 else 6 * inputs
        norm = lambda width: _Norm(width, track_running_stats=tracked)
        conv = lambda *widths, **more: nn.Conv2d(*widths, bias=False, **more)
        layers = []
        if wide != inputs:
            layers = [conv(inputs, wide, 1), norm(wide), nn.ReLU6(True)]
        spatial = conv(wide, wide, 3, stride=stride, padding=1, groups=wide)
        layers += [spatial, norm(wide), nn.ReLU6(True)]
        layers += [conv(wide, outputs, 1), norm(outputs)]
        self.conv = nn.Sequential(*layers)
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.adds else self.conv(x)


def _smoothed(inputs: int, outputs: int, tracked: bool) -> nn.Sequential:
    norm = nn.InstanceNorm2d(outputs, track_running_stats=tracked)
    conv = nn.Conv2d(inputs, outputs, 3, padding=1)
    return nn.Sequential(conv, norm, nn.ReLU(True))


class _Pyramid(nn.Module):
    def __init__(self, width: int, half: int, tracked: bool):
        super().__init__()
        stem = nn.Conv2d(3, 32, 3, stride=2, padding=1, bias=False)
        norm = _Norm(32, track_running_stats=tracked)
        layers: list[nn.Module] = [nn.Sequential(stem, norm, nn.ReLU6(True))]
        channels = [32]
        for outputs, stride in BLOCKS:
            layers.append(_Residual(channels[-1], outputs, stride, tracked))
            channels.append(outputs)
        self.features = nn.Sequential(*layers)
        for scale, layer in enumerate(SEEN):
            features = width if scale else half
            lateral = nn.Conv2d(channels[layer], features, 1, bias=False)
            self.add_module(f"lateral{scale}", lateral)
        for step in range(1, 4):
            self.add_module(f"td{step}", _smoothed(width, width, tracked))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Maps of the scales, the coarsest first."""
        seen = []
        for number, layer in enumerate(self.features):
            x = layer(x)
            if number in SEEN:
                seen.append(getattr(self, f"lateral{len(seen)}")(x))
        maps = [seen[4]]
        for step, scale in enumerate((3, 2, 1), start=1):
            larger = functional.interpolate(maps[-1], scale_factor=2, mode="nearest")
            maps.append(getattr(self, f"td{step}")(seen[scale] + larger))
        return [*maps, seen[0]]


class _Head(nn.Module):
    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.block0 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.block1 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.block1(functional.relu(self.block0(x))))


class FPNMobileNet(nn.Module):
    """Blurry y (N, 3, H, W) in [-1, 1] to sharp x."""

    def __init__(self, width: int, pyramid: int, statistics: str):
        super().__init__()
        tracked = statistics == "running"
        self.fpn = _Pyramid(pyramid, width, tracked)
        for scale in range(1, 5):
            self.add_module(f"head{scale}", _Head(pyramid, width))
        self.smooth = _smoothed(4 * width, width, tracked)
        self.smooth2 = _smoothed(width, width // 2, tracked)
        self.final = nn.Conv2d(width // 2, 3, 3, padding=1)

    def forward(self, y: Tensor) -> Tensor:
        *maps, finest = self.fpn(y)
        heads = [
            functional.interpolate(
                getattr(self, f"head{scale}")(x), scale_factor=2 ** (scale - 1)
            )
            for scale, x in zip((4, 3, 2, 1), maps, strict=True)
        ]
        x = self.smooth(torch.cat(heads, 1))
        x = self.smooth2(functional.interpolate(x, scale_factor=2) + finest)
        x = self.final(functional.interpolate(x, scale_factor=2))
        return (y + x.tanh()).clamp(-1, 1)
