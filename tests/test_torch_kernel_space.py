"""The PyTorch rival computes what the original does, so that the race is fair."""

import sys
from pathlib import Path

import pytest
from golden import Golden, largest_difference, relative_error

torch = pytest.importorskip("torch")
sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from benchmarks.torch_kernel_space import KernelSpace, training_step  # noqa: E402


def load(golden: Golden, **sizes) -> KernelSpace:
    model = KernelSpace(**sizes)
    weights = golden.weights()
    model.load_state_dict({key: torch.tensor(value) for key, value in weights.items()})
    return model


@pytest.mark.parametrize(
    "name, sizes",
    [
        ("kw_wovae_nf4", dict(back=3, blocks=2, variational=False)),
        ("kw_vae_nf4", dict(back=2, blocks=1, variational=True)),
    ],
)
def test_extract_and_blur(name, sizes):
    golden = Golden(name)
    model = load(golden, width=4, code_width=32, front=2, **sizes)
    sharp, blurry, epsilon = (
        torch.tensor(golden[f"in/{key}_256x256"]) for key in ("sharp", "blur", "eps")
    )
    with torch.no_grad():
        mean, sigma = model.extract(sharp, blurry)
        blurred = model.blur(sharp, mean + sigma * epsilon)
    assert largest_difference(mean, golden["out/kmean_256x256"]) < 1e-5
    assert largest_difference(sigma, golden["out/ksigma_256x256"]) < 1e-5
    assert largest_difference(blurred, golden["out/adapt_256x256"]) < 1e-5


def test_training_steps():
    golden = Golden("kw_trainstep_wovae_nf4")
    model = load(golden, width=4, code_width=32, front=1, back=1, blocks=1)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-4, betas=(0.9, 0.99))
    x, y = (torch.tensor(golden[f"in/{key}"]) for key in ("HQ", "LQ"))
    for step in range(3):
        loss = training_step(model, optimiser, x, y)
        assert relative_error(loss, golden[f"out/l_pix_{step}"]) < 1e-5
    parameters = {key: value.detach() for key, value in model.named_parameters()}
    for key, expected in golden.group("after3/").items():
        # A tenth of one Adam step: rounding moves the entries with tiny gradients.
        assert largest_difference(parameters[key], expected) < 1e-5
