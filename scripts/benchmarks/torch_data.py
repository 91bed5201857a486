"""Random crops of pairs from PNG files in PyTorch, as its users write it."""

from pathlib import Path

import cv2
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, RandomSampler


class Pairs(Dataset):
    """FOLDER/sharp/NAME.png and FOLDER/blurry/NAME.png, a crop of each: (3, h, w)."""

    def __init__(self, folder: Path, crop: int) -> None:
        self.files = [
            (sharp, folder / "blurry" / sharp.name)
            for sharp in sorted((folder / "sharp").glob("*.png"))
        ]
        self.crop = crop

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        x, y = (read(file) for file in self.files[number])
        top, left = (
            int(torch.randint(side - self.crop + 1, ())) for side in x.shape[1:]
        )
        window = (..., slice(top, top + self.crop), slice(left, left + self.crop))
        return x[window], y[window]


def read(file: Path) -> Tensor:
    """(3, H, W) of 8 bits."""
    pixels = cv2.imread(str(file))
    assert pixels is not None
    return torch.from_numpy(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)).permute(2, 0, 1)


def loader(folder: Path, crop: int, batch: int, workers: int) -> DataLoader:
    """Batches of pairs drawn again and again, without end."""
    pairs = Pairs(folder, crop)
    drawn = RandomSampler(pairs, replacement=True, num_samples=2**31)
    return DataLoader(pairs, batch_size=batch, sampler=drawn, num_workers=workers)
