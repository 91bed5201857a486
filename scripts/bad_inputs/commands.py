"""Commands with one thing wrong in each: the bad file, name or number in one place."""

from collections.abc import Iterator

from bad_inputs.world import (
    BAD_FILES,
    BAD_FOLDERS,
    BAD_IMAGES,
    BAD_SETS,
    BAD_WEIGHTS,
)

# What a verb is given, by the kind of each word: words with a kind are IMAGE=a.png.
DEBLUR = "deblur IMAGE=photo.png -o FOLDER=new"
TRANSFER = (
    "transfer IMAGE=photo.png --sharp IMAGE=sharp.png --blurry IMAGE=blurry.png "
    "-o FOLDER=new"
)
KERNELS = "kernels IMAGE=photo.png -o PICTURE=new.png"
SAMPLE = "sample IMAGE=photo.png -o FOLDER=new"
INTERPOLATE = (
    "interpolate IMAGE=photo.png --first IMAGE=sharp.png IMAGE=blurry.png "
    "--last sharp.png IMAGE=blurry.png -o FOLDER=new"
)
SHOW_KERNEL = (
    "show-kernel --sharp IMAGE=sharp.png --blurry IMAGE=blurry.png -o PICTURE=new.png"
)
AUGMENT = "augment --source SET=pairs:twice --target SET=images:set -o FOLDER=new -n 1"
EVALUATE = "evaluate --data SET=pairs:twice --method blurry -o FOLDER=new"
SWAP = "blur-swap --train SET=pairs:twice --test SET=pairs:twice -o FOLDER=new"
GAN = (
    "deblurgan --train SET=pairs:twice --test pairs:twice --photos SET=images:set "
    "--test-photos images:set -o FOLDER=new"
)
CAMERA = (
    "blur2blur --known SET=images:set --camera images:set --test images:to_set "
    "-o FOLDER=new"
)
ADAPT = (
    "adapt --blurry set --sharp set --start WEIGHTS=weights.safetensors "
    "-o FILE=new.safetensors"
)
CONVERT = (
    "convert-blur IMAGE=photo.png -o FOLDER=new --weights WEIGHTS=weights.safetensors"
)
CHECK = "data check SET=images:set"
PREPARE = "data prepare SET=images:set -o FOLDER=new"
SHOW = "data show SET=images:set -o PICTURE=new.png --crop 32"
DESCRIBE = "describe WEIGHTS=weights.safetensors"
PROGRAM = "export-program WEIGHTS=kernel-space -o FILE=new.bin blur"
IMPORT = "import-weights nafnet text.pth -o FILE=new.safetensors"
REPORT = "report folder -o FOLDER=new"
EXPORT = "export folder -o FILE=new.safetensors"
TRAIN = "train --config restorer --workdir new"
ALL = (
    DEBLUR, TRANSFER, KERNELS, SAMPLE, INTERPOLATE, SHOW_KERNEL, AUGMENT, EVALUATE,
    CAMERA, ADAPT, CONVERT, SWAP, GAN, CHECK, PREPARE, SHOW, DESCRIBE, PROGRAM,
)  # fmt: skip
# With weights of the user's own.
WITH_WEIGHTS = (
    f"{DEBLUR} --weights WEIGHTS=mender --method basis",
    f"{DEBLUR} --method kernel-space --vgg WEIGHTS=missing",
    f"{DEBLUR} --method nafnet --weights weights.safetensors "
    "--translator WEIGHTS=missing",
    f"{TRANSFER} --weights WEIGHTS=kernel-space",
    f"{KERNELS} --weights WEIGHTS=mender",
    f"{SAMPLE} --weights WEIGHTS=kernel-space-variational",
    f"{SHOW_KERNEL} --weights WEIGHTS=kernel-space",
    f"{EVALUATE} --weights WEIGHTS=mender",
)
BAD = {
    "IMAGE": BAD_IMAGES,
    "WEIGHTS": BAD_WEIGHTS,
    "FOLDER": BAD_FOLDERS,
    "FILE": BAD_FILES,
    "PICTURE": (*BAD_FILES, "new.txt", "new"),
    "SET": BAD_SETS,
}
# Of every whole number, and of every other one.
BAD_INTEGERS = ("-1", "abc", "1.5", "99999999999999999999")
BAD_NUMBERS = ("-1", "0", "abc", "nan", "inf", "1e9")
NUMBERS = {
    f"{DEBLUR} --method map --kernel-size": (*BAD_INTEGERS, "0", "4", "999"),
    f"{DEBLUR} --method map --gamma": BAD_NUMBERS,
    f"{DEBLUR} --method map --tile": (*BAD_INTEGERS, "0", "10", "1000000000"),
    f"{DEBLUR} --method selfdeblur --seed": BAD_INTEGERS,
    f"{TRANSFER} --kernel-size": (*BAD_INTEGERS, "0", "4", "999"),
    f"{KERNELS} --gamma": BAD_NUMBERS,
    f"{SAMPLE} -n": (*BAD_INTEGERS, "0", "1000000000"),
    f"{SAMPLE} --seed": BAD_INTEGERS,
    f"{INTERPOLATE} -n": (*BAD_INTEGERS, "0"),
    f"{AUGMENT} --seed": BAD_INTEGERS,
    f"{AUGMENT[:-5]} -n": (*BAD_INTEGERS, "0"),
    f"{EVALUATE} --limit": (*BAD_INTEGERS, "0"),
    f"{PREPARE} --tile": (*BAD_INTEGERS, "1000000000"),
    f"{PREPARE} --bits": (*BAD_INTEGERS, "10"),
    f"{SHOW} --count": (*BAD_INTEGERS, "0", "100000"),
    f"{SHOW} --crop": (*BAD_INTEGERS, "0", "100000"),
    f"{PROGRAM} --size": (*BAD_INTEGERS, "0", "1000000"),
    f"{EXPORT} --step": (*BAD_INTEGERS, "0"),
    f"{REPORT} --images": (*BAD_INTEGERS, "0"),
}
# Options that a method or verb lacks, and names that nothing has.
LACKING = (
    *(f"{DEBLUR} --method map {more}" for more in ("--preset full", "--seed 1")),
    f"{DEBLUR} --method map --solver half-quadratic",
    f"{DEBLUR} --method map --trace",
    f"{DEBLUR} --method map --weights kernel-space",
    f"{DEBLUR} --method map --no-saturation",
    f"{DEBLUR} --method basis --kernel-size 9",
    f"{DEBLUR} --method basis --weights kernel-space",
    f"{DEBLUR} --method auto --vgg mender",
    f"{DEBLUR} --method nested --tile 256",
    f"{DEBLUR} --method nested --gamma 1",
    f"{DEBLUR} --method nafnet-32",
    f"{DEBLUR} --method nafnet-32 --weights mender",
    f"{DEBLUR} --method kernel-space --vgg mender",
    f"{TRANSFER} --weights kernel-space --kernel-size 9",
    f"{TRANSFER} --weights mender",
    f"{SAMPLE} --weights kernel-space",
    f"{SHOW_KERNEL} --weights mender",
    f"{EVALUATE} --also lpips",
    f"{PROGRAM} --platforms foo",
    f"{PROGRAM} --platforms cpu,,cuda",
    "export-program kernel-space -o new.bin",
    "export-program kernel-space -o new.bin __init__",
    "export-program kernel-space -o new.bin blurr",
)
UNKNOWN = (
    "debur photo.png -o new",
    "data chek images:set",
    "data",
    f"{DEBLUR} --method mpa",
    f"{DEBLUR} --method basis --solver half",
    f"{DEBLUR} --method nested --preset fast",
    f"{DEBLUR} --colour red",
    f"{EVALUATE} --method blurr",
    f"{EVALUATE} --protocol kohlr",
    f"{EVALUATE} --also simm",
    f"{EVALUATE} --sweep nois",
    f"{EVALUATE} --published gopr",
    f"{EVALUATE} --results missing",
    f"{EVALUATE} --results text.png",
    f"{EVALUATE} --results folder",
    f"{EVALUATE} --split nope",
    f"{EVALUATE} --table sharp.png",
    f"{EVALUATE} --table weights.safetensors",
    f"{EVALUATE} --table text.png/below.md",
    f"{SWAP} --config missing",
    f"{SWAP} --config text.py",
    f"{SWAP} --config judge",
    f"{SWAP} --config.wdth=3",
    f"{GAN} --recipe medium",
    f"{GAN} --config.wdth=3",
    "evaluate --data pairs:twice -o new",
    "report missing -o new",
    "report text.png -o new",
    "report folder -o new",
    "import-weights nafnt text.pth -o new.safetensors",
    *(f"import-weights nafnet {file} -o new.safetensors" for file in (
        "missing.pth", "folder", "empty.pth", "text.pth", "empty.npz", "text.npz",
        "arrays.npz", "truncated.safetensors", "empty.safetensors", "sharp.png",
    )),
    *(f"import-weights nafnet arrays.npz -o new.safetensors --option {option}"
      for option in ("width", "=3", "width=", "wdth=3", "width=-1", "width=abc")),
    "export missing -o new.safetensors",
    "export text.png -o new.safetensors",
    "export folder -o new.safetensors",
    "train --config missing --workdir new",
    "train --config mendr --workdir new",
    "train --config folder --workdir new",
    "train --config text.py --workdir new",
    "train --config sharp.png --workdir new",
    f"{TRAIN} --config.stps=3",
    f"{TRAIN} --config.steps=abc",
    f"{TRAIN} steps=3",
    f"{TRAIN} --config.data.train=('images:missing',)",
    "train --config restorer --workdir text.png",
    "train --config restorer",
)  # fmt: skip
# Training that must be refused before its work directory is made.
SMALL = (
    f"{TRAIN} --config.data.train=('pairs:twice',) "
    "--config.data.validation=pairs:twice --config.data.crop=32 --config.model.width=4 "
    "--config.steps=1"
)
UNTRAINABLE = tuple(
    f"{SMALL} --config.{key}"
    for key in (
        "data.crop=0", "data.crop=-8", "model.width=0", "model.width=-4", "steps=-5",
        "batch_size=0", "dtype=float99", "optimiser=adm", "schedule=cosin",
        "parallel=many", "best=ssmi", "learning_rate=-1.0",
    )
)  # fmt: skip
# An output that is an input, that is there, or that is another output.
DESTROYING = (
    "deblur photo.png -o .",
    "deblur photo.png -o folder/..",
    "deblur photo.png -o . --overwrite",
    "deblur link.png -o . --overwrite",
    "deblur set/a.png -o to_set --overwrite",
    "deblur photo.png set/../photo.png -o new",
    "deblur set/a.png twice/sharp/a.png -o new",
    "deblur photo.jpg photo.png -o new --sheet",
    "deblur photo.png photo_sheet.png -o new --sheet",
    "deblur photo.png -o done",
    "deblur photo.jpg photo.png -o new --method selfdeblur --trace",
    f"{TRANSFER.replace('FOLDER=new', '.')} --overwrite",
    f"{TRANSFER.replace('IMAGE=photo.png', 'sharp.png').replace('FOLDER=new', '.')}",
    "transfer set/a.png twice/sharp/a.png --sharp sharp.png --blurry blurry.png -o new",
    "transfer photo.png --sharp sharp.png --blurry blurry.png -o done",
    "transfer done/sheet.png --sharp sharp.png --blurry blurry.png -o new --sheet",
    *(f"kernels photo.png -o {out}" for out in (
        "photo.png", "hard.png --overwrite", "done/out.png", "photo.png --overwrite",
    )),
    "sample photo.png -o done -n 1",
    "sample done/photo_00.png -o done -n 1",
    "interpolate photo.png --first sharp.png blurry.png --last sharp.png blurry.png "
    "-o done -n 1",
    *(f"show-kernel --sharp sharp.png --blurry blurry.png -o {out}" for out in (
        "sharp.png", "blurry.png --overwrite", "link.png --overwrite", "done/out.png",
    )),
    *(f"data show images:set -o {out} --crop 32" for out in (
        "set/a.png", "set/a.png --overwrite", "set/new.png", "to_set/a.png --overwrite",
        "done/out.png",
    )),
    "data prepare images:set -o set",
    "data prepare images:set -o set/prepared",
    "data prepare images:set -o done",
    "augment --source pairs:twice --target images:set -o set -n 1",
    "augment --source pairs:twice --target images:set -o twice/new -n 1",
    "augment --source pairs:twice --target images:set -o done -n 1",
    "evaluate --data pairs:twice --method blurry -o twice",
    "evaluate --data pairs:twice --method blurry -o done",
    "blur-swap --train pairs:twice --test pairs:twice -o done",
    "report done -o done",
    "report folder -o folder",
    *(f"import-weights nafnet weights.safetensors -o {out}" for out in (
        "weights.safetensors", "weights.safetensors --overwrite",
        "done/out.safetensors",
    )),
    "import-weights nafnet text.pth -o text.pth",
    *(f"export-program weights.safetensors -o {out}" for out in (
        "weights.safetensors", "weights.safetensors --overwrite",
        "done/out.safetensors",
    )),
    "export folder -o done/out.safetensors",
)  # fmt: skip


# One of a folder's images may be good, and the first of them all that is asked for.
GOOD = ("--target images:bad",)


def commands(*, training: bool = True) -> Iterator[str]:
    """All commands to try; without `training` those alone that train nothing."""
    for command in (*ALL, *WITH_WEIGHTS):
        bad = _each_bad(command)
        yield from (line for line in bad if not any(good in line for good in GOOD))
    for command, values in NUMBERS.items():
        yield from (f"{_good(command)} {value}" for value in values)
    for command in (*LACKING, *UNKNOWN, *DESTROYING):
        yield _good(command)
    for command in (*ALL, REPORT, EXPORT, TRAIN):
        yield _good(command).split(" -")[0] + " --no-such-option"
    if training:
        yield from (_good(command) for command in UNTRAINABLE)


def _good(command: str) -> str:
    """The command with its good words."""
    return " ".join(word.partition("=")[2] if _kind(word) else word
                    for word in command.split())  # fmt: skip


def _kind(word: str) -> str:
    kind, equals, _ = word.partition("=")
    return kind if equals and kind in BAD else ""


def _each_bad(command: str) -> Iterator[str]:
    """The command with a bad word in place of each good one."""
    words = command.split()
    for place, word in enumerate(words):
        for bad in BAD.get(_kind(word), ()):
            changed = [*words[:place], bad, *words[place + 1 :]]
            yield _good(" ".join(changed))
