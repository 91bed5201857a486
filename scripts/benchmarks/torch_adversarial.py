"""DeblurGAN's and CycleGAN's training steps in PyTorch: what ours are timed against.

Written from the papers' equations (Kupyn et al., CVPR 2018; Zhu et al., ICCV 2017), as
PyTorch users write them. Images are NCHW in [-1, 1]. Critics carry the names of
published checkpoints.
"""

import random
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class PatchGAN(nn.Module):
    """Images (N, 3, H, W) to a map of answers (N, 1, h, w)."""

    def __init__(self, width: int, layers: int, padding: int):
        super().__init__()
        conv = lambda before, after, stride: nn.Conv2d(
            before, after, 4, stride=stride, padding=padding
        )
        found: list[nn.Module] = [conv(3, width, 2), nn.LeakyReLU(0.2, True)]
        before = width
        for depth in range(1, layers + 1):
            after = width * min(2**depth, 8)
            found += [conv(before, after, 2 if depth < layers else 1)]
            found += [nn.InstanceNorm2d(after), nn.LeakyReLU(0.2, True)]
            before = after
        self.model = nn.Sequential(*found, conv(before, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


def adam(networks: Iterable[nn.Module], rate: float) -> torch.optim.Adam:
    parameters = [p for network in networks for p in network.parameters()]
    return torch.optim.Adam(parameters, lr=rate, betas=(0.5, 0.999))


def learn(wanted: bool, *networks: nn.Module) -> None:
    for network in networks:
        network.requires_grad_(wanted)


class DeblurGANStep:
    """Updates of the critic with its gradient penalty, then one of the generator.

    `see` is VGG19 as far as conv3_3; `shares` (N, 1, 1, 1) are those of the penalty's
    mixtures, for each update.
    """

    def __init__(
        self, generator: nn.Module, critic: nn.Module, see: nn.Module, rate: float
    ):
        self.generator, self.critic, self.see = generator, critic, see
        self.of_generator = adam([generator], rate)
        self.of_critic = adam([critic], rate)
        learn(False, see)

    def __call__(
        self, x: Tensor, y: Tensor, shares: list[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """The generator's loss, and the critic's at its last update."""
        fake = self.generator(y)
        loss = torch.zeros(())
        for share in shares:
            loss = self._critic_loss(x, fake.detach(), share)
            self.of_critic.zero_grad(set_to_none=True)
            loss.backward()
            self.of_critic.step()
        learn(False, self.critic)
        with torch.no_grad():
            wanted = self.see(x)
        content = F.mse_loss(self.see(fake), wanted)
        total = 100 * content - self.critic(fake).mean()
        self.of_generator.zero_grad(set_to_none=True)
        total.backward()
        self.of_generator.step()
        learn(True, self.critic)
        return total.detach(), loss.detach()

    def _critic_loss(self, x: Tensor, fake: Tensor, share: Tensor) -> Tensor:
        mixed = (share * x + (1 - share) * fake).requires_grad_()
        score = self.critic(mixed).mean((1, 2, 3)).sum()
        (slope,) = torch.autograd.grad(score, mixed, create_graph=True)
        penalty = (slope.flatten(1).norm(dim=1) - 1).square().mean()
        distance = self.critic(fake).mean() - self.critic(x).mean()
        return distance + 10 * penalty


class Pool:
    """One in two images is exchanged for one of the last 50."""

    def __init__(self, size: int = 50):
        self.size, self.images = size, list[Tensor]()

    def __call__(self, images: Tensor) -> Tensor:
        given = []
        for image in images.detach():
            if len(self.images) < self.size:
                self.images.append(image)
            elif random.random() < 0.5:
                place = random.randrange(self.size)
                image, self.images[place] = self.images[place], image
            given.append(image)
        return torch.stack(given)


class CycleGANStep:
    """An update of R: y -> x and F: x -> y, and one of their critics."""

    def __init__(self, networks: dict[str, nn.Module], rate: float):
        self.restorer, self.blurrer = networks["restorer"], networks["blurrer"]
        self.of_sharp = networks["critic_of_sharp"]
        self.of_blurry = networks["critic_of_blurry"]
        self.of_generators = adam([self.restorer, self.blurrer], rate)
        self.of_critics = adam([self.of_sharp, self.of_blurry], rate)
        self.pools = Pool(), Pool()

    def __call__(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """The generators' loss, and the critics'."""
        learn(False, self.of_sharp, self.of_blurry)
        restored, blurred = self.restorer(y), self.blurrer(x)
        cycle = F.l1_loss(self.restorer(blurred), x)
        cycle = cycle + F.l1_loss(self.blurrer(restored), y)
        same = F.l1_loss(self.restorer(x), x) + F.l1_loss(self.blurrer(y), y)
        fooled = (self.of_sharp(restored) - 1).square().mean()
        fooled = fooled + (self.of_blurry(blurred) - 1).square().mean()
        total = fooled + 10 * cycle + 5 * same
        self.of_generators.zero_grad(set_to_none=True)
        total.backward()
        self.of_generators.step()
        learn(True, self.of_sharp, self.of_blurry)
        loss = self._told(self.of_sharp, x, self.pools[0](restored))
        loss = loss + self._told(self.of_blurry, y, self.pools[1](blurred))
        self.of_critics.zero_grad(set_to_none=True)
        loss.backward()
        self.of_critics.step()
        return total.detach(), loss.detach()

    def _told(self, critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        return ((critic(real) - 1).square().mean() + critic(fake).square().mean()) / 2
