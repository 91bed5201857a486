"""DeblurGAN's generator in PyTorch: the rival that our JAX version is timed against.

Written from the same equations as ours (Kupyn et al., CVPR 2018), as PyTorch users
write it. Images are NCHW in [-1, 1], with sides that are multiples of 4. Parameters
carry the names of published checkpoints.
"""

from collections.abc import Callable

from torch import Tensor, nn

Layer = Callable[[int], nn.Module]


class _Block(nn.Module):
    def __init__(
        self, width: int, convolutions: int, dropout: float, norm: Layer, bias: bool
    ):
        super().__init__()
        conv = lambda: nn.Conv2d(width, width, 3, bias=bias)
        layers = [nn.ReflectionPad2d(1), conv(), norm(width)]
        if convolutions == 2 or dropout:
            layers += [nn.ReLU(True)]
        if dropout:
            layers += [nn.Dropout(dropout)]
        if convolutions == 2:
            layers += [nn.ReflectionPad2d(1), conv(), norm(width)]
        self.conv_block = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv_block(x)


class DeblurGAN(nn.Module):
    """Blurry y (N, 3, H, W) in [-1, 1] to sharp x."""

    def __init__(
        self,
        width: int,
        blocks: int,
        convolutions: int,
        dropout: float,
        residual: bool,
        norm: str,
        statistics: str,
    ):
        super().__init__()
        self.residual = residual
        affine, tracked = norm == "batch", statistics == "running"
        bias = not affine
        layer = lambda width: nn.InstanceNorm2d(
            width, affine=affine, track_running_stats=tracked
        )
        layers: list[nn.Module] = [nn.ReflectionPad2d(3)]
        layers += [nn.Conv2d(3, width, 7, bias=bias), layer(width), nn.ReLU(True)]
        for _ in range(2):
            down = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, bias=bias)
            width *= 2
            layers += [down, layer(width), nn.ReLU(True)]
        layers += [
            _Block(width, convolutions, dropout, layer, bias) for _ in range(blocks)
        ]
        for _ in range(2):
            up = nn.ConvTranspose2d(
                width, width // 2, 3, stride=2, padding=1, output_padding=1, bias=bias
            )
            width //= 2
            layers += [up, layer(width), nn.ReLU(True)]
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7), nn.Tanh()]
        self.model = nn.Sequential(*layers)

    def forward(self, y: Tensor) -> Tensor:
        x = self.model(y)
        return (y + x).clamp(-1, 1) if self.residual else x
