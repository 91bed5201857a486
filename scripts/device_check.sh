#!/usr/bin/env bash
# Everything that only an accelerator can show, in at most nine minutes on one.
#
#     scripts/device_check.sh [--platform NAME] [--quick] [--out FOLDER]
#
# NAME is what JAX calls it: cpu, cuda or tpu; by default what JAX finds. --quick runs
# the same code with tiny networks. What is found goes to FOLDER, by default $OUT or
# out/device-check, part by part: PART.json, summary.txt, page.md. It needs jax, flax,
# optax, orbax and numpy, and PyTorch to compare with; this package is not installed.
# PYTHON=... names another Python than python3.
set -u

# The parts, the most important first, and the seconds that each surely has. One that
# ends early leaves its seconds to those after it.
parts=(parity train blind convolutions transfer restoration)
shares=(80 170 130 45 55 45)
total=525

root=$(dirname "$(realpath "$0")")/..
usage() { sed -n '2,10s/^# \{0,1\}//p' "$0"; }
out=${OUT:-$root/out/device-check}
python=${PYTHON:-python3}
quick=()
while (($#)); do
  case $1 in
    --platform) export JAX_PLATFORMS=${2:?--platform needs a name}; shift ;;
    --out) out=${2:?--out needs a folder}; shift ;;
    --quick) quick=(--quick) ;;
    --help) usage; exit ;;
    *) usage >&2; exit 2 ;;
  esac
  shift
done
mkdir -p "$out" && out=$(realpath "$out") && cd "$root" || exit 2
for part in "${parts[@]}"; do rm -f "$out/$part.json"; done
rm -f "$out/summary.txt" "$out/page.md"

export PYTHONPATH=$PWD:$PWD/scripts:$PWD/tests${PYTHONPATH:+:$PYTHONPATH}
export PYTHONUNBUFFERED=1
# No folder of programs: compilation is timed, and the folder wants a package more.
export JAX_ENABLE_COMPILATION_CACHE=false JAX_COMPILATION_CACHE_DIR=none
# JAX takes memory as it needs it, so that what it held can be told, and leaves room for
# PyTorch.
export XLA_PYTHON_CLIENT_PREALLOCATE=false XLA_PYTHON_CLIENT_MEM_FRACTION=.9
if ((${#quick[@]})); then
  # Compiling takes most of a quick run: as little as XLA's CPU compiler can do.
  fast=--xla_backend_extra_options=xla_cpu_disable_new_fusion_emitters
  export XLA_FLAGS="${XLA_FLAGS:-} --xla_backend_optimization_level=0 $fast"
fi

later=0 failed=0
for share in "${shares[@]}"; do later=$((later + share)); done
for i in "${!parts[@]}"; do
  part=${parts[i]} began=$SECONDS
  later=$((later - shares[i]))
  limit=$((total - began - later))
  timeout -k 5 "$limit" "$python" -m device_check "$part" --out "$out" "${quick[@]}"
  code=$?
  ((code == 0)) || failed=1
  "$python" -m device_check.page "$out" --ended "$part" "$code" $((SECONDS - began))
  tail -n 1 "$out/summary.txt"
done
echo "written: $out/page.md"
exit $failed
