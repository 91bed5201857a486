"""The kernel space in PyTorch: the rival that our JAX version is timed against.

Images are NCHW float32 in [0, 1] with sides that are multiples of 128, at least 256.
Parameters carry the names of the published checkpoints, so these load unchanged; the
`nn.Identity` layers stand where a norm would, and keep the numbering.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

STRIDE = 128
Padding = Literal["reflect", "zero"]


def _leaky() -> nn.LeakyReLU:
    return nn.LeakyReLU(0.1, inplace=True)


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1)


class ResidualBlock(nn.Module):
    """x + conv(relu(conv(x))), with biases."""

    def __init__(self, width: int):
        super().__init__()
        self.conv1 = _conv(width, width)
        self.conv2 = _conv(width, width)

    def forward(self, x: Tensor) -> Tensor:
        hidden = functional.relu(self.conv1(x), inplace=True)
        return self.conv2(hidden).add_(x)


class CodeBlock(nn.Module):
    """x + conv(relu(conv(x))) with the chosen padding."""

    def __init__(self, width: int, padding: Padding, bias: bool):
        super().__init__()

        def conv() -> list[nn.Module]:
            if padding == "zero":
                return [nn.Conv2d(width, width, 3, padding=1, bias=bias)]
            return [nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3, bias=bias)]

        self.conv_block = nn.Sequential(
            *conv(), nn.Identity(), nn.ReLU(inplace=True), *conv()
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.conv_block(x).add_(x)


class KernelExtractor(nn.Module):
    """G after the features: both images' features to the code, 32 times smaller.

    The blind search's network of the code is the same, with biases.
    """

    def __init__(
        self,
        inputs: int,
        width: int,
        outputs: int,
        blocks: int,
        padding: Padding,
        bias: bool = False,
    ):
        super().__init__()
        layers: list[nn.Module] = [
            nn.ReflectionPad2d(3),
            nn.Conv2d(inputs, width, 7, bias=bias),
            nn.Identity(),
            nn.ReLU(inplace=True),
        ]
        widths = [min(width * 2**level, outputs) for level in range(6)]
        for before, after in zip(widths, widths[1:], strict=False):
            layers += [
                nn.Conv2d(before, after, 3, 2, padding=1, bias=bias),
                nn.Identity(),
                nn.ReLU(inplace=True),
            ]
        layers += [CodeBlock(outputs, padding, bias) for _ in range(blocks)]
        self.model = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        return self.model(features)


class Level(nn.Module):
    """One level of the U-Net around `submodule`; the innermost one takes the code.

    The ReLU that follows makes it irrelevant that the skip has been through the
    in-place leaky ReLU.
    """

    def __init__(
        self, outer: int, inner: int, submodule: "Level | None", outermost: bool = False
    ):
        super().__init__()
        down = nn.Conv2d(outer, inner, 4, 2, padding=1, bias=False)
        up = nn.ConvTranspose2d(2 * inner, outer, 4, 2, padding=1, bias=outermost)
        if outermost:
            self.down = nn.Sequential(down)
            self.up = nn.Sequential(nn.ReLU(inplace=True), up, nn.Tanh())
        else:
            self.down = nn.Sequential(nn.LeakyReLU(0.2, inplace=True), down)
            self.up = nn.Sequential(nn.ReLU(inplace=True), up)
        self.submodule = submodule
        self.outermost = outermost

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        below = self.down(x)
        if self.submodule is None:
            below = torch.cat([below, code], dim=1)
        else:
            below = self.submodule(below, code)
        above = self.up(below)
        return above if self.outermost else torch.cat([above, x], dim=1)


class Adapter(nn.Module):
    """The U-Net of F: features of the sharp image and a code to blurred features."""

    def __init__(self, width: int):
        super().__init__()
        level = Level(8 * width, 8 * width, None)
        for scale in (4, 2, 1):
            level = Level(scale * width, 2 * scale * width, level)
        self.model = Level(width, width, level, outermost=True)

    def forward(self, features: Tensor, code: Tensor) -> Tensor:
        return self.model(features, code)


class KernelSpace(nn.Module):
    """y = F(x, k) is `blur`, k = G(x, y) is `extract`; no norm."""

    def __init__(
        self,
        width: int = 64,
        code_width: int = 512,
        front: int = 10,
        back: int = 20,
        blocks: int = 4,
        variational: bool = False,
        padding: Padding = "reflect",
        tail_width: int = 64,  # the published one, at every width
    ):
        super().__init__()
        if code_width != 8 * width:
            raise ValueError(f"code_width must be 8 * width = {8 * width}")
        self.variational = variational
        self.feature_extractor = nn.Sequential(
            _conv(3, width),
            _leaky(),
            _conv(width, width, 2),
            _leaky(),
            _conv(width, width, 2),
            _leaky(),
            *(ResidualBlock(width) for _ in range(front)),
        )
        outputs = 2 * code_width if variational else code_width
        self.kernel_extractor = KernelExtractor(
            2 * width, width, outputs, blocks, padding
        )
        self.adapter = Adapter(width)
        self.recon_trunk = nn.Sequential(
            *(ResidualBlock(width) for _ in range(back)),
            _conv(width, 4 * width),
            nn.PixelShuffle(2),
            _leaky(),
            _conv(width, 4 * tail_width),
            nn.PixelShuffle(2),
            _leaky(),
            _conv(tail_width, tail_width),
            _leaky(),
            _conv(tail_width, 3),
        )

    def features(self, image: Tensor) -> Tensor:
        """Features at a quarter of the size, which F and G share."""
        return self.feature_extractor(image)

    def extract(
        self, sharp: Tensor, blurry: Tensor, sharp_features: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Mean and sigma of the code; sigma is 0 unless variational, and unbounded."""
        if sharp_features is None:
            sharp_features = self.features(sharp)
        both = torch.cat([sharp_features, self.features(blurry)], dim=1)
        code = self.kernel_extractor(both)
        if self.variational:
            mean, sigma = code.chunk(2, dim=1)
            return mean, sigma
        return code, torch.zeros_like(code)

    def blur(
        self, sharp: Tensor, code: Tensor, sharp_features: Tensor | None = None
    ) -> Tensor:
        """The sharp image blurred by the code, not clipped."""
        if sharp_features is None:
            sharp_features = self.features(sharp)
        return self.recon_trunk(self.adapter(sharp_features, code)).add_(sharp)

    def transfer(self, sharp: Tensor, blurry: Tensor, target: Tensor) -> Tensor:
        """The blur of a pair on a target, clipped; any size, reflected as ours is."""
        code, _ = self.extract(_fit(sharp), _fit(blurry))
        height, width = target.shape[2:]
        return self.blur(_fit(target), code)[..., :height, :width].clamp_(0, 1)


def _fit(image: Tensor) -> Tensor:
    """The image reflected at the bottom and right to multiples of 128."""
    down, right = (-side % STRIDE for side in image.shape[2:])
    return functional.pad(image, (0, right, 0, down), mode="reflect")


def reconstruction_loss(model: KernelSpace, x: Tensor, y: Tensor) -> Tensor:
    """The Charbonnier loss of F(x, G(x, y)) and y; features of x are found once."""
    features = model.features(x)
    mean, _ = model.extract(x, y, features)
    difference = model.blur(x, mean, features) - y
    return (difference.square() + 1e-6).sqrt().sum()


def training_step(
    model: KernelSpace,
    optimiser: torch.optim.Optimizer,
    x: Tensor,
    y: Tensor,
    loss_fn: Callable[..., Tensor] = reconstruction_loss,
) -> Tensor:
    """One step on the loss; `loss_fn` may be a compiled form of it."""
    loss = loss_fn(model, x, y)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    optimiser.step()
    return loss.detach()
