"""MIMO-UNet in PyTorch: the rival that our JAX version is timed against.

Written from the same equations as ours (Cho et al., ICCV 2021), as PyTorch users write
it. Images are NCHW in [0, 1], of any size. Parameters carry the names of published
checkpoints; the small classes with one `main` or `layers` keep these.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


class _Conv(nn.Module):
    def __init__(self, inputs: int, features: int, kernel: int = 3, stride: int = 1):
        super().__init__()
        conv = nn.Conv2d(inputs, features, kernel, stride, kernel // 2)
        self.main = nn.Sequential(conv)

    def forward(self, x: Tensor) -> Tensor:
        return self.main(x)


class _Up(nn.Module):
    def __init__(self, inputs: int, features: int):
        super().__init__()
        self.main = nn.Sequential(nn.ConvTranspose2d(inputs, features, 4, 2, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.main(x)


class _Residual(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.main = nn.ModuleList(_Conv(width, width) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.main[1](torch.relu_(self.main[0](x)))


class _Blocks(nn.Module):
    def __init__(self, width: int, blocks: int):
        super().__init__()
        self.layers = nn.Sequential(*(_Residual(width) for _ in range(blocks)))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class _Fusion(nn.Module):
    def __init__(self, inputs: int, features: int):
        super().__init__()
        self.conv = nn.ModuleList(
            [_Conv(inputs, features, 1), _Conv(features, features)]
        )

    def forward(self, *levels: Tensor) -> Tensor:
        return self.conv[1](torch.relu_(self.conv[0](torch.cat(levels, 1))))


class _Shallow(nn.Module):
    def __init__(self, features: int):
        super().__init__()
        sizes = [(3, features // 4, 3), (features // 4, features // 2, 1)]
        sizes += [(features // 2, features // 2, 3), (features // 2, features - 3, 1)]
        self.main = nn.ModuleList(_Conv(*size) for size in sizes)
        self.conv = _Conv(features, features, 1)

    def forward(self, y: Tensor) -> Tensor:
        u = y
        for layer in self.main:
            u = torch.relu_(layer(u))
        return self.conv(torch.cat([y, u], 1))


class _Attend(nn.Module):
    def __init__(self, features: int):
        super().__init__()
        self.merge = _Conv(features, features)

    def forward(self, x: Tensor, shallow: Tensor) -> Tensor:
        return x + self.merge(x * shallow)


class MIMOUNet(nn.Module):
    """Blurry y to sharp x, the largest of the three answers; without dropout."""

    def __init__(self, width: int = 32, blocks: int = 8):
        super().__init__()
        w = width
        wide = [w, 2 * w, 4 * w]
        self.Encoder = nn.ModuleList(_Blocks(n, blocks) for n in wide)
        self.Decoder = nn.ModuleList(_Blocks(n, blocks) for n in reversed(wide))
        self.feat_extract = nn.ModuleList(
            [
                *(_Conv(3, w), _Conv(w, 2 * w, stride=2)),
                *(_Conv(2 * w, 4 * w, stride=2), _Up(4 * w, 2 * w)),
                *(_Up(2 * w, w), _Conv(w, 3)),
            ]
        )
        self.Convs = nn.ModuleList([_Conv(4 * w, 2 * w, 1), _Conv(2 * w, w, 1)])
        self.ConvsOut = nn.ModuleList([_Conv(4 * w, 3), _Conv(2 * w, 3)])
        self.AFFs = nn.ModuleList([_Fusion(7 * w, w), _Fusion(7 * w, 2 * w)])
        self.SCM1, self.SCM2 = _Shallow(4 * w), _Shallow(2 * w)
        self.FAM1, self.FAM2 = _Attend(4 * w), _Attend(2 * w)

    def forward(self, y: Tensor, every: bool = False) -> Tensor | list[Tensor]:
        """With `every` all three answers, of sides that are multiples of 4."""
        height, width = y.shape[2:]
        down, right = (-side % 4 for side in (height, width))
        if down or right:
            y = functional.pad(y, (0, right, 0, down), mode="reflect")
        half = lambda x: x[..., ::2, ::2]
        twice = lambda x: functional.interpolate(x, scale_factor=2)
        extract = self.feat_extract
        fine = self.Encoder[0](torch.relu_(extract[0](y)))
        x = torch.relu_(extract[1](fine))
        middle = self.Encoder[1](self.FAM2(x, self.SCM2(half(y))))
        x = torch.relu_(extract[2](middle))
        x = self.Encoder[2](self.FAM1(x, self.SCM1(half(half(y)))))
        skips = [
            self.AFFs[0](fine, twice(middle), twice(twice(x))),
            self.AFFs[1](half(fine), middle, twice(x)),
        ]
        x = self.Decoder[0](x)
        answers, smaller = [], [half(half(y)), half(y)]
        for step in range(2):
            if every:  # The smaller answers are for training only.
                answers.append(smaller[step] + self.ConvsOut[step](x))
            x = torch.cat([torch.relu_(extract[3 + step](x)), skips.pop()], 1)
            x = self.Decoder[1 + step](torch.relu_(self.Convs[step](x)))
        restored = (y + extract[5](x))[..., :height, :width]
        return [*answers, restored] if every else restored
