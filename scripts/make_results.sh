#!/usr/bin/env bash
# Makes docs/results.md again, and the report page of its runs. From the root of a
# checkout whose data/ holds levin09, gopro, kohler, kodak24, bsds500 and bsds500-train
# (its test and training images) and gopro-frames, a folder of 240 fps frames
# (docs/data.md).
set -euo pipefail
score() { kernel-space evaluate "$@" --table docs/results.md; }

for set in levin:levin09 pairs:gopro kohler:kohler; do
  python scripts/prepare_outside.py "${set%%:*}:data/${set##*:}" -o "outside/${set##*:}"
done
score --data levin:data/levin09 --method blurry --method known-kernel \
  --method map --method map-size-known --method pixel-kernel-quick \
  --method selfdeblur-quick \
  --results skimage-rl=outside/levin09 \
  --results inputs=data/levin09/blurry \
  -o runs/levin --title "Levin, 8 of the 32 images"
score --data levin:data/levin09 --method known-kernel --method fitted-kernel \
  --method map --method map-size-known \
  -o runs/levin-fitted --title "Levin, 8 of the 32 images, what one kernel can give"
for set in levin:data/levin09 images:data/kodak24; do
  case $set in levin*) name=levin title="Levin, 8 of the 32 images" ;;
    *) name=shaken title="Shaken, 8 Kodak images" ;; esac
  score --data "$set" --protocol "$name" --method blurry --method known-kernel \
    --method map --method map-balanced --method map-thorough --method map-size-known \
    --method best-start-balanced \
    -o "runs/$name-starts" --title "$title, many starts"
done
score --data images:data/bsds500 --protocol turned --limit 20 --method blurry \
  --method map --method map-balanced --method best-start-balanced \
  -o runs/turned --title "Turned cameras, 20 BSDS images"
score --data images:data/bsds500 --protocol in-space --limit 8 --method blurry \
  --method map --method kernel-space-quick --method known-code \
  -o runs/in-space --title "Blur that the kernel space knows, 8 BSDS images"
score --data pairs:data/gopro --method blurry --results skimage-unsharp=outside/gopro \
  --published gopro --also ssim-3d --also ms-ssim \
  -o runs/gopro --title "GoPro, 11 training pairs"
score --data pairs:data/gopro --protocol reconstruction --method blurry \
  --method uniform-transfer --weights kernel-space \
  -o runs/reconstruction --title "Reconstruction, 11 GoPro pairs"
score --data pairs:data/gopro --protocol half-transfer --method blurry \
  --method uniform-transfer --weights kernel-space \
  -o runs/half-transfer --title "Blur moved between halves, 11 GoPro pairs"
score --data levin:data/levin09 --protocol levin-transfer --method blurry \
  --method uniform-transfer --weights kernel-space \
  -o runs/levin-transfer --title "Blur transfer, 4 of Levin's kernels"
score --data kohler:data/kohler --protocol kohler-proxy --method blurry \
  --method map --method map-balanced --method map-local \
  --results skimage-unsharp=outside/kohler -o runs/kohler --title "Köhler, proxy"
score --data pairs:data/gopro --protocol aligned --method blurry \
  --method map --method map-local --results skimage-unsharp=outside/gopro \
  -o runs/gopro-aligned --title "GoPro, 11 training pairs, aligned"
score --data pairs:data/gopro --protocol aligned --method blurry --weights mender \
  -o runs/gopro-mender \
  --title "GoPro, 11 training pairs, kernels found for each pixel"
# MAXIM is installed as the README says. `auto-alone` is auto without it.
mkdir -p data/kodak-as-is
ln -sfn ../kodak24 data/kodak-as-is/sharp
ln -sfn ../kodak24 data/kodak-as-is/blurry
default() { score "$@" --method maxim-s3 --method auto-alone --method auto; }
default --data pairs:data/gopro --protocol aligned --method blurry \
  -o runs/gopro-auto --title "GoPro, 11 training pairs, deblur by default"
default --data kohler:data/kohler --protocol kohler-proxy --method blurry \
  -o runs/kohler-auto --title "Köhler, proxy, deblur by default"
default --data images:data/kodak24 --protocol shaken --method blurry \
  -o runs/shaken-auto --title "Shaken, 8 Kodak images, deblur by default" \
  --method map --method basis
default --data images:data/bsds500 --protocol turned --limit 20 --method blurry \
  -o runs/turned-auto --title "Turned cameras, 20 BSDS images, deblur by default" \
  --method map --method basis
default --data images:data/bsds500 --protocol non-blind --limit 20 --method blurry \
  -o runs/blind-auto --title "Per-pixel blur, 20 BSDS images, deblur by default" \
  --method map --method basis
default --data pairs:data/kodak-as-is \
  -o runs/sharp-auto --title "Sharp, 8 Kodak images, deblur by default"
for set in bsds500 kodak24; do
  score --data "images:data/$set" --protocol non-blind --limit 20 \
    --method blurry --method wiener --method known-kernel --method published-rl \
    --method richardson-lucy --method half-quadratic \
    -o "runs/non-blind-$set" --title "Known per-pixel blur, $set"
done
score --data images:data/bsds500 --protocol non-blind --limit 20 --method blurry \
  --weights mender --weights judge --weights two-heads --method map --method map-local \
  --method half-quadratic -o runs/blind-bsds500 --title "Per-pixel blur that was found, bsds500"
score --data images:data/kodak24 --method blurry --method known-kernel \
  --sweep noise,kernel-length,jpeg,gamma --limit 4 \
  -o runs/sweep --title "Sweep, 4 Kodak images"
# Scenes apart: GOPR0477 is learned, with more pairs of its 240 fps frames; the rest test.
for half in sharp blurry; do
  mkdir -p "data/gopro-scenes/train/$half" "data/gopro-scenes/test/$half"
  for file in "$PWD/data/gopro/$half"/*; do
    case $file in */GOPR0477*) split=train ;; *) split=test ;; esac
    ln -sf "$file" "data/gopro-scenes/$split/$half/"
  done
done
python scripts/prepare_exposures.py data/gopro-frames -o data/gopro-scenes/train \
  --lengths 15,19
python scripts/evaluate.py blur-swap --train pairs:data/gopro-scenes/train \
  --test pairs:data/gopro-scenes/test -o runs/blur-swap --leaves \
  --title "Blur swap, 5 GoPro pairs" --table docs/results.md
python scripts/evaluate.py deblurgan --train pairs:data/gopro-scenes/train \
  --photos images:data/bsds500 --test pairs:data/gopro-scenes/test \
  --test-photos images:data/kodak24 --kohler kohler:data/kohler -o runs/deblurgan \
  --config.steps=1000 --title "DeblurGAN, small" --table docs/results.md
# Blur of an unknown camera: each half of the training images is one camera's.
i=0
for file in "$PWD"/data/bsds500-train/*.jpg; do
  if (( i++ % 2 )); then kind=camera; else kind=known; fi
  mkdir -p "data/bsds500-halves/$kind" && ln -sf "$file" "data/bsds500-halves/$kind/"
done
mkdir -p data/bsds500-halves/test
ls "$PWD"/data/bsds500/*.jpg | awk 'NR % 10 == 5' |
  xargs -I {} ln -sf {} data/bsds500-halves/test/
python scripts/evaluate.py blur2blur --known images:data/bsds500-halves/known \
  --camera images:data/bsds500-halves/camera --test images:data/bsds500-halves/test \
  --seeds 3 --config.data.kernel_size=15 '--config.data.grain=(4.0,4.0)' \
  --restorer.steps=1000 --translator.steps=1200 --cyclegan.steps=400 \
  --dualgan.steps=400 --adapt.steps=400 --adapt.learning_rate=1e-3 \
  -o runs/blur2blur --title "Blur2Blur, small" --table docs/results.md
# The frames of one clip, averaged: the first are the test, the last the camera. MAXIM
# learns slowly here, so some arms are left out.
frames() { python scripts/prepare_exposures.py data/gopro-frames "$@" --lengths 13,17 \
  --gamma 1.8 --height 288 --noise 0.01; }
frames -o data/clip/camera --last 72 --stride 2
frames -o data/clip/test --first 72 --stride 3
python scripts/evaluate.py blur2blur --known "pairs:data/gopro?resize=288" \
  --camera pairs:data/clip/camera --test pairs:data/clip/test --restorer maxim \
  --arm translator --arm cyclegan --arm dualgan --arm adapted --arm paired \
  --translator.steps=400 --cyclegan.steps=200 --dualgan.steps=200 --adapt.steps=40 \
  --adapt.batch_size=1 --config.data.validation_size=4 \
  -o runs/blur2blur-clip --title "Blur2Blur, a clip" --table docs/results.md
# Images of a generator, and faces that it did not draw; a restorer learns such faces too.
python scripts/draw_faces.py -o data/drawn-faces --count 4000
python scripts/draw_faces.py -o data/drawn-faces-test --count 12 --seed 1
python scripts/prepare_shaken.py drawn-faces -o data/drawn-pairs --count 12
python scripts/prepare_shaken.py images:data/drawn-faces-test -o data/faces-pairs --count 12
python scripts/train.py --config configs/nafnet_synthetic.py --workdir runs/nafnet-faces \
  --config.data.train="('images:data/drawn-faces',)" \
  --config.data.validation=images:data/drawn-faces --config.data.augment=mirror \
  --config.data.crop=48 --config.data.noise=0.01 --config.steps=1500
kernel-space export runs/nafnet-faces -o runs/nafnet-faces.safetensors
faces() {
  score --method blurry --method map --method basis --method kernel-space \
    --method maxim --weights runs/nafnet-faces.safetensors --weights drawn-faces "$@"
}
faces --data pairs:data/drawn-pairs -o runs/faces-drawn \
  --title "Faces, 12 images of the generator"
faces --data pairs:data/faces-pairs -o runs/faces-faces \
  --title "Faces, 12 images that it did not draw"
kernel-space report runs/levin runs/gopro runs/kohler runs/non-blind-bsds500 runs/sweep \
  -o page --images 12
