"""Blur2Blur's training step in PyTorch: what ours is timed against.

Written from the equations (Pham et al., CVPR 2024), as PyTorch users write them. Images
are NCHW in [0, 1].
"""

import torch
from benchmarks.torch_adversarial import adam, learn
from torch import Tensor, nn
from torch.nn import functional as F

# The layers of VGG16 that are compared, and their weights.
COMPARED = {8: 1 / 32, 15: 1 / 16, 18: 1 / 8, 22: 1 / 4, 24: 1.0}
STAGES = (2, 2, 3, 3, 1)


class VGG16(nn.Module):
    """relu2_2, relu3_3, relu4_1, relu4_3 and conv5_1, of images as they are."""

    def __init__(self, widths: tuple[int, ...] = (64, 128, 256, 512, 512)):
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for width, convolutions in zip(widths, STAGES, strict=True):
            if layers:
                layers.append(nn.MaxPool2d(2))
            for _ in range(convolutions):
                layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU(True)]
                before = width
        self.features = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> list[Tensor]:
        found = []
        for number, layer in enumerate(self.features):
            x = layer(x)
            if number in COMPARED:
                found.append(x)
        return found


class Blur2BlurStep:
    """An update of the critic with its penalty, then one of the translator.

    `space` puts the blur of known pairs on sharp photos and does not learn; `shares`
    (N, 1, 1, 1) are those of the penalty's mixtures.
    """

    def __init__(
        self,
        translator: nn.Module,
        critic: nn.Module,
        see: nn.Module,
        space: nn.Module,
        rate: float,
    ):
        self.translator, self.critic, self.see = translator, critic, see
        self.space = space
        self.of_translator, self.of_critic = (
            adam([network], rate) for network in (translator, critic)
        )
        learn(False, see, space)

    def __call__(
        self, y: Tensor, x: Tensor, pair: tuple[Tensor, Tensor], share: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The translator's loss, and the critic's."""
        with torch.no_grad():
            real = self.space.transfer(*pair, x)
        made = self.translator(y, every=True)
        loss = self._critic_loss(_pyramid(real), [m.detach() for m in made], share)
        self.of_critic.zero_grad(set_to_none=True)
        loss.backward()
        self.of_critic.step()
        learn(False, self.critic)
        total = -torch.stack([self.critic(m).mean() for m in made]).mean()
        for answer, target in zip(made, _pyramid(y), strict=True):
            total = total + 0.8 * self._apart(answer, target)
        self.of_translator.zero_grad(set_to_none=True)
        total.backward()
        self.of_translator.step()
        learn(True, self.critic)
        return total.detach(), loss.detach()

    def _critic_loss(
        self, real: list[Tensor], fake: list[Tensor], share: Tensor
    ) -> Tensor:
        told = [
            F.relu(1 - self.critic(r)).mean() + F.relu(1 + self.critic(f)).mean()
            for r, f in zip(real, fake, strict=True)
        ]
        mixed = (share * real[-1] + (1 - share) * fake[-1]).requires_grad_()
        score = self.critic(mixed).sum()
        (slope,) = torch.autograd.grad(score, mixed, create_graph=True)
        penalty = (slope.flatten(1).norm(dim=1) - 1).square().mean()
        return 0.5 * torch.stack(told).mean() + 1e-4 * penalty

    def _apart(self, answer: Tensor, target: Tensor) -> Tensor:
        with torch.no_grad():
            wanted = self.see(target)
        terms = zip(self.see(answer), wanted, COMPARED.values(), strict=True)
        return sum((w * F.l1_loss(a, b) for a, b, w in terms), torch.zeros(()))


def _pyramid(x: Tensor) -> list[Tensor]:
    small = [
        F.interpolate(x, scale_factor=scale, mode="bilinear", align_corners=False)
        for scale in (0.25, 0.5)
    ]
    return [*small, x]
