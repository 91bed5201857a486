"""The folders of the field's data sets, by the name that a spec gives them."""

from collections.abc import Callable
from typing import NamedTuple

from kernel_space_jax.datasets.entry import Found
from kernel_space_jax.datasets.layouts.benchmarks import kohler, lai, levin
from kernel_space_jax.datasets.layouts.cameras import realblur, rsblur
from kernel_space_jax.datasets.layouts.folders import pairs, single
from kernel_space_jax.datasets.layouts.unpaired import blur2blur
from kernel_space_jax.datasets.layouts.video import gopro, kernel_space, rb2v, reds


class Layout(NamedTuple):
    """`find(root, **options)` lists the entries; `pattern` is for the eye."""

    find: Callable[..., Found]
    pattern: str


LAYOUTS = {
    "gopro": Layout(gopro, "{train,test}/SEQUENCE/{blur,sharp}/000001.png"),
    "reds": Layout(reds, "{train,val}/{train,val}_{blur,sharp}/000/00000000.png"),
    "realblur": Layout(realblur, "RealBlur-J_.../scene001/{blur/blur_1,gt/gt_1}.png"),
    "rsblur": Layout(rsblur, "0001/000001/{real_blur/real_blur,gt/gt_sharp}.png"),
    "rb2v": Layout(rb2v, "ID/{blur/0000,sharp/0000_1}.png"),
    "blur2blur": Layout(blur2blur, "{trainA,trainB,trainC,trainD,testA}/*.png"),
    "kernel_space": Layout(kernel_space, "{blur_imgs,sharp_imgs}/000/00000000.png"),
    "kohler": Layout(kohler, "Blurry1_1.png, Image1/Kernel1/GroundTruth1_1_1.png"),
    "lai": Layout(lai, "manmade_01_kernel_01.png, ground_truth/manmade_01.png"),
    "levin": Layout(levin, "im05_ker01.mat, or {blurry,sharp}/im1_ker1.png"),
    "pairs": Layout(pairs, "{blurry,sharp}/*.png"),
    "images": Layout(single, "*.png"),
}

__all__ = ["LAYOUTS", "Layout"]
